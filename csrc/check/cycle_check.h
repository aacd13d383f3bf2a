/* cycle_check.h - everything that should hold in one cycle file.
 *
 * A writer may be at work. What writers advance is read before the walk, so that the walk comes at
 * least as far; and what does not fit at the end is looked at again before it is told: a writer
 * that goes on, or a living one that has the write lock, makes it "in flight".
 */
#ifndef TAPE_CYCLE_CHECK_H
#define TAPE_CYCLE_CHECK_H

#include "check/findings.h"
#include "format/roll_cycle.h"

typedef struct {
    const tape_roll_cycle_t *roll_cycle;
    int64_t cycle;
    bool newest;
    bool at_rest;       /* nobody else has the file: nothing is in flight */
    const char *table;  /* path of the table store, for the write lock's holder */
    uint64_t lock_at;   /* offset of its cell; 0: there is none */
} tape__cycle_facts_t;

/* Checks the file at `path`. *count: its messages, as far as they were found; *ended, which
 * may be NULL: whether END_OF_DATA stands behind them. False: it is gone. */
bool tape__cycle_check_file(tape__findings_t *f, const char *path, const tape__cycle_facts_t *facts,
                            int64_t *count, bool *ended);

/* Whether a living process has the write lock. */
bool tape__cycle_check_lock_lives(const tape__cycle_facts_t *facts);

#endif
