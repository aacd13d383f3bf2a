/* roll_cycle.h - roll cycles: index <-> cycle and sequence, time <-> cycle, cycle <-> file name.
 *
 * Pure arithmetic over the table of format.md 1.3; no I/O, no clock.
 */
#ifndef TAPE_ROLL_CYCLE_H
#define TAPE_ROLL_CYCLE_H

#include <stdbool.h>
#include <stddef.h>

#include "tape.h"

enum { TAPE__NAME_MAX = 64 }; /* of a cycle file, with suffix */

/* The first built-in cycle with exactly this pattern (Java's rule), or NULL. */
const tape_roll_cycle_t *tape__roll_cycle_by_pattern(const char *pattern, size_t length);
/* The first built-in cycle that can have made this file name (with ".cq4"), or NULL. */
const tape_roll_cycle_t *tape__roll_cycle_by_file_name(const char *name);

/* A sequence for which an index has no room (from damaged bytes) is shown as the largest: it would
 * run into the next cycles, or below 0. */
static inline int64_t tape__index(const tape_roll_cycle_t *r, int64_t cycle, int64_t sequence)
{
    if (sequence >> r->shift > 0) sequence = (INT64_C(1) << r->shift) - 1;
    return (int64_t)(((uint64_t)cycle << r->shift) + (uint64_t)sequence);
}
static inline int64_t tape__index_cycle(const tape_roll_cycle_t *r, int64_t index)
{
    return index >> r->shift;
}
static inline int64_t tape__index_sequence(const tape_roll_cycle_t *r, int64_t index)
{
    return (int64_t)((uint64_t)index & ((UINT64_C(1) << r->shift) - 1));
}

/* The epoch that counts: the stored one, or the cycle's default when that is 0 (1.4). */
int64_t tape__roll_cycle_epoch(const tape_roll_cycle_t *r, int64_t stored_epoch_ms);

/* format.md 1.4; truncates toward zero as Java does. */
int64_t tape__roll_cycle_at_ms(const tape_roll_cycle_t *r, int64_t epoch_ms, int64_t now_ms);
/* The first millisecond of a cycle, the inverse of the above. */
int64_t tape__roll_cycle_start_ms(const tape_roll_cycle_t *r, int64_t epoch_ms, int64_t cycle);

/* format.md 1.5: the file name with ".cq4". False when it does not fit. */
bool tape__roll_cycle_spell(const tape_roll_cycle_t *r, int64_t epoch_ms, int64_t cycle, char *out,
                            size_t size);
/* Whether a name ends as those of cycle files do. */
bool tape__roll_cycle_suffix(const char *name);
/* format.md 1.6: true and *cycle when `name` is exactly the name of a cycle file. */
bool tape__roll_cycle_parse(const tape_roll_cycle_t *r, int64_t epoch_ms, const char *name,
                            int64_t *cycle);

#endif
