/* queue.h - the queue: its site, which both wings know, and the writing wing's state.
 *
 *     queue.c            closing, and what can be asked of it
 *     queue_open.c       opening and creating
 *     queue_children.c   the doors to the two wings
 *     removal.c          old cycles taken out of it
 *     sync.c             what is written is on disk
 *     census.c           first and last message, counting, facts of cycle files
 */
#ifndef TAPE_QUEUE_H
#define TAPE_QUEUE_H

#include "file/site.h"
#include "write/writer.h"

struct tape_queue {
    tape__site_t site; /* first: the last child finds the queue by it */
    tape__writer_t writer;
    int32_t mismatch;
    uint32_t sync_failed; /* order[sync_failed]: as in durable.h, of one opened to read */
};

/* Begins and ends a call on the queue itself. TAPE_OK, TAPE_EINVAL (NULL), TAPE_ECLOSED or
 * TAPE_EFORKED. */
int tape__queue_enter(tape_queue_t *q);
void tape__queue_leave(tape_queue_t *q);

/* Gives everything back and frees the queue that has this site; nobody uses it any more, or it was
 * never complete. */
void tape__queue_destroy(tape__site_t *site);

#endif
