/* pair_write.h - writePosition and its sequence word, as writers set them (format.md 4.3, 6.4).
 *
 * Both only grow, for whoever looks: Java's `writeBytes` takes a write position that is not above
 * its own for the news that nobody else wrote. So a writer whose lock was broken just before must
 * not set them back when it goes on. Both are changed together, by CLAIM from what they were, where
 * the processor can do that and they lie at a multiple of 16, as in the files of today. Else each
 * for itself, the position first, as Java does; a reader of the sequence word then finds at least
 * that position, and notices by the low bits when the two do not belong together.
 */
#ifndef TAPE_PAIR_WRITE_H
#define TAPE_PAIR_WRITE_H

#include "base/atomics.h"
#include "base/bytes.h"
#include "file/cycle_store.h"

/* order[write_position]: the message at `position` is the last; nothing when there is a later one
 * by now. With the write lock held, after its publication. */
static TAPE__INLINE void tape__pair_raise(tape__cycle_store_t *s, uint64_t position,
                                          int64_t sequence)
{
    const uint64_t word = tape__cycle_store_pair_word(s, position, sequence);
    for (;;) {
        const uint64_t at = PEEK64(write_position, s->pair);
        if (at > position) return;
        if (s->pair_at_once) {
            const uint64_t seen = PEEK64(write_position, s->pair + 1);
            if (CLAIM_PAIR(write_position, s->pair, at, seen, position, word)) return;
            continue;
        }
        const uint64_t old = s->has_pair ? PEEK64(write_position, s->pair + 1) : word;
        if (at != position && !CLAIM64(write_position, s->pair, at, position)) continue;
        if (old == word || CLAIM64(write_position, s->pair + 1, old, word)) return;
    }
}

/* order[write_position]: for a pair that was found wrong, with `seen` for a position. False when
 * somebody else changed it since. */
static inline bool tape__pair_mend(tape__cycle_store_t *s, uint64_t seen, uint64_t position,
                                   int64_t sequence)
{
    uint64_t old = s->has_pair ? OBSERVE64(write_position, s->pair + 1) : 0;
    return CLAIM64(write_position, s->pair, seen, position) &&
           (!s->has_pair || CLAIM64(write_position, s->pair + 1, old,
                                    tape__cycle_store_pair_word(s, position, sequence)));
}

#endif
