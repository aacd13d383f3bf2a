/* tailer_places.c - see tailer_places.h. */
#include "read/tailer_places.h"

#include "base/platform.h"

enum { SLOT_BITS_LEAST = 9, SLOT_BITS_MOST = 18 }; /* 4 KiB to 2 MiB */

void tape__places_want(tape__places_t *p, int64_t messages)
{
    if (p->slots || p->wanted++ == 0) return;
    int bits = SLOT_BITS_LEAST;
    while (bits < SLOT_BITS_MOST && (messages >> TAPE__PLACE_EVERY_BITS) >> bits > 0) bits++;
    p->slots = tape__alloc(sizeof *p->slots << bits);
    p->slot_bits = bits;
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
    const int64_t last = least < 0 ? 0 : least >> TAPE__PLACE_EVERY_BITS;
    for (int64_t place = sequence >> TAPE__PLACE_EVERY_BITS; place >= last; place--) {
        const uint64_t word = p->slots[place & ((INT64_C(1) << p->slot_bits) - 1)];
        const uint64_t tag = (uint64_t)place >> p->slot_bits;
        if (word == 0 || word >> TAPE__PLACE_POSITION_BITS != tag) continue;
        *found = place << TAPE__PLACE_EVERY_BITS;
        *position = (word & ((UINT64_C(1) << TAPE__PLACE_POSITION_BITS) - 1)) << 2;
        return *found >= least;
    }
    return false;
}
