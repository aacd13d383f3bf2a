/* tailer_cycles.c - which cycle file a tailer reads, and going on to the next (format.md 9.5).
 *
 * Without END_OF_DATA a tailer stays, even if newer cycles exist: a late writer may still append
 * there, until the cycle's time is over and the write lock was free. A file that was deleted is
 * left at its end all the same: nobody can end it any more.
 */
#include "base/error.h"
#include "base/platform.h"
#include "base/sync_point.h"
#include "file/cycle_chain.h"
#include "read/tailer.h"

enum { NEWER_MAX = 64 }; /* so many cycles are looked into for a message */
#define LOOK_EVERY_NS INT64_C(50000000) /* at the directory, where the listing words do not help */
#define HOLE_AFTER_NS INT64_C(2000000000)

/* The directory is read at most every LOOK_EVERY_NS by one waiting tailer. */
static bool may_look(tape_tailer_t *t)
{
    int64_t now = tape__monotonic_ns();
    if (t->looked_ns && now - t->looked_ns < LOOK_EVERY_NS) {
        t->nothing_from_ms = tape__now_coarse_ms();
        t->nothing_until_ms = t->nothing_from_ms + (LOOK_EVERY_NS - (now - t->looked_ns)) / 1000000;
        return false;
    }
    t->looked_ns = now;
    return true;
}

/* Whether a cycle exists at or above `from`, the first of which is *cycle: an answer. */
static int find_cycle(tape_tailer_t *t, int64_t from, int64_t *cycle)
{
    tape__listing_t *l = &t->site->listing;
    int64_t highest = tape__listing_highest_word(l);
    int rc = tape__listing_exists(l, from);
    *cycle = from;
    if (rc != TAPE__NO) return rc;
    /* Cycles are made in rising order, so when the highest is visible all below it are, too. */
    if (!(highest != TAPE__NO_CYCLE && highest >= from) && !may_look(t)) return TAPE__NO;
    rc = tape__shelf_above(&t->site->shelf, from, &t->neighbours, cycle);
    if (rc != TAPE_OK) return rc;
    return tape__answer(*cycle != TAPE__NO_CYCLE);
}

static int first_cycle(tape_tailer_t *t, int64_t *cycle)
{
    tape__listing_t *l = &t->site->listing;
    int64_t lowest = tape__listing_lowest_word(l), highest = tape__listing_highest_word(l);
    if (lowest == TAPE__NO_CYCLE && highest == TAPE__NO_CYCLE && !may_look(t))
        return TAPE__NO;
    int rc = tape__shelf_ends(&t->site->shelf, cycle, NULL);
    if (rc != TAPE_OK) return rc;
    return tape__answer(*cycle != TAPE__NO_CYCLE);
}

/* Enters the cycle, or the first one behind it whose file can be used: who makes a file holds the
 * write lock, so one that is half-made although a newer one is whole was left by the dead.
 * Whether there is one yet: an answer. */
static int enter_usable(tape_tailer_t *t, int64_t *cycle)
{
    for (;;) {
        int rc = tape__tailer_open_cycle(t, *cycle);
        if (rc != TAPE__NO) return rc;
        rc = find_cycle(t, *cycle + 1, cycle);
        if (rc != TAPE__YES) return rc;
    }
}

int tape__tailer_stand_at_start(tape_tailer_t *t)
{
    int64_t cycle;
    if (t->open) return TAPE__YES;
    int rc = first_cycle(t, &cycle);
    return rc == TAPE__YES ? enter_usable(t, &cycle) : rc;
}

int tape__tailer_open_last(tape_tailer_t *t, int64_t below)
{
    for (;;) {
        int64_t cycle;
        int rc = below > INT32_MAX ? tape__shelf_ends(&t->site->shelf, NULL, &cycle)
                                   : tape__shelf_below(&t->site->shelf, below - 1, NULL,
                                                         &cycle);
        if (rc != TAPE_OK) return rc;
        if (cycle == TAPE__NO_CYCLE) return TAPE__NO;
        rc = tape__tailer_open_cycle(t, cycle);
        if (rc != TAPE__NO) return rc;
        below = cycle; /* half-made: the end is in the one before it */
    }
}

/* ---- from one cycle to its neighbour; a file that somebody deleted ---- */

/* Asked *after* a neighbour was looked for: who deletes cycles begins with the oldest, so when one
 * beyond ours was gone, ours was gone, too. */
int tape__tailer_is_deleted(const tape_tailer_t *t)
{
    int named = tape__mapping_has_its_name(&t->store.file);
    return named < 0 ? named : tape__answer(named == TAPE__NO);
}

