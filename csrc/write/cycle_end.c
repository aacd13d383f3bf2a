/* cycle_end.c - the end of a cycle file for those who will write there, and writing it. */
#include <inttypes.h>
#include <string.h>

#include "base/atomics.h"
#include "base/error.h"
#include "file/cycle_chain.h"
#include "file/excerpt.h"
#include "file/excerpt_index.h"

int tape__cycle_store_check_writable(const tape__cycle_store_t *s)
{
    if (s->aligned || TAPE__CAN_CLAIM_UNALIGNED) return TAPE_OK;
    return tape__fail(TAPE_EUNSUPPORTED, s->file.path, -1,
                      "%s was made by a Chronicle Queue before 5.19.11 (data format 0); only on "
                      "x86-64 can it be written", s->file.path);
}

/* Walks on to the header at `place`: 1 it is one, 0 there is none in this chain (c is then behind
 * `place` or at the end), or a code. *last is the last message passed. */
static int walk_to(tape__cycle_store_t *s, tape__window_t *w, tape__cursor_t *c, uint64_t place,
                   uint64_t *last)
{
    while (c->position < place) {
        int rc = tape__cycle_store_observe(s, w, c, TAPE__WALK_WINDOW);
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
    if (tape__excerpt_index_find(s, w, entry->sequence - 1, &c) != TAPE_OK) return false;
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
        return tape__cycle_bad(s, c.position, "the messages do not lead to the write position");
    if (rc >= 0) rc = walk_to(s, w, &c, UINT64_MAX, &last);
    if (rc < 0) return rc;
    if (entry->position > c.position)
        return tape__cycle_bad(s, c.position,
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
    int rc = tape__cycle_store_find_end(s, w, out);
    if (rc != TAPE_OK || tape__word_kind(out->end.word) == TAPE__WORD_EOF) return rc;
    /* The last one: also of what a hole hides. */
    rc = tape__excerpt_index_find(s, &own, INT64_MAX, &entry);
    if (rc == TAPE_OK && !end_is_reached(s, &own, &entry, out))
        rc = walk_it_all(s, &own, &entry, out);
    tape__window_close(&own);
    return rc == TAPE_OK ? tape__cycle_store_observe(s, w, &out->end, TAPE__WALK_WINDOW) : rc;
}

/* Whether a reader that looks for the next message, and so for those behind it, arrives at the end:
 * 1, 0 or a code. *entry is where the index sends it. */
static int seek_arrives(tape__cycle_store_t *s, tape__window_t *w, const tape__cursor_t *end,
                        tape__cursor_t *entry)
{
    uint64_t last;
    int rc = tape__excerpt_index_find_sound(s, w, end->sequence, entry);
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
        return tape__cycle_bad(s, entry.position,
                               "the index and the messages before it count differently");
    if (all.sequence < end->sequence)
        return tape__cycle_bad(s, s->write_position_at,
                               "the write position counts more messages than lead to it");
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
        rc = tape__window_cover(w, &s->file, end.end.position, 8, TAPE__WALK_WINDOW);
        if (rc == TAPE__BEYOND_END)
            return tape__cycle_bad(s, end.end.position, "no room for the end mark");
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
