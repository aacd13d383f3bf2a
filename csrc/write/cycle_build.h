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

/* Where the bound words of a new file are, and where its header ends. */
typedef struct {
    uint64_t pair, index2index, last_index, end;
} tape__cycle_places_t;
/* Puts the header document of an empty file. False: there is no room for it. */
bool tape__cycle_build_header(uint8_t *file, size_t capacity, const tape_roll_cycle_t *r,
                              tape__cycle_places_t *places);

/* Builds a complete file with its first message, write position and first index entry (9.3). On
 * failure there is no file at `path`. */
int tape__cycle_build(const tape__new_file_t *n);

#endif