static void note_gap(tape_tailer_t *t, int64_t from, int64_t to)
{
    t->gap = (tape__gap_t){from, to, t->tell_gaps, true};
}

/* The index of sequence 0 of a cycle. */
static int64_t first_of(const tape_tailer_t *t, int64_t cycle)
{
    return tape__index(t->site->settings.roll_cycle, cycle, 0);
}

/* Whether the write position lies further on than the messages lead: they broke off at a hole
 * (zeros that a power cut left), and those behind it are not read. */
static bool breaks_off(const tape_tailer_t *t)
{
    const tape__cycle_store_t *s = &t->store;
    const uint64_t last =
        OBSERVE64(write_position, tape__window_u64(&s->head, s->write_position_at));
    return last > t->at.position && last < s->file.size && (!s->aligned || last % 4 == 0);
}

int tape__tailer_enter_later(tape_tailer_t *t)
{
    int64_t here = t->store.cycle, from = tape__tailer_next_index(t), cycle;
    const bool broken = breaks_off(t);
    SYNC_POINT(cycle_read);
    int rc = find_cycle(t, here + 1, &cycle);
    if (rc != TAPE__YES) return rc;
    int deleted = cycle > here + 1 ? tape__tailer_is_deleted(t) : TAPE__NO;
    if (deleted == TAPE__YES) { /* or a mirror replaced it */
        int exists = tape__shelf_exists(&t->site->shelf, here);
        deleted = exists < 0 ? exists : tape__answer(exists == TAPE__NO);
    }
    if (deleted < 0) return deleted;
    rc = enter_usable(t, &cycle);
    if (rc != TAPE__YES) return rc;
    if (broken) note_gap(t, from, first_of(t, cycle));
    else if (deleted == TAPE__YES) note_gap(t, first_of(t, here + 1), first_of(t, cycle));
    return TAPE__YES;
}

/* Whether a cycle behind the one in hand has messages: an answer. */
static int newer_has_messages(tape_tailer_t *t)
{
    int64_t cycle = t->store.cycle;
    for (int tries = 0; tries < NEWER_MAX; tries++) {
        tape__cycle_store_t store;
        tape__window_t window = {0};
        tape__chain_end_t end = {.last_position = 0};
        int rc = tape__shelf_above(&t->site->shelf, cycle + 1, &t->neighbours, &cycle);
        if (rc != TAPE_OK) return rc;
        if (cycle == TAPE__NO_CYCLE) return TAPE__NO;
        rc = tape__tailer_open_file(t->site, cycle, &store);
        if (rc == TAPE__NO) continue;
        if (rc < 0) return rc;
        rc = tape__cycle_chain_find_end(&store, &window, &end);
        tape__window_close(&window);
        tape__cycle_store_close(&store);
        if (rc < 0 && rc != TAPE_ECORRUPT) return rc;
        if (rc == TAPE_OK && end.end.sequence > 0) return TAPE__YES;
    }
    return TAPE__NO;
}

/* Java makes cycles without END_OF_DATA (format.md 9.2), and nobody may ever come to write it. When
 * the time of the cycle is over and the write lock was free since, nobody writes there any more:
 * who takes the lock reads the clock afterwards. So one goes on, without a byte being written. */
static int leave_unfinished(tape_tailer_t *t)
{
    tape__site_t *site = t->site;
    const tape_roll_cycle_t *r = site->settings.roll_cycle;
    int64_t over =
        tape__roll_cycle_start_ms(r, site->listing.epoch_ms, t->store.cycle) + r->length_ms;
    if (!site->has_table) return TAPE__NO;
    const int64_t now = tape__site_clock_ms(site);
    if (!tape__site_is_usable(site)) return tape__site_check(site); /* it forked */
    if (now < over) return TAPE__NO;
    int rc = newer_has_messages(t);
    SYNC_POINT(newer_looked_into);
    if (rc != TAPE__YES) return rc;
    const uint64_t *lock = tape__table_store_cell(&site->table, "chronicle.write.lock");
    /* order[write_lock]: what the last holder wrote is seen below. */
    if (!lock || OBSERVE64(write_lock, lock) != TAPE__LOCK_FREE) return TAPE__NO;
    rc = tape__cycle_store_observe(&t->store, &t->window, &t->at, t->window_size);
    if (rc != TAPE_OK) return rc;
    tape__word_kind_t kind = tape__word_kind(t->at.word);
    if (kind != TAPE__WORD_FREE && kind != TAPE__WORD_INCOMPLETE) return TAPE__YES;
    return tape__tailer_enter_later(t);
}

