/* guard.c - waiting for a guard; see guard.h. */
#include "base/guard.h"

#include "base/platform.h"
#include "base/platform_wait.h"
#include "base/sync_point.h"

enum { SPINS = 100 };
#define SLICE_NS INT64_C(50000000) /* a waker that died with its thread costs that much, no more */

bool tape__guard_is_asymmetric;

#ifdef __SANITIZE_THREAD__
void tape__guard_begin(void) {}
#else
void tape__guard_begin(void) { tape__guard_is_asymmetric = tape__barrier_register() == 0; }
#endif

bool tape__guard_wait(tape__guard_t *g, int64_t timeout_ns)
{
    for (int i = 0; i < SPINS; i++) {
        if (tape__guard_try(g)) return true;
        tape__spin_hint();
    }
    const int64_t start = tape__monotonic_ns();
    bool got;
    (void)BUMP64(guard, &g->waiters, 1);
    SYNC_POINT(guard_waiter_counted);
    if (tape__guard_is_asymmetric) tape__barrier_everywhere();
    while (!(got = tape__guard_try(g))) {
        int64_t left = SLICE_NS;
        if (timeout_ns >= 0) {
            left = timeout_ns - (tape__monotonic_ns() - start);
            if (left <= 0) break;
            if (left > SLICE_NS) left = SLICE_NS;
        }
        (void)tape__futex_wait(&g->word, 1, left);
    }
    (void)BUMP64(guard, &g->waiters, -1);
    return got;
}

/* One: each that leaves wakes the next. */
void tape__guard_wake(tape__guard_t *g) { tape__futex_wake_one(&g->word); }
