/* roll_older.c - ending the cycles before the one that is written (format.md 9.2).
 *
 * Java's tailers never leave a cycle file without END_OF_DATA, so whoever moves a queue to a newer
 * cycle writes it into every older file; what dead writers left there is repaired on the way.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/atomics.h"
#include "base/error.h"
#include "base/platform.h"
#include "base/sync_point.h"
#include "format/file_names.h"
#include "write/cycle_end.h"
#include "write/index_write.h"
#include "write/roll.h"

int tape__roll_move_aside(tape__writer_t *w, const char *path)
{
    char aside[TAPE__PATH_SIZE];
    int length =
        snprintf(aside, sizeof aside, "%s-%" PRId64 TAPE__DISCARD_SUFFIX, path, tape__now_ms());
    if (length >= (int)sizeof aside)
        return tape__fail(TAPE_EINVAL, path, -1, "the path is too long to be moved aside");
    /* Who broke our lock may have made a good file by now. */
    if (!tape__write_lock_is_ours(&w->lock))
        return tape__fail(TAPE_ETAKEN, path, -1, "%s: the lock was broken", path);
    int rc = tape__rename(path, aside);
    if (rc < 0 && rc != -ENOENT)
        return tape__fail_errno(-rc, path, "moving a half-made cycle file aside");
    SYNC_POINT(moved_aside);
    COUNT64(counters, &w->repairs, 1);
    return TAPE_OK;
}

/* In a cycle that is about to be ended: a page that is missing stays so, readers walk over it. */
static int add_in_older(tape__writer_t *w, tape__cycle_store_t *s, const tape__cursor_t *message)
{
    (void)w;
    return tape__index_write_add(s, message->sequence, message->position);
}

/* A writer that died between publishing and indexing may have been the last of its cycle. Only with
 * a certain number is the index finished. */
static tape__index_state_t index_state(tape__cycle_store_t *s, tape__cursor_t *end)
{
    tape__chain_end_t found;
    tape__window_t w = {0};
    int rc = s->aligned ? tape__cycle_end_find(s, &w, &found) : TAPE_ECORRUPT;
    tape__window_close(&w);
    if (rc != TAPE_OK || found.end.position != end->position) return TAPE__INDEX_RIGHT;
    end->sequence = found.end.sequence;
    bool behind = tape__excerpt_index_next(s) < end->sequence &&
                  !tape__excerpt_index_full(s, end->sequence - 1);
    return behind ? TAPE__INDEX_BEHIND : TAPE__INDEX_RIGHT;
}

/* One older file, open. */
typedef struct {
    const char *path;
    tape__cycle_store_t store;
    tape__cursor_t end;
} older_t;

static int judge(int64_t cycle, older_t *o, tape__facts_t *facts)
{
    tape__window_t w = {0};
    bool certain;
    *facts = (tape__facts_t){.age = TAPE__AGE_OLDER, .file = TAPE__FILE_READY};
    int rc = tape__cycle_store_open(&o->store, o->path, cycle, true);
    if (rc == TAPE_ENOTFOUND || rc == TAPE__NOT_READY) {
        facts->file = rc == TAPE_ENOTFOUND ? TAPE__FILE_MISSING : TAPE__FILE_HALF_MADE;
        return TAPE_OK;
    }
    if (rc != TAPE_OK) return rc;
    rc = tape__cycle_end_find_to_seal(&o->store, &w, &o->end, &certain);
    tape__window_close(&w);
    if (rc == TAPE_OK) {
        facts->end = tape__cycle_end_state(&o->store, &o->end);
        if (certain && facts->end == TAPE__END_FREE) facts->index = index_state(&o->store, &o->end);
        return TAPE_OK;
    }
    tape__cycle_store_close(&o->store);
    return rc;
}

/* What the table says about one older file. *again: the file is to be judged once more. */
static int apply(tape__writer_t *w, older_t *o, unsigned actions, bool *again)
{
    int rc = TAPE_OK;
    if (actions & TAPE__DO_MOVE_ASIDE) return tape__roll_move_aside(w, o->path);
    /* Without entries readers only walk further: no failure here keeps the cycle from its end. */
    if (actions & TAPE__DO_INDEX)
        (void)tape__roll_index_the_rest(w, &o->store, o->end, add_in_older);
    if (actions & TAPE__DO_GIVE_UP) rc = tape__cycle_end_give_up(&o->store, &o->end);
    if (actions & TAPE__DO_SEAL) rc = tape__cycle_end_seal(&o->store, &o->end);
    *again = rc == TAPE_ETAKEN || (rc == TAPE_OK && (actions & TAPE__DO_GIVE_UP));
    bool mended = (actions & (TAPE__DO_INDEX | TAPE__DO_GIVE_UP)) || o->end.word != 0;
    if (actions && mended && rc == TAPE_OK) COUNT64(counters, &w->repairs, 1);
    return *again ? TAPE_OK : rc;
}

