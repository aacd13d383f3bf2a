/* cycle_store.c - opening, walking and ending a cycle file; see cycle_store.h. */
#include "cycle_store.h"

#include <inttypes.h>
#include <string.h>

#include "atomics.h"
#include "bytes.h"
#include "error.h"
#include "excerpt.h"
#include "excerpt_index.h"
#include "platform.h"
#include "wire.h"

enum {
    HEADER_MAX = 65536, /* Java refuses a longer first document (9.3) */
    PAIR_TRIES = 128,   /* as Java (4.3) */
    SHIFT_MAX = 56,     /* built-in roll cycles have up to 48; keeps sequences far from 2^63 */
    WALK_WINDOW = 4 << 20
};

static int bad(const tape__cycle_store_t *s, uint64_t at, const char *what)
{
    return tape__fail(TAPE_ECORRUPT, s->file.path, (int64_t)at, "%s at offset %" PRIu64 ": %s",
                      s->file.path, at, what);
}

/* ---- the header ---- */

typedef struct {
    tape__text_t format_4; /* seen only in 4.x files */
    bool pair, indexing, version_4;
    int64_t data_format;
} header_t;

static bool read_indexing(tape__cycle_store_t *s, tape__wire_t *w)
{
    tape__text_t type, name;
    tape__wire_t in;
    if (!tape__wire_type(w, &type) || !tape__wire_block(w, &in)) return false;
    while (!tape__wire_at_end(&in)) {
        bool ok;
        if (!tape__wire_name(&in, &name)) return false;
        if (tape__text_is(name, "indexCount")) {
            ok = tape__wire_int(&in, &s->index_count);
        } else if (tape__text_is(name, "indexSpacing")) {
            ok = tape__wire_int(&in, &s->index_spacing);
        } else if (tape__text_is(name, "index2Index")) {
            ok = tape__wire_bound(&in, &s->index2index_at);
        } else if (tape__text_is(name, "lastIndex")) {
            ok = tape__wire_bound(&in, &s->last_index_at);
        } else {
            ok = tape__wire_skip_value(&in);
        }
        if (!ok) return false;
    }
    return true;
}

static bool read_write_position(tape__cycle_store_t *s, tape__wire_t *w)
{
    tape__wire_array_t pair;
    tape__wire_t again = *w;
    if (tape__wire_array(&again, &pair)) {
        if (pair.capacity != 2) return false;
        *w = again;
        s->has_pair = true;
        s->write_position_at = pair.position;
        return true;
    }
    s->has_pair = false; /* before 4.6.48 */
    return tape__wire_bound(w, &s->write_position_at);
}

static bool read_fields(tape__cycle_store_t *s, tape__wire_t *in, header_t *h)
{
    tape__text_t name;
    while (!tape__wire_at_end(in)) {
        bool ok;
        if (!tape__wire_name(in, &name)) return false;
        if (tape__text_is(name, "writePosition")) {
            ok = h->pair = read_write_position(s, in);
        } else if (tape__text_is(name, "indexing")) {
            ok = h->indexing = read_indexing(s, in);
        } else if (tape__text_is(name, "dataFormat")) {
            ok = tape__wire_int(in, &h->data_format);
        } else {
            if (tape__text_is(name, "roll") || tape__text_is(name, "wireType")) h->version_4 = true;
            ok = tape__wire_skip_value(in);
        }
        if (!ok) return false;
    }
    return true;
}

static int log2_floor(uint64_t v) { return 63 - __builtin_clzll(v); }

static int check_header(tape__cycle_store_t *s, const header_t *h)
{
    if (h->version_4)
        return tape__fail(TAPE_EUNSUPPORTED, s->file.path, 0,
                          "%s: a cycle file of Chronicle Queue 4", s->file.path);
    if (!h->pair || !h->indexing || !s->index2index_at || !s->last_index_at)
        return bad(s, 4, "the header lacks writePosition or indexing");
    bool powers = s->index_count > 0 && s->index_spacing > 0 &&
                  (s->index_count & (s->index_count - 1)) == 0 &&
                  (s->index_spacing & (s->index_spacing - 1)) == 0;
    if (!powers || s->index_count > 1 << 20 || s->index_spacing > 1 << 30)
        return bad(s, 4, "impossible indexCount or indexSpacing");
    s->aligned = h->data_format == 1; /* larger values are taken as 0 by Java (2.2) */
    int shift = 2 * log2_floor((uint64_t)s->index_count) + log2_floor((uint64_t)s->index_spacing);
    if (shift > SHIFT_MAX) return bad(s, 4, "an index for more messages than have a number");
    s->sequence_shift = shift < 32 ? 32 : shift;
    return TAPE_OK;
}

