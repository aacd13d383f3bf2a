/* pair_write.h - writePosition and its sequence word, as writers set them (format.md 4.3, 6.4).
 *
 * Both only grow, for whoever looks: Java's `writeBytes` takes a write position that is not above
 * its own for the news that nobody else wrote. So a writer whose lock was broken just before must
 * not set them back when it goes on. Each word is changed by CLAIM from what it was before, the
 * position first, as Java does; a reader of the sequence word then finds at least that position,
 * and notices by the low bits when the two do not belong together.
 */
#ifndef TAPE_PAIR_WRITE_H
#define TAPE_PAIR_WRITE_H

#include "base/atomics.h"
#include "file/cycle_store.h"

/* order[write_position]: the message at `position` is the last; nothing when there is a later one
 * by now. With the write lock held, after its publication. */
static inline void tape__pair_raise(tape__cycle_store_t *s, uint64_t position, int64_t sequence)
{
    uint64_t *pair = tape__window_u64(&s->head, s->write_position_at);
    const uint64_t word = tape__cycle_store_pair_word(s, position, sequence);
    for (;;) {
        uint64_t at = PEEK64(write_position, pair);
        if (at > position) return;
        uint64_t old = s->has_pair ? PEEK64(write_position, pair + 1) : word;
        if (at != position && !CLAIM64(write_position, pair, at, position)) continue;
        if (old == word || CLAIM64(write_position, pair + 1, old, word)) return;
    }
}

/* order[write_position]: for a pair that was found wrong, with `seen` for a position. False when
 * somebody else changed it since. */
static inline bool tape__pair_mend(tape__cycle_store_t *s, uint64_t seen, uint64_t position,
                                   int64_t sequence)
{
    uint64_t *pair = tape__window_u64(&s->head, s->write_position_at);
    uint64_t old = s->has_pair ? OBSERVE64(write_position, pair + 1) : 0;
    return CLAIM64(write_position, pair, seen, position) &&
           (!s->has_pair || CLAIM64(write_position, pair + 1, old,
                                    tape__cycle_store_pair_word(s, position, sequence)));
}

#endif
