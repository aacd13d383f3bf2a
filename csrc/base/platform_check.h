/* platform_check.h - what checking and mending ask of the system beside platform.h: where a file
 * has bytes, and who uses a directory.
 */
#ifndef TAPE_PLATFORM_CHECK_H
#define TAPE_PLATFORM_CHECK_H

#include <stdint.h>

/* The next stretch at or behind `from` that is no hole: [*begin, *end). 1, or 0 when only a hole is
 * left. Where the file system does not know, the whole rest of the file is one stretch. */
int tape__file_next_data(int fd, uint64_t from, uint64_t size, uint64_t *begin, uint64_t *end);

/* A process that has a file of the directory (an absolute path) mapped; 0 none, as far as this user
 * may see. */
int64_t tape__directory_user(const char *path);
/* Another process that has that file mapped for writing; 0 none, as far as this user may see. */
int64_t tape__other_writer(uint64_t inode);

#endif
