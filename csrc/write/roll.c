/* roll.c - the clock, and entering the cycle that it shows; see roll.h. */
#define _POSIX_C_SOURCE 200809L
#include "write/roll.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/atomics.h"
#include "base/error.h"
#include "base/platform.h"
#include "base/sync_point.h"
#include "write/cycle_end.h"
#include "write/index_write.h"
#include "write/times_write.h"

#define LOOK_EVERY_MS 1000
#define NS_PER_MS 1000000
enum { FORESEEN = 8192 }; /* bytes of room: with them come many more, if the disk has them */

/* ---- the clock (format.md 9.7) ---- */

static int64_t later(int64_t a, int64_t b) { return a > b ? a : b; }
static int64_t earlier(int64_t a, int64_t b) { return a < b ? a : b; }

/* The coarse clock lags by up to a tick and never leads: it is right until a tick before the end;
 * and for LOOK_EVERY_MS it is believed that nobody deleted the files, and no time is to be noted.
 * Never with another clock. */
static void trust_coarse_clock(tape__writer_t *w)
{
    const tape_roll_cycle_t *r = w->site->settings.roll_cycle;
    int64_t start = tape__roll_cycle_start_ms(r, w->site->listing.epoch_ms, w->store.cycle);
    int64_t end = start + r->length_ms - tape__coarse_tick_ms();
    int64_t look = w->looked_ms + LOOK_EVERY_MS;
    if (w->noted) look = earlier(look, w->noted_ms + TAPE__NOTE_EVERY_MS);
    int64_t from = later(start, w->looked_ms), to = earlier(end, look);
    w->trusted_ns = 0;
    if (w->site->clock || to <= from || from > INT64_MAX / NS_PER_MS) return;
    w->trusted_from_ns = from * NS_PER_MS;
    w->trusted_ns = (uint64_t)(to - from) * NS_PER_MS;
}

/* ---- entering a cycle ---- */

/* Opens the file of `cycle` when it is ready; *actions is what the table says when it is not. */
static int open_cycle(tape__writer_t *w, int64_t cycle, unsigned *actions)
{
    char path[TAPE__PATH_SIZE];
    *actions = TAPE__DO_NOTHING;
    tape__writer_leave_cycle(w);
    if (!tape__listing_path(&w->site->listing, cycle, path, sizeof path))
        return tape__roll_no_file_name(w, cycle);
    int rc = tape__cycle_store_open(&w->store, path, cycle, true);
    if (rc == TAPE__NOT_READY || rc == TAPE_ENOTFOUND) {
        tape__facts_t facts = {.age = TAPE__AGE_CURRENT, .file = TAPE__FILE_MISSING};
        if (rc == TAPE__NOT_READY) facts.file = TAPE__FILE_HALF_MADE;
        rc = tape__roll_decide(w, cycle, &facts, actions);
        if (rc == TAPE_OK && (*actions & TAPE__DO_MOVE_ASIDE)) rc = tape__roll_move_aside(w, path);
        return rc;
    }
    if (rc != TAPE_OK) return rc;
    rc = tape__cycle_end_check_writable(&w->store);
    if (rc != TAPE_OK) {
        tape__cycle_store_close(&w->store);
        return rc;
    }
    w->open = true;
    w->window = (tape__window_t){0};
    w->reserved_to = 0;
    tape__writer_set_ready(w, 0);
    w->reserve_step = TAPE__RESERVE_FIRST;
    return TAPE_OK;
}

/* A creator may have died between linking the file and listing it; and whoever looks at the
 * directory while a file is deleted and made again may set a word back. */
static void list_own_cycle(tape__writer_t *w)
{
    int64_t cycle = w->store.cycle, highest = tape__listing_highest_word(&w->site->listing);
    int64_t lowest = tape__listing_lowest_word(&w->site->listing);
    if (highest < cycle || lowest > cycle || lowest == TAPE__NO_CYCLE)
        tape__listing_add(&w->site->listing, cycle);
}

/* Not listing_seen: since look_after_files() the file may have been deleted, and that told. */
static void enter_cycle(tape__writer_t *w)
{
    SYNC_POINT(cycle_entered);
    trust_coarse_clock(w);
    list_own_cycle(w);
    w->lock.pulse = w->store.pair;
    w->index_base = tape__index(w->site->settings.roll_cycle, w->store.cycle, 0);
    w->max_messages = w->site->settings.roll_cycle->max_messages;
}