static int parse_header(tape__cycle_store_t *s, const uint8_t *body, uint32_t length)
{
    tape__wire_t w = {body, length, 0, 4}, in;
    tape__text_t name, type;
    header_t h = {.data_format = 0};
    if (!tape__wire_name(&w, &name) || !tape__text_is(name, "header") ||
        !tape__wire_type(&w, &type) || !tape__text_is(type, "SCQStore") ||
        !tape__wire_block(&w, &in))
        return bad(s, 4, "the header is not that of a cycle file");
    if (!read_fields(s, &in, &h)) return bad(s, in.origin + in.at, "the header is damaged");
    int rc = check_header(s, &h);
    s->first_document = tape__next_position(0, length, s->aligned);
    return rc;
}

static int read_header(tape__cycle_store_t *s)
{
    int rc = tape__window_cover(&s->head, &s->file, 0, 8, HEADER_MAX);
    if (rc == TAPE__BEYOND_END) return TAPE__NOT_READY;
    if (rc != TAPE_OK) return rc;
    uint32_t word = tape__excerpt_observe(tape__window_at(&s->head, 0), true);
    if (word == 0 || word == TAPE__NOT_COMPLETE) return TAPE__NOT_READY;
    uint32_t length = tape__word_length(word);
    if (tape__word_kind(word) != TAPE__WORD_META || length > HEADER_MAX)
        return bad(s, 0, "the first document is no header");
    rc = tape__window_cover(&s->head, &s->file, 0, 4 + (uint64_t)length, HEADER_MAX);
    if (rc == TAPE__BEYOND_END) return bad(s, 0, "the file ends inside its header");
    if (rc != TAPE_OK) return rc;
    return parse_header(s, tape__window_at(&s->head, 4), length);
}

int tape__cycle_store_open(tape__cycle_store_t *s, const char *path, int64_t cycle, bool writable)
{
    memset(s, 0, sizeof *s);
    s->cycle = cycle;
    int rc = tape__mapping_open(&s->file, path, writable);
    if (rc != TAPE_OK) return rc;
    rc = read_header(s);
    if (rc != TAPE_OK) tape__cycle_store_close(s);
    return rc;
}

void tape__cycle_store_close(tape__cycle_store_t *s)
{
    tape__window_close(&s->head);
    tape__window_close(&s->outer);
    tape__window_close(&s->page);
    tape__mapping_close(&s->file);
}

/* ---- the chain ---- */

int tape__cycle_store_observe(tape__cycle_store_t *s, tape__window_t *w, tape__cursor_t *c,
                              uint64_t prefer)
{
    int rc = tape__window_cover(w, &s->file, c->position, 4, prefer);
    if (rc == TAPE__BEYOND_END) {
        c->word = 0;
        return TAPE_OK;
    }
    if (rc != TAPE_OK) return rc;
    c->word = tape__excerpt_observe(tape__window_at(w, c->position), s->aligned);
    tape__word_kind_t kind = tape__word_kind(c->word);
    if (kind != TAPE__WORD_DATA && kind != TAPE__WORD_META) return TAPE_OK;
    uint64_t length = tape__word_length(c->word);
    rc = tape__window_cover(w, &s->file, c->position, 4 + length, prefer);
    if (rc == TAPE__BEYOND_END)
        return bad(s, c->position, "a document reaches beyond the end of the file");
    return rc;
}

uint64_t tape__sequence_word(const tape__cycle_store_t *s, uint64_t position, int64_t sequence)
{
    uint64_t mask = (UINT64_C(1) << s->sequence_shift) - 1;
    return (position << s->sequence_shift) + ((uint64_t)sequence & mask);
}

