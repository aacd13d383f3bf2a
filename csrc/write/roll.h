/* roll.h - which cycle is written now, and getting its file and its end ready (format.md 8.5, 9).
 *
 *     roll.c          the clock, and entering the cycle that it shows
 *     roll_older.c    ending the cycles before it
 *     roll_end.c      the end of its chain: found, repaired, caught up with
 *     roll_room.c     room behind that end
 *
 * All with the write lock held.
 */
#ifndef TAPE_ROLL_H
#define TAPE_ROLL_H

#include "write/writer.h"

/* A message on its way. */
typedef struct {
    uint8_t frame[8];
    size_t frame_size;
    const void *data;
    size_t size;
} tape__message_t;

enum {
    TAPE__ROLL_READY = 0,     /* the writer stands at the end of the cycle that is now */
    TAPE__ROLL_WRITTEN = 1,   /* a new file was made with the message as its first */
    TAPE__ROLL_WAIT = 2       /* the newest cycle is finished, the clock has not moved: retry */
};

/* Decides the cycle by the clock and makes the writer stand at the end of its chain. One of the
 * above, or a code. The quick path is tape__roll_is_current(). */
int tape__roll_to_now(tape__writer_t *w, const tape__message_t *m);

/* Whether the coarse clock alone says that the writer's cycle is the one to write. */
bool tape__roll_is_current(const tape__writer_t *w);

/* Walks over what others wrote since. TAPE_OK, TAPE__ROLL_WAIT (the file was ended) or a code. */
int tape__roll_catch_up(tape__writer_t *w);

/* Slow half of making [next, next + need) ready to be written without a system call or page fault:
 * grows the file, reserves blocks, moves the window, faults in. */
int tape__roll_make_ready(tape__writer_t *w, uint64_t need);

/* ---- between the files above ---- */

#define TAPE__WRITER_WINDOW (UINT64_C(16) << 20)
#define TAPE__RESERVE_FIRST (UINT64_C(256) << 10)

/* Renames a half-made file out of the way, as Java does (1.1). */
int tape__roll_move_aside(tape__writer_t *w, const char *path);
/* END_OF_DATA into every file of a cycle below `cycle` that lacks it. */
int tape__roll_end_older(tape__writer_t *w, int64_t cycle);
/* Finds the end of the chain just opened, and applies the row of recovery.h that fits it. TAPE_OK,
 * TAPE__ROLL_WAIT or a code. */
int tape__roll_find_the_end(tape__writer_t *w);
/* Calls `add` for each message from lastIndex on that should have an entry. Only up to the end as
 * it was found (a copy: adding a page moves it): if lastIndex is wrong, the walk may begin
 * anywhere. */
typedef int tape__add_entry_t(tape__writer_t *w, tape__cycle_store_t *s,
                              const tape__cursor_t *message);
int tape__roll_index_the_rest(tape__writer_t *w, tape__cycle_store_t *s, tape__cursor_t end,
                              tape__add_entry_t *add);

#endif
