/* cycle_end.c - see cycle_end.h. */
#include "write/cycle_end.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/atomics.h"
#include "base/error.h"
#include "base/platform.h"
#include "base/sync_point.h"
#include "file/cycle_chain.h"
#include "file/excerpt.h"
#include "file/excerpt_index.h"

int tape__cycle_end_check_writable(const tape__cycle_store_t *s)
{
    if (s->aligned || TAPE__CAN_CLAIM_UNALIGNED) return TAPE_OK;
    return tape__fail(TAPE_EUNSUPPORTED, s->file.path, -1,
                      "%s was made by a Chronicle Queue before 5.19.11 (data format 0); only on "
                      "x86-64 can it be written", s->file.path);
}

/* Walks on to `place`; whether a header of this chain is there (else c is behind it or at the end):
 * an answer. *last is the last message passed. */
static int walk_to(tape__cycle_store_t *s, tape__window_t *w, tape__cursor_t *c, uint64_t place,
                   uint64_t *last)
{
    while (c->position < place) {
        int rc = tape__cycle_store_observe(s, w, c, TAPE__WALK_WINDOW);
        if (rc != TAPE_OK) return rc;
        tape__word_kind_t kind = tape__word_kind(c->word);
        if (kind != TAPE__WORD_DATA && kind != TAPE__WORD_META) return TAPE__NO;
        if (kind == TAPE__WORD_DATA) *last = c->position;
        tape__cycle_store_step(s, c);
    }
    return tape__answer(c->position == place);
}

/* Whether the chain leads from one index entry over the next (`entry`) and the write position to
 * the end that these gave: then none of them is wrong. */
static bool end_is_reached(tape__cycle_store_t *s, tape__window_t *w, const tape__cursor_t *entry,
                           const tape__chain_end_t *found)
{
    tape__cursor_t c;
    uint64_t last, pair = found->pair_position ? found->pair_position : entry->position;
    if (tape__excerpt_index_find(s, w, entry->sequence - 1, &c) != TAPE_OK) return false;
    return walk_to(s, w, &c, tape__min_u64(pair, entry->position), &last) == TAPE__YES &&
           walk_to(s, w, &c, tape__max_u64(pair, entry->position), &last) == TAPE__YES &&
           walk_to(s, w, &c, found->end.position, &last) == TAPE__YES;
}

/* The long way, when something is wrong: from the first document. */
static int walk_it_all(tape__cycle_store_t *s, tape__window_t *w, const tape__cursor_t *entry,
                       tape__chain_end_t *found)
{
    tape__cursor_t c = {s->first_document, 0, 0};
    uint64_t last = 0;
    int rc = walk_to(s, w, &c, found->pair_position, &last);
    if (rc == TAPE__NO && found->pair_position != 0)
        return tape__cycle_store_bad(s, c.position,
                                     "the messages do not lead to the write position");
    if (rc >= 0) rc = walk_to(s, w, &c, UINT64_MAX, &last);
    if (rc < 0) return rc;
    if (entry->position > c.position)
        return tape__cycle_store_bad(s, c.position,
                                     "the messages end here, but there are indexed ones behind");
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
    int rc = tape__cycle_chain_find_end(s, w, out);
    if (rc != TAPE_OK || tape__word_kind(out->end.word) == TAPE__WORD_EOF) return rc;
    /* The last one: also of what a hole hides. */
    rc = tape__excerpt_index_find(s, &own, INT64_MAX, &entry);
    if (rc == TAPE_OK && !end_is_reached(s, &own, &entry, out))
        rc = walk_it_all(s, &own, &entry, out);
    tape__window_close(&own);
    return rc == TAPE_OK ? tape__cycle_store_observe(s, w, &out->end, TAPE__WALK_WINDOW) : rc;
}

/* Whether a reader that looks for the next message, and so for those behind it, arrives at the end:
 * an answer. *entry is where the index sends it. */
static int seek_arrives(tape__cycle_store_t *s, tape__window_t *w, const tape__cursor_t *end,
                        tape__cursor_t *entry)
{
    uint64_t last;
    int rc = tape__excerpt_index_find_sound(s, w, end->sequence, entry);
    if (rc != TAPE_OK) return rc;
    tape__cursor_t c = *entry;
    rc = walk_to(s, w, &c, end->position, &last);
    return rc == TAPE__YES ? tape__answer(c.sequence == end->sequence) : rc;
}

