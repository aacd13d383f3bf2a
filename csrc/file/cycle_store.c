/* cycle_store.c - opening and walking a cycle file; see cycle_store.h. */
#include "file/cycle_store.h"

#include <inttypes.h>
#include <string.h>

#include "base/atomics.h"
#include "base/error.h"
#include "file/excerpt.h"
#include "file/excerpt_index.h"

enum { PAIR_TRIES = 128 }; /* as Java (4.3) */

int tape__cycle_bad(const tape__cycle_store_t *s, uint64_t at, const char *what)
{
    return tape__fail(TAPE_ECORRUPT, s->file.path, (int64_t)at, "%s at offset %" PRIu64 ": %s",
                      s->file.path, at, what);
}

/* ---- opening ---- */

static int read_header(tape__cycle_store_t *s)
{
    int rc = tape__window_cover(&s->head, &s->file, 0, 8, TAPE__CYCLE_HEADER_MAX);
    if (rc == TAPE__BEYOND_END) return TAPE__NOT_READY;
    if (rc != TAPE_OK) return rc;
    uint32_t word = tape__excerpt_observe(tape__window_at(&s->head, 0), true);
    if (word == 0 || word == TAPE__NOT_COMPLETE) return TAPE__NOT_READY;
    uint32_t length = tape__word_length(word);
    if (tape__word_kind(word) != TAPE__WORD_META || length > TAPE__CYCLE_HEADER_MAX)
        return tape__cycle_bad(s, 0, "the first document is no header");
    rc = tape__window_cover(&s->head, &s->file, 0, 4 + (uint64_t)length, TAPE__CYCLE_HEADER_MAX);
    if (rc == TAPE__BEYOND_END) return tape__cycle_bad(s, 0, "the file ends inside its header");
    if (rc != TAPE_OK) return rc;
    return tape__cycle_store_parse(s, tape__window_at(&s->head, 4), length);
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
        return tape__cycle_bad(s, c->position, "a document reaches beyond the end of the file");
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
        return tape__cycle_bad(s, s->write_position_at,
                               "the write position lies inside the header");
    if (s->aligned && out->pair_position % 4 != 0)
        return tape__cycle_bad(s, s->write_position_at,
                               "the write position is not a multiple of 4");
    if (out->pair_matches) {
        tape__cursor_t c = {out->pair_position, sequence, 0};
        int rc = tape__cycle_store_observe(s, w, &c, TAPE__WALK_WINDOW);
        if (rc != TAPE_OK) return rc;
        if (tape__word_kind(c.word) != TAPE__WORD_DATA)
            return tape__cycle_bad(s, s->write_position_at,
                                   "the write position is not that of a message");
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
        rc = tape__cycle_store_observe(s, w, &out->end, TAPE__WALK_WINDOW);
        if (rc != TAPE_OK) break;
        tape__word_kind_t kind = tape__word_kind(out->end.word);
        if (kind != TAPE__WORD_DATA && kind != TAPE__WORD_META) break;
        if (kind == TAPE__WORD_DATA) out->last_position = out->end.position;
        tape__cycle_store_step(s, &out->end);
    }
    return rc;
}
