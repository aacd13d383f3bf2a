/* mapping.c - see mapping.h. */
#include "file/mapping.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/platform.h"
#include "base/sync_point.h"

enum {
    WINDOW_GRAIN = 64 * 1024, /* windows begin at multiples of this */
    PART_GRAIN = 4096,        /* and parts of one at multiples of this */
    PACKED_WINDOW = 256 * 1024, /* of what must be decompressed first: about what is needed */
    ENLARGE_TRIES = 10000,    /* of a millisecond: others hold the lock for a few system calls */
    READ_AHEAD = 64 * 1024,   /* brought in behind the data, where holes cost */
    LOOK_MAX = 8,
    SPARE_SPACE = 256 * 1024
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
    file->holes_cost = 0; /* what is unpacked has none */
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
    file->holes_cost = -1;
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
    if (rc == -ENOENT || rc == -ENOTDIR) return TAPE__NO;
    if (rc < 0) return tape__fail_errno(-rc, file->path, "asking whether the file was deleted");
    return tape__answer(st.inode == file->inode && st.device == file->device);
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
        SYNC_POINT(file_enlarged);
    }
    tape__unlock_range(file->fd, 0, 0);
    return rc;
}

/* ---- holes ---- */

typedef int bring_in_t(uint8_t *base, size_t size);

/* The pages of [at, at + size) in `w`; 0, or a negative errno. */
static int bring_in(bring_in_t *how, const tape__window_t *w, uint64_t at, uint64_t size)
{
    const uint64_t page = tape__page_size(), from = tape__align_down(at, page);
    const uint64_t to = tape__min_u64(tape__align_up(at + size, page), w->start + w->size);
    return to > from ? how(tape__window_at(w, from), (size_t)(to - from)) : 0;
}

/* What the kernel says instead of a signal. */
static bool is_without_room(int rc) { return rc == -EFAULT || rc == -ENOMEM || rc == -ENOSPC; }

/* An old kernel cannot bring pages in: then by what it says of the free space. */
static int ask_for_space(const tape__file_t *file, uint64_t size)
{
    uint64_t space;
    int rc = tape__free_space(file->fd, &space);
    if (rc == 0 && space < size + SPARE_SPACE) rc = -ENOSPC;
    return rc;
}

int tape__mapping_reserve(tape__file_t *file, const tape__window_t *w, uint64_t at, uint64_t size)
{
    /* Whole pages: of one that is written to all blocks are wanted, and they may be smaller. */
    const uint64_t page = tape__page_size(), from = tape__align_down(at, page);
    int rc = tape__file_reserve(file->fd, from, tape__align_up(at + size, page) - from);
    if (rc == -EOPNOTSUPP) {
        rc = bring_in(tape__populate, w, at, size);
        if (rc == -EINVAL || rc == -ENOSYS) rc = ask_for_space(file, size);
        if (is_without_room(rc)) rc = -ENOSPC;
    }
    return rc < 0 ? tape__fail_errno(-rc, file->path, "reserving blocks in a hole") : TAPE_OK;
}

/* TAPE__YES, TAPE__NO or a code. */
static int holes_cost(tape__file_t *file)
{
    if (file->holes_cost < 0) {
        int rc = tape__reading_allocates(file->fd);
        if (rc < 0) return tape__fail_errno(-rc, file->path, "asking for the kind of file system");
        file->holes_cost = rc > 0;
    }
    return file->holes_cost ? TAPE__YES : TAPE__NO;
}

int tape__mapping_make_readable(tape__file_t *file, const tape__window_t *w, uint64_t at,
                                uint64_t size)
{
    int rc = holes_cost(file);
    if (rc != TAPE__YES) return rc == TAPE__NO ? TAPE_OK : rc;
    if (file->writable) return tape__mapping_reserve(file, w, at, size);
    rc = bring_in(tape__present, w, at, size);
    if (rc == -EINVAL || rc == -ENOSYS) rc = ask_for_space(file, size);
    if (is_without_room(rc)) return TAPE__BEYOND_END;
    return rc < 0 ? tape__fail_errno(-rc, file->path, "bringing in pages to read") : TAPE_OK;
}

/* ---- windows ---- */

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

static int map(const tape__file_t *file, uint64_t start, uint64_t end, tape__window_t *out)
{
    const uint64_t size = end - start;
    uint8_t *base;
    int rc;
    if (file->unpacker.call) {
        rc = map_packed(file, start, size, &base);
    } else {
        rc = tape__map(file->fd, start, (size_t)size, file->writable, &base);
        if (rc < 0) rc = tape__fail_errno(-rc, file->path, "mapping");
    }
    if (rc == TAPE_OK) *out = (tape__window_t){base, start, size, false};
    return rc;
}

/* A window on [start, end), of which [position, position + need) must be readable, where reading a
 * hole takes room: one that ends with the data, and some pages behind that are brought in here.
 * With no room for them it ends before; and a header word in a hole counts as free, like one behind
 * the end of the file. */
static int map_without_holes(tape__file_t *file, uint64_t start, uint64_t position, uint64_t need,
                             uint64_t end, tape__window_t *out)
{
    uint64_t data;
    int rc = tape__data_end(file->fd, position, &data);
    if (rc == -EINVAL) return map(file, start, end, out); /* nothing is told of holes */
    if (rc < 0) return tape__fail_errno(-rc, file->path, "looking for holes");
    if (data >= end) return map(file, start, end, out);
    const uint64_t wanted = tape__max_u64(data, position + need);
    rc = map(file, start, tape__min_u64(end, wanted + READ_AHEAD), out);
    if (rc != TAPE_OK) return rc;
    rc = bring_in(tape__present, out, data, out->start + out->size - data);
    if (rc == 0) return TAPE_OK;
    tape__window_close(out);
    if (rc == -EINVAL || rc == -ENOSYS) return map(file, start, end, out);
    if (!is_without_room(rc)) return tape__fail_errno(-rc, file->path, "bringing in pages to read");
    if (data <= position) return TAPE__BEYOND_END;
    return map(file, start, wanted, out); /* the hole is within the document: an index page's */
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
    const uint64_t to = tape__min_u64(tape__max_u64(tape__align_up(end, page), wanted), limit);
    tape__window_t moved = {0};
    rc = holes_cost(file);
    if (rc < 0) return rc;
    /* A writer that needs more than a look at a word has reserved it. */
    if (rc == TAPE__NO || (file->writable && need > LOOK_MAX)) rc = map(file, start, to, &moved);
    else rc = map_without_holes(file, start, position, need, to, &moved);
    if (rc != TAPE_OK) return rc;
    tape__window_close(w);
    *w = moved;
    return TAPE_OK;
}
