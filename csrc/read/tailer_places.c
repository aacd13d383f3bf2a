/* tailer_places.c - see tailer_places.h. */
#include "read/tailer_places.h"

#include "base/platform.h"

enum {
    SLOT_BITS_LEAST = 9, /* 4 KiB */
    SLOT_BITS_MOST = 18, /* 2 MiB */
    EVERY_BITS_MOST = 8, /* no more than the index has */
    LOOKS_MAX = 64       /* further back the index is nearer */
};

/* What the smaller table knew, as far as the new one wants it. */
static void move_places(const tape__places_t *from, tape__places_t *to)
{
    for (uint64_t slot = 0; slot < UINT64_C(1) << from->slot_bits; slot++) {
        const uint64_t word = from->slots[slot];
        if (word == 0) continue;
        const uint64_t place = word >> TAPE__PLACE_POSITION_BITS << from->slot_bits | slot;
        const int64_t sequence = (int64_t)(place << from->every_bits);
        if (tape__places_wants(to, sequence))
            tape__places_note(to, sequence,
                              (word & ((UINT64_C(1) << TAPE__PLACE_POSITION_BITS) - 1)) << 2);
    }
}

void tape__places_make(tape__places_t *p, int64_t messages)
{
    tape__places_t made = {.slot_bits = SLOT_BITS_LEAST, .wanted = p->wanted};
    if (p->wanted++ == 0) return;
    while (made.slot_bits < SLOT_BITS_MOST && messages >> made.slot_bits > 0) made.slot_bits++;
    while (made.every_bits < EVERY_BITS_MOST && messages >> (made.slot_bits + made.every_bits) > 0)
        made.every_bits++;
    const int bits = made.slot_bits + made.every_bits;
    made.room = bits == SLOT_BITS_MOST + EVERY_BITS_MOST ? INT64_MAX : INT64_C(1) << bits;
    made.slots = tape__alloc(sizeof *made.slots << made.slot_bits);
    if (!made.slots) return;
    if (p->slots) move_places(p, &made);
    tape__free(p->slots);
    *p = made;
}

void tape__places_forget(tape__places_t *p)
{
    tape__free(p->slots);
    *p = (tape__places_t){0};
}

bool tape__places_before(const tape__places_t *p, int64_t sequence, int64_t least, int64_t *found,
                         uint64_t *position)
{
    if (!p->slots) return false;
    const int64_t first = sequence >> p->every_bits;
    int64_t last = least < 0 ? 0 : least >> p->every_bits;
    if (last < first - LOOKS_MAX) last = first - LOOKS_MAX;
    for (int64_t place = first; place >= last; place--) {
        const uint64_t word = p->slots[place & ((INT64_C(1) << p->slot_bits) - 1)];
        const uint64_t tag = (uint64_t)place >> p->slot_bits;
        if (word == 0 || word >> TAPE__PLACE_POSITION_BITS != tag) continue;
        *found = place << p->every_bits;
        *position = (word & ((UINT64_C(1) << TAPE__PLACE_POSITION_BITS) - 1)) << 2;
        return *found >= least;
    }
    return false;
}
