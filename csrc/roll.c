/* roll.c - see roll.h. */
#define _POSIX_C_SOURCE 200809L
#include "roll.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "atomics.h"
#include "bytes.h"
#include "error.h"
#include "excerpt.h"
#include "excerpt_index.h"
#include "platform.h"
#include "recovery.h"
#include "sync_point.h"

#define WINDOW_SIZE (UINT64_C(16) << 20)
#define POPULATE_STEP (UINT64_C(256) << 10)
#define RESERVE_FIRST (UINT64_C(256) << 10)
#define RESERVE_MAX (UINT64_C(16) << 20)
enum { FEW_CYCLES = 32 }; /* so many files are asked for by name; more, and the directory is read */

/* ---- the clock (format.md 9.7) ---- */

bool tape__roll_is_current(const tape_queue_t *q)
{
    const tape__writer_t *w = &q->writer;
    if (!w->open || w->doubtful || q->clock) return false;
    int64_t now = tape__now_coarse_ms();
    return now >= w->trusted_from_ms && now < w->trusted_to_ms;
}

/* All writers of a queue must read the same clock: the real-time one, unless a test gives
 * another. */
static int64_t clock_ms(const tape_queue_t *q)
{
    return q->clock ? q->clock(q->clock_user) : tape__now_ms();
}

/* The coarse clock lags by up to a tick and never leads: it is right until a tick before the
 * end. */
static void trust_coarse_clock(tape_queue_t *q)
{
    tape__writer_t *w = &q->writer;
    const tape_roll_cycle_t *r = q->settings.roll_cycle;
    int64_t start = tape__cycle_start_ms(r, q->listing.epoch_ms, w->store.cycle);
    w->trusted_from_ms = start;
    w->trusted_to_ms = start + r->length_ms - tape__coarse_tick_ms();
}

/* ---- index entries that a dead writer left out ---- */

/* Calls `add` for each message from lastIndex on that should have an entry. Only up to the end as
 * it was found (a copy: adding a page moves it): if lastIndex is wrong, the walk may begin
 * anywhere. */
typedef int add_entry_t(tape_queue_t *q, tape__cycle_store_t *s, const tape__cursor_t *message);

static int index_the_rest(tape_queue_t *q, tape__cycle_store_t *s, tape__cursor_t end,
                          add_entry_t *add)
{
    tape__window_t window = {0};
    tape__cursor_t c;
    int64_t from = tape__excerpt_index_next(s);
    int rc = tape__excerpt_index_find(s, from, &c);
    while (rc == TAPE_OK && c.position < end.position && c.sequence < end.sequence) {
        rc = tape__cycle_store_observe(s, &window, &c, WINDOW_SIZE);
        tape__word_kind_t kind = tape__word_kind(c.word);
        if (rc != TAPE_OK || (kind != TAPE__WORD_DATA && kind != TAPE__WORD_META)) break;
        if (kind == TAPE__WORD_DATA && c.sequence >= from &&
            tape__excerpt_index_wants(s, c.sequence)) {
            rc = add(q, s, &c);
            if (rc != TAPE_OK) break;
        }
        tape__cycle_store_step(s, &c);
    }
    tape__window_close(&window);
    return rc;
}

/* ---- ending older cycles (9.2) ---- */

static void close_writer(tape__writer_t *w)
{
    if (!w->open) return;
    tape__window_close(&w->window);
    tape__cycle_store_close(&w->store);
    w->open = false;
}

/* Renames a half-made file out of the way, as Java does (1.1). */
static int move_aside(tape_queue_t *q, const char *path)
{
    char aside[1100];
    snprintf(aside, sizeof aside, "%s-%" PRId64 ".discard", path, tape__now_ms());
    int rc = tape__rename(path, aside);
    if (rc < 0) return tape__fail_errno(-rc, path, "moving a half-made cycle file aside");
    COUNT64(counters, &q->repairs, 1);
    return TAPE_OK;
}

/* In a cycle that is about to be ended: a page that is missing stays so, readers walk over it. */
static int add_in_older(tape_queue_t *q, tape__cycle_store_t *s, const tape__cursor_t *message)
{
    (void)q;
    return tape__excerpt_index_add(s, message->sequence, message->position);
}

/* A writer that died between publishing and indexing may have been the last of its cycle. Without
 * the entry readers only walk further, so no failure here keeps the cycle from being ended. */
