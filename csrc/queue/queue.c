/* queue.c - calls on a queue, its children, closing it, and what can be asked of it. */
#define _POSIX_C_SOURCE 200809L
#include "queue/queue.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/atomics.h"
#include "base/bytes.h"
#include "base/error.h"
#include "base/platform.h"

#define CLOCK_MAX_MS (INT64_C(1) << 62) /* an epoch can be added and taken away */

const char *tape_version(void) { return "0.1.0"; }

/* ---- calls on the queue while another thread shuts it down ---- */

int tape__queue_check(const tape_queue_t *q)
{
    if (!q) return tape__fail(TAPE_EINVAL, NULL, -1, "no queue");
    if (q->generation != tape__process_generation())
        return tape__fail(TAPE_EFORKED, q->path, -1, "%s was opened before fork()", q->path);
    if (OBSERVE32(closed, &q->closed))
        return tape__fail(TAPE_ECLOSED, q->path, -1, "the queue %s was closed", q->path);
    return TAPE_OK;
}

static void add_user(tape_queue_t *q, int n)
{
    for (;;) {
        uint32_t seen = PEEK32(users, &q->users);
        if (CLAIM32(users, &q->users, seen, seen + (uint32_t)n)) return;
    }
}

int tape__queue_enter(tape_queue_t *q)
{
    /* order[users]: first counted, then looked at `closed`; tape_queue_shutdown() does it the other
     * way round, so one of the two sees the other. */
    if (!q) return tape__queue_check(q);
    add_user(q, 1);
    int rc = tape__queue_check(q);
    if (rc != TAPE_OK) add_user(q, -1);
    return rc;
}

void tape__queue_leave(tape_queue_t *q) { add_user(q, -1); }

/* All writers of a queue must read the same clock: the real-time one, unless a test gives
 * another. */
int64_t tape__queue_clock_ms(const tape_queue_t *q)
{
    int64_t now = q->clock ? q->clock(q->clock_user) : tape__now_ms();
    return now > CLOCK_MAX_MS ? -1 : now;
}

/* ---- sizes (format.md 11) ---- */

static int64_t overlap_of(int64_t block)
{
    if (block < 64 << 10) return block;
    if (block < 256 << 10) return 64 << 10;
    return block / 4 < INT64_C(1) << 30 ? block / 4 : INT64_C(1) << 30;
}

uint64_t tape__queue_body_max(const tape_queue_t *q)
{
    uint64_t overlap = (uint64_t)overlap_of(q->block_size);
    return tape__min_u64(overlap, UINT64_C(0x3FFFFFFF) - 64);
}

uint64_t tape__queue_file_size(const tape_queue_t *q, uint64_t needed)
{
    uint64_t block = (uint64_t)q->block_size;
    uint64_t chunk = (needed + 3) / block;
    return (chunk + 1) * block + (uint64_t)overlap_of(q->block_size);
}

/* ---- children and closing ---- */

static void give_back(tape_queue_t *q)
{
    if (q->writer.open) {
        tape__window_close(&q->writer.window);
        tape__cycle_store_close(&q->writer.store);
        q->writer.open = false;
    }
    if (q->has_table) tape__table_store_close(&q->table);
    q->has_table = false;
    q->lock.word = NULL; /* who waits for the guard finds the lock gone */
}

void tape__queue_destroy(tape_queue_t *q)
{
    give_back(q);
    tape__process_release(q->entry);
    pthread_mutex_destroy(&q->children_lock);
    tape__free(q);
}

void tape__queue_add_child(tape_queue_t *q, tape_tailer_t *tailer)
{
    pthread_mutex_lock(&q->children_lock);
    q->children++;
    if (tailer) {
        *tape__tailer_link(tailer) = q->tailers;
        q->tailers = tailer;
    }
    pthread_mutex_unlock(&q->children_lock);
}

void tape__queue_remove_child(tape_queue_t *q, tape_tailer_t *tailer)
{
    /* A lock that a thread of the parent held at fork() is never given back in the child; there,
     * handles are only one thread's. */
    bool shared = q->generation == tape__process_generation();
    if (shared) pthread_mutex_lock(&q->children_lock);
    for (tape_tailer_t **at = &q->tailers; tailer && *at; at = tape__tailer_link(*at))
        if (*at == tailer) {
            *at = *tape__tailer_link(tailer);
            break;
        }
    bool last = --q->children == 0 && q->handle_released;
    if (shared) pthread_mutex_unlock(&q->children_lock);
    if (last) tape__queue_destroy(q);
}

static int shut_tailers(tape_queue_t *q)
{
    int rc = TAPE_OK;
    pthread_mutex_lock(&q->children_lock);
    for (tape_tailer_t *t = q->tailers; t; t = *tape__tailer_link(t)) {
        int n = 0; /* reads are short; a thread inside is out soon */
        while ((rc = tape__tailer_shut(t)) == TAPE_EBUSY && n++ < 20000) tape__sleep_ns(100000);
        if (rc != TAPE_OK) break;
    }
    pthread_mutex_unlock(&q->children_lock);
    return rc;
}