/* The highest of the cycles met that have a file. */
typedef struct {
    const tape__listing_t *listing;
    int64_t last;
} highest_t;

static int note_cycle(void *user, int64_t cycle)
{
    highest_t *h = user;
    int rc = tape__listing_exists(h->listing, cycle);
    if (rc == TAPE__YES && cycle > h->last) h->last = cycle;
    return rc < 0 ? rc : TAPE_OK;
}

/* A creator may have died between linking a file and listing it, and we may be about to roll past
 * it: Java opens no cycle outside of the listing words. */
static int list_the_unlisted(tape__writer_t *w, int64_t now)
{
    const tape__listing_t *l = &w->site->listing;
    const int64_t lowest = tape__listing_lowest_word(l), highest = tape__listing_highest_word(l);
    int64_t first = TAPE__NO_CYCLE;
    highest_t h = {l, TAPE__NO_CYCLE};
    int rc = highest != TAPE__NO_CYCLE && now - highest <= TAPE__FEW_NAMES
                 ? tape__listing_each(l, highest + 1, now + 1, note_cycle, &h)
                 : tape__listing_scan(l, &first, &h.last);
    if (rc != TAPE_OK) return rc;
    if (first != TAPE__NO_CYCLE && (lowest == TAPE__NO_CYCLE || lowest > first))
        tape__listing_add(l, first);
    if (h.last > now) h.last = now; /* who made a newer one lists it, or left it half made */
    if (h.last == TAPE__NO_CYCLE || (highest != TAPE__NO_CYCLE && highest >= h.last))
        return TAPE_OK;
    rc = tape__listing_exists(l, h.last);
    if (rc == TAPE__YES) tape__listing_add(l, h.last);
    return rc < 0 ? rc : TAPE_OK;
}

void tape__roll_doubt_all(tape__writer_t *w)
{
    const tape__listing_t *l = &w->site->listing;
    const int64_t lowest = tape__listing_lowest_word(l);
    int64_t first = TAPE__NO_CYCLE, last = TAPE__NO_CYCLE;
    w->doubtful = true;
    w->sealed_below = TAPE__NO_CYCLE;
    tape__roll_remove_temporaries(w); /* the robbed one may live, and must not link its file late */
    if (tape__listing_scan(l, &first, &last) == TAPE_OK && first != TAPE__NO_CYCLE &&
        lowest > first)
        tape__listing_add(l, first);
}

/* The writer stands in the file of `cycle`, at its end; or *actions tells what is to be done. */
static int enter_existing(tape__writer_t *w, int64_t cycle, unsigned *actions, tape__step_t *step)
{
    int rc = open_cycle(w, cycle, actions);
    if (rc != TAPE_OK || *actions) return rc;
    rc = tape__roll_find_the_end(w, step);
    if (rc < 0) tape__writer_leave_cycle(w);
    else enter_cycle(w);
    return rc;
}

int tape__roll_check_expected(const tape__writer_t *w, const tape__message_t *m, int64_t cycle,
                              int64_t sequence)
{
    if (m->expect < 0) return TAPE_OK;
    const int64_t index = tape__index(w->site->settings.roll_cycle, cycle, sequence);
    if (index == m->expect) return TAPE_OK;
    tape__fail(TAPE_ECONFLICT, w->site->path, -1,
               "%s: the message would have got index 0x%" PRIx64 ", not 0x%" PRIx64, w->site->path,
               index, m->expect);
    tape__error_index(index);
    return TAPE_ECONFLICT;
}

/* By somebody who broke our lock; or by a link that leads nowhere. */
static int name_is_taken(const tape__writer_t *w, int64_t cycle)
{
    char path[TAPE__PATH_SIZE];
    if (!tape__listing_path(&w->site->listing, cycle, path, sizeof path))
        return tape__roll_no_file_name(w, cycle);
    tape__stat_t st;
    if (tape__stat_path(path, &st) == 0 && !st.is_regular)
        return tape__fail(TAPE_ECORRUPT, path, -1, "%s: not a regular file: move it away", path);
    return tape__fail(TAPE_ETAKEN, path, -1,
                      "%s: there is something of this name, and it cannot be opened", path);
}