static void finish_index(tape_queue_t *q, tape__cycle_store_t *s, tape__window_t *window)
{
    tape__chain_end_t end;
    int rc = tape__cycle_store_find_certain_end(s, window, &end);
    if (rc != TAPE_OK || tape__word_kind(end.end.word) == TAPE__WORD_EOF || !s->aligned) return;
    int64_t count = end.end.sequence;
    if (tape__excerpt_index_next(s) >= count || tape__excerpt_index_full(s, count - 1)) return;
    COUNT64(counters, &q->repairs, 1);
    (void)index_the_rest(q, s, end.end, add_in_older);
}

static int end_cycle(tape_queue_t *q, int64_t cycle)
{
    char path[1024];
    tape__cycle_store_t store;
    tape__window_t window = {0};
    int64_t count;
    if (!tape__listing_path(&q->listing, cycle, path, sizeof path)) return TAPE_OK;
    if (tape__cycle_store_count_finished(path, &count)) return TAPE_OK; /* as most are */
    int rc = tape__cycle_store_open(&store, path, cycle, true);
    if (rc == TAPE_ENOTFOUND) return TAPE_OK; /* deleted meanwhile */
    if (rc == TAPE__NOT_READY) return move_aside(q, path);
    if (rc != TAPE_OK) return rc;
    int64_t repaired = 0;
    finish_index(q, &store, &window);
    rc = tape__cycle_store_seal(&store, &window, &repaired);
    if (repaired) COUNT64(counters, &q->repairs, repaired);
    tape__window_close(&window);
    tape__cycle_store_close(&store);
    if (rc < 0) tape__while(rc, "while ending cycle %" PRId64 ", which is over", cycle);
    return rc;
}

typedef struct {
    tape_queue_t *q;
    int64_t from, below;
    int code;
} ending_t;

static int end_named(void *user, const char *name)
{
    ending_t *e = user;
    int64_t cycle;
    const tape__listing_t *l = &e->q->listing;
    if (!tape__cycle_of_file_name(l->roll_cycle, l->epoch_ms, name, &cycle)) return 0;
    if (cycle >= e->from && cycle < e->below) e->code = end_cycle(e->q, cycle);
    return e->code == TAPE_OK ? 0 : 1;
}

/* END_OF_DATA into every existing file of the cycles [from, below). */
static int end_cycles(tape_queue_t *q, int64_t from, int64_t below)
{
    if (below - from <= FEW_CYCLES) {
        for (int64_t c = from; c < below; c++) {
            int rc = end_cycle(q, c);
            if (rc != TAPE_OK) return rc;
        }
        return TAPE_OK;
    }
    ending_t e = {q, from, below, TAPE_OK};
    int rc = tape__list_directory(q->path, end_named, &e);
    if (rc < 0) return tape__fail_errno(-rc, q->path, "listing the directory");
    return e.code;
}

/* Where ending must begin: `normalisedEOFsTo` says below which cycle all is done (5.4). */
static int64_t first_unsure_cycle(tape_queue_t *q)
{
    if (q->writer.sealed_below != TAPE__NO_CYCLE) return q->writer.sealed_below;
    const uint64_t *cell = tape__table_store_cell(&q->table, "normalisedEOFsTo");
    int64_t stored = cell ? (int64_t)OBSERVE64(listing, cell) : 0;
    return stored > 0 && stored < INT32_MAX ? stored : 0;
}

/* Remembers for every later opener, Java's included, that all below `cycle` is ended. The key is
 * only made when there are older cycles, as Java does. */
static void note_ended(tape_queue_t *q, int64_t cycle, bool first_time)
{
    q->writer.sealed_below = cycle;
    uint64_t *cell = tape__table_store_cell(&q->table, "normalisedEOFsTo");
    if (!cell && first_time && tape__listing_lowest_word(&q->listing) < cycle &&
        tape__listing_lowest_word(&q->listing) != TAPE__NO_CYCLE)
        cell = tape__table_store_make_cell(&q->table, "normalisedEOFsTo", (uint64_t)cycle);
    if (cell && (int64_t)PEEK64(listing, cell) < cycle) PUBLISH64(listing, cell, (uint64_t)cycle);
}

