/* write_lock.c - see write_lock.h. */
#include "write/write_lock.h"

#include <inttypes.h>

#include "base/atomics.h"
#include "base/error.h"
#include "base/platform.h"
#include "base/sync_point.h"
#include "file/side_file.h"
#include "file/table_store.h"

enum { SPINS = 200, YIELDS = 50 };
#define JUDGE_AFTER_NS INT64_C(2000000)   /* a healthy holder is done by then */
#define JUDGE_EVERY_NS INT64_C(20000000)  /* so a death costs who waits no more than that */
#define SLEEP_MAX_NS INT64_C(1000000)
#define IN_PLACE_SLICE_NS INT64_C(20000000)

/* order[write_lock]: the other side is tape__write_lock_release(): what the last holder wrote into
 * the files is seen by the next one. Java's CAS has the same order. */
static bool claim(tape__write_lock_t *lock, uint64_t from)
{
    return CLAIM64(write_lock, lock->word, from, lock->own);
}

/* Somebody who waits, and what he remembers of the last time that something moved. */
#define ASK_EVERY_NS INT64_C(20000000)

typedef struct {
    int round;
    bool contended;
    int64_t begun_ns;
    int64_t start_ns;           /* 0: not waited yet */
    uint64_t word, pulse;
    int64_t since_ns, judged_ns, asked_ns;
} waiting_t;

/* Waits a little longer each time; without the guard. */
static void pause_a_little(waiting_t *w)
{
    int n = w->round++ - SPINS;
    if (n < YIELDS) {
        tape__yield();
    } else {
        n -= YIELDS;
        int64_t ns = INT64_C(20000) << (n < 6 ? n : 6);
        tape__sleep_ns(ns < SLEEP_MAX_NS ? ns : SLEEP_MAX_NS);
    }
}

static void watch(waiting_t *w, const tape__write_lock_t *lock, uint64_t word, int64_t now)
{
    uint64_t pulse = PEEK64(listing, lock->pulse);
    if (w->start_ns == 0) w->start_ns = now;
    if (w->since_ns != 0 && word == w->word && pulse == w->pulse) return;
    w->word = word;
    w->pulse = pulse;
    w->since_ns = w->judged_ns = now;
}

static int give_up(const tape__write_lock_t *lock, const waiting_t *w, int64_t now)
{
    int64_t pid = tape__table_keys_holder(w->word);
    bool alive = tape__process_alive(pid);
    tape__fail(TAPE_ELOCKED, lock->directory, -1,
               "%s: the write lock is held by process %" PRId64 " (%s) and did not change for "
               "%.3f s", lock->directory, pid, alive ? "alive" : "not to be seen from here",
               (double)(now - w->since_ns) / 1e9);
    tape__error_holder(pid, alive, now - w->since_ns);
    return TAPE_ELOCKED;
}

static int give_up_on_own_thread(const tape__write_lock_t *lock, int64_t waited)
{
    tape__fail(TAPE_ELOCKED, lock->directory, -1,
               "%s: another thread of this process (%" PRId64 ") holds the write lock and did not "
               "give it back for %.3f s", lock->directory, tape__pid(), (double)waited / 1e9);
    tape__error_holder(tape__pid(), 1, waited);
    return TAPE_ELOCKED;
}

/* May the holder of the word, unchanged since `since_ns`, be robbed now? */
static bool may_break(const tape__write_lock_t *lock, uint64_t word, int64_t since_ns)
{
    tape__holder_t holder =
        tape__side_file_judge(lock->entry, tape__table_keys_holder(word), lock->table_inode);
    SYNC_POINT(holder_judged);
    if (holder == TAPE__HOLDER_DEAD) return true;
    return holder == TAPE__HOLDER_NOT_SEEN && lock->stale_after_ns >= 0 &&
           tape__monotonic_ns() - since_ns >= lock->stale_after_ns;
}

/* Takes the lock over if the holder of `word` is dead, with no other judge meanwhile. */
static bool rob(tape__write_lock_t *lock, uint64_t word, int64_t since_ns)
{
    if (!tape__side_file_begin_judging(lock->entry)) return false;
    bool robbed = OBSERVE64(write_lock, lock->word) == word && may_break(lock, word, since_ns) &&
                  claim(lock, word);
    tape__side_file_end_judging(lock->entry);
    if (robbed) {
        SYNC_POINT(lock_taken_over);
        lock->robbed = word;
        COUNT64(counters, &lock->broken, 1);
    }
    return robbed;
}

static bool judging_is_due(const waiting_t *w, int64_t now)
{
    if (now - w->since_ns < JUDGE_AFTER_NS) return false;
    return w->judged_ns == w->since_ns || now - w->judged_ns >= JUDGE_EVERY_NS;
}

/* With the guard held: makes sure that this process can be proven dead before it can die holding
 * the lock. False when the queue was shut down meanwhile. */
static bool enter(tape__write_lock_t *lock)
{
    if (!lock->word) return false;
    if (!lock->entered) {
        tape__side_file_enter(lock->entry, lock->directory, lock->word);
        tape__notice_open(&lock->notice, lock->directory, true);
        lock->entered = true;
    }
    return true;
}

enum { TRY_AGAIN = 53 };

