/* platform.c - Linux: files, mappings, locks, time; see platform.h. */
#define _GNU_SOURCE /* SEEK_HOLE, fallocate */
#include "base/platform.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "base/atomics.h"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif
#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#endif
#ifndef F_OFD_SETLK
#define F_OFD_GETLK 36
#define F_OFD_SETLK 37
#endif

/* ---- fault shim ---- */

#ifdef TAPE_FAULTS
static struct {
    uint32_t op, countdown; /* order[fault] */
    int system_errno;
    bool forever;
    int hits;
} armed;

void tape__fault_arm(tape__op_t op, int nth, int system_errno, bool forever)
{
    PUBLISH32(fault, &armed.countdown, 0);
    armed.system_errno = system_errno;
    armed.forever = forever;
    armed.hits = 0;
    PUBLISH32(fault, &armed.op, (uint32_t)op);
    PUBLISH32(fault, &armed.countdown, (uint32_t)nth);
}

int tape__fault_hits(void) { return armed.hits; }

int tape__fault_due(tape__op_t op)
{
    const uint32_t left = OBSERVE32(fault, &armed.countdown);
    if (left == 0 || OBSERVE32(fault, &armed.op) != (uint32_t)op) return 0;
    if (left > 1) {
        PUBLISH32(fault, &armed.countdown, left - 1);
        return 0;
    }
    if (!armed.forever) PUBLISH32(fault, &armed.countdown, 0);
    armed.hits++;
    return armed.system_errno;
}
#define FAULT(op)                                                                                  \
    do {                                                                                           \
        int fault_ = tape__fault_due(op);                                                          \
        if (fault_) return -fault_;                                                                \
    } while (0)
#else
#define FAULT(op) ((void)0)
#endif

/* A signal ends a call that waits, on some file systems any call: then once more. A fault of EINTR
 * that is to last for ever comes out. */
#ifdef TAPE_FAULTS
#define RETRY(op, rc, call)                                                                        \
    do {                                                                                           \
        errno = tape__fault_due(op);                                                               \
        rc = errno ? -1 : (call);                                                                  \
    } while (rc < 0 && errno == EINTR && !armed.forever)
#else
#define RETRY(op, rc, call)                                                                        \
    do {                                                                                           \
        rc = (call);                                                                               \
    } while (rc < 0 && errno == EINTR)
#endif

/* ---- memory ---- */

static uint64_t allocations;

void *tape__alloc(size_t size)
{
#ifdef TAPE_FAULTS
    if (tape__fault_due(TAPE__OP_MALLOC)) return NULL;
#endif
    (void)BUMP64(allocations, &allocations, 1);
    return calloc(1, size);
}

void tape__free(void *memory) { free(memory); }

uint64_t tape__alloc_count(void) { return PEEK64(allocations, &allocations); }

/* ---- files ---- */

int tape__open_file(const char *path, int flags)
{
    /* O_NONBLOCK: a pipe or a terminal under a file's name must not make us wait or be ours. */
    int how = O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
    how |= (flags & (TAPE__RDWR | TAPE__CREATE_NEW)) ? O_RDWR : O_RDONLY;
    if (flags & TAPE__CREATE_NEW) how |= O_CREAT | O_EXCL;
    int fd;
    RETRY(TAPE__OP_OPEN, fd, open(path, how, 0666));
    return fd < 0 ? -errno : fd;
}

void tape__close_file(int fd)
{
    if (fd >= 0) close(fd);
}

static void fill_stat(const struct stat *st, tape__stat_t *out)
{
    out->size = (uint64_t)st->st_size;
    out->allocated = (uint64_t)st->st_blocks * 512;
    out->device = (uint64_t)st->st_dev;
    out->inode = (uint64_t)st->st_ino;
    out->modified_ns =
        (uint64_t)st->st_mtim.tv_sec * UINT64_C(1000000000) + (uint64_t)st->st_mtim.tv_nsec;
    out->is_directory = S_ISDIR(st->st_mode);
    out->is_regular = S_ISREG(st->st_mode);
}

int tape__stat_fd(int fd, tape__stat_t *out)
{
    struct stat st;
    int rc;
    RETRY(TAPE__OP_STAT, rc, fstat(fd, &st));
    if (rc < 0) return -errno;
    fill_stat(&st, out);
    return 0;
}

int tape__stat_path(const char *path, tape__stat_t *out)
{
    struct stat st;
    int rc;
    RETRY(TAPE__OP_STAT, rc, stat(path, &st));
    if (rc < 0) return -errno;
    fill_stat(&st, out);
    return 0;
}

/* Beyond the limit the kernel does not only refuse, it kills by SIGXFSZ. */
static bool beyond_limit(uint64_t end)
{
    struct rlimit limit;
    return getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY &&
           end > (uint64_t)limit.rlim_cur;
}