/* Whoever sets the write position sees all messages before it, so a place without one below it,
 * both looked at in this order, is damage whatever any writer is at, stopped or robbed: what was
 * there is gone, and what lies behind would be waited for until the cycle is ended. Not told at
 * once: a file may be on its way here from elsewhere, its header first. */
static int check_hole(tape_tailer_t *t)
{
    tape__hole_t *h = &t->hole;
    const bool before = h->since_ns && h->cycle == t->store.cycle && h->position == t->at.position;
    if (!breaks_off(t)) {
        h->since_ns = 0;
        return TAPE__NO;
    }
    int rc = tape__cycle_store_observe(&t->store, &t->window, &t->at, t->window_size);
    if (rc != TAPE_OK) return rc;
    const tape__word_kind_t kind = tape__word_kind(t->at.word);
    if (kind != TAPE__WORD_FREE && kind != TAPE__WORD_INCOMPLETE) return TAPE__YES;
    const int64_t now = tape__monotonic_ns();
    if (!before) *h = (tape__hole_t){t->store.cycle, t->at.position, now};
    if (now - h->since_ns < HOLE_AFTER_NS) return TAPE__NO;
    t->looked_ns = 0; /* who waits for it is told, and the read that follows as well */
    rc = tape__cycle_store_bad(&t->store, t->at.position,
                               "no message, and the write position lies further on");
    tape__error_index(tape__tailer_next_index(t));
    return tape__while(rc, "while waiting for the next message; those behind it come back when "
                           "all have closed the queue and this has mended it:\n"
                           "    tape repair --in-place '%s'", t->site->path);
}

int tape__tailer_leave_deleted(tape_tailer_t *t)
{
    int64_t from = tape__tailer_next_index(t), cycle;
    if (!may_look(t)) return TAPE__NO;
    int deleted = tape__tailer_is_deleted(t);
    if (deleted < 0) return deleted;
    if (deleted == TAPE__NO) {
        const int left = leave_unfinished(t);
        return left == TAPE__NO ? check_hole(t) : left;
    }
    /* It may have been written, and ended, since the tailer saw its end, and only then deleted. */
    int rc = tape__cycle_store_observe(&t->store, &t->window, &t->at, t->window_size);
    if (rc != TAPE_OK) return rc;
    tape__word_kind_t kind = tape__word_kind(t->at.word);
    if (kind != TAPE__WORD_FREE && kind != TAPE__WORD_INCOMPLETE) return TAPE__YES;
    rc = tape__tailer_enter_copy(t); /* a mirror puts a longer copy in the place of the file */
    if (rc != TAPE__NO) return rc;
    /* Any other new file of the same cycle begins anew. */
    rc = tape__shelf_above(&t->site->shelf, t->store.cycle, NULL, &cycle);
    if (rc != TAPE_OK) return rc;
    if (cycle == TAPE__NO_CYCLE) return TAPE__NO;
    rc = tape__tailer_open_cycle(t, cycle);
    if (rc != TAPE__YES) return rc;
    if (from != first_of(t, cycle)) note_gap(t, from, first_of(t, cycle));
    return TAPE__YES;
}

/* Behind the last message of the cycle just entered: as the write position tells, whose numbers are
 * Java's; if that is damaged, as far as the index leads. */
static int stand_at_last(tape_tailer_t *t)
{
    tape__chain_end_t end;
    t->at.sequence = INT64_MAX; /* also when a call fails: the next one looks again */
    int rc = tape__cycle_chain_find_end(&t->store, &t->window, &end);
    if (rc == TAPE_OK) t->at.sequence = end.end.sequence - 1;
    return rc == TAPE_ECORRUPT ? TAPE_OK : rc;
}

int tape__tailer_enter_earlier(tape_tailer_t *t)
{
    const int64_t here = t->store.cycle;
    for (int64_t below = here, cycle;; below = cycle) {
        int rc = tape__shelf_below(&t->site->shelf, below - 1, &t->neighbours, &cycle);
        if (rc != TAPE_OK) return rc;
        if (cycle == TAPE__NO_CYCLE) return TAPE__NO;
        int gap = cycle < here - 1 ? tape__tailer_is_deleted(t) : TAPE__NO;
        if (gap < 0) return gap;
        rc = tape__tailer_open_cycle(t, cycle);
        if (rc == TAPE__NO) continue; /* half-made, or deleted meanwhile */
        if (rc < 0) return rc;
        rc = stand_at_last(t);
        if (rc < 0) return rc;
        if (gap == TAPE__YES && t->at.sequence != INT64_MAX)
            note_gap(t, tape__tailer_next_index(t) + 1, first_of(t, here));
        return TAPE__YES;
    }
}
