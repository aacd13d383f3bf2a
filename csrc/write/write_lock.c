/* write_lock.c - see write_lock.h. */
#include "write/write_lock.h"

#include <inttypes.h>

#include "base/atomics.h"
#include "base/error.h"
#include "base/platform.h"
#include "file/side_file.h"
#include "file/table_store.h"

enum { SPINS = 200, YIELDS = 50 };
#define JUDGE_AFTER_NS INT64_C(2000000)   /* a healthy holder is done by then */
#define JUDGE_EVERY_NS INT64_C(50000000)
#define SLEEP_MAX_NS INT64_C(1000000)

/* order[write_lock]: the other side is tape__write_lock_release(): what the last holder wrote into
 * the files is seen by the next one. Java's CAS has the same order. */
static bool claim(tape__write_lock_t *lock, uint64_t from)
{
    return CLAIM64(write_lock, lock->word, from, lock->own);
}

/* Waits a little longer each time. */
static void back_off(int *round)
{
    int n = (*round)++;
    if (n < SPINS) {
        tape__spin_hint();
    } else if (n < SPINS + YIELDS) {
        tape__yield();
    } else {
        int64_t ns = INT64_C(20000) << (n - SPINS - YIELDS < 6 ? n - SPINS - YIELDS : 6);
        tape__sleep_ns(ns < SLEEP_MAX_NS ? ns : SLEEP_MAX_NS);
    }
}

/* What a waiter remembers of the last time that something moved. */
typedef struct {
    uint64_t word, pulse;
    int64_t since_ns, judged_ns;
} standstill_t;

static void watch(standstill_t *s, const tape__write_lock_t *lock, uint64_t word, int64_t now)
{
    uint64_t pulse = PEEK64(listing, lock->pulse);
    if (word == s->word && pulse == s->pulse) return;
    *s = (standstill_t){word, pulse, now, now};
}

static int give_up(tape__write_lock_t *lock, uint64_t word, int64_t since, int64_t now)
{
    int64_t pid = (int64_t)(word & 0xFFFFFFFF);
    int alive = tape__process_alive(pid);
    tape__fail(TAPE_ELOCKED, lock->directory, -1,
               "%s: the write lock is held by process %" PRId64 " (%s) and did not change for "
               "%.3f s", lock->directory, pid, alive ? "alive" : "not to be seen from here",
               (double)(now - since) / 1e9);
    tape__error_holder(pid, alive, now - since);
    return TAPE_ELOCKED;
}

/* May the holder of `word`, unchanged for a while, be robbed now? */
static bool may_break(tape__write_lock_t *lock, standstill_t *s, int64_t now)
{
    s->judged_ns = now;
    tape__holder_t holder =
        tape__side_file_judge(lock->entry, (int64_t)(s->word & 0xFFFFFFFF), lock->table_inode);
    if (holder == TAPE__HOLDER_DEAD) return true;
    return holder == TAPE__HOLDER_NOT_SEEN && lock->stale_after_ns >= 0 &&
           now - s->since_ns >= lock->stale_after_ns;
}

static int wait_for_it(tape__write_lock_t *lock)
{
    int round = 0;
    int64_t start = 0;
    standstill_t s = {0, 0, 0, 0};
    for (;;) {
        uint64_t word = OBSERVE64(write_lock, lock->word);
        if (word == TAPE__MIN64) {
            if (claim(lock, TAPE__MIN64)) return TAPE__LOCK_TAKEN;
            round = 0;
            continue;
        }
        back_off(&round);
        if (round < SPINS) continue;
        int64_t now = tape__monotonic_ns();
        if (start == 0) start = now;
        watch(&s, lock, word, now);
        if (now - s.since_ns >= JUDGE_AFTER_NS &&
            (s.judged_ns == s.since_ns || now - s.judged_ns >= JUDGE_EVERY_NS)) {
            if (may_break(lock, &s, now) && claim(lock, s.word)) {
                COUNT64(counters, &lock->broken, 1);
                return TAPE__LOCK_TAKEN_OVER;
            }
            if (s.judged_ns == s.since_ns) s.judged_ns++;
        }
        if (lock->timeout_ns >= 0 && now - start >= lock->timeout_ns)
            return give_up(lock, word, s.since_ns, now);
    }
}

/* With the guard held: makes sure that this process can be proven dead before it can die holding
 * the lock. False when the queue was shut down meanwhile. */
static bool enter(tape__write_lock_t *lock)
{
    if (!lock->word) return false;
    if (!lock->entered) {
        uint64_t word = OBSERVE64(write_lock, lock->word);
        tape__side_file_enter(lock->entry, lock->directory,
                              word == TAPE__MIN64 ? 0 : (int64_t)(word & 0xFFFFFFFF));
        lock->entered = true;
    }
    return true;
}

static int refuse_closed(tape__write_lock_t *lock)
{
    tape__process_unguard(lock->entry);
    return tape__fail(TAPE_ECLOSED, lock->directory, -1, "the queue %s was closed",
                      lock->directory);
}

int tape__write_lock_acquire(tape__write_lock_t *lock)
{
    bool contended;
    if (!tape__process_guard(lock->entry, lock->timeout_ns, &contended))
        return tape__fail(TAPE_ELOCKED, lock->directory, -1,
                          "%s: another thread of this process holds the write lock",
                          lock->directory);
    if (!enter(lock)) return refuse_closed(lock);
    int outcome = TAPE__LOCK_TAKEN;
    if (!claim(lock, TAPE__MIN64)) {
        contended = true;
        outcome = wait_for_it(lock);
    }
    if (outcome < 0) {
        tape__process_unguard(lock->entry);
        return outcome;
    }
    COUNT64(counters, &lock->acquired, 1);
    if (contended) COUNT64(counters, &lock->contended, 1);
    return outcome;
}

bool tape__write_lock_release(tape__write_lock_t *lock)
{
    /* order[write_lock]: all that we wrote before the word. A CLAIM and no plain store: if somebody
     * broke the lock, the word is not ours to change. */
    bool ours = CLAIM64(write_lock, lock->word, lock->own, TAPE__MIN64);
    if (!ours) COUNT64(counters, &lock->lost, 1);
    tape__process_unguard(lock->entry);
    return ours;
}