/* A file whose messages lead to nothing is left as it is: no reader gets past that place, and no
 * writer shall stop because of it. */
typedef struct {
    tape__writer_t *w;
    int64_t last; /* that there is, or TAPE__NO_CYCLE */
} ending_t;

static int end_cycle(void *user, int64_t cycle)
{
    ending_t *ending = user;
    tape__writer_t *w = ending->w;
    char path[TAPE__PATH_SIZE];
    older_t o = {.path = path};
    tape__extent_t extent;
    tape__facts_t facts;
    unsigned actions;
    int rc = TAPE_OK;
    if (!tape__listing_path(&w->site->listing, cycle, path, sizeof path)) return TAPE_OK;
    if (tape__cycle_measure_finished(path, &extent)) { /* row @C, as most are */
        if (cycle > ending->last) ending->last = cycle;
        return TAPE_OK;
    }
    for (bool again = true; again && rc == TAPE_OK;) {
        again = false;
        rc = judge(cycle, &o, &facts);
        if (rc == TAPE_ECORRUPT) return TAPE_OK;
        if (rc != TAPE_OK) break;
        rc = tape__roll_decide(w, cycle, &facts, &actions);
        if (rc == TAPE_OK) rc = apply(w, &o, actions, &again);
        if (facts.file == TAPE__FILE_READY) {
            if (cycle > ending->last) ending->last = cycle;
            tape__cycle_store_close(&o.store);
        }
    }
    if (rc < 0) tape__while(rc, "while ending cycle %" PRId64 ", which is over", cycle);
    return rc;
}

/* Where ending must begin: `normalisedEOFsTo` says below which cycle all is done (5.4). */
static int64_t first_unsure_cycle(tape__writer_t *w)
{
    if (w->sealed_below != TAPE__NO_CYCLE) return w->sealed_below;
    const uint64_t *cell = tape__table_store_cell(&w->site->table, "normalisedEOFsTo");
    int64_t stored = cell ? (int64_t)OBSERVE64(listing, cell) : 0;
    return stored > 0 && stored < INT32_MAX ? stored : 0;
}

/* Remembers for every later opener, Java's included, that all up to `cycle` is ended: the newest
 * one that is, not the clock's, which there may never be. The key is only made when there are older
 * cycles, as Java does. */
static void note_ended(tape__writer_t *w, int64_t cycle, bool first_time)
{
    uint64_t *cell = tape__table_store_cell(&w->site->table, "normalisedEOFsTo");
    if (!cell && first_time && tape__listing_lowest_word(&w->site->listing) <= cycle &&
        tape__listing_lowest_word(&w->site->listing) != TAPE__NO_CYCLE)
        cell = tape__table_store_make_cell(&w->site->table, "normalisedEOFsTo", (uint64_t)cycle);
    while (cell) { /* it only grows, also when our lock was broken */
        uint64_t seen = OBSERVE64(listing, cell);
        if ((int64_t)seen >= cycle || CLAIM64(listing, cell, seen, (uint64_t)cycle)) break;
    }
    SYNC_POINT(ended_noted);
}

int tape__roll_end_older(tape__writer_t *w, int64_t cycle)
{
    bool first_time = w->sealed_below == TAPE__NO_CYCLE;
    int64_t from = first_unsure_cycle(w);
    if (from > cycle) from = 0; /* more than there can be: the word is wrong */
    /* END_OF_DATA into every existing file of the cycles [from, cycle). */
    ending_t ending = {w, TAPE__NO_CYCLE};
    int rc = tape__listing_each(&w->site->listing, from, cycle, end_cycle, &ending);
    if (rc != TAPE_OK) return rc;
    SYNC_POINT(older_cycles_ended);
    w->sealed_below = cycle;
    if (ending.last != TAPE__NO_CYCLE) note_ended(w, ending.last, first_time);
    return TAPE_OK;
}
