/* excerpt.h - one excerpt in mapped memory: reserve, fill, publish, abandon, observe.
 *
 * States of a header word, and who may change them (format.md 8.4, 8.5):
 *
 *     0 --reserve--> NOT_COMPLETE|n --publish--> n            the lock holder, in this order
 *                    NOT_COMPLETE|n --abandon--> 0            the lock holder that reserved it
 *                    NOT_COMPLETE|n --clear----> 0            who took over from the dead
 *     0 or NOT_COMPLETE|n --seal--> END_OF_DATA               the lock holder, in an older cycle
 *
 * A complete word never changes. Every change is a CLAIM, so that a writer whose lock was broken
 * while it was stopped fails here instead of copying over somebody's message.
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

/* Copies the body and clears the 8 bytes behind it: the padding and the next header word, in which
 * a writer that died in mid-message may have left its bytes (format.md 2.2). Plain stores: nobody
 * looks at them before the publication. */
static inline void tape__excerpt_fill(uint8_t *header, const void *frame, size_t frame_size,
                                      const void *data, size_t size)
{
    uint8_t *body = header + 4;
    memcpy(body, frame, frame_size);
    memcpy(body + frame_size, data, size);
    memset(body + frame_size + size, 0, 8);
}

/* order[publish]: body and padding before the header word. False when the slot is no longer
 * ours. */
static inline bool tape__excerpt_publish(uint8_t *header, uint32_t length, uint32_t kind)
{
    return CLAIM32_UNALIGNED(publish, header, TAPE__NOT_COMPLETE | length, kind | length);
}

/* order[reserve]: removes what a dead writer left (`word` has NOT_COMPLETE). */
static inline bool tape__excerpt_clear(uint8_t *header, uint32_t word)
{
    if (!tape__is_split32(header)) return CLAIM32_UNALIGNED(reserve, header, word, 0);
    return CLAIM32_UNALIGNED(reserve, header, word, TAPE__NOT_COMPLETE) &&
           CLAIM32_UNALIGNED(reserve, header, TAPE__NOT_COMPLETE, 0);
}

/* Gives the slot back; nothing was ever visible. */
static inline bool tape__excerpt_abandon(uint8_t *header, uint32_t length)
{
    return tape__excerpt_clear(header, TAPE__NOT_COMPLETE | length);
}

/* order[publish]: ends the file; `word` is 0 or what a dead writer left. */
static inline bool tape__excerpt_seal(uint8_t *header, uint32_t word)
{
    return CLAIM32_UNALIGNED(publish, header, word, TAPE__END_OF_DATA);
}

/* order[touch]: faults a page in for writing without changing it, whatever it holds by now. */
static inline void tape__excerpt_touch(uint32_t *word) { (void)CLAIM32(touch, word, 0, 0); }

#endif
