/* mend_index.c - index and header words anew, for a chain that is sound (format.md 6). */
#include <errno.h>
#include <string.h>

#include "base/platform.h"
#include "check/mend.h"
#include "file/excerpt_index.h"
#include "format/wire.h"

typedef struct {
    tape__mend_t *m;
    uint64_t end;         /* where the next document may be added */
    uint64_t root_at;     /* index2index; 0: to be added */
    uint64_t *root;       /* its entries, to be */
    uint64_t *entries;    /* of the page in hand */
    uint64_t *pages;      /* places of page documents, in the order of the chain */
    int64_t page_count, number;
    uint64_t last_position;
    int64_t count;
    tape__index_array_t array; /* for reading */
} index_t;

/* Adds an array document at the end of the chain; its place. */
static uint64_t add_array(index_t *x, const char *event)
{
    tape__mend_t *m = x->m;
    const int64_t count = m->look.store.index_count;
    const size_t room = (size_t)tape__excerpt_index_bound(count) + 8;
    const uint64_t at = x->end;
    uint8_t *bytes = tape__alloc(room);
    if (!bytes) {
        m->failure = ENOMEM;
        return at;
    }
    tape__wire_out_t o = {bytes + 4, room - 4, 0, at + 4, false};
    tape__wire_put_event(&o, event);
    tape__wire_put_array(&o, (uint64_t)count);
    tape__put_u32(bytes, TAPE__META_DATA | (uint32_t)o.at);
    tape__mend_hole_put(m, at, bytes, 4 + o.at);
    x->end = tape__cycle_look_next(&m->look, at, (uint32_t)o.at);
    tape__free(bytes);
    return at;
}

/* Writes entries and `used` of the array document at `at`. */
static void fill_array(index_t *x, uint64_t at, const char *event, const uint64_t *entries)
{
    tape__mend_t *m = x->m;
    const int64_t count = m->look.store.index_count;
    int64_t used = count;
    if (tape__cycle_look_array(&m->look, &x->array, event, at)) {
        if (m->failure == 0) m->failure = EIO; /* it was one when it was met */
        return;
    }
    while (used > 0 && entries[used - 1] == 0) used--;
    const size_t size = (size_t)count * 8;
    const uint8_t *old = x->array.body + (x->array.first - x->array.position - 4);
    if (memcmp(old, entries, size) != 0) tape__mend_hole_put(m, x->array.first, entries, size);
    if (x->array.used != (uint64_t)used)
        tape__mend_hole_put_u64(m, x->array.first - 8, (uint64_t)used);
}

/* The page in hand goes to the next document that can be one. */
static void leave_page(index_t *x)
{
    const int64_t count = x->m->look.store.index_count;
    if (x->number >= count) return;
    const uint64_t at =
        x->number < x->page_count ? x->pages[x->number] : add_array(x, "index");
    fill_array(x, at, "index", x->entries);
    x->root[x->number++] = at;
    memset(x->entries, 0, (size_t)count * 8);
}

/* The length of the document and that of the frame differ, and the chain may go on behind either: a
 * writer went on behind a last document whose length was damaged. Data that is cut off or gained is
 * seldom 0. */
static void mend_frame(tape__mend_t *m, uint64_t at, uint32_t length)
{
    const uint64_t framed = tape__cycle_look_framed(&m->look, at + 4), frame = at + 4;
    if (framed == 0 || framed == length || length + UINT64_C(3) < framed) return;
    const uint64_t end = frame + length;
    if (framed < length && tape__file_bytes_nonzero(&m->look.in, frame + framed, end) < end)
        return; /* something else follows in the document */
    const uint64_t next = tape__cycle_look_next(&m->look, at, length);
    const uint64_t nearer = tape__cycle_look_next(&m->look, at, (uint32_t)framed);
    const bool dirty = tape__file_bytes_nonzero(&m->look.in, end, next) < next;
    const bool has_room = framed < length && next - nearer >= tape__mend_hole_least(m);
    if (has_room || (next == nearer && (framed < length || dirty))) {
        tape__mend_hole_restore(m, at, (uint32_t)framed);
        if (has_room) tape__mend_hole_blank(m, nearer, next);
        return;
    }
    uint8_t bytes[TAPE__FRAME_MAX];
    const uint8_t code = tape__file_bytes_at(&m->look.in, frame, 2)[1];
    const size_t head = code == 0x80 ? 4 : code == 0x81 ? 5 : 7;
    if (length < head) return;
    memcpy(bytes, tape__file_bytes_at(&m->look.in, frame, sizeof bytes), sizeof bytes);
    tape__wire_shrink_frame(bytes, head, length - head);
    tape__mend_hole_put(m, frame, bytes, head);
    tape__findings_add(m->f, TAPE__FOUND_MENDED, TAPE_NOTE, (int64_t)frame, -1,
                       "a frame was put right: a document of %u bytes", length);
    m->f->report.recovered++;
}

