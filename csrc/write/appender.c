/* appender.c - writing one message (format.md 8.5). */
#include <inttypes.h>
#include <string.h>

#include "base/atomics.h"
#include "base/bytes.h"
#include "base/error.h"
#include "base/platform.h"
#include "base/sync_point.h"
#include "format/wire.h"
#include "write/appender.h"
#include "write/put.h"

enum {
    ROBBED_MAX = 100,  /* so often a message is begun anew */
    CATCH_UP_MAX = 256 /* messages of others, without waiting */
};

const uint8_t tape__empty_body[] = {0x8F};

int64_t tape_appender_last_index(tape_appender_t *a)
{
    if (!a) return tape__fail(TAPE_EINVAL, NULL, -1, "no appender");
    return (int64_t)PEEK64(last_index, (uint64_t *)&a->last_index);
}

int tape_appender_info(tape_appender_t *a, tape_appender_info_t *out)
{
    if (!a || !out) return tape__fail(TAPE_EINVAL, NULL, -1, "no appender, or no place for facts");
    out->last_index = (int64_t)PEEK64(last_index, (uint64_t *)&a->last_index);
    out->messages = PEEK64(counters, &a->messages);
    out->bytes = PEEK64(counters, &a->bytes);
    return TAPE_OK;
}

/* ---- with the write lock held ---- */

/* What of it is counted elsewhere is taken out. */
static int look(tape__writer_t *w, const tape__message_t *m, tape__step_t *step)
{
    tape__held_up_t *h = &w->held_up;
    const int64_t before = tape__held_up_sum(h), begun = tape__monotonic_ns();
    int rc = tape__roll_to_now(w, m, step);
    (void)tape__held_up_since(h, &h->cycle_ns, begun + tape__held_up_sum(h) - before);
    return rc;
}

static void note_append(tape__writer_t *w)
{
    const int64_t begun = tape__monotonic_ns();
    tape__roll_note_append(w);
    (void)tape__held_up_since(&w->held_up, &w->held_up.cycle_ns, begun);
}

/* The message may be in a file already that was linked when our lock had been broken. If it stays
 * there, nothing more of this job goes behind it: that may not be the cycle to be written now. */
static int judge_made(tape__writer_t *w, const tape__message_t *m, int64_t *index,
                      tape__step_t *step)
{
    bool stays;
    int rc = tape__roll_judge_made(w, m->made, &stays);
    if (rc != TAPE_OK || !stays) return rc;
    *index = tape__index(w->site->settings.roll_cycle, m->made->cycle, 0);
    *step = TAPE__STEP_WRITTEN;
    tape__writer_leave_cycle(w);
    return TAPE_OK;
}

/* TAPE_OK and the index, or *step is another than READY and WRITTEN; or a code. Without a message
 * only the place for one of `length` bytes is made ready: *index is what it would get. */
