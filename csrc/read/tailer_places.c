/* tailer_places.c - see tailer_places.h. */
#include "read/tailer_places.h"

#include "base/platform.h"

enum {
    SLOT_BITS_LEAST = 9, /* 4 KiB */
    SLOT_BITS_MOST = 18, /* 2 MiB */
    EVERY_BITS_MOST = 8, /* no more than the index has */
    LOOKS_MAX = 64       /* further back the index is nearer */
};

void tape__places_want(tape__places_t *p, int64_t messages)
{
    if (p->slots || p->wanted++ == 0) return;
    int bits = SLOT_BITS_LEAST, every = 0;
    while (bits < SLOT_BITS_MOST && messages >> bits > 0) bits++;
    while (every < EVERY_BITS_MOST && messages >> (bits + every) > 0) every++;
    p->slots = tape__alloc(sizeof *p->slots << bits);
    p->slot_bits = bits;
    p->every_bits = every;
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