static int end_older(tape_queue_t *q, int64_t cycle)
{
    bool first_time = q->writer.sealed_below == TAPE__NO_CYCLE;
    int64_t from = first_unsure_cycle(q);
    if (from > cycle) from = 0; /* more than there can be: the word is wrong */
    int rc = end_cycles(q, from, cycle);
    if (rc != TAPE_OK) return rc;
    SYNC_POINT(older_cycles_ended);
    note_ended(q, cycle, first_time);
    return TAPE_OK;
}

/* ---- room to write ---- */

/* Makes the file at least as long as Java would, under the lock on the whole file (11.2): a Java
 * process that computed its step from an older size could cut it otherwise. */
static int grow(tape_queue_t *q, uint64_t end)
{
    tape__file_t *f = &q->writer.store.file;
    uint64_t size = tape__queue_file_size(q, end);
    int rc, rounds = 0;
    while ((rc = tape__lock_range(f->fd, 0, 0, true)) == -EAGAIN && rounds++ < 10000)
        tape__sleep_ns(1000000);
    if (rc < 0) return tape__fail_errno(-rc, f->path, "locking the file to enlarge it");
    rc = tape__mapping_refresh(f);
    if (rc == TAPE_OK && f->size < size) {
        int failed = tape__file_truncate(f->fd, size);
        if (failed < 0) rc = tape__fail_errno(-failed, f->path, "enlarging the cycle file");
        else f->size = size;
    }
    tape__unlock_range(f->fd, 0, 0);
    return rc;
}

/* Reserves disk blocks in growing steps, so that a small queue stays small and a full disk is an
 * error here and not a signal at the first touch of a page. */
static int reserve_blocks(tape__writer_t *w, uint64_t end)
{
    tape__file_t *f = &w->store.file;
    uint64_t from = tape__max_u64(w->reserved_to, tape__align_down(w->next.position, 4096));
    if (end <= from) return TAPE_OK;
    uint64_t step = tape__min_u64(w->reserve_step, RESERVE_MAX);
    uint64_t to = tape__min_u64(tape__max_u64(end, from + step), f->size);
    int rc = tape__file_reserve(f->fd, from, to - from);
    if (rc == -ENOSPC || rc == -EDQUOT) { /* then only what this message needs */
        to = end;
        rc = tape__file_reserve(f->fd, from, to - from);
    }
    if (rc == -EOPNOTSUPP || rc == -ENOSYS || rc == -EINVAL) {
        uint64_t space;
        rc = 0;
        if (tape__free_space(f->fd, &space) == 0 && space < end - from + POPULATE_STEP)
            rc = -ENOSPC;
        to = end;
    }
    if (rc < 0) return tape__fail_errno(-rc, f->path, "reserving blocks");
    w->reserved_to = to;
    w->reserve_step = tape__min_u64(step * 2, RESERVE_MAX);
    return TAPE_OK;
}

/* Faults pages in for writing. Without the kernel's help each is touched by a CLAIM 0 -> 0, which
 * changes nothing even if the page belongs to somebody else by now. */
static int fault_in(tape__writer_t *w, uint64_t from, uint64_t to)
{
    const uint64_t page = tape__page_size();
    from = tape__align_down(from, page);
    to = tape__align_up(to, page);
    int rc = tape__populate(tape__window_at(&w->window, from), (size_t)(to - from));
    if (rc == -EFAULT || rc == -ENOMEM)
        return tape__fail_errno(ENOSPC, w->store.file.path, "bringing in pages of the cycle file");
    for (uint64_t at = from; rc < 0 && at < to; at += page)
        tape__excerpt_touch(tape__window_u32(&w->window, at));
    return TAPE_OK;
}

int tape__roll_make_ready(tape_queue_t *q, uint64_t need)
{
    tape__writer_t *w = &q->writer;
    uint64_t position = w->next.position, end;
    if (tape__add_overflows(position, need, &end))
        return tape__fail(TAPE_ETOOBIG, w->store.file.path, (int64_t)position,
                          "the file is too long");
    int rc = end > w->store.file.size ? grow(q, end) : TAPE_OK;
    if (rc == TAPE_OK) rc = reserve_blocks(w, end);
    bool moves = !tape__window_has(&w->window, position, need);
    if (rc == TAPE_OK) {
        rc = tape__window_cover(&w->window, &w->store.file, position, need, WINDOW_SIZE);
        if (rc == TAPE__BEYOND_END)
            rc = tape__fail(TAPE_ECORRUPT, w->store.file.path, (int64_t)position,
                            "%s became shorter while it was written", w->store.file.path);
    }
    if (rc != TAPE_OK) return rc;
    uint64_t from = moves ? position : tape__max_u64(position, w->ready_to);
    uint64_t to = tape__max_u64(end, tape__min_u64(from + POPULATE_STEP, w->reserved_to));
    to = tape__min_u64(to, w->window.start + w->window.size);
    rc = fault_in(w, from, to);
    if (rc == TAPE_OK) w->ready_to = to;
    return rc;
}