static int write_locked(tape_appender_t *a, const tape__message_t *m, uint64_t length,
                        int64_t *index, tape__step_t *step, bool *wants_page)
{
    tape__writer_t *w = a->writer;
    int rc = TAPE_OK;
    *step = TAPE__STEP_READY;
    if (m && m->made->doubtful) {
        rc = judge_made(w, m, index, step);
        if (rc != TAPE_OK || *step == TAPE__STEP_WRITTEN) return rc;
    }
    if (PEEK64(append_lock, w->append_lock) != TAPE__LOCK_FREE)
        return tape__fail(TAPE_EAPPENDLOCK, w->site->path, -1,
                          "%s: chronicle.append.lock is held by process %" PRId64, w->site->path,
                          tape__table_keys_holder(PEEK64(append_lock, w->append_lock)));
    const bool looks = !tape__roll_is_current(w);
    if (looks) {
        rc = look(w, m, step);
        if (rc == TAPE_OK && *step == TAPE__STEP_WRITTEN) {
            int64_t cycle = w->sealed_below; /* the cycle just entered, also if opening it failed */
            *index = tape__index(w->site->settings.roll_cycle, cycle, 0);
        }
        if (rc != TAPE_OK || *step != TAPE__STEP_READY) return rc;
    }
    if (w->next.word != 0 || !tape__window_has(&w->window, w->next.position, 4) ||
        !tape__put_is_clean(w, w->next.position)) {
        rc = tape__roll_catch_up(w, step);
        if (rc != TAPE_OK || *step != TAPE__STEP_READY) return rc;
    }
    if (m) rc = tape__roll_check_expected(w, m, w->store.cycle, w->next.sequence);
    if (rc == TAPE_OK && a->durable && !w->unsynced) rc = tape__durable_enter(a->durable, w);
    if (rc == TAPE_OK) rc = tape__put_prepare(w, tape__put_behind(w, length), wants_page);
    if (rc != TAPE_OK) return rc;
    SYNC_POINT(prepared);
    *index = tape__index(w->site->settings.roll_cycle, w->store.cycle, w->next.sequence);
    if (!m) return TAPE_OK;
    rc = tape__put(w, m, *wants_page);
    if (looks && rc == TAPE_OK) note_append(w);
    return rc;
}

/* One that the lane left. False when that was not possible. */
static bool write_another(tape_appender_t *a, const tape_span_t *span, tape__lane_t lane,
                          bool *wants_page)
{
    tape__writer_t *w = a->writer;
    tape__message_t m;
    tape__appender_frame(a, span->data, span->size, &m);
    if (lane == TAPE__LANE_LEFT) {
        if (tape__put_prepare(w, tape__put_behind(w, m.frame_size + m.size), wants_page) != TAPE_OK)
            return false;
        if (tape__put_message(w, &m)) return true;
    }
    tape__put_taken(w);
    return false;
}

/* What the lane wrote of a batch. */
typedef struct {
    size_t done, size;
    uint64_t unled; /* the place of the last one; 0: none, or all is led to */
    tape__lane_t ended; /* WRITTEN: at its end, or behind a message that gets an index entry */
} run_t;

/* As many of these messages as go by the lane, up to one that gets an index entry. Nothing leads to
 * the last of them yet. Whatever is needed for each is at hand, in no memory that others change. */
static run_t write_run(const tape_appender_t *a, tape__writer_t *w, const tape_span_t *spans,
                       size_t count)
{
    const uint32_t framing = a->framing;
    const int64_t unindexed = w->store.index_spacing - 1;
    tape__rail_t rail = tape__lane_enter(w);
    run_t run = {0, 0, 0, TAPE__LANE_WRITTEN};
    while (run.done < count) {
        const tape_span_t span = spans[run.done];
        const tape__body_t b = tape__appender_body(framing, span.data, span.size);
        const uint64_t position = rail.position;
        run.ended = tape__lane_put(w, &rail, &b, -1);
        if (run.ended != TAPE__LANE_WRITTEN) break;
        run.unled = position;
        run.size += span.size;
        run.done++;
        if (((rail.sequence - 1) & unindexed) == 0) break;
    }
    tape__lane_leave(w, &rail);
    return run;
}

/* The messages behind the first, into the same cycle, as many as there are or as go well; what went
 * wrong is this thread's last error, also when it was entering the cycle of the first one, or its
 * index entry. The write position is set at the last, and wherever there is an index entry: from an
 * earlier one a reader walks on. */
static void write_more(tape_appender_t *a, tape__job_t *job)
{
    tape__writer_t *w = a->writer;
    while (job->done < job->count && w->open && !w->doubtful) {
        const run_t run = write_run(a, w, job->spans + job->done, job->count - job->done);
        bool wants_page = false;
        job->done += run.done;
        job->size += run.size;
        if (run.ended == TAPE__LANE_WRITTEN) {
            tape__put_lead(w, run.unled, false);
            continue;
        }
        const tape_span_t *span = &job->spans[job->done];
        const uint64_t position = w->next.position;
        if (!write_another(a, span, run.ended, &wants_page)) {
            if (run.unled) tape__put_lead(w, run.unled, false);
            break;
        }
        job->done++;
        job->size += span->size;
        tape__put_lead(w, position, wants_page);
    }
}

