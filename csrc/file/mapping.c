/* mapping.c - see mapping.h. */
#include "file/mapping.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/platform.h"

enum {
    WINDOW_GRAIN = 64 * 1024, /* windows begin at multiples of this */
    PART_GRAIN = 4096,        /* and parts of one at multiples of this */
    PACKED_WINDOW = 256 * 1024, /* of what must be decompressed first: about what is needed */
    ENLARGE_TRIES = 10000     /* of a millisecond: others hold the lock for a few system calls */
};

/* What has the name of a file and is none is passed over. */
static int is_a_directory(const char *path)
{
    return tape__fail(TAPE_ENOTFOUND, path, -1, "%s: a directory, where a file should be", path);
}

static _Thread_local bool leave_packed;

void tape__mapping_leave_packed(bool yes) { leave_packed = yes; }

/* A descriptor, for the caller to close, of what a compressed file holds with [at, at + size). */
static int unpack(const tape__file_t *file, uint64_t at, uint64_t size)
{
    if (leave_packed)
        return tape__fail(TAPE_EAGAIN, file->path, -1, "%s is not decompressed here", file->path);
    int got = file->unpacker.call(file->unpacker.user, file->path, at, size);
    if (got >= 0) return got;
    const char *why = "it could not be decompressed";
    if (got == TAPE_ECORRUPT) why = "it was cut or is damaged, and cannot be decompressed";
    else if (got == TAPE_EUNSUPPORTED) why = "the library that decompresses it is missing";
    else if (got == TAPE_ENOSPC) why = "there is no room for what it holds in the folder for "
                                       "temporary files";
    else if (got == TAPE_ENOTFOUND) why = "it was removed while it was being read";
    else if (got != TAPE_EACCES && got != TAPE_ENOMEM) got = TAPE_EIO;
    return tape__fail(got, file->path, -1, "%s: %s", file->path, why);
}

int tape__mapping_open_packed(tape__file_t *file, const char *path, tape__unpacker_t unpacker)
{
    tape__stat_t st;
    int rc = tape__mapping_open(file, path, false);
    if (rc != TAPE_OK) return rc;
    file->unpacker = unpacker;
    int fd = unpack(file, 0, 0);
    if (fd >= 0) {
        int failed = tape__stat_fd(fd, &st);
        tape__close_file(fd);
        if (failed == 0) {
            file->size = st.size;
            return TAPE_OK;
        }
        fd = tape__fail_errno(-failed, path, "asking for the size of what it holds");
    }
    tape__mapping_close(file);
    return fd;
}

int tape__mapping_open(tape__file_t *file, const char *path, bool writable)
{
    memset(file, 0, sizeof *file);
    file->fd = -1;
    if ((size_t)snprintf(file->path, sizeof file->path, "%s", path) >= sizeof file->path)
        return tape__fail(TAPE_EINVAL, path, -1, "the path is too long");
    int fd = tape__open_file(path, writable ? TAPE__RDWR : TAPE__RDONLY);
    if (fd == -EISDIR) return is_a_directory(path);
    if (fd < 0) return tape__fail_errno(-fd, path, "opening");
    file->fd = fd;
    file->writable = writable;
    tape__stat_t st;
    int rc = tape__stat_fd(fd, &st);
    if (rc < 0) {
        tape__mapping_close(file);
        return tape__fail_errno(-rc, path, "asking for the size");
    }
    if (!st.is_regular) {
        tape__mapping_close(file);
        if (st.is_directory) return is_a_directory(path);
        return tape__fail(TAPE_ECORRUPT, path, -1, "%s: not a regular file", path);
    }
    file->size = st.size;
    file->inode = st.inode;
    file->device = st.device;
    return TAPE_OK;
}

void tape__mapping_close(tape__file_t *file)
{
    if (file->fd >= 0) tape__close_file(file->fd);
    file->fd = -1;
}

int tape__mapping_refresh(tape__file_t *file)
{
    tape__stat_t st;
    if (file->unpacker.call) return TAPE_OK; /* nobody writes there */
    int rc = tape__stat_fd(file->fd, &st);
    if (rc < 0) return tape__fail_errno(-rc, file->path, "asking for the size");
    file->size = st.size;
    return TAPE_OK;
}

