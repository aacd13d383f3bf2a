/* file_bytes.h - a file by pread, in pieces: never mapped, so nothing that another process does to
 * it can kill us.
 *
 * What lies behind the end of the file reads as zeros, as in the last page of a mapping. One piece
 * is kept; it grows while reading goes straight on, and is small where it jumps.
 */
#ifndef TAPE_FILE_BYTES_H
#define TAPE_FILE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { TAPE__FILE_BYTES_MAX = 256 * 1024 }; /* that can be asked for at once */

typedef struct {
    int fd;
    uint64_t size;
    uint8_t *piece;
    uint64_t start;
    size_t filled, step;
    int failure; /* errno of the first read that failed; zeros since */
} tape__file_bytes_t;

/* 0 or a negative errno. */
int tape__file_bytes_open(tape__file_bytes_t *b, const char *path, bool writable);
void tape__file_bytes_close(tape__file_bytes_t *b);
/* Forgets what was read, and asks for the size: the file may have changed. */
void tape__file_bytes_refresh(tape__file_bytes_t *b);
/* `size` bytes at `at`, until the next call. */
const uint8_t *tape__file_bytes_at(tape__file_bytes_t *b, uint64_t at, size_t size);
uint32_t tape__file_bytes_u32(tape__file_bytes_t *b, uint64_t at);
uint64_t tape__file_bytes_u64(tape__file_bytes_t *b, uint64_t at);
/* The last byte that is not 0; 0 when there is none. */
uint64_t tape__file_bytes_last(tape__file_bytes_t *b);
/* The first byte in [from, to) that is not 0, holes passed over; `to` when there is none. */
uint64_t tape__file_bytes_nonzero(tape__file_bytes_t *b, uint64_t from, uint64_t to);

#endif
