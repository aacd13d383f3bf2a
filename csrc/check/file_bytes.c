/* file_bytes.c - see file_bytes.h. */
#include "check/file_bytes.h"

#include <errno.h>
#include <string.h>

#include "base/bytes.h"
#include "base/platform.h"
#include "base/platform_check.h"

enum { STEP_MIN = 4096 };

int tape__file_bytes_open(tape__file_bytes_t *b, const char *path, bool writable)
{
    tape__stat_t st;
    memset(b, 0, sizeof *b);
    b->fd = tape__open_file(path, writable ? TAPE__RDWR : TAPE__RDONLY);
    if (b->fd < 0) return b->fd;
    int rc = tape__stat_fd(b->fd, &st);
    b->piece = rc == 0 ? tape__alloc(TAPE__FILE_BYTES_MAX) : NULL;
    if (rc == 0 && !b->piece) rc = -ENOMEM;
    if (rc == 0 && !st.is_regular) rc = -EINVAL;
    b->size = rc == 0 ? st.size : 0;
    b->step = STEP_MIN;
    if (rc < 0) tape__file_bytes_close(b);
    return rc;
}

void tape__file_bytes_close(tape__file_bytes_t *b)
{
    if (b->fd >= 0) tape__close_file(b->fd);
    tape__free(b->piece);
    b->fd = -1;
    b->piece = NULL;
}

void tape__file_bytes_refresh(tape__file_bytes_t *b)
{
    tape__stat_t st;
    b->filled = 0;
    int rc = tape__stat_fd(b->fd, &st);
    if (rc == 0) b->size = st.size;
    else if (b->failure == 0) b->failure = -rc;
}

static void fill(tape__file_bytes_t *b, uint64_t at, size_t size)
{
    bool straight = b->filled > 0 && at >= b->start && at <= b->start + b->filled;
    b->step = straight ? b->step * 2 : STEP_MIN;
    if (b->step < size) b->step = size;
    if (b->step > TAPE__FILE_BYTES_MAX) b->step = TAPE__FILE_BYTES_MAX;
    int64_t got = at < b->size ? tape__file_read(b->fd, at, b->piece, b->step) : 0;
    if (got < 0 && b->failure == 0) b->failure = (int)-got;
    if (got < 0) got = 0;
    memset(b->piece + got, 0, b->step - (size_t)got);
    b->start = at;
    b->filled = b->step;
}

const uint8_t *tape__file_bytes_at(tape__file_bytes_t *b, uint64_t at, size_t size)
{
    if (b->filled < size || at < b->start || at - b->start > b->filled - size) fill(b, at, size);
    return b->piece + (at - b->start);
}

uint32_t tape__file_bytes_u32(tape__file_bytes_t *b, uint64_t at)
{
    return tape__get_u32(tape__file_bytes_at(b, at, 4));
}

uint64_t tape__file_bytes_u64(tape__file_bytes_t *b, uint64_t at)
{
    return tape__get_u64(tape__file_bytes_at(b, at, 8));
}

uint64_t tape__file_bytes_nonzero(tape__file_bytes_t *b, uint64_t from, uint64_t to)
{
    uint64_t begin, end;
    if (to > b->size) to = b->size;
    while (from < to && tape__file_next_data(b->fd, from, to, &begin, &end) == 1) {
        while (begin < end) {
            size_t n = (size_t)tape__min_u64(end - begin, 64 * 1024);
            const uint8_t *p = tape__file_bytes_at(b, begin, n);
            const size_t zeros = tape__zeros(p, n);
            begin += zeros;
            if (zeros < n) return begin;
        }
        from = end;
    }
    return to;
}

uint64_t tape__file_bytes_last(tape__file_bytes_t *b)
{
    uint64_t last = 0, from = 0, begin, end;
    while (from < b->size && tape__file_next_data(b->fd, from, b->size, &begin, &end) == 1) {
        while (begin < end) {
            size_t n = (size_t)tape__min_u64(end - begin, 64 * 1024);
            const uint8_t *p = tape__file_bytes_at(b, begin, n);
            const size_t used = tape__without_zeros(p, n);
            if (used > 0) last = begin + used - 1;
            begin += n;
        }
        from = end;
    }
    return last;
}
