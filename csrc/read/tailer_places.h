/* tailer_places.h - where messages of a cycle are, as far as a tailer has seen.
 *
 * The index has an entry for every 64th or 256th message, so a seek walks over a hundred others on
 * the average, and waits for the memory of each before it knows where the next one is. Who seeks a
 * second time into a cycle keeps the places that it passes, one word each, in a table of at most
 * 2 MiB: those of all messages where a quarter of a million is all there are, else of every 2nd,
 * 4th, ... (`every`, a power of two). When the cycle has grown to more messages than the table was
 * made for, so does the table, and what it knows is kept.
 *
 *     slot  sequence / every, modulo the number of slots (a power of two)
 *     word  bits 63..40  what the modulo took away of it, so that a slot names one place
 *           bits 39..0   position / 4; 0: nothing is known
 *
 * A complete document never moves, so a place once right stays right while the file is in hand.
 */
#ifndef TAPE_TAILER_PLACES_H
#define TAPE_TAILER_PLACES_H

#include <stdbool.h>
#include <stdint.h>

typedef struct {
    uint64_t *slots; /* NULL: none yet */
    int slot_bits;   /* log2 of their number */
    int every_bits;  /* log2 of `every` */
    int wanted;      /* how often a table was wanted in this cycle: the first seek makes none */
    int64_t room;    /* with so many messages it is too small */
} tape__places_t;

enum { TAPE__PLACE_POSITION_BITS = 40 };

/* Makes the table for a cycle of so many messages, when it is worth it. Without memory there is
 * none, and seeks walk from the index. */
void tape__places_make(tape__places_t *p, int64_t messages);
static inline void tape__places_want(tape__places_t *p, int64_t messages)
{
    if (messages >= p->room) tape__places_make(p, messages);
}
void tape__places_forget(tape__places_t *p);
/* The nearest place at or before `sequence`, not before `least` nor some dozen places back. */
bool tape__places_before(const tape__places_t *p, int64_t sequence, int64_t least, int64_t *found,
                         uint64_t *position);

static inline bool tape__places_wants(const tape__places_t *p, int64_t sequence)
{
    return (sequence & ((1 << p->every_bits) - 1)) == 0;
}

/* Where message `sequence` is, if that is known; else 0. */
static inline uint64_t tape__places_at(const tape__places_t *p, int64_t sequence)
{
    if (!p->slots || !tape__places_wants(p, sequence)) return 0;
    const uint64_t place = (uint64_t)sequence >> p->every_bits;
    const uint64_t word = p->slots[place & ((UINT64_C(1) << p->slot_bits) - 1)];
    const bool is_it = word >> TAPE__PLACE_POSITION_BITS == place >> p->slot_bits;
    return is_it ? (word & ((UINT64_C(1) << TAPE__PLACE_POSITION_BITS) - 1)) << 2 : 0;
}

/* Message `sequence`, one that is wanted, is at `position`, a multiple of 4. */
static inline void tape__places_note(tape__places_t *p, int64_t sequence, uint64_t position)
{
    const uint64_t place = (uint64_t)sequence >> p->every_bits;
    const uint64_t tag = place >> p->slot_bits;
    if (tag >> (64 - TAPE__PLACE_POSITION_BITS) || position >> (TAPE__PLACE_POSITION_BITS + 2))
        return;
    p->slots[place & ((UINT64_C(1) << p->slot_bits) - 1)] =
        tag << TAPE__PLACE_POSITION_BITS | position >> 2;
}

#endif
