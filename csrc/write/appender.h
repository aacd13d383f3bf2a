/* appender.h - the appender object, shared by the files that make up its verbs.
 *
 *     appender.c         one message, and the work under the lock
 *     appender_many.c    many messages under one lock
 *     appender_place.c   a message made where it will stand
 *     appender_open.c    opening and closing
 *
 * The state of the cycle that is written is the queue's (writer.h): its appenders share it.
 */
#ifndef TAPE_APPENDER_H
#define TAPE_APPENDER_H

#include "format/wire.h"
#include "write/durable.h"
#include "write/lane.h"

/* A message on its way in place: the lock is held. */
typedef struct {
    bool held;
    bool staged;         /* `buffer` is memory of ours: a new file will be made for the message */
    bool wants_page;
    uint8_t *header;     /* what is reserved; NULL when staged */
    uint8_t *buffer;
    size_t size;         /* of the buffer */
    size_t frame_size;
    uint32_t length;     /* of the document that is reserved */
    tape__held_up_t held_up; /* the reservation */
} tape__place_t;

struct tape_appender {
    tape__child_t child;
    tape__writer_t *writer;
    size_t lane_end;        /* so long messages go by the lane of write(); 0: none does */
    uint32_t framing;
    uint32_t durability;
    bool tries;             /* it was told to come again by the slow way */
    int64_t sync_interval_ns;
    tape__durable_t *durable; /* NULL: nobody syncs */
    int64_t last_index; /* TAPE_ENOINDEX before the first */
    int64_t messages, bytes;
    tape__place_t place;
};

/* As tape_appender_open(), by the writer's state that all appenders of a queue share. */
int tape__appender_make(tape__writer_t *w, const tape_appender_options_t *options,
                        tape_appender_t **out);

/* ---- between the files above ---- */

/* What is to be done under the lock. */
typedef struct {
    tape__message_t m;        /* the first message */
    size_t size;              /* bytes of those that were written, without frames */
    const tape_span_t *spans; /* all of them, when `count` is more than 1 */
    size_t count;
    size_t done;
    bool in_place;            /* no message: make ready for one of `length`, and keep the lock */
    bool staged;              /* ... and no file is there for it */
    bool wants_page;
    uint64_t length;
    int64_t index;            /* of the first */
    int64_t started_ns;       /* waiting for the clock */
    int robbed;
    tape__made_t made;        /* a file that the message may be in already */
    int unsynced;             /* TAPE_OK, or why nobody will sync what was written */
    tape__held_up_t held_up;
} tape__job_t;

/* Does it, by all rules; `locked` when the caller holds the lock. TAPE_OK or a code. */
int tape__appender_work(tape_appender_t *a, tape__job_t *job, bool locked);

/* Whether a message of that size can be appended at all. TAPE_OK or a code. */
int tape__appender_check(const tape_appender_t *a, const void *data, size_t size);
static TAPE__INLINE void tape__appender_count(tape_appender_t *a, int64_t index, size_t messages,
                                        size_t size)
{
    PUBLISH64(last_index, (uint64_t *)&a->last_index, (uint64_t)index);
    COUNT64(counters, &a->messages, (int64_t)messages);
    COUNT64(counters, &a->bytes, (int64_t)size);
}
/* What a call gives that wrote up to `last`: `first`, which it also waits for where each message is
 * to be on disk; or TAPE_ESYNC. `unsynced`: as of the job. Who wants to know of slow appends is
 * told, if that was one. */
int64_t tape__appender_acknowledge(tape_appender_t *a, int64_t first, int64_t last, int unsynced,
                                   tape__held_up_t *held_up);
/* The place is given up, and the lock is not in place any more; it is still held. */
void tape__appender_let_go(tape_appender_t *a);
/* TAPE_EBUSY while a message is being made in place. */
int tape__appender_shut(tape__child_t *child);

/* A document cannot be empty: Java puts one byte of padding instead (2.4). */
extern const uint8_t tape__empty_body[1];

/* The same as small values, for the lane. */
static TAPE__INLINE tape__body_t tape__appender_body(uint32_t framing, const void *data,
                                                     size_t size)
{
    tape__body_t b = {data, size, 0, 0};
    if (framing != TAPE_FRAMING_BYTES) {
        if (size == 0) b = (tape__body_t){tape__empty_body, sizeof tape__empty_body, 0, 0};
    } else if (size <= 0xFE) {
        b.frame = tape__wire_short_frame(size);
        b.frame_size = 4;
    } else {
        uint8_t frame[8] = {0};
        b.frame_size = tape__wire_frame_long(frame, size);
        b.frame = tape__get_u64(frame);
    }
    return b;
}

/* The message with its frame, if it gets one, and with no wish for its index. */
static inline void tape__appender_frame(const tape_appender_t *a, const void *data, size_t size,
                                        tape__message_t *m)
{
    m->data = size ? data : ""; /* memcpy() wants no NULL */
    m->size = size;
    m->frame_size = 0;
    m->expect = -1;
    if (a->framing == TAPE_FRAMING_BYTES) {
        m->frame_size = tape__wire_frame(m->frame, size);
    } else if (size == 0) {
        m->data = tape__empty_body;
        m->size = sizeof tape__empty_body;
    }
}

#endif