/* Lets the clock move on: the cycle was ended although our clock is still in it (9.7). */
static int await_clock(const tape__writer_t *w, int64_t *started)
{
    int64_t now = tape__monotonic_ns();
    if (*started == 0) *started = now;
    if (w->lock.timeout_ns >= 0 && now - *started > w->lock.timeout_ns)
        return tape__fail(TAPE_ECLOCK, w->site->path, -1,
                          "%s: cycle %" PRId64 " is finished and the clock does not leave it",
                          w->site->path, w->store.cycle);
    tape__sleep_ns(1000000);
    return TAPE_OK;
}

static void tell_if_slow(const tape__writer_t *w, int64_t last, const tape__held_up_t *h)
{
    const int64_t took = tape__held_up_sum(h);
    if (!w->slow_append || took < w->slow_append_ns) return;
    const tape_slow_append_t slow = {.index = last,
                                     .took_ns = took,
                                     .lock_ns = h->lock_ns,
                                     .holder_pid = h->holder_pid,
                                     .clock_ns = h->clock_ns,
                                     .cycle_ns = h->cycle_ns,
                                     .room_ns = h->room_ns,
                                     .pages_ns = h->pages_ns,
                                     .sync_ns = h->sync_ns};
    w->slow_append(w->slow_append_user, &slow);
}

static int wait_for_disk(tape_appender_t *a, tape__held_up_t *held_up)
{
    if (a->durability != TAPE_DURABILITY_EACH) return TAPE_OK;
    const int64_t begun = tape__monotonic_ns();
    int rc = tape__durable_wait(a->durable, false);
    (void)tape__held_up_since(held_up, &held_up->sync_ns, begun);
    return rc;
}

int64_t tape__appender_acknowledge(tape_appender_t *a, int64_t first, int64_t last, int unsynced,
                                   tape__held_up_t *held_up)
{
    int rc = unsynced;
    if (a->durable && rc == TAPE_OK) rc = wait_for_disk(a, held_up);
    if (rc == TAPE_OK) {
        if (held_up->any) tell_if_slow(a->writer, last, held_up);
        return first;
    }
    if (rc != TAPE_ESYNC) rc = tape__fail(TAPE_ESYNC, a->writer->site->path, -1,
                                          "%s: the file cannot be synced: %s",
                                          a->writer->site->path, tape_strerror(rc));
    tape__error_index(last);
    return tape__while(rc, "the message with index 0x%" PRIx64 " is in the queue", last);
}

void tape__appender_let_go(tape_appender_t *a)
{
    tape__writer_t *w = a->writer;
    tape__process_set_in_place(w->lock.entry, false);
    a->place.held = false;
}

/* One hold of the lock. TAPE_OK when the job is done, or a code; *again when it is to be tried once
 * more, under a new lock. In place, a lock that is held stays so. */
