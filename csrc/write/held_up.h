/* held_up.h - what held an append up, for who wants to be told of slow ones.
 *
 * Measured where it may take long, never on the lane: waiting for the lock, in a cycle that is
 * entered, making room, syncing. With the write lock held it is summed up in the writer, without it
 * in the append's own.
 */
#ifndef TAPE_HELD_UP_H
#define TAPE_HELD_UP_H

#include "base/platform.h"

typedef struct {
    bool any;           /* one of these is not 0 */
    int64_t lock_ns;    /* another process or thread had the write lock */
    int64_t holder_pid; /* that process */
    int64_t clock_ns;   /* the cycle was finished, and the clock had not left it */
    int64_t cycle_ns;   /* files were looked after, a cycle was entered, an older one ended */
    int64_t room_ns;    /* the file was enlarged, blocks were reserved */
    int64_t pages_ns;   /* pages were mapped and brought in */
    int64_t sync_ns;    /* the disk had to say that it has it */
} tape__held_up_t;

static inline int64_t tape__held_up_sum(const tape__held_up_t *h)
{
    return h->lock_ns + h->clock_ns + h->cycle_ns + h->room_ns + h->pages_ns + h->sync_ns;
}

static inline void tape__held_up_add(tape__held_up_t *to, const tape__held_up_t *more)
{
    to->any = true;
    to->lock_ns += more->lock_ns;
    if (more->holder_pid) to->holder_pid = more->holder_pid;
    to->clock_ns += more->clock_ns;
    to->cycle_ns += more->cycle_ns;
    to->room_ns += more->room_ns;
    to->pages_ns += more->pages_ns;
    to->sync_ns += more->sync_ns;
}

/* Adds what has passed since `begun_ns` to one of its causes; the time now. */
static inline int64_t tape__held_up_since(tape__held_up_t *h, int64_t *cause, int64_t begun_ns)
{
    const int64_t now = tape__monotonic_ns();
    *cause += now - begun_ns;
    h->any = true;
    return now;
}

#endif