/* ---- the end of the current cycle ---- */

static int add_missing_page(tape_queue_t *q, int64_t sequence)
{
    tape__writer_t *w = &q->writer;
    int64_t page = sequence / w->store.index_spacing / w->store.index_count;
    int rc = tape__roll_make_ready(q, tape__excerpt_index_page_size(&w->store) + 16);
    if (rc != TAPE_OK) return rc;
    return tape__excerpt_index_add_page(&w->store, &w->window, page, &w->next.position);
}

static int add_in_current(tape_queue_t *q, tape__cycle_store_t *s, const tape__cursor_t *message)
{
    int rc = tape__excerpt_index_needs_page(s, message->sequence);
    if (rc == 1) rc = add_missing_page(q, message->sequence);
    return rc == TAPE_OK ? tape__excerpt_index_add(s, message->sequence, message->position) : rc;
}

static bool index_is_behind(tape__writer_t *w)
{
    return tape__excerpt_index_next(&w->store) < w->next.sequence &&
           !tape__excerpt_index_full(&w->store, w->next.sequence - 1);
}

/* Applies the row that fits the current cycle's end. TAPE_OK, TAPE__ROLL_WAIT or a code. */
static int repair_end(tape_queue_t *q, const tape__chain_end_t *end)
{
    tape__writer_t *w = &q->writer;
    bool pair_right = end->last_position == end->pair_position &&
                      (end->pair_matches || end->pair_position == 0 || !w->store.has_pair);
    tape__facts_t facts = {
        .older = false,
        .file = TAPE__FILE_READY,
        .end = tape__word_kind(w->next.word),
        .pair = pair_right ? TAPE__PAIR_RIGHT : TAPE__PAIR_WRONG,
        .index = index_is_behind(w) ? TAPE__INDEX_BEHIND : TAPE__INDEX_RIGHT,
    };
    tape__decision_t d = tape__recovery_decide(&facts);
    int rc = TAPE_OK;
    if (d.actions & TAPE__DO_WAIT) return TAPE__ROLL_WAIT;
    if (d.actions & TAPE__DO_CLEAR) {
        if (!tape__excerpt_clear(tape__window_at(&w->window, w->next.position), w->next.word))
            return tape__fail(TAPE_ETAKEN, w->store.file.path, (int64_t)w->next.position,
                              "%s: another writer is at work", w->store.file.path);
        w->next.word = 0;
    }
    if (d.actions & TAPE__DO_SET_PAIR)
        tape__cycle_store_set_pair(&w->store, end->last_position, w->next.sequence - 1);
    if (d.actions & TAPE__DO_INDEX) rc = index_the_rest(q, &w->store, w->next, add_in_current);
    if (d.actions) COUNT64(counters, &q->repairs, 1);
    return rc;
}

static int find_the_end(tape_queue_t *q)
{
    tape__writer_t *w = &q->writer;
    tape__chain_end_t end;
    int rc = tape__cycle_store_find_certain_end(&w->store, &w->window, &end);
    if (rc != TAPE_OK) return tape__while(rc, "while looking for the end, to write there");
    w->next = end.end;
    w->ready_to = 0;
    rc = repair_end(q, &end);
    w->doubtful = rc < 0; /* half repaired: once more before the next message */
    return rc;
}