static int work_locked(tape_appender_t *a, tape__job_t *job, bool *again)
{
    tape__writer_t *w = a->writer;
    tape__step_t step;
    const uint64_t length = job->in_place ? job->length : job->m.frame_size + job->m.size;
    job->m.made = &job->made;
    int rc = write_locked(a, job->in_place ? NULL : &job->m, length, &job->index, &step,
                          &job->wants_page);
    const bool waits = rc == TAPE_OK && step == TAPE__STEP_WAIT;
    *again = false;
    if (rc == TAPE_OK && !waits && job->in_place) {
        if (w->held_up.any) tape__held_up_add(&job->held_up, &w->held_up);
        job->staged = step == TAPE__STEP_NO_FILE;
        return TAPE_OK;
    }
    if (rc == TAPE_OK && !waits) {
        job->done = 1;
        if (job->count > 1) write_more(a, job);
        tape__appender_count(a, job->index + (int64_t)job->done - 1, job->done, job->size);
        if (a->durable) job->unsynced = tape__durable_note_in_hand(a->durable, w);
        if (a->tries) w->foresees = true;
        if (w->foresees && job->done == job->count) tape__roll_foresee(w);
    }
    if (w->held_up.any) tape__held_up_add(&job->held_up, &w->held_up);
    SYNC_POINT(before_release);
    if (step == TAPE__STEP_WAIT) w->doubtful = true; /* a newer file may come */
    const bool ours = tape__write_lock_release(&w->lock);
    /* Whatever was found without the lock is no news of the file; nothing was written. */
    *again = rc < 0 && (rc == TAPE_ETAKEN || !ours) && rc != TAPE_EFORKED &&
             ++job->robbed < ROBBED_MAX;
    if (!waits) return rc;
    const int64_t begun = tape__monotonic_ns();
    rc = await_clock(w, &job->started_ns);
    (void)tape__held_up_since(&job->held_up, &job->held_up.clock_ns, begun);
    *again = rc == TAPE_OK;
    return rc;
}

/* A failure of a job whose message may be in the queue all the same is told with its index. */
static int fail_job(const tape__writer_t *w, const tape__job_t *job, int rc)
{
    if (rc >= 0 || !job->made.doubtful) return rc;
    const int64_t index = tape__index(w->site->settings.roll_cycle, job->made.cycle, 0);
    tape__error_index(index);
    return tape__while(rc, "the lock was broken while a file was made: the message with index "
                           "0x%" PRIx64 " may be in the queue", index);
}

int tape__appender_work(tape_appender_t *a, tape__job_t *job, bool locked)
{
    tape__writer_t *w = a->writer;
    for (;;) {
        bool again;
        int rc = locked ? TAPE__LOCK_TAKEN : tape__write_lock_acquire(&w->lock);
        if (rc < 0) return fail_job(w, job, rc);
        if (!locked) SYNC_POINT(lock_taken);
        if (w->held_up.any) w->held_up = (tape__held_up_t){0};
        if (!locked && w->lock.waited_ns > 0)
            tape__held_up_add(&w->held_up, &(tape__held_up_t){.lock_ns = w->lock.waited_ns,
                                                             .holder_pid = w->lock.waited_for});
        if (rc == TAPE__LOCK_TAKEN_OVER) tape__roll_doubt_all(w);
        locked = false;
        rc = work_locked(a, job, &again);
        if (!again) return fail_job(w, job, rc);
    }
}

/* ---- what callers call ---- */

static int too_big(const tape__writer_t *w, size_t size)
{
    return tape__fail(TAPE_ETOOBIG, w->site->path, -1,
                      "%s: a message of %zu bytes; with a block size of %" PRId64
                      " bytes a document holds %" PRIu64, w->site->path, size, w->block_size,
                      w->body_max);
}

int tape__appender_check(const tape_appender_t *a, const void *data, size_t size)
{
    if (!a || (!data && size > 0))
        return tape__fail(TAPE_EINVAL, NULL, -1, "no appender or no data");
    const tape__writer_t *w = a->writer;
    if (!tape__site_is_usable(w->site)) return tape__site_check(w->site);
    const size_t frame = a->framing == TAPE_FRAMING_BYTES ? tape__wire_frame_size(size) : 0;
    return size > w->body_max || frame + size > w->body_max ? too_big(w, size) : TAPE_OK;
}

/* With the lock held, in the cycle to be written: by the lane. TAPE_OK and the index, or
 * TAPE_EAGAIN: then nothing was written. */
