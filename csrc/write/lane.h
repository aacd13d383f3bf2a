/* lane.h - one message by the straight path, with the write lock held (format.md 8.5).
 *
 * As put.h, for what nearly every message is: in a file of data format 1, with room at hand and
 * nothing to be looked for. Whatever else there is makes it say so with nothing changed, and the
 * caller goes the long way. The steps are the same and in the same order.
 */
#ifndef TAPE_LANE_H
#define TAPE_LANE_H

#include "format/wire.h"
#include "write/put.h"

/* A message and its frame, as small values: not more than the compiler keeps in registers. */
typedef struct {
    const void *data;
    size_t size;
    uint64_t frame; /* its bytes */
    size_t frame_size;
} tape__body_t;

typedef enum {
    TAPE__LANE_WRITTEN,
    TAPE__LANE_LEFT, /* the long way, please: nothing was done */
    TAPE__LANE_ROBBED /* likewise; and our lock was broken */
} tape__lane_t;

enum { TAPE__LANE_AHEAD = 1024 };

/* A frame of more than 4 bytes is around 255 bytes or more, so storing 8 keeps within the room. */
static TAPE__INLINE void tape__lane_fill(uint8_t *header, uint32_t length, const tape__body_t *b)
{
    uint8_t *body = header + 4;
    tape__excerpt_pad(header, length);
    if (b->frame_size == 4) tape__put_u32(body, (uint32_t)b->frame);
    else if (b->frame_size != 0) tape__put_u64(body, b->frame);
    tape__copy(body + b->frame_size, b->data, b->size);
}

/* Where the lane stands: what it needs of the writer, for the compiler to keep at hand. */
typedef struct {
    uint8_t *file;      /* where byte 0 of the file would be mapped */
    uint64_t position;  /* of the next message */
    uint64_t room;      /* the word behind it must stand here or before */
    int64_t sequence;
    const uint64_t *lock;
    uint64_t own;
} tape__rail_t;

/* What is ready lies in the window, from the writer's place on. Without room: not for the lane. */
static TAPE__INLINE tape__rail_t tape__lane_enter(const tape__writer_t *w)
{
    return (tape__rail_t){w->window.base - w->window.start, w->next.position, w->lane_to,
                          w->next.sequence, w->lock.word, w->lock.own};
}

static TAPE__INLINE void tape__lane_leave(tape__writer_t *w, const tape__rail_t *r)
{
    w->next.position = r->position;
    w->next.sequence = r->sequence;
}

/* The next message, if it gets index `expect` (-1: any). What leads to it is left to the caller. */
static TAPE__INLINE tape__lane_t tape__lane_put(const tape__writer_t *w, tape__rail_t *r,
                                                const tape__body_t *b, int64_t expect)
{
    const uint32_t length = (uint32_t)(b->frame_size + b->size);
    const uint64_t behind = tape__word_next(r->position, length, true);
    if (behind > r->room) return TAPE__LANE_LEFT;
    uint8_t *header = __builtin_assume_aligned(r->file + r->position, 4);
    if (tape__excerpt_observe(r->file + behind, true) != 0 || r->sequence >= w->max_messages ||
        (expect >= 0 && expect != w->index_base + r->sequence) ||
        (tape__excerpt_index_wants(&w->store, r->sequence) &&
         !tape__index_write_is_at_hand(&w->store, r->sequence)))
        return TAPE__LANE_LEFT;
    /* For those to come: what was faulted in long ago is in no cache any more. It never faults. */
    __builtin_prefetch(r->file + behind + TAPE__LANE_AHEAD, 1);
    SYNC_POINT(prepared);
    if (!tape__excerpt_reserve(header, length)) return TAPE__LANE_LEFT; /* others wrote since */
    if (OBSERVE64(write_lock, r->lock) != r->own) { /* as in tape__put_reserve() */
        tape__excerpt_abandon(header, length);
        return TAPE__LANE_ROBBED;
    }
    SYNC_POINT(header_reserved);
    if (!PLANTED(TAPE__BUG_PUBLISHES_EARLY)) tape__lane_fill(header, length, b);
    SYNC_POINT(body_written);
    if (!tape__excerpt_publish(header, length, 0)) return TAPE__LANE_ROBBED;
    SYNC_POINT(published);
    if (PLANTED(TAPE__BUG_PUBLISHES_EARLY)) tape__lane_fill(header, length, b);
    r->position = behind;
    r->sequence++;
    return TAPE__LANE_WRITTEN;
}

#endif