int tape__mapping_has_its_name(const tape__file_t *file)
{
    tape__stat_t st;
    int rc = tape__stat_path(file->path, &st);
    if (rc == -ENOENT || rc == -ENOTDIR) return 0;
    if (rc < 0) return tape__fail_errno(-rc, file->path, "asking whether the file was deleted");
    return st.inode == file->inode && st.device == file->device;
}

int tape__mapping_enlarge(tape__file_t *file, uint64_t size)
{
    int failed, tries = 0;
    while ((failed = tape__lock_range(file->fd, 0, 0, true)) == -EAGAIN && tries++ < ENLARGE_TRIES)
        tape__sleep_ns(1000000);
    if (failed < 0) return tape__fail_errno(-failed, file->path, "locking the file to enlarge it");
    int rc = tape__mapping_refresh(file);
    if (rc == TAPE_OK && file->size < size) {
        failed = tape__file_truncate(file->fd, size);
        if (failed < 0) rc = tape__fail_errno(-failed, file->path, "enlarging the file");
        else file->size = size;
    }
    tape__unlock_range(file->fd, 0, 0);
    return rc;
}

int tape__mapping_reserve(tape__file_t *file, uint64_t at, uint64_t size)
{
    int rc = tape__file_reserve(file->fd, at, size);
    if (rc == 0 || rc == -EOPNOTSUPP || rc == -ENOSYS || rc == -EINVAL) return TAPE_OK;
    return tape__fail_errno(-rc, file->path, "reserving blocks in a hole");
}

void tape__window_close(tape__window_t *w)
{
    if (!w->borrowed) tape__unmap(w->base, (size_t)w->size);
    memset(w, 0, sizeof *w);
}

tape__window_t tape__window_part(const tape__window_t *whole, uint64_t position, uint64_t size)
{
    const uint64_t start = tape__max_u64(whole->start, tape__align_down(position, PART_GRAIN));
    const uint64_t rest = whole->start + whole->size - start;
    return (tape__window_t){whole->base + (start - whole->start), start, tape__min_u64(size, rest),
                            true};
}

/* As tape__map(), of what a compressed file holds. A code is told already. */
static int map_packed(const tape__file_t *file, uint64_t start, uint64_t size, uint8_t **out)
{
    tape__stat_t st;
    int fd = unpack(file, start, size);
    if (fd < 0) return fd;
    int rc = tape__stat_fd(fd, &st);
    if (rc == 0 && st.size < start + size) rc = -EIO; /* touching it would kill us */
    if (rc == 0) rc = tape__map(fd, start, (size_t)size, false, out);
    tape__close_file(fd);
    return rc < 0 ? tape__fail_errno(-rc, file->path, "mapping what it holds") : TAPE_OK;
}

static int map(const tape__file_t *file, uint64_t start, uint64_t size, uint8_t **out)
{
    if (file->unpacker.call) return map_packed(file, start, size, out);
    int rc = tape__map(file->fd, start, (size_t)size, file->writable, out);
    return rc < 0 ? tape__fail_errno(-rc, file->path, "mapping") : TAPE_OK;
}

int tape__window_move(tape__window_t *w, tape__file_t *file, uint64_t position, uint64_t need,
                      uint64_t prefer)
{
    const uint64_t page = tape__page_size();
    uint64_t end, wanted;
    if (file->fd < 0) return tape__fail(TAPE_ECLOSED, file->path, -1, "the file was closed");
    if (tape__add_overflows(position, need, &end)) return TAPE__BEYOND_END;
    /* Always ask: an old Java writer may have shrunk the file since (format.md 11.2). */
    int rc = tape__mapping_refresh(file);
    if (rc != TAPE_OK) return rc;
    /* To the byte, not to the page: behind the end of a file that was cut there are only zeros. */
    const uint64_t limit = file->size;
    if (end > limit) return TAPE__BEYOND_END;
    if (file->unpacker.call) prefer = tape__min_u64(prefer, PACKED_WINDOW);
    uint64_t start = tape__align_down(position, WINDOW_GRAIN);
    if (tape__add_overflows(start, prefer, &wanted)) wanted = end;
    uint64_t size = tape__min_u64(tape__max_u64(tape__align_up(end, page), wanted), limit) - start;
    uint8_t *base;
    rc = map(file, start, size, &base);
    if (rc != TAPE_OK) return rc;
    tape__window_close(w);
    w->base = base;
    w->start = start;
    w->size = size;
    return TAPE_OK;
}