int tape_queue_shutdown(tape_queue_t *q)
{
    if (!q) return tape__queue_check(q);
    if (q->generation != tape__process_generation()) return TAPE_OK; /* the parent's business */
    if (!CLAIM32(closed, &q->closed, 0, 1)) return TAPE_OK;
    int rc = shut_tailers(q);
    /* order[users]: see tape__queue_enter(). */
    while (OBSERVE32(users, &q->users) != 0) tape__sleep_ns(100000);
    bool contended;
    if (q->entry && !tape__process_guard(q->entry, -1, &contended)) return rc;
    if (rc == TAPE_OK) give_back(q);
    if (q->entry) tape__process_unguard(q->entry);
    return rc;
}

int tape_queue_close(tape_queue_t *q)
{
    if (!q) return TAPE_OK;
    bool shared = q->generation == tape__process_generation();
    if (shared) pthread_mutex_lock(&q->children_lock);
    int children = q->children;
    if (shared) pthread_mutex_unlock(&q->children_lock);
    if (children > 0)
        return tape__fail(TAPE_EBUSY, q->path, -1, "%d appenders or tailers of the queue are open",
                          children);
    int rc = tape_queue_shutdown(q);
    if (rc == TAPE_OK) tape__queue_destroy(q);
    return rc;
}

void tape_queue_release(tape_queue_t *q)
{
    if (!q) return;
    tape_queue_shutdown(q);
    bool shared = q->generation == tape__process_generation();
    if (shared) pthread_mutex_lock(&q->children_lock);
    q->handle_released = true;
    bool last = q->children == 0;
    if (shared) pthread_mutex_unlock(&q->children_lock);
    if (last) tape__queue_destroy(q);
}

/* ---- questions ---- */

int tape_queue_cycle_name(tape_queue_t *q, int64_t cycle, char *buffer, size_t size)
{
    char name[TAPE__NAME_MAX];
    if (!q || !buffer) return tape__fail(TAPE_EINVAL, NULL, -1, "no queue or no buffer");
    if (!tape__cycle_file_name(q->settings.roll_cycle, q->listing.epoch_ms, cycle, name,
                               sizeof name) ||
        strlen(name) >= size)
        return tape__fail(TAPE_EINVAL, q->path, -1, "cycle %" PRId64 " has no file name", cycle);
    strcpy(buffer, name);
    return TAPE_OK;
}

static int64_t or_none(int64_t cycle) { return cycle == TAPE__NO_CYCLE ? -1 : cycle; }

static int64_t holder_of(const tape_queue_t *q)
{
    if (!q->has_table || !q->lock.word) return 0;
    uint64_t word = OBSERVE64(write_lock, q->lock.word);
    return word == TAPE__MIN64 ? 0 : (int64_t)(word & 0xFFFFFFFF);
}

int tape_queue_refresh(tape_queue_t *q)
{
    int rc = tape__queue_enter(q);
    if (rc != TAPE_OK) return rc;
    rc = tape__listing_refresh(&q->listing);
    tape__queue_leave(q);
    return rc;
}

int tape_queue_info(tape_queue_t *q, tape_queue_info_t *out)
{
    if (!q || !out) return tape__fail(TAPE_EINVAL, NULL, -1, "no queue or no place for the facts");
    memset(out, 0, sizeof *out);
    int rc = tape__queue_enter(q); /* a closed queue still answers what needs no file */
    if (rc == TAPE_EFORKED) return rc;
    out->closed = rc != TAPE_OK;
    out->roll_cycle = q->settings.roll_cycle;
    out->path = q->path;
    out->epoch_ms = q->settings.epoch_ms;
    out->block_size = q->block_size;
    out->lowest_cycle = out->highest_cycle = -1;
    out->source_id = q->settings.source_id;
    out->delta_checkpoint_interval = q->settings.delta_checkpoint_interval;
    out->read_only = q->read_only;
    out->mismatch = q->mismatch;
    out->lock_acquired = PEEK64(counters, &q->lock.acquired);
    out->lock_contended = PEEK64(counters, &q->lock.contended);
    out->lock_broken = PEEK64(counters, &q->lock.broken);
    out->lock_lost = PEEK64(counters, &q->lock.lost);
    out->repairs = PEEK64(counters, &q->repairs);
    out->rolls = PEEK64(counters, &q->rolls);
    out->clock_went_back = PEEK64(counters, &q->clock_went_back);
    out->files_lost = PEEK64(counters, &q->files_lost);
    if (rc != TAPE_OK) return TAPE_OK;
    int64_t first = TAPE__NO_CYCLE, last = TAPE__NO_CYCLE;
    rc = tape__listing_ends(&q->listing, &first, &last);
    out->lowest_cycle = or_none(first);
    out->highest_cycle = or_none(last);
    out->listing_mod_count = (int64_t)tape__listing_pulse(&q->listing);
    out->lock_holder_pid = holder_of(q);
    tape__queue_leave(q);
    return rc;
}
