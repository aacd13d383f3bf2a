/* cycle_walk.c - see cycle_walk.h: the chain of documents. */
#include "check/cycle_walk.h"

#include <inttypes.h>

static void read_words(tape__cycle_walk_t *w)
{
    const tape__cycle_store_t *s = &w->look.store;
    tape__file_bytes_t *in = &w->look.in;
    /* [0] is raised first: read it last, and it is not behind. */
    w->words.last_index = tape__file_bytes_u64(in, s->last_index_at);
    w->words.sequence = s->has_pair ? tape__file_bytes_u64(in, s->write_position_at + 8) : 0;
    const uint64_t position = tape__file_bytes_u64(in, s->write_position_at);
    if (position == w->words.position) return;
    w->words.position = position;
    w->position_sequence = -1;
    for (int64_t n = w->count - 1; n >= 0 && n >= w->count - TAPE__CYCLE_WALK_BEHIND; n--)
        if (w->behind[n % TAPE__CYCLE_WALK_BEHIND] == position) w->position_sequence = n;
}

static void check_padding(tape__cycle_walk_t *w, uint64_t end, uint64_t next)
{
    if (next == end) return;
    const uint8_t *p = tape__file_bytes_at(&w->look.in, end, (size_t)(next - end));
    for (uint64_t i = 0; i < next - end; i++)
        if (p[i]) {
            tape__findings_add(w->f, TAPE__FOUND_PADDING, TAPE_DAMAGE, (int64_t)(end + i), -1,
                               "the padding behind the document at 0x%" PRIx64 " is not 0", w->at);
            return;
        }
}

bool tape__cycle_walk_begin(tape__cycle_walk_t *w)
{
    w->position_sequence = -1;
    w->page_number = -1;
    read_words(w);
    w->last_index = w->words.last_index;
    check_padding(w, TAPE__WORD_SIZE + tape__word_length(tape__file_bytes_u32(&w->look.in, 0)),
                  w->look.store.first_document);
    w->at = w->look.store.first_document;
    w->tail = w->look.in.size;
    if (w->look.store.index_count != w->facts->roll_cycle->index_count ||
        w->look.store.index_spacing != w->facts->roll_cycle->index_spacing)
        tape__findings_add(w->f, TAPE__FOUND_SETTINGS, TAPE_NOTE, 0, -1,
                           "indexCount %" PRId64 " and indexSpacing %" PRId64
                           " are not those of %s", w->look.store.index_count,
                           w->look.store.index_spacing, w->facts->roll_cycle->name);
    tape__cycle_walk_open_index(w);
    return true;
}

void tape__cycle_walk_end(tape__cycle_walk_t *w)
{
    tape__free(w->root.body);
    tape__free(w->page.body);
    tape__free(w->pages);
    tape__cycle_look_close(&w->look);
}

void tape__cycle_walk_refresh(tape__cycle_walk_t *w)
{
    tape__file_bytes_refresh(&w->look.in);
    read_words(w);
}

/* ---- one document ---- */

static void broken(tape__cycle_walk_t *w, uint64_t at, const char *what, uint64_t number)
{
    tape__findings_add(w->f, TAPE__FOUND_CHAIN, TAPE_DAMAGE, (int64_t)at, -1, what, number);
    w->broken = true;
}

static int64_t index_here(const tape__cycle_walk_t *w)
{
    return tape__index(w->facts->roll_cycle, w->facts->cycle, w->count);
}

/* A frame says how long the body is; Java leaves ones that say much more when a program failed in
 * mid-message (format.md 8.2), and they are read as they are. */
static void check_frame(tape__cycle_walk_t *w, uint32_t length)
{
    const uint64_t framed = tape__cycle_look_framed(&w->look, w->at + 4);
    if (framed == 0 || framed == length) return;
    const uint64_t end = w->at + 4 + length;
    if (framed > length && framed - length >= 4) return;
    if (framed < length && tape__file_bytes_nonzero(&w->look.in, w->at + 4 + framed, end) < end)
        return; /* something else follows in the document */
    tape__findings_add(w->f, TAPE__FOUND_FRAME, TAPE_DAMAGE, (int64_t)w->at, index_here(w),
                       "a document of %u bytes around a frame of %" PRIu64, length, framed);
}