/* order[write_position]: the other side is tape__cycle_store_set_pair(). */
static void read_pair(tape__cycle_store_t *s, uint64_t *position, int64_t *sequence)
{
    const uint64_t *pair = tape__window_u64(&s->head, s->write_position_at);
    const int shift = s->sequence_shift;
    *sequence = -1;
    for (int i = 0; i < PAIR_TRIES; i++) {
        *position = OBSERVE64(write_position, pair);
        if (!s->has_pair) return;
        uint64_t word = OBSERVE64(write_position, pair + 1);
        if (word == 0) return;
        if (*position << shift >> shift == word >> shift) {
            int64_t found = (int64_t)(word & ((UINT64_C(1) << shift) - 1));
            /* One that so many messages do not fit before is nonsense: counted from the index. */
            if (tape__cycle_store_has_room(s, *position, found)) *sequence = found;
            return;
        }
    }
}

void tape__cycle_store_set_pair(tape__cycle_store_t *s, uint64_t position, int64_t sequence)
{
    uint64_t *pair = tape__window_u64(&s->head, s->write_position_at);
    /* order[write_position]: position first, as Java does; a reader of the sequence word then finds
     * at least that position, and notices when they do not belong together. */
    PUBLISH64(write_position, pair, position);
    if (s->has_pair)
        PUBLISH64(write_position, pair + 1, tape__sequence_word(s, position, sequence));
}

/* A message whose place and sequence are certain, to start counting from; else the first
 * document. */
static int starting_point(tape__cycle_store_t *s, tape__window_t *w, tape__chain_end_t *out)
{
    int64_t sequence;
    read_pair(s, &out->pair_position, &sequence);
    out->pair_matches = sequence >= 0;
    out->end = (tape__cursor_t){s->first_document, 0, 0};
    if (out->pair_position == 0) return TAPE_OK;
    if (out->pair_position < s->first_document)
        return bad(s, s->write_position_at, "the write position lies inside the header");
    if (s->aligned && out->pair_position % 4 != 0)
        return bad(s, s->write_position_at, "the write position is not a multiple of 4");
    if (out->pair_matches) {
        tape__cursor_t c = {out->pair_position, sequence, 0};
        int rc = tape__cycle_store_observe(s, w, &c, WALK_WINDOW);
        if (rc != TAPE_OK) return rc;
        if (tape__word_kind(c.word) != TAPE__WORD_DATA)
            return bad(s, s->write_position_at, "the write position is not that of a message");
        out->end = c;
        return TAPE_OK;
    }
    return tape__excerpt_index_find(s, INT64_MAX, &out->end);
}

int tape__cycle_store_find_end(tape__cycle_store_t *s, tape__window_t *w, tape__chain_end_t *out)
{
    int rc = starting_point(s, w, out);
    out->last_position = 0;
    while (rc == TAPE_OK) {
        rc = tape__cycle_store_observe(s, w, &out->end, WALK_WINDOW);
        if (rc != TAPE_OK) break;
        tape__word_kind_t kind = tape__word_kind(out->end.word);
        if (kind != TAPE__WORD_DATA && kind != TAPE__WORD_META) break;
        if (kind == TAPE__WORD_DATA) out->last_position = out->end.position;
        tape__cycle_store_step(s, &out->end);
    }
    return rc;
}

/* ---- finished files, without mapping them ---- */

/* The pair as it stands in the first bytes of the file; false when the two do not belong together
 * or are not among them. */
static bool pair_of(const tape__cycle_store_t *s, const uint8_t *head, size_t size,
                    uint64_t *position, int64_t *sequence)
{
    const int shift = s->sequence_shift;
    if (!s->has_pair || s->write_position_at + 16 > size) return false;
    *position = tape__get_u64(head + s->write_position_at);
    uint64_t word = tape__get_u64(head + s->write_position_at + 8);
    *sequence = (int64_t)(word & ((UINT64_C(1) << shift) - 1));
    return word != 0 && *position >= s->first_document &&
           *position << shift >> shift == word >> shift;
}

/* The word behind the message at `position`, and where it is; false when there is no message. */
static bool word_behind(const tape__cycle_store_t *s, int fd, uint64_t position, uint64_t *at,
                        uint32_t *next)
{
    uint8_t bytes[256]; /* most messages end in here */
    int64_t size = tape__file_read(fd, position, bytes, sizeof bytes);
    if (size < 8) return false;
    uint32_t word = tape__get_u32(bytes);
    if (tape__word_kind(word) != TAPE__WORD_DATA) return false;
    *at = tape__next_position(position, tape__word_length(word), s->aligned);
    if (*at - position + 4 <= (uint64_t)size) {
        *next = tape__get_u32(bytes + (*at - position));
        return true;
    }
    if (tape__file_read(fd, *at, bytes, 4) != 4) return false;
    *next = tape__get_u32(bytes);
    return true;
}

