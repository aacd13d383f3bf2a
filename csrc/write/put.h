/* put.h - one message at the end of the cycle in hand, with the write lock held (format.md 8.5).
 *
 *     prepare    all that can take long or fail, before anything can be seen
 *     reserve    the header word says how long the message will be
 *     publish    after copying: the message is seen
 *     lead       the write position and the index
 *
 * Inline, so that each way to append is one straight path; the slow halves are in put.c.
 */
#ifndef TAPE_PUT_H
#define TAPE_PUT_H

#include "base/sync_point.h"
#include "file/excerpt.h"
#include "file/excerpt_index.h"
#include "write/index_write.h"
#include "write/pair_write.h"
#include "write/roll.h"

/* ---- put.c ---- */

int tape__put_cycle_full(const tape__writer_t *w);
int tape__put_make_more_room(tape__writer_t *w, uint64_t behind, bool wants_page);
void tape__put_index(tape__writer_t *w, uint64_t position, int64_t sequence, bool wants_page);
int tape__put_taken(tape__writer_t *w);

/* ---- room ---- */

static inline bool tape__put_is_clean(const tape__writer_t *w, uint64_t at)
{
    return tape__excerpt_observe(tape__window_at(&w->window, at), w->store.aligned) == 0;
}

/* Where the next header word stands behind a message of `length` bytes. */
static inline uint64_t tape__put_behind(const tape__writer_t *w, uint64_t length)
{
    return tape__word_next(w->next.position, (uint32_t)length, w->store.aligned);
}

/* Room for the message and for the word behind it, at `behind`, which must be 0 before the message
 * is published (2.2). */
static inline int tape__put_make_room(tape__writer_t *w, uint64_t behind, bool wants_page)
{
    const uint64_t position = w->next.position;
    if (!wants_page && behind + TAPE__END_ROOM <= w->ready_to &&
        tape__window_has(&w->window, position, behind + TAPE__END_ROOM - position) &&
        tape__put_is_clean(w, behind))
        return TAPE_OK;
    return tape__put_make_more_room(w, behind, wants_page);
}

/* All that can take long or fail, before anything can be seen. */
static inline int tape__put_prepare(tape__writer_t *w, uint64_t behind, bool *wants_page)
{
    int64_t sequence = w->next.sequence;
    *wants_page = false;
    if (sequence >= w->site->settings.roll_cycle->max_messages) return tape__put_cycle_full(w);
    if (tape__excerpt_index_wants(&w->store, sequence)) {
        if (tape__excerpt_index_full(&w->store, sequence)) return tape__put_cycle_full(w);
        int rc = tape__index_write_needs_page(&w->store, sequence);
        *wants_page = rc == TAPE__YES;
        if (rc == TAPE__NO) rc = tape__index_write_check_free(&w->store, sequence);
        if (rc < 0) return rc;
    }
    return tape__put_make_room(w, behind, *wants_page);
}

/* ---- the message ----
 *
 * Nothing here can block, allocate or fault; nothing is stored but in the room that was reserved,
 * and into words by CLAIM. So whoever breaks our lock, at any instruction, writes behind us or
 * before us, and loses nothing (excerpt.h). */

/* Room for a body of `length` bytes is ours. NULL: our lock was broken. */
static TAPE__INLINE uint8_t *tape__put_reserve(tape__writer_t *w, uint32_t length)
{
    uint8_t *header = tape__window_at(&w->window, w->next.position);
    if (!tape__excerpt_reserve(header, length)) return NULL;
    /* A JVM that broke our lock before may be writing here, with the header word still 0. */
    if (!tape__write_lock_is_ours(&w->lock)) {
        tape__excerpt_abandon(header, length);
        return NULL;
    }
    SYNC_POINT(header_reserved);
    return header;
}

/* The body is there: everybody shall see it; the next one comes at `behind`. False: our lock was
 * broken. */
static TAPE__INLINE bool tape__put_publish(tape__writer_t *w, uint8_t *header, uint32_t length,
                                           uint64_t behind)
{
    SYNC_POINT(body_written);
    if (!tape__excerpt_publish(header, length, 0)) return false;
    SYNC_POINT(published);
    w->next.position = behind;
    w->next.sequence++;
    return true;
}

/* What leads to the message just published, at `position`: the write position, and its index entry
 * if it gets one. */
static TAPE__INLINE void tape__put_lead(tape__writer_t *w, uint64_t position, bool wants_page)
{
    const int64_t sequence = w->next.sequence - 1;
    if (PLANTED(TAPE__BUG_LETS_GO_EARLY) && tape__write_lock_let_go(&w->lock)) SYNC_POINT(released);
    tape__pair_raise(&w->store, position, sequence);
    SYNC_POINT(pair_set);
    if (tape__excerpt_index_wants(&w->store, sequence)) {
        tape__put_index(w, position, sequence, wants_page);
        SYNC_POINT(indexed);
    }
}

static TAPE__INLINE bool tape__put_message(tape__writer_t *w, const tape__message_t *m)
{
    const uint32_t length = (uint32_t)(m->frame_size + m->size);
    uint8_t *header = tape__put_reserve(w, length);
    if (!header) return false;
    tape__excerpt_fill(header, w->store.aligned, m->frame, m->frame_size, m->data, m->size);
    return tape__put_publish(w, header, length, tape__put_behind(w, length));
}

/* All of it; TAPE_OK or TAPE_ETAKEN. */
static inline int tape__put(tape__writer_t *w, const tape__message_t *m, bool wants_page)
{
    const uint64_t position = w->next.position;
    if (!tape__put_message(w, m)) return tape__put_taken(w);
    tape__put_lead(w, position, wants_page);
    return TAPE_OK;
}

#endif