/* The file just made is not there any more, or was not ready: told to who has more to write. */
static int made_and_gone(const tape__writer_t *w, int64_t cycle)
{
    return tape__fail(TAPE_ETAKEN, w->site->path, -1,
                      "%s: cycle %" PRId64 " was made, and its file is not what was made by now",
                      w->site->path, cycle);
}

/* A new file with the message in it. What goes wrong after that is no failure of the message, but
 * told: there may be more to write. */
static int enter_new(tape__writer_t *w, int64_t cycle, const tape__message_t *m, tape__step_t *step)
{
    tape__step_t ignored;
    unsigned actions;
    bool made;
    int rc = tape__roll_check_expected(w, m, cycle, 0);
    if (rc != TAPE_OK) return rc;
    if (!w->tidied) tape__roll_remove_temporaries(w);
    rc = tape__roll_make(w, cycle, m, &made);
    if (rc != TAPE_OK) return rc;
    if (!made) return name_is_taken(w, cycle);
    *step = TAPE__STEP_WRITTEN;
    rc = open_cycle(w, cycle, &actions);
    if (rc == TAPE_OK && !actions) rc = tape__roll_find_the_end(w, &ignored);
    if (rc == TAPE_OK && actions) rc = made_and_gone(w, cycle);
    if (rc == TAPE_OK) enter_cycle(w);
    else tape__writer_leave_cycle(w);
    return TAPE_OK;
}

static int roll_to(tape__writer_t *w, int64_t cycle, const tape__message_t *m, tape__step_t *step)
{
    bool first_time = w->sealed_below == TAPE__NO_CYCLE;
    unsigned actions;
    int rc = first_time ? list_the_unlisted(w, cycle) : TAPE_OK;
    if (rc == TAPE_OK) rc = tape__roll_end_older(w, cycle);
    if (rc == TAPE_OK) rc = enter_existing(w, cycle, &actions, step);
    if (rc != TAPE_OK || !(actions & TAPE__DO_MAKE)) return rc;
    if (m) return enter_new(w, cycle, m, step);
    *step = TAPE__STEP_NO_FILE;
    return rc;
}

/* ---- files that somebody deleted ---- */

/* What is written into a file that was deleted or moved nobody else will ever see. So from time to
 * time, and whenever others touched the listing, it is asked whether ours still have their names.
 * Without its table store the queue has another write lock by now, or will have: then nothing may
 * be written. */
static int look_after_files(tape__writer_t *w)
{
    int64_t now = tape__now_coarse_ms();
    uint64_t pulse = tape__listing_pulse(&w->site->listing);
    if (w->open && pulse == w->listing_seen && now >= w->looked_ms &&
        now < w->looked_ms + LOOK_EVERY_MS)
        return TAPE_OK;
    int named = tape__mapping_has_its_name(&w->site->table.file);
    if (named == TAPE__NO)
        return tape__fail(TAPE_ENOTFOUND, w->site->table.file.path, -1,
                          "%s was deleted or replaced while the queue was open; close the queue "
                          "and open it again", w->site->table.file.path);
    if (named == TAPE__YES && w->open) named = tape__mapping_has_its_name(&w->store.file);
    if (named < 0) return named;
    if (named == TAPE__NO) {
        COUNT64(counters, &w->files_lost, 1);
        tape__writer_leave_cycle(w);
    }
    w->listing_seen = pulse;
    w->looked_ms = now;
    if (w->open) {
        trust_coarse_clock(w);
        list_own_cycle(w);
    }
    return TAPE_OK;
}

/* What the clock shows, and the cycle of that. */
static int look_at_clock(tape__writer_t *w, int64_t *now, int64_t *cycle)
{
    *now = tape__site_clock_ms(w->site);
    if (tape__write_lock_is_of_parent(&w->lock)) return tape__site_check(w->site);
    if (*now < 0)
        return tape__fail(TAPE_ECLOCK, w->site->path, -1, "the clock gave no time (0 to 2^62 ms)");
    *cycle = tape__roll_cycle_at_ms(w->site->settings.roll_cycle, w->site->listing.epoch_ms, *now);
    return TAPE_OK;
}