static void meet_message(index_t *x, uint64_t at)
{
    const tape__cycle_store_t *s = &x->m->look.store;
    if ((x->count & (s->index_spacing - 1)) == 0) {
        const int64_t entry = x->count / s->index_spacing;
        if (entry / s->index_count > x->number) leave_page(x);
        if (entry / s->index_count < s->index_count) x->entries[entry % s->index_count] = at;
    }
    x->last_position = at;
    x->count++;
}

static void meet_metadata(index_t *x, uint64_t at, uint32_t length)
{
    tape__cycle_look_t *l = &x->m->look;
    const int kind = tape__cycle_look_kind(l, at, length);
    if (kind == 2 && x->root_at == 0 && !tape__cycle_look_array(l, &x->array, "index2index", at))
        x->root_at = at;
    if (kind == 1 && x->page_count < l->store.index_count &&
        !tape__cycle_look_array(l, &x->array, "index", at))
        x->pages[x->page_count++] = at;
}

static void walk(index_t *x)
{
    tape__mend_t *m = x->m;
    uint64_t at = m->look.store.first_document;
    const uint32_t header = tape__word_length(tape__file_bytes_u32(&m->look.in, 0));
    tape__mend_hole_clean(m, TAPE__WORD_SIZE + (uint64_t)header, at);
    while (at < m->at && m->failure == 0) {
        const uint32_t word = tape__file_bytes_u32(&m->look.in, at);
        uint32_t length = tape__word_length(word);
        if (!tape__word_is_document(word)) break;
        if (tape__word_kind(word) == TAPE__WORD_DATA) {
            mend_frame(m, at, length);
            length = tape__word_length(tape__file_bytes_u32(&m->look.in, at));
            meet_message(x, at);
        }
        else meet_metadata(x, at, length);
        const uint64_t end = at + TAPE__WORD_SIZE + length;
        at = tape__cycle_look_next(&m->look, at, length);
        tape__mend_hole_clean(m, end, at);
    }
}

static void put_words(index_t *x)
{
    tape__mend_t *m = x->m;
    const tape__cycle_store_t *s = &m->look.store;
    const uint64_t next = tape__align_up((uint64_t)x->count, (uint64_t)s->index_spacing);
    const uint64_t pair =
        x->count ? tape__pair_word(s->sequence_shift, x->last_position, x->count - 1) : 0;
    if (tape__file_bytes_u64(&m->look.in, s->index2index_at) != x->root_at)
        tape__mend_hole_put_u64(m, s->index2index_at, x->root_at);
    if (tape__file_bytes_u64(&m->look.in, s->last_index_at) != next)
        tape__mend_hole_put_u64(m, s->last_index_at, next);
    tape__mend_hole_put_u64(m, s->write_position_at, x->last_position);
    if (s->has_pair) tape__mend_hole_put_u64(m, s->write_position_at + 8, pair);
}

/* Nothing stands behind the end: the file is cut there and made as long as it was. */
static void end_file(index_t *x)
{
    tape__mend_t *m = x->m;
    static const uint8_t eof[8] = {0, 0, 0, 0xC0, 0xC3, 'E', 'O', 'F'};
    const uint64_t room = tape__align_up(x->end + TAPE__END_ROOM, TAPE__BLOCK);
    const uint64_t size = m->look.in.size > room ? m->look.in.size : room;
    int rc = tape__file_truncate(m->look.in.fd, x->end);
    if (rc == 0) rc = tape__file_truncate(m->look.in.fd, size);
    if (rc < 0 && m->failure == 0) m->failure = -rc;
    tape__file_bytes_refresh(&m->look.in);
    if (m->has_eof || !m->facts->newest) tape__mend_hole_put(m, x->end, eof, sizeof eof);
}

void tape__mend_index(tape__mend_t *m)
{
    const int64_t count = m->look.store.index_count;
    index_t x = {.m = m, .end = m->at};
    x.root = tape__alloc((size_t)count * 8);
    x.entries = tape__alloc((size_t)count * 8);
    x.pages = tape__alloc((size_t)count * 8);
    if (x.root && x.entries && x.pages) {
        walk(&x);
        if (x.root_at == 0) x.root_at = add_array(&x, "index2index");
        leave_page(&x);
        while (x.number < x.page_count) { /* pages that nothing needs any more are empty */
            fill_array(&x, x.pages[x.number], "index", x.entries);
            x.number++;
        }
        fill_array(&x, x.root_at, "index2index", x.root);
        put_words(&x);
        end_file(&x);
        m->count = x.count;
    } else {
        m->failure = ENOMEM;
    }
    tape__free(x.root);
    tape__free(x.entries);
    tape__free(x.pages);
    tape__free(x.array.body);
}