/* With the guard held: an outcome, TRY_AGAIN after a pause, or TAPE_ELOCKED. */
static int attempt(tape__write_lock_t *lock, waiting_t *w)
{
    if (claim(lock, TAPE__LOCK_FREE)) return TAPE__LOCK_TAKEN;
    w->contended = true;
    for (uint64_t word;;) {
        word = OBSERVE64(write_lock, lock->word);
        if (word == TAPE__LOCK_FREE) {
            if (claim(lock, TAPE__LOCK_FREE)) return TAPE__LOCK_TAKEN;
            w->round = 0;
        } else if (w->round < SPINS) {
            w->round++;
            tape__spin_hint();
        } else {
            int64_t now = tape__monotonic_ns();
            watch(w, lock, word, now);
            if (judging_is_due(w, now)) {
                w->judged_ns = now + (now == w->since_ns);
                if (rob(lock, word, w->since_ns)) return TAPE__LOCK_TAKEN_OVER;
            }
            if (lock->timeout_ns >= 0 && now - w->start_ns >= lock->timeout_ns)
                return give_up(lock, w, now);
            return TRY_AGAIN;
        }
    }
}

static int refuse_closed(const tape__write_lock_t *lock)
{
    return tape__fail(TAPE_ECLOSED, lock->directory, -1, "the queue %s was closed",
                      lock->directory);
}

static int64_t time_left(const tape__write_lock_t *lock, const waiting_t *w)
{
    if (lock->timeout_ns < 0 || w->start_ns == 0) return lock->timeout_ns;
    int64_t left = lock->timeout_ns - (tape__monotonic_ns() - w->start_ns);
    return left > 0 ? left : 0;
}

/* Without the guard: TAPE_ELOCKED when the caller's program wants its thread back. */
static int ask_the_caller(tape__write_lock_t *lock, waiting_t *w)
{
    int64_t now = tape__monotonic_ns();
    if (!lock->interrupted || now - w->asked_ns < ASK_EVERY_NS) return TAPE_OK;
    w->asked_ns = now;
    const bool gives_up = lock->interrupted(lock->interrupted_user) != 0;
    if (tape__write_lock_is_of_parent(lock))
        return tape__fail(TAPE_EFORKED, lock->directory, -1, "%s was opened before fork()",
                          lock->directory);
    if (!gives_up) return TAPE_OK;
    return tape__fail(TAPE_ELOCKED, lock->directory, -1,
                      "waiting for the write lock was interrupted");
}

/* In slices, because a thread may begin to make a message in place at any time. */
static int enter_guard(tape__write_lock_t *lock, waiting_t *w)
{
    const int64_t start = tape__monotonic_ns(), timeout_ns = time_left(lock, w);
    if (w->begun_ns == 0) w->begun_ns = start;
    for (;;) {
        if (tape__guard_try(lock->guard)) return TAPE_OK;
        if (tape__process_is_in_place(lock->entry))
            return tape__fail(TAPE_EBUSY, lock->directory, -1,
                              "%s: a message is being made in place: publish or abandon it first",
                              lock->directory);
        int64_t left = IN_PLACE_SLICE_NS;
        if (timeout_ns >= 0) {
            left = timeout_ns - (tape__monotonic_ns() - start);
            if (left <= 0) return give_up_on_own_thread(lock, lock->timeout_ns);
            if (left > IN_PLACE_SLICE_NS) left = IN_PLACE_SLICE_NS;
        }
        w->contended = true;
        if (tape__guard_wait(lock->guard, left)) return TAPE_OK;
        int rc = ask_the_caller(lock, w);
        if (rc != TAPE_OK) return rc;
    }
}

/* With the lock held. Whom one waits for without seeing the word move is a thread of ours, or was
 * so quick that it does not matter. */
static void note_waiting(tape__write_lock_t *lock, const waiting_t *w)
{
    lock->waited_ns = 0;
    if (!w->contended) return;
    COUNT64(counters, &lock->contended, 1);
    lock->waited_ns = tape__monotonic_ns() - w->begun_ns;
    lock->waited_for = w->word ? tape__table_keys_holder(w->word) : tape__pid();
}

int tape__write_lock_acquire(tape__write_lock_t *lock)
{
    waiting_t w = {0};
    for (;;) {
        int rc = enter_guard(lock, &w);
        if (rc != TAPE_OK) return rc;
        int outcome = enter(lock) ? attempt(lock, &w) : TAPE_ECLOSED;
        if (outcome == TAPE__LOCK_TAKEN || outcome == TAPE__LOCK_TAKEN_OVER) {
            COUNT64(counters, &lock->acquired, 1);
            note_waiting(lock, &w);
            return outcome;
        }
        tape__process_unguard(lock->entry);
        if (outcome == TAPE_ECLOSED || OBSERVE32(closed, lock->closed)) return refuse_closed(lock);
        if (outcome != TRY_AGAIN) return outcome;
        rc = ask_the_caller(lock, &w);
        if (rc != TAPE_OK) return rc;
        SYNC_POINT(lock_awaited);
        pause_a_little(&w);
    }
}

bool tape__write_lock_take_over(tape__write_lock_t *lock)
{
    const uint64_t word = OBSERVE64(write_lock, lock->word);
    if (word == TAPE__LOCK_FREE || !tape__guard_try(lock->guard)) return false;
    if (enter(lock) && rob(lock, word, tape__monotonic_ns())) {
        COUNT64(counters, &lock->acquired, 1);
        return true;
    }
    tape__process_unguard(lock->entry);
    return false;
}

void tape__write_lock_was_lost(tape__write_lock_t *lock)
{
    COUNT64(counters, &lock->lost, 1);
    if (lock->doubt) *lock->doubt = true;
}

void tape__write_lock_give_back(tape__write_lock_t *lock)
{
    /* order[write_lock]: as in releasing; if somebody broke the lock, he repairs. */
    (void)CLAIM64(write_lock, lock->word, lock->own, lock->robbed);
    tape__process_unguard(lock->entry);
}