/* The place is certain; is the number? Java sets the write position's back to 0 when it finds none
 * (6.4): with fewer than there are messages it is behind, as after a death, and counting is right.
 * With more, messages are not seen any more that had a number, or it is wrong: nobody can tell. */
static int check_number(tape__cycle_store_t *s, tape__window_t *w, tape__chain_end_t *out)
{
    uint64_t last;
    tape__cursor_t entry, all = {s->first_document, 0, 0}, *end = &out->end;
    int rc = seek_arrives(s, w, end, &entry);
    if (rc != TAPE__NO) return rc == TAPE__YES ? TAPE_OK : rc;
    rc = walk_to(s, w, &all, end->position, &last);
    if (rc < 0) return rc;
    bool counted = rc == TAPE__YES;
    tape__cursor_t by_count = {end->position, all.sequence, end->word};
    rc = seek_arrives(s, w, &by_count, &entry);
    if (rc < 0) return rc;
    if (!counted || rc == TAPE__NO)
        return tape__cycle_store_bad(s, entry.position,
                                     "the index and the messages before it count differently");
    if (all.sequence < end->sequence)
        return tape__cycle_store_bad(s, s->write_position_at,
                                     "the write position counts more messages than lead to it");
    *end = by_count;
    out->pair_matches = false;
    return TAPE_OK;
}

int tape__cycle_end_find(tape__cycle_store_t *s, tape__window_t *w,
                                       tape__chain_end_t *out)
{
    tape__window_t own = {0};
    int rc = find_certain_place(s, w, out);
    if (rc != TAPE_OK || tape__word_kind(out->end.word) == TAPE__WORD_EOF) return rc;
    rc = check_number(s, &own, out);
    tape__window_close(&own);
    return rc;
}

/* ---- what another writer reserved ---- */

tape__end_state_t tape__cycle_end_state(const tape__cycle_store_t *s, const tape__cursor_t *c)
{
    const uint64_t length = tape__word_length(c->word);
    switch (tape__word_kind(c->word)) {
    case TAPE__WORD_FREE: return TAPE__END_FREE;
    case TAPE__WORD_EOF: return TAPE__END_MARK;
    case TAPE__WORD_INCOMPLETE: break;
    default: return TAPE__END_COMPLETE;
    }
    /* Nobody reserves more than is in the file. */
    bool fits = c->position + TAPE__WORD_SIZE + length + TAPE__END_ROOM <= s->file.size;
    return fits && length > 0 && !(c->word & TAPE__META_DATA) ? TAPE__END_RESERVED : TAPE__END_OPEN;
}

/* The first word at or behind `at`, where a header can stand, that is 0. */
static int find_zero(tape__cycle_store_t *s, tape__window_t *w, uint64_t at, uint64_t *zero)
{
    tape__cursor_t c = {at, 0, 0};
    for (;; c.position += s->aligned ? 4 : 1) {
        int rc = tape__window_cover(w, &s->file, c.position, 4, TAPE__WALK_WINDOW);
        if (rc < 0) return rc;
        *zero = c.position;
        if (rc == TAPE__BEYOND_END ||
            tape__excerpt_observe(tape__window_at(w, c.position), s->aligned) == 0)
            return TAPE_OK;
    }
}

static int taken(const tape__cycle_store_t *s, uint64_t at)
{
    return tape__fail(TAPE_ETAKEN, s->file.path, (int64_t)at,
                      "%s at offset %" PRIu64 ": another writer is at work", s->file.path, at);
}

/* Makes the reservation longer, over [behind, zero), and cleans that. The other writer, if it is
 * not dead but robbed, stores nothing there; and whoever robs us finds it reserved. */
static int take_in(tape__cycle_store_t *s, tape__window_t *w, const tape__cursor_t *c,
                   uint64_t behind, uint64_t zero)
{
    uint64_t length = zero - c->position - 4;
    if (length > TAPE__LENGTH_MAX)
        return tape__cycle_store_bad(s, behind, "no end of what a writer left behind a message");
    int rc = tape__window_cover(w, &s->file, c->position, zero - c->position, TAPE__WALK_WINDOW);
    if (rc != TAPE_OK)
        return rc < 0 ? rc : tape__cycle_store_bad(s, behind, "the file became shorter");
    if (!tape__excerpt_resize(tape__window_at(w, c->position), tape__word_length(c->word),
                              (uint32_t)length))
        return taken(s, c->position);
    SYNC_POINT(reservation_resized);
    memset(tape__window_at(w, behind), 0, (size_t)(zero - behind));
    return TAPE_OK;
}