int tape__roll_goes_on(tape__writer_t *w)
{
    const int64_t coarse = tape__now_coarse_ms();
    int64_t now = 0, cycle = 0;
    if (tape__roll_is_current(w)) return TAPE__YES;
    if (!w->open || w->doubtful || coarse < w->looked_ms ||
        coarse >= w->looked_ms + LOOK_EVERY_MS ||
        PEEK64(listing, w->site->listing.mod_count) != w->listing_seen)
        return TAPE__NO;
    int rc = look_at_clock(w, &now, &cycle);
    if (rc != TAPE_OK) return rc;
    return tape__answer(cycle == w->store.cycle && !tape__times_write_is_due(w, now));
}

void tape__roll_foresee(tape__writer_t *w)
{
    if (!w->open || w->doubtful || look_after_files(w) != TAPE_OK || !w->open) return;
    const int64_t spacing = w->store.index_spacing;
    const int64_t indexed = (w->next.sequence + spacing - 1) / spacing * spacing;
    if (w->ready_to < w->next.position + FORESEEN) (void)tape__roll_make_ready(w, FORESEEN);
    if (!tape__index_write_is_at_hand(&w->store, indexed) &&
        !tape__excerpt_index_full(&w->store, indexed))
        (void)tape__index_write_check_free(&w->store, indexed);
}

static void note_time(tape__writer_t *w, int64_t now, bool alone, int added)
{
    tape__times_write_note(w, now, alone, added);
    if (w->open) trust_coarse_clock(w);
}

void tape__roll_note_append(tape__writer_t *w)
{
    if (w->note_due) note_time(w, w->note_ms, w->note_alone, 1);
    w->note_due = false;
}

/* A message that is on its way is noted when it is there, else where the writer stands. */
static int see_to_time(tape__writer_t *w, int64_t now, bool alone, bool message, tape__step_t *step)
{
    if (*step == TAPE__STEP_WRITTEN) note_time(w, now, false, 1);
    if (*step != TAPE__STEP_READY || !tape__times_write_is_due(w, now)) return TAPE_OK;
    w->note_due = message;
    w->note_ms = now;
    w->note_alone = alone;
    if (message) return TAPE_OK;
    int rc = alone ? TAPE_OK : tape__roll_catch_up(w, step);
    if (rc == TAPE_OK && *step == TAPE__STEP_READY) note_time(w, now, alone, 0);
    return rc;
}

static int go_to(tape__writer_t *w, int64_t cycle, int64_t now, const tape__message_t *m,
                 tape__step_t *step)
{
    const bool here = w->open && w->store.cycle == cycle;
    const bool alone = here && tape__times_write_is_alone(w);
    int rc = TAPE_OK;
    if (!here) {
        tape__times_write_end(w, now);
        rc = roll_to(w, cycle, m, step);
    } else if (w->doubtful) {
        rc = tape__roll_find_the_end(w, step);
    }
    return rc == TAPE_OK ? see_to_time(w, now, alone, m != NULL, step) : rc;
}

int tape__roll_to_now(tape__writer_t *w, const tape__message_t *m, tape__step_t *step)
{
    int64_t now = 0, shown = 0, cycle = 0;
    *step = TAPE__STEP_READY;
    w->note_due = false;
    int rc = look_after_files(w);
    if (rc == TAPE_OK) rc = look_at_clock(w, &now, &shown);
    if (rc == TAPE_OK) rc = tape__roll_choose(w, shown, TAPE__OWN_GOES_ON, &cycle);
    if (rc == TAPE_OK) rc = go_to(w, cycle, now, m, step);
    if (rc == TAPE_OK && *step == TAPE__STEP_WAIT) {
        int64_t ended = cycle;
        rc = tape__roll_choose(w, ended, TAPE__OWN_ENDED, &cycle);
        if (rc == TAPE_OK && cycle > ended) {
            *step = TAPE__STEP_READY;
            rc = go_to(w, cycle, now, m, step);
        }
    }
    if (rc == TAPE_OK && cycle > shown) COUNT64(counters, &w->clock_went_back, 1);
    return rc;
}