static void meet_message(tape__cycle_walk_t *w, uint32_t length)
{
    check_frame(w, length);
    if ((w->count & (w->look.store.index_spacing - 1)) == 0) tape__cycle_walk_index_message(w);
    if (w->at == w->words.position) w->position_sequence = w->count;
    w->behind[w->count % TAPE__CYCLE_WALK_BEHIND] = w->at;
    w->last_position = w->at;
    w->count++;
}

/* Steps over the document at w->at; false when there is none, or the chain is broken. */
static bool step(tape__cycle_walk_t *w)
{
    tape__file_bytes_t *in = &w->look.in;
    if (w->at > in->size) tape__file_bytes_refresh(in);
    if (w->at > tape__align_up(in->size, TAPE__BLOCK)) {
        broken(w, w->previous, "the document here leads to 0x%" PRIx64
                               ", beyond the end of the file", w->at);
        return false;
    }
    const uint32_t word = tape__file_bytes_u32(in, w->at), length = tape__word_length(word);
    w->end_word = word;
    if (word == 0 || (word & TAPE__NOT_COMPLETE)) return false;
    const uint64_t end = w->at + 4 + length, next = tape__cycle_look_next(&w->look, w->at, length);
    if (end > in->size) tape__file_bytes_refresh(in);
    if (end > in->size) {
        broken(w, w->at, "a document of %" PRIu64 " bytes reaches beyond the end of the file",
               length);
        return false;
    }
    if (tape__word_kind(word) == TAPE__WORD_DATA) {
        meet_message(w, length);
    } else if (length == 0) {
        tape__findings_add(w->f, TAPE__FOUND_EMPTY, TAPE_DAMAGE, (int64_t)w->at, -1,
                           "a metadata document of length 0");
    } else {
        tape__cycle_walk_index_document(w, length);
    }
    check_padding(w, end, next);
    w->previous = w->at;
    w->at = next;
    return true;
}

void tape__cycle_walk_on(tape__cycle_walk_t *w)
{
    uint64_t told = w->at;
    w->end_word = 0;
    while (!w->broken && !w->f->stopped && step(w))
        if (w->at - told >= 1 << 20) {
            tape__findings_progress(w->f, (int64_t)(w->at - told));
            told = w->at;
        }
    tape__findings_progress(w->f, (int64_t)(w->at - told));
}

/* ---- what the words say ---- */

static bool pair_fits(const tape__cycle_walk_t *w, int shift, uint64_t position, int64_t sequence)
{
    return tape__pair_agrees(shift, position, w->words.sequence) &&
           tape__pair_sequence(shift, w->words.sequence) == sequence;
}

bool tape__cycle_walk_pair_is_of(const tape__cycle_walk_t *w, int64_t sequence)
{
    /* Java goes by the roll cycle when it made the file, else by what the file says (4.3). */
    return pair_fits(w, w->look.store.sequence_shift, w->words.position, sequence) ||
           pair_fits(w, w->facts->roll_cycle->shift, w->words.position, sequence);
}

bool tape__cycle_walk_pair_is_of_before(const tape__cycle_walk_t *w)
{
    const int64_t sequence = w->position_sequence - 1;
    if (w->position_sequence == 0) return w->words.sequence == 0;
    if (sequence < 0 || sequence < w->count - TAPE__CYCLE_WALK_BEHIND) return false;
    const uint64_t position = w->behind[sequence % TAPE__CYCLE_WALK_BEHIND];
    return pair_fits(w, w->look.store.sequence_shift, position, sequence);
}

uint64_t tape__cycle_walk_tail(tape__cycle_walk_t *w)
{
    const uint64_t size = w->look.in.size;
    uint64_t from = w->at + TAPE__WORD_SIZE;
    static const uint8_t sign[4] = {0xC3, 'E', 'O', 'F'};
    if (w->end_word == TAPE__END_OF_DATA) {
        const uint8_t *p = tape__file_bytes_at(&w->look.in, from, 4);
        size_t n = size > from ? (size_t)tape__min_u64(4, size - from) : 0;
        for (size_t i = 0; i < n && p[i] == sign[i]; i++) from++;
        if (from < w->at + 8 && from < size && from > w->at + 4) return from; /* half a sign */
    } else if (w->end_word != 0) {
        return size; /* what follows belongs to the unfinished document */
    }
    return from < size ? tape__file_bytes_nonzero(&w->look.in, from, size) : size;
}
