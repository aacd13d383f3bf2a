/* notice.h - the word by which writers wake those who wait for messages, in tape.side.
 *
 *     bit 0       armed: somebody sleeps, or is about to
 *     bits 1..31  how often it was rung; wraps around
 *
 * A waiter arms the word, looks once more whether there is something to read, and sleeps as long as
 * the word stays as it armed it. A writer, when its message is published, looks at the word: one
 * load, and nothing more as long as nobody waits. If it is armed, it takes the mark away, counts,
 * and wakes all who sleep; so the mark of a dead or stopped waiter costs one system call, once.
 * docs/memory_order.md, "notice", says why no wake-up is lost.
 *
 * Without a side file (read-only) the word is one of our own: then waiters find messages by
 * polling, as they do those of writers who do not know the word, Java's among them.
 */
#ifndef TAPE_NOTICE_H
#define TAPE_NOTICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/atomics.h"
#include "base/bytes.h"

enum { TAPE__NOTICE_ARMED = 1, TAPE__NOTICE_RING = 2 };

typedef struct {
    uint32_t *word; /* NULL: not opened */
    uint8_t *page;  /* NULL: `word` is `own` */
    uint32_t own;
} tape__notice_t;

/* Finds the word, once; never fails. `shared`: it may be in the side file, which is then made. */
void tape__notice_open(tape__notice_t *n, const char *directory, bool shared);
void tape__notice_close(tape__notice_t *n);

/* Says that somebody waits. What the word is then; whoever sees the same is not rung for. After it
 * comes a fence: look once more before sleeping. */
uint32_t tape__notice_arm(tape__notice_t *n);
/* Takes the mark away, if it is still there, and wakes. */
void tape__notice_wake(tape__notice_t *n);
/* Wakes all, marked or not: to be told of something else than a message. */
void tape__notice_stir(tape__notice_t *n);

/* The writer's look, after publishing by CLAIM. */
static TAPE__INLINE void tape__notice_ring(tape__notice_t *n)
{
    if (__builtin_expect(LOOK32(notice, n->word) & TAPE__NOTICE_ARMED, 0)) tape__notice_wake(n);
}

#endif
