/* tailer_time.c - to the first message of a time, as near as is known (cycle_times.h). */
#include "base/error.h"
#include "file/cycle_times.h"
#include "read/tailer.h"

#define TIME_MAX_MS (INT64_C(1) << 62) /* as of clocks: an epoch can be added and taken away */

/* The message of the cycle to begin with. */
static int64_t first_in(const tape_tailer_t *t, int64_t cycle, int64_t ms)
{
    char path[TAPE__PATH_SIZE];
    tape__stretch_t stretch = {0, -1};
    if (tape__listing_path(&t->site->listing, cycle, path, sizeof path))
        tape__cycle_times_find(path, cycle, ms, &stretch);
    return stretch.first;
}

/* Behind the last message: TAPE__SOUGHT_NEXT. */
static int move_behind_all(tape_tailer_t *t)
{
    tape__chain_end_t end;
    int rc = tape__tailer_move_to_end(t, &end);
    return rc < 0 ? rc : TAPE__SOUGHT_NEXT;
}

/* All messages of an earlier cycle were written before, all of a later one afterwards. */
static int move_to_time(tape_tailer_t *t, int64_t ms)
{
    tape__site_t *site = t->site;
    const int64_t shown =
        tape__roll_cycle_at_ms(site->settings.roll_cycle, site->listing.epoch_ms, ms);
    int64_t cycle = shown < 0 ? 0 : shown;
    for (;; cycle++) {
        int rc = tape__shelf_above(&site->shelf, cycle, NULL, &cycle);
        if (rc != TAPE_OK) return rc;
        if (cycle == TAPE__NO_CYCLE) return move_behind_all(t);
        const int64_t first = cycle == shown ? first_in(t, cycle, ms) : 0;
        rc = tape__tailer_move(t, cycle, first);
        /* The notes are of another file: a cycle restored from an older copy, perhaps. */
        if (rc == TAPE__SOUGHT_BEYOND && first > 0) rc = tape__tailer_move(t, cycle, 0);
        if (rc < 0 || rc == TAPE__SOUGHT_THERE) return rc;
    }
}

int tape__tailer_move_to_time(tape_tailer_t *t, int64_t ms)
{
    if (ms < -TIME_MAX_MS || ms > TIME_MAX_MS)
        return tape__fail(TAPE_EINVAL, t->site->path, -1, "a time beyond 2^62 ms");
    return move_to_time(t, ms);
}
