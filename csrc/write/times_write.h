/* times_write.h - noting when the messages of the cycle in hand are written (cycle_times.h).
 *
 * Off the lane: a note is due when the writer looks after its files anyway (roll.c), a second after
 * the one before, or with the first message after that. So whatever this process wrote since its
 * note of time T was written before T + TAPE__NOTE_EVERY_MS, and what stands between two notes of
 * several such processes, likewise. A note that cannot be made is no failure of the append.
 *
 * All with the write lock held.
 */
#ifndef TAPE_TIMES_WRITE_H
#define TAPE_TIMES_WRITE_H

#include "write/writer.h"

#define TAPE__NOTE_EVERY_MS INT64_C(1000)

/* Whether, at `now` by the queue's clock, a note is due. Never where a cycle is not longer. */
bool tape__times_write_is_due(const tape__writer_t *w, int64_t now);
/* Whether nobody wrote in the cycle in hand since this writer knew its end. */
bool tape__times_write_is_alone(const tape__writer_t *w);
/* Notes where the writer stands: all before was written at `now` or earlier. With `alone`, as of
 * the above before this append, what was written before the message that the append added is known
 * to have been written before a pause. `added`: 1 or, when nothing is written yet, 0. */
void tape__times_write_note(tape__writer_t *w, int64_t now, bool alone, int added);
/* The cycle in hand will be left, at `now` (-1: not known): what was written since the last note
 * was before a pause, however long that will be. */
void tape__times_write_end(tape__writer_t *w, int64_t now);
/* The cycle file `path` is about to be made: notes that lie there are of another one. */
void tape__times_write_forget(const char *path);

#endif
