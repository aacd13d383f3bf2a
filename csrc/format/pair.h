/* pair.h - the write position's two words: the last message's place and number (format.md 4.3).
 *
 *     [0]   position of the last message's header word
 *     [1]   (position << shift) + sequence, modulo 2^64; 0: not known
 *
 * They are stored one after the other, so a reader may see [0] of one message and [1] of another.
 */
#ifndef TAPE_PAIR_H
#define TAPE_PAIR_H

#include <stdbool.h>
#include <stdint.h>

enum { TAPE__PAIR_SIZE = 16 };

static inline int tape__pair_log2(int64_t power) { return 63 - __builtin_clzll((uint64_t)power); }

/* How many low bits of [1] number the message: enough for all that the index can number, and 32 at
 * least. Both are powers of two. */
static inline int tape__pair_shift(int64_t index_count, int64_t index_spacing)
{
    int shift = 2 * tape__pair_log2(index_count) + tape__pair_log2(index_spacing);
    return shift < 32 ? 32 : shift;
}

static inline uint64_t tape__pair_word(int shift, uint64_t position, int64_t sequence)
{
    return (position << shift) + ((uint64_t)sequence & ((UINT64_C(1) << shift) - 1));
}

/* Whether [1] was made for this position. */
static inline bool tape__pair_agrees(int shift, uint64_t position, uint64_t word)
{
    return word != 0 && position << shift >> shift == word >> shift;
}

/* So far apart are positions of which [1] keeps the same bits. */
static inline uint64_t tape__pair_period(int shift) { return UINT64_C(1) << (64 - shift); }

/* Whether agreeing is proof. A pair that was caught, or left by a death, between its stores is one
 * message behind. That is less than the period, or all positions up to this one are; else it may
 * agree by chance behind a message that is a multiple of the period long: 64 KiB for
 * HUGE_DAILY_XSPARSE. */
static inline bool tape__pair_is_proof(int shift, uint64_t position)
{
    enum { LONGEST_RECORD_LOG2 = 31 };
    return 64 - shift >= LONGEST_RECORD_LOG2 || position < tape__pair_period(shift);
}

static inline int64_t tape__pair_sequence(int shift, uint64_t word)
{
    return (int64_t)(word & ((UINT64_C(1) << shift) - 1));
}

#endif