int tape__roll_catch_up(tape_queue_t *q)
{
    tape__writer_t *w = &q->writer;
    int64_t before = w->next.sequence;
    const uint8_t *base = w->window.base;
    for (;;) {
        int rc = tape__cycle_store_observe(&w->store, &w->window, &w->next, WINDOW_SIZE);
        if (rc != TAPE_OK) return rc;
        tape__word_kind_t kind = tape__word_kind(w->next.word);
        if (kind == TAPE__WORD_FREE) break;
        if (kind == TAPE__WORD_EOF) return TAPE__ROLL_WAIT;
        if (kind == TAPE__WORD_INCOMPLETE) return find_the_end(q); /* of a dead writer */
        tape__cycle_store_step(&w->store, &w->next);
        /* Others wrote a great deal: jump by the write position. */
        if (w->next.sequence - before > 64) {
            tape__chain_end_t end;
            rc = tape__cycle_store_find_end(&w->store, &w->window, &end);
            if (rc != TAPE_OK) return rc;
            w->next = end.end;
            before = INT64_MAX - 64;
        }
    }
    if (w->window.base != base) w->ready_to = 0; /* other addresses: to be faulted in again */
    int rc = index_is_behind(w) ? index_the_rest(q, &w->store, w->next, add_in_current) : TAPE_OK;
    if (rc < 0) w->doubtful = true;
    return rc;
}

/* ---- entering a cycle ---- */

/* Opens the file of `cycle`; TAPE_ENOTFOUND when there is none that can be used. */
static int open_cycle(tape_queue_t *q, int64_t cycle)
{
    tape__writer_t *w = &q->writer;
    char path[1024];
    close_writer(w);
    if (!tape__listing_path(&q->listing, cycle, path, sizeof path))
        return tape__fail(TAPE_ECLOCK, q->path, -1, "cycle %" PRId64 " has no file name", cycle);
    int rc = tape__cycle_store_open(&w->store, path, cycle, true);
    if (rc == TAPE__NOT_READY) {
        rc = move_aside(q, path);
        return rc == TAPE_OK ? TAPE_ENOTFOUND : rc;
    }
    if (rc != TAPE_OK) return rc;
    rc = tape__cycle_store_check_writable(&w->store);
    if (rc != TAPE_OK) {
        tape__cycle_store_close(&w->store);
        return rc;
    }
    w->open = true;
    w->window = (tape__window_t){0};
    w->reserved_to = w->ready_to = 0;
    w->reserve_step = RESERVE_FIRST;
    return TAPE_OK;
}

static void enter_cycle(tape_queue_t *q)
{
    tape__writer_t *w = &q->writer;
    trust_coarse_clock(q);
    /* A creator may have died between linking the file and listing it. */
    int64_t cycle = w->store.cycle, highest = tape__listing_highest_word(&q->listing);
    int64_t lowest = tape__listing_lowest_word(&q->listing);
    if (highest < cycle || lowest > cycle || lowest == TAPE__NO_CYCLE)
        tape__listing_add(&q->listing, cycle);
    q->lock.pulse = tape__window_u64(&w->store.head, w->store.write_position_at);
}

/* Files that writers left under their temporary names; no one else can be building one now. */
static int remove_temporary(void *user, const char *name)
{
    const tape_queue_t *q = user;
    char path[1400];
    size_t length = strlen(name);
    if (strncmp(name, ".tape-cycle-", 12) != 0 || length < 5 || strcmp(name + length - 4, ".tmp"))
        return 0;
    snprintf(path, sizeof path, "%s/%s", q->path, name);
    tape__unlink(path);
    return 0;
}

/* Makes the file of `cycle` with the message as its first. TAPE_OK, -EEXIST, or a code. */
static int make_cycle(tape_queue_t *q, int64_t cycle, const tape__message_t *m)
{
    char path[1024], temporary[1100];
    if (!tape__listing_path(&q->listing, cycle, path, sizeof path))
        return tape__fail(TAPE_ECLOCK, q->path, -1, "cycle %" PRId64 " has no file name", cycle);
    snprintf(temporary, sizeof temporary, "%s/.tape-cycle-%" PRId64 "-%" PRIx64 ".tmp", q->path,
             tape__pid(), (uint64_t)tape__monotonic_ns());
    uint64_t body = m->frame_size + m->size;
    tape__new_file_t n = {
        .roll_cycle = q->settings.roll_cycle,
        .file_size = tape__queue_file_size(
            q, 4096 + 2 * (uint64_t)q->settings.roll_cycle->index_count * 8 + body),
        .frame = m->frame,
        .frame_size = m->frame_size,
        .data = m->data,
        .size = m->size,
        .path = temporary,
    };
    int rc = tape__cycle_store_build(&n);
    if (rc != TAPE_OK) return rc;
    SYNC_POINT(cycle_file_built);
    rc = tape__link(temporary, path);
    tape__unlink(temporary);
    if (rc == -EEXIST) return -EEXIST;
    if (rc < 0) return tape__fail_errno(-rc, path, "linking a new cycle file into place");
    SYNC_POINT(cycle_file_linked);
    tape__listing_add(&q->listing, cycle);
    COUNT64(counters, &q->rolls, 1);
    return TAPE_OK;
}

