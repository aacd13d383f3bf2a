/* look.h - whether a tailer that waits has something to read now. By whoever is inside the tailer:
 * its own thread, or the waiting service while it is armed. */
#ifndef TAPE_LOOK_H
#define TAPE_LOOK_H

#include "read/tailer.h"

/* Everything is looked at that often: whether files were deleted, and the directory where the
 * listing words do not tell. What they tell is looked at each time. */
#define TAPE__LOOK_EVERY_NS INT64_C(2000000000)

/* Whether the next read would give something: an answer. The tailer passes nothing by it. */
int tape__look(tape_tailer_t *t, int64_t now);
/* The same by two loads, as long as nothing has changed since the last look. */
int tape__look_quickly(tape_tailer_t *t, int64_t now);

/* A message was found although the armed word was not rung. */
void tape__look_found(tape__foreign_t *f, uint32_t word, int64_t now);
/* Somebody waits again, and has armed the word: was it a foreign writer's? */
void tape__look_judge(tape__foreign_t *f, uint32_t word);

/* How long to sleep before looking again for what nobody tells of. A message of a foreign writer is
 * found at most a sixteenth later than it was waited for, within a tenth of a millisecond and the
 * tailer's poll interval. */
int64_t tape__look_pause(int64_t poll_ns, int64_t foreign_ns, int64_t now);

#endif