static TAPE__INLINE int write_at_hand(tape_appender_t *a, tape__writer_t *w, const tape__body_t *b,
                                      size_t size, int64_t expect, int64_t *index)
{
    const uint64_t position = w->next.position;
    if (PEEK64(append_lock, w->append_lock) != TAPE__LOCK_FREE) return TAPE_EAGAIN;
    tape__rail_t rail = tape__lane_enter(w);
    const tape__lane_t lane = tape__lane_put(w, &rail, b, expect);
    if (lane != TAPE__LANE_WRITTEN) {
        if (lane == TAPE__LANE_ROBBED) w->doubtful = true;
        return TAPE_EAGAIN;
    }
    tape__lane_leave(w, &rail);
    *index = w->index_base + w->next.sequence - 1;
    tape__put_lead(w, position, false);
    tape__appender_count(a, *index, 1, size);
    return TAPE_OK;
}

/* The lock is free, the cycle goes on, and there is room at hand. TAPE_OK and the index, or
 * TAPE_EAGAIN: then nothing was written, and *locked tells whether the lock is held. */
static TAPE__INLINE int write_quickly(tape_appender_t *a, const tape__body_t *b, size_t size,
                                      int64_t expect, int64_t *index, bool *locked)
{
    tape__writer_t *w = a->writer;
    *locked = tape__write_lock_try(&w->lock);
    if (!*locked) return TAPE_EAGAIN;
    SYNC_POINT(lock_taken);
    if (!tape__roll_is_current(w) || write_at_hand(a, w, b, size, expect, index) != TAPE_OK)
        return TAPE_EAGAIN;
    SYNC_POINT(before_release);
    (void)tape__write_lock_release(&w->lock);
    return TAPE_OK;
}

static int64_t acknowledge_job(tape_appender_t *a, tape__job_t *job)
{
    return tape__appender_acknowledge(a, job->index, job->index, job->unsynced, &job->held_up);
}

static int64_t write_slowly(tape_appender_t *a, const void *data, size_t size, int64_t expect,
                            bool locked)
{
    tape__job_t job = {.size = size, .count = 1};
    tape__appender_frame(a, data, size, &job.m);
    job.m.expect = expect;
    int rc = tape__appender_work(a, &job, locked);
    return rc < 0 ? rc : acknowledge_job(a, &job);
}

/* With the lock held: as the lane, for a message that is to be synced. */
static int write_and_note(tape_appender_t *a, const void *data, size_t size, int64_t expect,
                          int64_t *index)
{
    tape__writer_t *w = a->writer;
    const tape__body_t b = tape__appender_body(a->framing, data, size);
    if (!w->unsynced || write_at_hand(a, w, &b, size, expect, index) != TAPE_OK) return TAPE_EAGAIN;
    tape__durable_note(a->durable, w->unsynced);
    SYNC_POINT(before_release);
    (void)tape__write_lock_release(&w->lock);
    return TAPE_OK;
}

static int64_t write_durably(tape_appender_t *a, const void *data, size_t size, int64_t expect)
{
    int64_t index;
    int rc = tape__durable_check(a->durable);
    if (rc != TAPE_OK) return rc;
    const bool locked = tape__write_lock_try(&a->writer->lock);
    if (locked) SYNC_POINT(lock_taken);
    if (locked && tape__roll_is_current(a->writer) &&
        write_and_note(a, data, size, expect, &index) == TAPE_OK)
        return tape__appender_acknowledge(a, index, index, TAPE_OK, &(tape__held_up_t){0});
    return write_slowly(a, data, size, expect, locked);
}

/* Whether nothing is to be checked, nothing to be synced, and the message is not empty. */
static TAPE__INLINE bool is_for_the_lane(const tape_appender_t *a, const void *data, size_t size)
{
    return a && data && tape__site_is_usable(a->writer->site) && size - 1 < a->lane_end;
}

static __attribute__((noinline)) int64_t write_by_all_rules(tape_appender_t *a, const void *data,
                                                            size_t size, int64_t expect)
{
    int rc = tape__appender_check(a, data, size);
    if (rc != TAPE_OK) return rc;
    return a->durable ? write_durably(a, data, size, expect)
                      : write_slowly(a, data, size, expect, false);
}