/* A creator may have died between linking a file and listing it, and we may be about to roll past
 * it: Java opens no cycle outside of the listing words. */
static int list_the_unlisted(tape_queue_t *q, int64_t now)
{
    int64_t first = TAPE__NO_CYCLE, last = TAPE__NO_CYCLE;
    int64_t lowest = tape__listing_lowest_word(&q->listing);
    int64_t highest = tape__listing_highest_word(&q->listing);
    int rc = TAPE_OK;
    if (highest != TAPE__NO_CYCLE && now - highest <= FEW_CYCLES) {
        for (int64_t c = highest + 1; c <= now; c++)
            if (tape__listing_exists(&q->listing, c)) last = c;
    } else {
        rc = tape__listing_scan(&q->listing, 0, INT32_MAX, &first, &last);
    }
    if (rc != TAPE_OK) return rc;
    if (first != TAPE__NO_CYCLE && (lowest == TAPE__NO_CYCLE || lowest > first))
        tape__listing_add(&q->listing, first);
    if (last != TAPE__NO_CYCLE && (highest == TAPE__NO_CYCLE || highest < last))
        tape__listing_add(&q->listing, last);
    return TAPE_OK;
}

static int enter_existing(tape_queue_t *q, int64_t cycle)
{
    int rc = open_cycle(q, cycle);
    if (rc != TAPE_OK) return rc;
    rc = find_the_end(q);
    if (rc < 0) close_writer(&q->writer);
    else enter_cycle(q);
    return rc;
}

static int roll_to(tape_queue_t *q, int64_t cycle, const tape__message_t *m)
{
    tape__writer_t *w = &q->writer;
    bool first_time = w->sealed_below == TAPE__NO_CYCLE;
    int rc = first_time ? list_the_unlisted(q, cycle) : TAPE_OK;
    if (rc == TAPE_OK) rc = end_older(q, cycle);
    if (rc != TAPE_OK) return rc;
    rc = enter_existing(q, cycle);
    if (rc != TAPE_ENOTFOUND || tape__listing_exists(&q->listing, cycle)) return rc;
    if (!w->tidied) tape__list_directory(q->path, remove_temporary, q);
    w->tidied = true;
    rc = make_cycle(q, cycle, m);
    if (rc == -EEXIST) return enter_existing(q, cycle); /* somebody broke our lock */
    if (rc != TAPE_OK) return rc;
    rc = open_cycle(q, cycle);
    if (rc == TAPE_OK) rc = find_the_end(q);
    if (rc == TAPE_OK) enter_cycle(q);
    else close_writer(w); /* the message is written all the same */
    return TAPE__ROLL_WRITTEN;
}

/* The newest cycle that has a file, by what we and the listing know. */
static int newest_cycle(tape_queue_t *q, int64_t *newest)
{
    const tape__writer_t *w = &q->writer;
    *newest = TAPE__NO_CYCLE;
    if (w->sealed_below == TAPE__NO_CYCLE)
        return tape__listing_ends(&q->listing, NULL, newest);
    int64_t highest = tape__listing_highest_word(&q->listing);
    *newest = w->open ? w->store.cycle : w->sealed_below;
    if (highest > *newest && tape__listing_exists(&q->listing, highest)) *newest = highest;
    return TAPE_OK;
}

int tape__roll_to_now(tape_queue_t *q, const tape__message_t *m)
{
    tape__writer_t *w = &q->writer;
    int64_t now = clock_ms(q), newest;
    if (now < 0) return tape__fail(TAPE_ECLOCK, q->path, -1, "the clock gave a negative time");
    int64_t cycle = tape__cycle_of_time(q->settings.roll_cycle, q->listing.epoch_ms, now);
    int rc = newest_cycle(q, &newest);
    if (rc != TAPE_OK) return rc;
    if (cycle < newest) { /* 9.6: never into an older cycle, whose messages would come too late */
        COUNT64(counters, &q->clock_went_back, 1);
        cycle = newest;
    }
    if (w->open && w->store.cycle == cycle) return w->doubtful ? find_the_end(q) : TAPE_OK;
    return roll_to(q, cycle, m);
}
