/* guard.h - one thread of this process at a time, for the price of one locked instruction.
 *
 *     word      0 free, 1 held
 *     waiters   threads that sleep, or are about to
 *
 * Who leaves stores 0 and then looks for waiters; who waits raises `waiters` and then looks at the
 * word. For neither to miss the other, a full barrier must stand between the two steps on both
 * sides. Leaving is what every append does and waiting is rare, so the waiter pays for both: by the
 * kernel's membarrier() it makes every thread of the process pass one (order[guard]). Where that is
 * refused, and under ThreadSanitizer, which does not know of it, leaving is a CLAIM.
 */
#ifndef TAPE_GUARD_H
#define TAPE_GUARD_H

#include "base/atomics.h"
#include "base/bytes.h"

typedef struct {
    uint32_t word;
    uint64_t waiters;
} tape__guard_t;

/* Whether membarrier() was granted; set once, before the first guard is used. */
extern bool tape__guard_is_asymmetric;
void tape__guard_begin(void);

static inline bool tape__guard_try(tape__guard_t *g) { return TAKE32(guard, &g->word, 0, 1); }

/* Waits for it: false after timeout_ns (-1: never). */
bool tape__guard_wait(tape__guard_t *g, int64_t timeout_ns);
void tape__guard_wake(tape__guard_t *g);

static TAPE__INLINE void tape__guard_leave(tape__guard_t *g)
{
    if (tape__guard_is_asymmetric) PUBLISH32(guard, &g->word, 0);
    else (void)TAKE32(guard, &g->word, 1, 0);
    if (PEEK64(guard, &g->waiters) != 0) tape__guard_wake(g);
}

#endif