/* Plain reads may tear what is being written. Here nothing is: an END_OF_DATA directly behind the
 * message that the pair names proves that it was the last one. */
static bool measure_finished(tape__cycle_store_t *s, int fd, tape__extent_t *out)
{
    uint8_t head[1024];
    uint64_t position, end;
    int64_t sequence;
    uint32_t word;
    int64_t size = tape__file_read(fd, 0, head, sizeof head);
    if (size < 4) return false;
    uint32_t first = tape__get_u32(head), length = tape__word_length(first);
    if (tape__word_kind(first) != TAPE__WORD_META || length + 4 > (uint64_t)size) return false;
    if (parse_header(s, head + 4, length) != TAPE_OK) return false;
    if (!pair_of(s, head, (size_t)size, &position, &sequence)) return false;
    if (!word_behind(s, fd, position, &end, &word)) return false;
    if (tape__word_kind(word) != TAPE__WORD_EOF) return false;
    *out = (tape__extent_t){sequence + 1, end - s->first_document};
    return true;
}

bool tape__cycle_store_measure_finished(const char *path, tape__extent_t *out)
{
    tape__cycle_store_t s;
    int fd = tape__open_file(path, TAPE__RDONLY);
    if (fd < 0) return false;
    memset(&s, 0, sizeof s);
    bool known = measure_finished(&s, fd, out);
    tape__close_file(fd);
    return known;
}

/* ---- ending a file ---- */

int tape__cycle_store_check_writable(const tape__cycle_store_t *s)
{
    if (s->aligned || TAPE__CAN_CLAIM_UNALIGNED) return TAPE_OK;
    return tape__fail(TAPE_EUNSUPPORTED, s->file.path, -1,
                      "%s was made by a Chronicle Queue before 5.19.11 (data format 0); only on "
                      "x86-64 can it be written", s->file.path);
}

/* ---- the same for those who will write there ---- */

/* Walks on to the header at `place`: 1 it is one, 0 there is none in this chain (c is then behind
 * `place` or at the end), or a code. *last is the last message passed. */
static int walk_to(tape__cycle_store_t *s, tape__window_t *w, tape__cursor_t *c, uint64_t place,
                   uint64_t *last)
{
    while (c->position < place) {
        int rc = tape__cycle_store_observe(s, w, c, WALK_WINDOW);
        if (rc != TAPE_OK) return rc;
        tape__word_kind_t kind = tape__word_kind(c->word);
        if (kind != TAPE__WORD_DATA && kind != TAPE__WORD_META) return 0;
        if (kind == TAPE__WORD_DATA) *last = c->position;
        tape__cycle_store_step(s, c);
    }
    return c->position == place;
}

/* Whether the chain leads from one index entry over the next (`entry`) and the write position to
 * the end that these gave: then none of them is wrong. */
static bool end_is_reached(tape__cycle_store_t *s, tape__window_t *w, const tape__cursor_t *entry,
                           const tape__chain_end_t *found)
{
    tape__cursor_t c;
    uint64_t last, pair = found->pair_position ? found->pair_position : entry->position;
    if (tape__excerpt_index_find(s, entry->sequence - 1, &c) != TAPE_OK) return false;
    return walk_to(s, w, &c, tape__min_u64(pair, entry->position), &last) == 1 &&
           walk_to(s, w, &c, tape__max_u64(pair, entry->position), &last) == 1 &&
           walk_to(s, w, &c, found->end.position, &last) == 1;
}

/* The long way, when something is wrong: from the first document. */
static int walk_it_all(tape__cycle_store_t *s, tape__window_t *w, const tape__cursor_t *entry,
                       tape__chain_end_t *found)
{
    tape__cursor_t c = {s->first_document, 0, 0};
    uint64_t last = 0;
    int rc = walk_to(s, w, &c, found->pair_position, &last);
    if (rc == 0 && found->pair_position != 0)
        return bad(s, c.position, "the messages do not lead to the write position");
    if (rc >= 0) rc = walk_to(s, w, &c, UINT64_MAX, &last);
    if (rc < 0) return rc;
    if (entry->position > c.position)
        return bad(s, c.position, "the messages end here, but there are indexed ones behind");
    if (!found->pair_matches) { /* it was an entry that found the end, and that was wrong */
        found->end = c;
        found->last_position = last;
    }
    return TAPE_OK;
}

