/* excerpt.h - one excerpt in mapped memory: reserve, fill, publish, abandon, observe.
 *
 * States of a header word, and who may change them (format.md 8.4, 8.5):
 *
 *     0 --reserve--> NOT_COMPLETE|n --publish--> n            the lock holder, in this order
 *                    NOT_COMPLETE|n --resize---> NOT_COMPLETE|m    over unclean room (roll_room.c)
 *                    NOT_COMPLETE|n --abandon--> 0            the holder that reserved it, when it
 *                                                             writes no more there
 *                    NOT_COMPLETE|n --give up--> META_DATA|n  who finds it under the lock
 *                    NOT_COMPLETE ----clear----> 0            likewise, where no length is told
 *     0 or NOT_COMPLETE --seal--> END_OF_DATA                 the lock holder, in an older cycle
 *
 * A complete word never changes. Every change is a CLAIM, so that a writer whose lock was broken
 * while it was stopped fails here. It may be in the middle of its copy, and goes on with that when
 * it wakes: so the room that a length was reserved for is never used again. Whoever finds such a
 * word under the lock makes a metadata document of it, which readers pass over, and writes behind
 * it; and a writer stores nothing outside of the room that it has reserved.
 *
 * In files of data format 0 the word lies anywhere, even across two cache lines, and readers,
 * Java's too, then load it in halves. So there the length comes, and NOT_COMPLETE goes, in steps of
 * their own: any mixture of two neighbouring states is incomplete or right.
 */
#ifndef TAPE_EXCERPT_H
#define TAPE_EXCERPT_H

#include "base/atomics.h"
#include "base/bytes.h"
#include "format/header_word.h"

/* order[publish]: the other side is tape__excerpt_publish(). Whoever sees a complete word sees the
 * whole body and the zero word behind it. */
static inline uint32_t tape__excerpt_observe(const uint8_t *header, bool aligned)
{
    if (aligned) return OBSERVE32(publish, (const uint32_t *)(const void *)header);
    return OBSERVE32_UNALIGNED(publish, header);
}

/* order[reserve]: tells how long the document will be that was reserved with length 0. */
static inline bool tape__excerpt_set_length(uint8_t *header, uint32_t length)
{
    return CLAIM32_UNALIGNED(reserve, header, TAPE__NOT_COMPLETE, TAPE__NOT_COMPLETE | length);
}

/* order[reserve]: makes the slot ours; others see "being written" and leave it alone. */
static inline bool tape__excerpt_reserve(uint8_t *header, uint32_t length)
{
    if (!tape__is_split32(header))
        return CLAIM32_UNALIGNED(reserve, header, 0, TAPE__NOT_COMPLETE | length);
    return CLAIM32_UNALIGNED(reserve, header, 0, TAPE__NOT_COMPLETE) &&
           tape__excerpt_set_length(header, length);
}

/* The padding of a body of this length, in an aligned file: the last bytes of its last word. Before
 * the body is copied. */
static inline void tape__excerpt_pad(uint8_t *header, size_t length)
{
    if (length % 4 != 0) tape__put_u32(header + 4 + (length & ~(size_t)3), 0);
}

/* Copies the body; the padding up to the next header word is zero. Nothing behind that is touched:
 * there a successor writes, if our lock is broken in this moment. Plain stores: nobody looks at
 * them before the publication. */
static inline void tape__excerpt_fill(uint8_t *header, bool aligned, const void *frame,
                                      size_t frame_size, const void *data, size_t size)
{
    uint8_t *body = header + 4;
    if (aligned) tape__excerpt_pad(header, frame_size + size);
    if (frame_size == 4) memcpy(body, frame, 4); /* of all below 255 bytes: one store, no call */
    else if (frame_size != 0) memcpy(body, frame, frame_size);
    memcpy(body + frame_size, data, size);
}

/* order[publish]: body and padding before the header word. False when the slot is no longer
 * ours. */
static inline bool tape__excerpt_publish(uint8_t *header, uint32_t length, uint32_t kind)
{
    return CLAIM32_UNALIGNED(publish, header, TAPE__NOT_COMPLETE | length, kind | length);
}

/* order[publish]: makes a metadata document of what another writer reserved, dead or robbed. */
static inline bool tape__excerpt_give_up(uint8_t *header, uint32_t length)
{
    return tape__excerpt_publish(header, length, TAPE__META_DATA);
}

/* order[reserve]: another length for a reservation. */
static inline bool tape__excerpt_resize(uint8_t *header, uint32_t from, uint32_t to)
{
    if (!tape__is_split32(header))
        return CLAIM32_UNALIGNED(reserve, header, TAPE__NOT_COMPLETE | from,
                                 TAPE__NOT_COMPLETE | to);
    return CLAIM32_UNALIGNED(reserve, header, TAPE__NOT_COMPLETE | from, TAPE__NOT_COMPLETE) &&
           tape__excerpt_set_length(header, to);
}

/* order[reserve]: removes what tells no length, and so guards nothing (`word` has NOT_COMPLETE). */
static inline bool tape__excerpt_clear(uint8_t *header, uint32_t word)
{
    if (!tape__is_split32(header)) return CLAIM32_UNALIGNED(reserve, header, word, 0);
    return CLAIM32_UNALIGNED(reserve, header, word, TAPE__NOT_COMPLETE) &&
           CLAIM32_UNALIGNED(reserve, header, TAPE__NOT_COMPLETE, 0);
}

/* Gives the slot back, by the writer that reserved it; nothing was ever visible. */
static inline bool tape__excerpt_abandon(uint8_t *header, uint32_t length)
{
    return tape__excerpt_clear(header, TAPE__NOT_COMPLETE | length);
}

/* order[publish]: ends the file; `word` is 0 or what a dead writer left. */
static inline bool tape__excerpt_seal(uint8_t *header, uint32_t word)
{
    return CLAIM32_UNALIGNED(publish, header, word, TAPE__END_OF_DATA);
}

/* order[reserve]: for people who look at a dump, "EOF" behind an end mark, where nothing is yet;
 * readers must not expect it (9.1). Not across two cache lines, where Linux makes who claims wait
 * for tens of milliseconds. */
static inline void tape__excerpt_sign(uint8_t *behind)
{
    if (!tape__is_split32(behind)) (void)CLAIM32_UNALIGNED(reserve, behind, 0, 0x464F45C3u);
}

/* order[touch]: faults a page in for writing without changing it, whatever it holds by now. */
static inline void tape__excerpt_touch(uint32_t *word) { (void)CLAIM32(touch, word, 0, 0); }

#endif