int tape__file_truncate(int fd, uint64_t size)
{
    if (beyond_limit(size)) return -EFBIG;
    int rc;
    RETRY(TAPE__OP_TRUNCATE, rc, ftruncate(fd, (off_t)size));
    return rc == 0 ? 0 : -errno;
}

static int reserve(int fd, uint64_t offset, uint64_t size)
{
    if (beyond_limit(offset + size)) return -EFBIG;
    int rc;
    RETRY(TAPE__OP_ALLOCATE, rc, fallocate(fd, FALLOC_FL_KEEP_SIZE, (off_t)offset, (off_t)size));
    return rc == 0 ? 0 : -errno;
}

int tape__file_reserve(int fd, uint64_t offset, uint64_t size)
{
    int rc = reserve(fd, offset, size);
    return rc == -EINVAL || rc == -ENOSYS ? -EOPNOTSUPP : rc;
}

int tape__free_space(int fd, uint64_t *out)
{
    struct statvfs st;
    FAULT(TAPE__OP_ASK_SPACE);
    if (fstatvfs(fd, &st) != 0) return -errno;
    *out = (uint64_t)st.f_bavail * st.f_frsize;
    return 0;
}

int64_t tape__file_read(int fd, uint64_t offset, void *buffer, size_t size)
{
    size_t done = 0;
    while (done < size) {
        ssize_t n;
        RETRY(TAPE__OP_READ, n,
              pread(fd, (char *)buffer + done, size - done, (off_t)(offset + done)));
        if (n < 0) return -errno;
        if (n == 0) break;
        done += (size_t)n;
    }
    return (int64_t)done;
}

int tape__file_write(int fd, uint64_t offset, const void *buffer, size_t size)
{
    if (beyond_limit(offset + size)) return -EFBIG;
    for (size_t done = 0; done < size;) {
        ssize_t n;
        RETRY(TAPE__OP_WRITE, n,
              pwrite(fd, (const char *)buffer + done, size - done, (off_t)(offset + done)));
        if (n < 0) return -errno;
        if (n == 0) return -ENOSPC;
        done += (size_t)n;
    }
    return 0;
}

int tape__link(const char *from, const char *to)
{
    int rc;
    RETRY(TAPE__OP_LINK, rc, link(from, to));
    return rc == 0 ? 0 : -errno;
}

int tape__unlink(const char *path)
{
    int rc;
    RETRY(TAPE__OP_UNLINK, rc, unlink(path));
    return rc == 0 ? 0 : -errno;
}

int tape__rename(const char *from, const char *to)
{
    int rc;
    RETRY(TAPE__OP_RENAME, rc, rename(from, to));
    return rc == 0 ? 0 : -errno;
}

int tape__mkdir(const char *path)
{
    int rc;
    RETRY(TAPE__OP_MKDIR, rc, mkdir(path, 0777));
    return rc == 0 ? 0 : -errno;
}

int tape__rmdir(const char *path)
{
    FAULT(TAPE__OP_RMDIR);
    return rmdir(path) == 0 ? 0 : -errno;
}

int tape__current_directory(char *out, size_t size)
{
    FAULT(TAPE__OP_ASK_PLACE);
    return getcwd(out, size) ? 0 : -errno;
}

int tape__can_write(const char *path)
{
    FAULT(TAPE__OP_ASK_RIGHTS);
    return faccessat(AT_FDCWD, path, W_OK | X_OK, AT_EACCESS) == 0 ? 0 : -errno;
}

static bool is_directory(int dir, const struct dirent *entry)
{
    struct stat st;
    if (entry->d_type != DT_UNKNOWN && entry->d_type != DT_LNK) return entry->d_type == DT_DIR;
    return fstatat(dir, entry->d_name, &st, 0) == 0 && S_ISDIR(st.st_mode);
}

int tape__list_directory(const char *path, int (*each)(void *user, const char *name), void *user)
{
    FAULT(TAPE__OP_LIST);
    DIR *dir = opendir(path);
    if (!dir) return -errno;
    int rc = 0;
    const struct dirent *entry;
    while (rc == 0) {
        errno = 0;
        entry = readdir(dir);
        if (!entry) {
            rc = -errno;
            break;
        }
        if (!is_directory(dirfd(dir), entry)) rc = each(user, entry->d_name);
    }
    closedir(dir);
    return rc;
}

int tape__reading_allocates(int fd)
{
    enum { TMPFS = 0x01021994, OVERLAY = 0x794C7630, RAMFS = 0x858458F6 };
    struct statfs st;
    int rc;
    RETRY(TAPE__OP_STAT, rc, fstatfs(fd, &st));
    if (rc < 0) return -errno;
    const uint32_t kind = (uint32_t)st.f_type;
    return kind == TMPFS || kind == OVERLAY || kind == (uint32_t)RAMFS;
}

int tape__data_end(int fd, uint64_t from, uint64_t *end)
{
    FAULT(TAPE__OP_SEEK);
    off_t at = lseek(fd, (off_t)from, SEEK_HOLE); /* all else is by pread: no offset is disturbed */
    if (at < 0) return -errno;
    *end = (uint64_t)at;
    return 0;
}