static TAPE__INLINE int64_t write_message(tape_appender_t *a, const void *data, size_t size,
                                          int64_t expect)
{
    if (!is_for_the_lane(a, data, size)) return write_by_all_rules(a, data, size, expect);
    int64_t index;
    bool locked;
    const tape__body_t b = tape__appender_body(a->framing, data, size);
    if (write_quickly(a, &b, size, expect, &index, &locked) == TAPE_OK) return index;
    return write_slowly(a, data, size, expect, locked);
}

int64_t tape_appender_write(tape_appender_t *a, const void *data, size_t size)
{
    return write_message(a, data, size, -1);
}

int64_t tape_appender_write_expect(tape_appender_t *a, const void *data, size_t size,
                                   int64_t expect)
{
    if (expect < 0)
        return tape__fail(TAPE_EINVAL, NULL, -1, "index %" PRId64 " is negative", expect);
    return write_message(a, data, size, expect);
}

/* Over what others wrote since, as long as it lies in memory at hand and nothing is to be done
 * about the index. */
static bool catch_up_at_hand(tape__writer_t *w)
{
    for (int n = 0; n < CATCH_UP_MAX; n++) {
        if (w->next.word != 0 || w->next.position + TAPE__END_ROOM > w->ready_to ||
            !tape__window_has(&w->window, w->next.position, 8))
            return false;
        const uint32_t word =
            tape__excerpt_observe(tape__window_at(&w->window, w->next.position), w->store.aligned);
        if (word == 0) return true;
        if (!tape__word_is_message(word) ||
            tape__excerpt_index_wants(&w->store, w->next.sequence))
            return false;
        w->next.position = tape__put_behind(w, tape__word_length(word));
        w->next.sequence++;
    }
    return false;
}

/* What the lane leaves and needs no waiting either: a clock of the caller's, messages of others. */
static int try_with_lock(tape_appender_t *a, const tape__body_t *b, size_t size, int64_t *index)
{
    tape__writer_t *w = a->writer;
    int rc = tape__roll_goes_on(w);
    w->foresees = true;
    if (rc != TAPE__YES) return rc < 0 ? rc : TAPE_EAGAIN;
    return catch_up_at_hand(w) ? write_at_hand(a, w, b, size, -1, index) : TAPE_EAGAIN;
}

static int64_t try_durably(tape_appender_t *a, const void *data, size_t size)
{
    int64_t index = TAPE_EAGAIN;
    int rc = tape__durable_check(a->durable);
    if (rc != TAPE_OK) return rc;
    if (!tape__write_lock_try(&a->writer->lock)) return TAPE_EAGAIN;
    rc = tape__roll_goes_on(a->writer);
    a->writer->foresees = true;
    if (rc == TAPE__YES && catch_up_at_hand(a->writer) &&
        write_and_note(a, data, size, -1, &index) == TAPE_OK)
        return index;
    SYNC_POINT(before_release);
    (void)tape__write_lock_release(&a->writer->lock);
    return rc < 0 ? rc : TAPE_EAGAIN;
}

int64_t tape_appender_try_write(tape_appender_t *a, const void *data, size_t size)
{
    int rc = TAPE_OK;
    if (!is_for_the_lane(a, data, size)) {
        rc = tape__appender_check(a, data, size);
        if (rc != TAPE_OK) return rc;
        a->tries = true;
        if (a->durable) return try_durably(a, data, size);
    }
    int64_t index = 0;
    bool locked;
    const tape__body_t b = tape__appender_body(a->framing, data, size);
    rc = write_quickly(a, &b, size, -1, &index, &locked);
    a->tries = rc == TAPE_EAGAIN; /* the slow write that may follow is to make room for us */
    if (rc == TAPE_EAGAIN && locked) {
        rc = try_with_lock(a, &b, size, &index);
        SYNC_POINT(before_release);
        (void)tape__write_lock_release(&a->writer->lock);
    }
    return rc == TAPE_OK ? index : rc;
}
