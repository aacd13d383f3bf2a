/* repair_copy.c - files of the result: copied, replaced, synced. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/platform_check.h"
#include "base/sync_point.h"
#include "check/repair.h"
#include "format/file_names.h"

enum { PIECE = 256 * 1024 };

/* Pages of zeros stay holes. */
static int copy_piece(int to, uint64_t at, const uint8_t *bytes, size_t size)
{
    for (size_t n = 0; n < size;) {
        size_t part = tape__min_u64(TAPE__BLOCK - (at + n) % TAPE__BLOCK, size - n);
        const bool any = tape__zeros(bytes + n, part) < part;
        int rc = any ? tape__file_write(to, at + n, bytes + n, part) : 0;
        if (rc < 0) return rc;
        n += part;
    }
    return 0;
}

static int copy_all(tape__repair_t *r, int from, int to, uint8_t *piece)
{
    tape__stat_t st;
    uint64_t at = 0, begin, end;
    int rc = tape__stat_fd(from, &st);
    if (rc == 0) rc = tape__file_truncate(to, st.size);
    while (rc == 0 && !r->f->stopped &&
           tape__file_next_data(from, at, st.size, &begin, &end) == 1) {
        for (; begin < end && rc == 0 && !r->f->stopped; begin += PIECE) {
            const size_t want = (size_t)tape__min_u64(PIECE, end - begin);
            const int64_t got = tape__file_read(from, begin, piece, want);
            rc = got < 0 ? (int)got : copy_piece(to, begin, piece, (size_t)got);
            tape__findings_progress(r->f, (int64_t)want);
        }
        at = end;
    }
    return rc == 0 ? tape__file_sync(to) : rc;
}

int tape__repair_copy(tape__repair_t *r, const char *from, const char *to)
{
    uint8_t *piece = tape__alloc(PIECE);
    int source = tape__open_file(from, TAPE__RDONLY), target = -1;
    int rc = source < 0 ? source : piece ? 0 : -ENOMEM;
    if (rc == 0) rc = target = tape__open_file(to, TAPE__CREATE_NEW);
    if (rc >= 0) rc = copy_all(r, source, target, piece);
    if (source >= 0) tape__close_file(source);
    if (target >= 0) tape__close_file(target);
    tape__free(piece);
    return rc < 0 ? tape__fail_errno(-rc, rc == source ? from : to, "copying a file") : TAPE_OK;
}

int tape__repair_sync_directory(const char *path)
{
    int fd = tape__open_file(path, TAPE__RDONLY);
    int rc = fd < 0 ? fd : tape__file_sync(fd);
    if (fd >= 0) tape__close_file(fd);
    return rc < 0 ? tape__fail_errno(-rc, path, "syncing the directory") : TAPE_OK;
}

void tape__repair_temporary(const tape__repair_t *r, char *out, size_t size)
{
    snprintf(out, size, "%.900s/" TAPE__TEMPORARY_REPAIR, r->into);
}

int tape__repair_replace(tape__repair_t *r, const char *made, const char *path)
{
    char kept[TAPE__PATH_SIZE];
    snprintf(kept, sizeof kept, "%.1100s-%" PRId64 TAPE__DAMAGED_SUFFIX, path, tape__now_ms());
    int rc = tape__link(path, kept);
    if (rc == -ENOENT) rc = 0; /* there was none */
    SYNC_POINT(repair_kept);
    if (rc == 0) rc = tape__rename(made, path);
    SYNC_POINT(repair_replaced);
    if (rc < 0) return tape__fail_errno(-rc, path, "putting the mended file in its place");
    /* What was noted of its times may be about messages that have other indexes now. */
    snprintf(kept, sizeof kept, "%.1100s" TAPE__TIMES_SUFFIX, path);
    (void)tape__unlink(kept);
    return tape__repair_sync_directory(r->into);
}
