/* roll.h - which cycle is written now, and getting its file and its end ready (format.md 8.5, 9).
 *
 * All with the write lock held.
 */
#ifndef TAPE_ROLL_H
#define TAPE_ROLL_H

#include "queue.h"

/* A message on its way. */
typedef struct {
    uint8_t frame[8];
    size_t frame_size;
    const void *data;
    size_t size;
} tape__message_t;

enum {
    TAPE__ROLL_READY = 0,     /* the writer stands at the end of the cycle that is now */
    TAPE__ROLL_WRITTEN = 1,   /* a new file was made with the message as its first */
    TAPE__ROLL_WAIT = 2       /* the newest cycle is finished, the clock has not moved: retry */
};

/* Decides the cycle by the clock and makes the writer stand at the end of its chain. One of the
 * above, or a code. The quick path is tape__roll_is_current(). */
int tape__roll_to_now(tape_queue_t *q, const tape__message_t *m);

/* Whether the coarse clock alone says that the writer's cycle is the one to write. */
bool tape__roll_is_current(const tape_queue_t *q);

/* Walks over what others wrote since. TAPE_OK, TAPE__ROLL_WAIT (the file was ended) or a code. */
int tape__roll_catch_up(tape_queue_t *q);

/* Slow half of making [next, next + need) ready to be written without a system call or page fault:
 * grows the file, reserves blocks, moves the window, faults in. */
int tape__roll_make_ready(tape_queue_t *q, uint64_t need);

#endif
