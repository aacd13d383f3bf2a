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
#include "file/excerpt_index.h"
#include "format/file_names.h"
#include "write/roll.h"

int tape__roll_move_aside(tape__writer_t *w, const char *path)
{
    char aside[TAPE__PATH_SIZE];
    int length =
        snprintf(aside, sizeof aside, "%s-%" PRId64 TAPE__DISCARD_SUFFIX, path, tape__now_ms());
    if (length >= (int)sizeof aside)
        return tape__fail(TAPE_EINVAL, path, -1, "the path is too long to be moved aside");
    int rc = tape__rename(path, aside);
    if (rc < 0) return tape__fail_errno(-rc, path, "moving a half-made cycle file aside");
    COUNT64(counters, &w->repairs, 1);
    return TAPE_OK;
}

/* In a cycle that is about to be ended: a page that is missing stays so, readers walk over it. */
static int add_in_older(tape__writer_t *w, tape__cycle_store_t *s, const tape__cursor_t *message)
{
    (void)w;
    return tape__excerpt_index_add(s, message->sequence, message->position);
}

/* A writer that died between publishing and indexing may have been the last of its cycle. Without
 * the entry readers only walk further, so no failure here keeps the cycle from being ended. */
static void finish_index(tape__writer_t *w, tape__cycle_store_t *s, tape__window_t *window)
{
    tape__chain_end_t end;
    int rc = tape__cycle_store_find_certain_end(s, window, &end);
    if (rc != TAPE_OK || tape__word_kind(end.end.word) == TAPE__WORD_EOF || !s->aligned) return;
    int64_t count = end.end.sequence;
    if (tape__excerpt_index_next(s) >= count || tape__excerpt_index_full(s, count - 1)) return;
    COUNT64(counters, &w->repairs, 1);
    (void)tape__roll_index_the_rest(w, s, end.end, add_in_older);
}

static int end_cycle(void *user, int64_t cycle)
{
    tape__writer_t *w = user;
    char path[TAPE__PATH_SIZE];
    tape__cycle_store_t store;
    tape__window_t window = {0};
    tape__extent_t extent;
    if (!tape__listing_path(&w->site->listing, cycle, path, sizeof path)) return TAPE_OK;
    if (tape__cycle_store_measure_finished(path, &extent)) return TAPE_OK; /* as most are */
    int rc = tape__cycle_store_open(&store, path, cycle, true);
    if (rc == TAPE_ENOTFOUND) return TAPE_OK; /* deleted meanwhile */
    if (rc == TAPE__NOT_READY) return tape__roll_move_aside(w, path);
    if (rc != TAPE_OK) return rc;
    int64_t repaired = 0;
    finish_index(w, &store, &window);
    rc = tape__cycle_store_seal(&store, &window, &repaired);
    if (repaired) COUNT64(counters, &w->repairs, repaired);
    tape__window_close(&window);
    tape__cycle_store_close(&store);
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

/* Remembers for every later opener, Java's included, that all below `cycle` is ended. The key is
 * only made when there are older cycles, as Java does. */
static void note_ended(tape__writer_t *w, int64_t cycle, bool first_time)
{
    w->sealed_below = cycle;
    uint64_t *cell = tape__table_store_cell(&w->site->table, "normalisedEOFsTo");
    if (!cell && first_time && tape__listing_lowest_word(&w->site->listing) < cycle &&
        tape__listing_lowest_word(&w->site->listing) != TAPE__NO_CYCLE)
        cell = tape__table_store_make_cell(&w->site->table, "normalisedEOFsTo", (uint64_t)cycle);
    if (cell && (int64_t)PEEK64(listing, cell) < cycle) PUBLISH64(listing, cell, (uint64_t)cycle);
}

int tape__roll_end_older(tape__writer_t *w, int64_t cycle)
{
    bool first_time = w->sealed_below == TAPE__NO_CYCLE;
    int64_t from = first_unsure_cycle(w);
    if (from > cycle) from = 0; /* more than there can be: the word is wrong */
    /* END_OF_DATA into every existing file of the cycles [from, cycle). */
    int rc = tape__listing_each(&w->site->listing, from, cycle, end_cycle, w);
    if (rc != TAPE_OK) return rc;
    SYNC_POINT(older_cycles_ended);
    note_ended(w, cycle, first_time);
    return TAPE_OK;
}
