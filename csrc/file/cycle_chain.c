/* cycle_chain.c - see cycle_chain.h. */
#include "file/cycle_chain.h"

#include "base/atomics.h"
#include "base/sync_point.h"
#include "file/excerpt_index.h"

enum { PAIR_TRIES = 128 }; /* as Java (4.3) */

/* order[write_position]: the other side is tape__pair_raise(). */
static void read_pair(tape__cycle_store_t *s, uint64_t *position, int64_t *sequence)
{
    const uint64_t *pair = tape__window_u64(&s->head, s->write_position_at);
    *sequence = -1;
    for (int i = 0; i < PAIR_TRIES; i++) {
        *position = OBSERVE64(write_position, pair);
        if (!s->has_pair) return;
        uint64_t word = OBSERVE64(write_position, pair + 1);
        if (word == 0) return;
        if (tape__pair_agrees(s->sequence_shift, *position, word)) {
            int64_t found = tape__pair_sequence(s->sequence_shift, word);
            /* One that so many messages do not fit before is nonsense: counted from the index. */
            if (tape__cycle_store_has_room(s, *position, found)) *sequence = found;
            return;
        }
    }
}

/* What the pair says of the last message, and whether the walk shall tell if it is right. */
typedef struct {
    int64_t sequence; /* -1: nothing */
    bool doubtful;
} said_t;

static int check_position(const tape__cycle_store_t *s, uint64_t position)
{
    if (position < s->first_document)
        return tape__cycle_store_bad(s, s->write_position_at,
                                     "the write position lies inside the header");
    if (s->aligned && position % 4 != 0)
        return tape__cycle_store_bad(s, s->write_position_at,
                                     "the write position is not a multiple of 4");
    return TAPE_OK;
}

/* Where agreeing is no proof: with less than a period between the last index entry and the write
 * position, what the pair may be the word of instead lies before that entry, and has a smaller
 * number. Else the walk begins at the entry, and tells when it comes by. */
static int doubt(tape__cycle_store_t *s, tape__window_t *w, said_t *said, tape__chain_end_t *out)
{
    int rc = tape__excerpt_index_find(s, w, INT64_MAX, &out->end);
    const uint64_t entry = out->end.position, period = tape__pair_period(s->sequence_shift);
    said->doubtful = entry > out->pair_position || out->pair_position - entry >= period ||
                     said->sequence < out->end.sequence;
    return rc;
}

/* A message whose place and sequence are certain, to start counting from; else the first
 * document. */
static int starting_point(tape__cycle_store_t *s, tape__window_t *w, said_t *said,
                          tape__chain_end_t *out)
{
    read_pair(s, &out->pair_position, &said->sequence);
    said->doubtful = false;
    out->pair_matches = said->sequence >= 0;
    out->end = (tape__cursor_t){s->first_document, 0, 0};
    if (out->pair_position == 0) return TAPE_OK;
    int rc = check_position(s, out->pair_position);
    if (rc != TAPE_OK) return rc;
    if (!out->pair_matches) return tape__excerpt_index_find(s, w, INT64_MAX, &out->end);
    tape__cursor_t c = {out->pair_position, said->sequence, 0};
    rc = tape__cycle_store_observe(s, w, &c, TAPE__WALK_WINDOW);
    if (rc != TAPE_OK) return rc;
    if (tape__word_kind(c.word) != TAPE__WORD_DATA)
        return tape__cycle_store_bad(s, s->write_position_at,
                                     "the write position is not that of a message");
    if (!tape__pair_is_proof(s->sequence_shift, c.position)) rc = doubt(s, w, said, out);
    if (!said->doubtful) out->end = c;
    else out->pair_matches = false;
    return rc;
}

int tape__cycle_chain_find_end(tape__cycle_store_t *s, tape__window_t *w, tape__chain_end_t *out)
{
    said_t said;
    int rc = starting_point(s, w, &said, out);
    SYNC_POINT(end_looked_up);
    out->last_position = 0;
    while (rc == TAPE_OK) {
        rc = tape__cycle_store_observe(s, w, &out->end, TAPE__WALK_WINDOW);
        if (rc != TAPE_OK) break;
        if (!tape__word_is_document(out->end.word)) break;
        if (said.doubtful && out->end.position == out->pair_position)
            out->pair_matches = out->end.sequence == said.sequence;
        if (tape__word_is_message(out->end.word)) out->last_position = out->end.position;
        tape__cycle_store_step(s, &out->end);
    }
    return rc;
}

/* From where a walk ended on to where the pair says that the end is. */
static int ends_together(tape__cycle_store_t *s, tape__window_t *w, tape__cursor_t c,
                         const tape__cursor_t *end)
{
    for (;;) {
        int rc = tape__cycle_store_observe(s, w, &c, TAPE__WALK_WINDOW);
        if (rc != TAPE_OK) return rc;
        if (c.position >= end->position || !tape__word_is_document(c.word)) break;
        tape__cycle_store_step(s, &c);
    }
    return tape__answer(c.position == end->position && c.sequence == end->sequence);
}

int tape__cycle_chain_led_astray(tape__cycle_store_t *s, tape__window_t *w,
                                 const tape__cursor_t *from, int found, const tape__cursor_t *c)
{
    tape__chain_end_t end;
    if (from->position <= s->first_document) return TAPE__NO; /* message 0 may have an entry */
    if (found < 0) return tape__answer(found == TAPE_ECORRUPT);
    int rc = tape__cycle_chain_find_end(s, w, &end);
    if (rc == TAPE_OK && !end.pair_matches) return TAPE__YES;
    if (rc == TAPE_OK) rc = ends_together(s, w, *c, &end.end);
    if (rc == TAPE_ECORRUPT) return TAPE__YES;
    return rc < 0 ? rc : tape__answer(rc == TAPE__NO);
}