/* statfs magic numbers of file systems on which two hosts (or a host and a server) may see other
 * bytes than the pages that processes here share. */
int tape__unshared_filesystem(const char *path, const char **name)
{
    static const struct {
        uint32_t magic;
        const char *name;
    } rows[] = {
        {0x6969, "NFS"},       {0xFF534D42, "CIFS"},  {0xFE534D42, "SMB2"},
        {0x517B, "SMB"},       {0x01021997, "9P"},    {0x5346414F, "AFS"},
        {0x6B414653, "kAFS"},  {0x00C36400, "Ceph"},  {0x0BD00BD0, "Lustre"},
        {0x73757245, "Coda"},  {0x7461636F, "OCFS2"}, {0x01161970, "GFS2"},
    };
    struct statfs st;
    *name = NULL;
    int rc;
    RETRY(TAPE__OP_STAT, rc, statfs(path, &st));
    if (rc < 0) return errno == ENOSYS ? 0 : -errno;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if ((uint32_t)st.f_type == rows[i].magic) *name = rows[i].name;
    return 0;
}

/* ---- mapping ---- */

int tape__map(int fd, uint64_t offset, size_t size, bool writable, uint8_t **out)
{
    FAULT(TAPE__OP_MAP);
    void *base = mmap(NULL, size, writable ? PROT_READ | PROT_WRITE : PROT_READ, MAP_SHARED, fd,
                      (off_t)offset);
    if (base == MAP_FAILED) return -errno;
    *out = base;
    return 0;
}

void tape__unmap(uint8_t *base, size_t size)
{
    if (base) munmap(base, size);
}

int tape__populate(uint8_t *base, size_t size)
{
    int rc;
    RETRY(TAPE__OP_POPULATE, rc, madvise(base, size, MADV_POPULATE_WRITE));
    return rc == 0 ? 0 : -errno;
}

int tape__present(uint8_t *base, size_t size)
{
    int rc;
    RETRY(TAPE__OP_PRESENT, rc, madvise(base, size, MADV_POPULATE_READ));
    return rc == 0 ? 0 : -errno;
}

size_t tape__page_size(void)
{
    return (size_t)sysconf(_SC_PAGESIZE); /* no system call */
}

/* ---- locks ---- */

/* Of `op`; TAPE__OP_COUNT never fails. */
static int range_lock(tape__op_t op, int fd, int command, short type, uint64_t start,
                      uint64_t length, struct flock *lock)
{
    (void)op; /* without the shim */
    memset(lock, 0, sizeof *lock);
    lock->l_type = type;
    lock->l_whence = SEEK_SET;
    lock->l_start = (off_t)start;
    lock->l_len = (off_t)length;
    int rc;
    RETRY(op, rc, fcntl(fd, command, lock));
    if (rc == 0) return 0;
    return errno == EACCES ? -EAGAIN : -errno;
}

int tape__lock_range(int fd, uint64_t start, uint64_t length, bool exclusive)
{
    struct flock lock;
    return range_lock(TAPE__OP_LOCK, fd, F_OFD_SETLK, exclusive ? F_WRLCK : F_RDLCK, start, length,
                      &lock);
}

int tape__unlock_range(int fd, uint64_t start, uint64_t length)
{
    struct flock lock;
    return range_lock(TAPE__OP_COUNT, fd, F_OFD_SETLK, F_UNLCK, start, length, &lock);
}

int tape__range_state(int fd, uint64_t start, uint64_t length)
{
    struct flock lock;
    int rc = range_lock(TAPE__OP_ASK_LOCK, fd, F_OFD_GETLK, F_WRLCK, start, length, &lock);
    return rc != 0 ? rc : lock.l_type == F_UNLCK ? TAPE__RANGE_FREE : TAPE__RANGE_LOCKED;
}

/* ---- time ---- */

static int64_t clock_ns(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int64_t tape__now_ms(void) { return clock_ns(CLOCK_REALTIME) / 1000000; }
int64_t tape__now_coarse_ns(void) { return clock_ns(CLOCK_REALTIME_COARSE); }
int64_t tape__now_coarse_ms(void) { return clock_ns(CLOCK_REALTIME_COARSE) / 1000000; }
int64_t tape__monotonic_ns(void) { return clock_ns(CLOCK_MONOTONIC); }

int64_t tape__coarse_tick_ms(void)
{
    struct timespec t;
    clock_getres(CLOCK_REALTIME_COARSE, &t);
    return (t.tv_sec * INT64_C(1000000000) + t.tv_nsec + 999999) / 1000000 + 1;
}

void tape__sleep_ns(int64_t ns)
{
    struct timespec t = {ns / 1000000000, ns % 1000000000};
    nanosleep(&t, NULL);
}

void tape__yield(void) { sched_yield(); }