int tape__cycle_end_give_up(tape__cycle_store_t *s, const tape__cursor_t *c)
{
    tape__window_t w = {0};
    uint32_t length = tape__word_length(c->word);
    uint64_t zero, behind = tape__word_next(c->position, length, s->aligned);
    int rc = find_zero(s, &w, behind, &zero);
    if (rc == TAPE_OK && zero != behind) {
        rc = take_in(s, &w, c, behind, zero);
        length = (uint32_t)(zero - c->position - 4);
    }
    if (rc == TAPE_OK)
        rc = tape__window_cover(&w, &s->file, c->position, 4, TAPE__WALK_WINDOW);
    if (rc == TAPE_OK && PLANTED(TAPE__BUG_CLEARS_RESERVATIONS))
        (void)tape__excerpt_abandon(tape__window_at(&w, c->position), length);
    else if (rc == TAPE_OK && !tape__excerpt_give_up(tape__window_at(&w, c->position), length))
        rc = taken(s, c->position);
    if (rc == TAPE_OK) SYNC_POINT(given_up);
    tape__window_close(&w);
    return rc;
}

/* ---- the end for good ---- */

int tape__cycle_end_find_to_seal(tape__cycle_store_t *s, tape__window_t *w, tape__cursor_t *end,
                                 bool *certain)
{
    tape__chain_end_t found;
    uint64_t last;
    int rc = find_certain_place(s, w, &found);
    *certain = rc != TAPE_ECORRUPT;
    *end = found.end;
    if (*certain) return rc;
    *end = (tape__cursor_t){s->first_document, 0, 0};
    rc = walk_to(s, w, end, UINT64_MAX, &last);
    return rc < 0 ? rc : TAPE_OK;
}

/* A file that was cut within a header word: nobody reads the rest of that word as long as the file
 * ends there. It is 0 before there is room for the mark, because in a longer file it would be a
 * document. */
static int clear_torn_word(tape__cycle_store_t *s, tape__window_t *w, uint64_t position)
{
    const uint64_t size = s->file.size;
    if (size <= position || size >= position + TAPE__WORD_SIZE) return TAPE_OK;
    int rc = tape__window_cover(w, &s->file, position, size - position, TAPE__WALK_WINDOW);
    if (rc == TAPE_OK) memset(tape__window_at(w, position), 0, (size_t)(size - position));
    return rc;
}

int tape__cycle_end_seal(tape__cycle_store_t *s, const tape__cursor_t *end)
{
    tape__window_t w = {0};
    int rc = tape__cycle_end_check_writable(s);
    if (rc == TAPE_OK) rc = tape__mapping_refresh(&s->file);
    if (rc == TAPE_OK) rc = clear_torn_word(s, &w, end->position);
    if (rc != TAPE_OK) return rc;
    /* It may be cut. Else without the file's lock: somebody may have been stopped who has that. */
    if (s->file.size < end->position + TAPE__END_ROOM)
        rc = tape__mapping_enlarge(&s->file, end->position + TAPE__END_ROOM);
    if (rc == TAPE_OK)
        rc = tape__window_cover(&w, &s->file, end->position, TAPE__END_ROOM, TAPE__WALK_WINDOW);
    if (rc == TAPE_OK) /* a hole, where Java left one */
        rc = tape__mapping_reserve(&s->file, &w, end->position, TAPE__END_ROOM);
    if (rc == TAPE__BEYOND_END)
        rc = tape__cycle_store_bad(s, end->position, "no room for the end mark");
    if (rc == TAPE_OK) {
        uint8_t *header = tape__window_at(&w, end->position);
        const bool marked = tape__excerpt_seal(header, end->word);
        SYNC_POINT(end_marked);
        if (marked) tape__excerpt_sign(header + 4);
        else rc = taken(s, end->position);
        SYNC_POINT(sealed);
    }
    tape__window_close(&w);
    return rc;
}
