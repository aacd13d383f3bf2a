/* mapping.h - windows of a mapped file.
 *
 * A cycle file is tens of megabytes long, mostly hole, and grows; one looks at it through windows,
 * each a mapped range that is moved when another range is wanted. Every window is bounded by the
 * size of the file at the time of mapping: touching a page behind the end of
 * a file kills the process (format.md 11.2).
 */
#ifndef TAPE_MAPPING_H
#define TAPE_MAPPING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/platform.h"
#include "tape.h"

/* The wanted range is not in the file (yet). Outcomes that stand beside codes are positive, and no
 * two of libtape are equal. */
enum { TAPE__BEYOND_END = 21 };

/* By which a compressed file is read. `call` is NULL: there is none, or the file is no such one. */
typedef struct {
    tape_unpack_fn call;
    void *user;
} tape__unpacker_t;

typedef struct {
    int fd; /* -1: not open */
    bool writable;
    uint64_t size; /* as last seen; a file may be longer by now */
    tape__unpacker_t unpacker; /* of a compressed one, whose size is that of what it holds */
    uint64_t inode, device;
    int8_t holes_cost; /* whether reading in a hole takes room: 1, 0; -1: not yet asked */
    char path[TAPE__PATH_SIZE];
} tape__file_t;

typedef struct {
    uint8_t *base; /* NULL: nothing mapped */
    uint64_t start;
    uint64_t size;
    bool borrowed; /* a part of another window, which outlives it: closing it unmaps nothing */
} tape__window_t;

/* 0 or a tape code; the path is kept for messages. */
int tape__mapping_open(tape__file_t *file, const char *path, bool writable);
/* The same for a compressed file, read-only: windows show what it holds, without the file itself
 * being mapped. */
int tape__mapping_open_packed(tape__file_t *file, const char *path, tape__unpacker_t unpacker);
/* From now until it is said again with false, this thread decompresses nothing: what needs it gives
 * TAPE_EAGAIN. For who holds a lock that the caller of a tape_unpack_fn may be waiting for. */
void tape__mapping_leave_packed(bool yes);
void tape__mapping_close(tape__file_t *file);
/* Asks for the file's size again. */
int tape__mapping_refresh(tape__file_t *file);

/* Whether the path still leads to this file, which somebody may have deleted, moved or replaced: an
 * answer. */
int tape__mapping_has_its_name(const tape__file_t *file);
/* Makes the file at least `size` bytes long, under the lock on the whole file that every enlarging
 * process takes (format.md 11.2): one that computed its step from an older size could cut it
 * otherwise. TAPE_OK or a code. */
int tape__mapping_enlarge(tape__file_t *file, uint64_t size);

/* Reserves the blocks of a range of `w` that may be a hole, before it is written to: a full disk is
 * an error here, and a signal at the first touch. On file systems that reserve nothing the pages
 * are brought in for writing, by a call that gives an error. */
int tape__mapping_reserve(tape__file_t *file, const tape__window_t *w, uint64_t at, uint64_t size);

/* Before a range of `w` is read that may be a hole: TAPE_OK, or TAPE__BEYOND_END where reading a
 * hole takes room and there is none; for a writer, who needs the room anyway, TAPE_ENOSPC. */
int tape__mapping_make_readable(tape__file_t *file, const tape__window_t *w, uint64_t at,
                                uint64_t size);

/* Slow half of tape__window_cover(): moves the window. */
int tape__window_move(tape__window_t *w, tape__file_t *file, uint64_t position, uint64_t need,
                      uint64_t prefer);

static inline bool tape__window_has(const tape__window_t *w, uint64_t position, uint64_t need)
{
    return position >= w->start && need <= w->size && position - w->start <= w->size - need;
}

/* Makes [position, position + need) mapped; a new window is `prefer` bytes long where the file is.
 * TAPE_OK, TAPE__BEYOND_END, or a code. Pointers into the old window are dead when it moves. */
static inline int tape__window_cover(tape__window_t *w, tape__file_t *file, uint64_t position,
                                     uint64_t need, uint64_t prefer)
{
    if (__builtin_expect(tape__window_has(w, position, need), 1)) return TAPE_OK;
    return tape__window_move(w, file, position, need, prefer);
}

static inline uint8_t *tape__window_at(const tape__window_t *w, uint64_t position)
{
    return w->base + (position - w->start);
}
static inline uint32_t *tape__window_u32(const tape__window_t *w, uint64_t position)
{
    return (uint32_t *)(void *)tape__window_at(w, position);
}
static inline uint64_t *tape__window_u64(const tape__window_t *w, uint64_t position)
{
    return (uint64_t *)(void *)tape__window_at(w, position);
}

void tape__window_close(tape__window_t *w);
/* The part of `whole` from shortly before `position` on, at most `size` bytes, without mapping it
 * again. `position` lies in `whole`. */
tape__window_t tape__window_part(const tape__window_t *whole, uint64_t position, uint64_t size);

#endif
