/* cycle_build.h - a new cycle file, complete before anyone can see it. */
#ifndef TAPE_CYCLE_BUILD_H
#define TAPE_CYCLE_BUILD_H

#include "format/roll_cycle.h"

typedef struct {
    const tape_roll_cycle_t *roll_cycle;
    uint64_t file_size;      /* by Java's steps (11.2) */
    const void *frame;       /* the first message */
    size_t frame_size;
    const void *data;
    size_t size;
    const char *path;        /* temporary name; the caller links it */
} tape__new_file_t;

/* Builds a complete file with its first message, write position and first index entry (9.3). On
 * failure there is no file at `path`. */
int tape__cycle_build(const tape__new_file_t *n);

#endif