/* The end, at a place that is certain. */
static int find_certain_place(tape__cycle_store_t *s, tape__window_t *w, tape__chain_end_t *out)
{
    tape__cursor_t entry;
    tape__window_t own = {0};
    int rc = tape__cycle_store_find_end(s, w, out);
    if (rc != TAPE_OK || tape__word_kind(out->end.word) == TAPE__WORD_EOF) return rc;
    rc = tape__excerpt_index_find(s, INT64_MAX, &entry); /* the last: also of what a hole hides */
    if (rc == TAPE_OK && !end_is_reached(s, &own, &entry, out))
        rc = walk_it_all(s, &own, &entry, out);
    tape__window_close(&own);
    return rc == TAPE_OK ? tape__cycle_store_observe(s, w, &out->end, WALK_WINDOW) : rc;
}

/* Whether a reader that looks for the next message, and so for those behind it, arrives at the end:
 * 1, 0 or a code. *entry is where the index sends it. */
static int seek_arrives(tape__cycle_store_t *s, tape__window_t *w, const tape__cursor_t *end,
                        tape__cursor_t *entry)
{
    uint64_t last;
    int rc = tape__excerpt_index_find_sound(s, end->sequence, entry);
    if (rc != TAPE_OK) return rc;
    tape__cursor_t c = *entry;
    rc = walk_to(s, w, &c, end->position, &last);
    return rc == 1 ? c.sequence == end->sequence : rc;
}

/* The place is certain; is the number? Java sets the write position's back to 0 when it finds none
 * (6.4): with fewer than there are messages it is behind, as after a death, and counting is right.
 * With more, messages are not seen any more that had a number, or it is wrong: nobody can tell. */
static int check_number(tape__cycle_store_t *s, tape__window_t *w, tape__chain_end_t *out)
{
    uint64_t last;
    tape__cursor_t entry, all = {s->first_document, 0, 0}, *end = &out->end;
    int rc = seek_arrives(s, w, end, &entry);
    if (rc != 0) return rc == 1 ? TAPE_OK : rc;
    rc = walk_to(s, w, &all, end->position, &last);
    if (rc < 0) return rc;
    bool counted = rc == 1;
    tape__cursor_t by_count = {end->position, all.sequence, end->word};
    rc = seek_arrives(s, w, &by_count, &entry);
    if (rc < 0) return rc;
    if (!counted || rc == 0)
        return bad(s, entry.position, "the index and the messages before it count differently");
    if (all.sequence < end->sequence)
        return bad(s, s->write_position_at, "the write position counts more messages than lead "
                                            "to it");
    *end = by_count;
    out->pair_matches = false;
    return TAPE_OK;
}

int tape__cycle_store_find_certain_end(tape__cycle_store_t *s, tape__window_t *w,
                                       tape__chain_end_t *out)
{
    tape__window_t own = {0};
    int rc = find_certain_place(s, w, out);
    if (rc != TAPE_OK || tape__word_kind(out->end.word) == TAPE__WORD_EOF) return rc;
    rc = check_number(s, &own, out);
    tape__window_close(&own);
    return rc;
}

int tape__cycle_store_seal(tape__cycle_store_t *s, tape__window_t *w, int64_t *repaired)
{
    tape__chain_end_t end;
    for (;;) {
        int rc = find_certain_place(s, w, &end); /* an end needs no number */
        if (rc != TAPE_OK) return rc;
        tape__word_kind_t kind = tape__word_kind(end.end.word);
        if (kind == TAPE__WORD_EOF) return TAPE_OK;
        if (kind != TAPE__WORD_FREE && kind != TAPE__WORD_INCOMPLETE) continue;
        rc = tape__cycle_store_check_writable(s);
        if (rc != TAPE_OK) return rc;
        rc = tape__window_cover(w, &s->file, end.end.position, 8, WALK_WINDOW);
        if (rc == TAPE__BEYOND_END) return bad(s, end.end.position, "no room for the end mark");
        if (rc != TAPE_OK) return rc;
        if (!tape__excerpt_seal(tape__window_at(w, end.end.position), end.end.word)) continue;
        if (kind == TAPE__WORD_INCOMPLETE) ++*repaired;
        /* For people who look at a dump; readers must not expect it (9.1). */
        memcpy(tape__window_at(w, end.end.position + 4), "\xC3"
                                                         "EOF",
               4);
        return TAPE_OK;
    }
}
