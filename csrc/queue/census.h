/* census.h - how much is in a cycle file, for those who count. */
#ifndef TAPE_CENSUS_H
#define TAPE_CENSUS_H

#include "file/cycle_store.h"

/* What is in the file at `path`, of `cycle`: 1, 0 when there is none, or a code. Nothing is in one
 * that is half-made. */
int tape__census_extent(const char *path, int64_t cycle, tape__extent_t *out);

#endif
