/* platform.h - the operating system: with platform_wait.h all system calls of libtape, and its only
 * malloc. What is told of processes is in platform_process.c.
 *
 * Functions that can fail return 0 (or a value) or a negative errno; callers turn that into a code
 * with tape__fail_errno(-rc, file, doing).
 *
 * Fault shim: in a build with TAPE_FAULTS the wrappers of the operations in tape__op_t can be made
 * to fail; a test arms "the Nth call of this operation, with that errno, once or for ever". Those
 * that no operation names cannot: closing, unlocking, unmapping, and what is told of processes and
 * clocks, where "unknown" is an answer.
 */
#ifndef TAPE_PLATFORM_H
#define TAPE_PLATFORM_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum tape__op {
    TAPE__OP_OPEN,
    TAPE__OP_STAT,
    TAPE__OP_TRUNCATE,
    TAPE__OP_ALLOCATE,
    TAPE__OP_MAP,
    TAPE__OP_POPULATE,
    TAPE__OP_READ,
    TAPE__OP_WRITE,
    TAPE__OP_LINK,
    TAPE__OP_UNLINK,
    TAPE__OP_RENAME,
    TAPE__OP_MKDIR,
    TAPE__OP_LIST,
    TAPE__OP_LOCK,
    TAPE__OP_SYNC,
    TAPE__OP_MALLOC,
    TAPE__OP_WAIT,
    TAPE__OP_PRESENT,
    TAPE__OP_SEEK,
    TAPE__OP_ASK_LOCK,
    TAPE__OP_ASK_SPACE,
    TAPE__OP_ASK_RIGHTS,
    TAPE__OP_ASK_PLACE,
    TAPE__OP_RMDIR,
    TAPE__OP_COUNT
} tape__op_t;

#ifdef TAPE_FAULTS
/* Lets the `nth` (1 is the next) call of `op` fail with `system_errno`; all later ones too if
 * `forever`. nth 0 disarms. tape__fault_hits() counts the faults given since arming. */
void tape__fault_arm(tape__op_t op, int nth, int system_errno, bool forever);
int tape__fault_hits(void);
int tape__fault_due(tape__op_t op); /* for the other platform files: an errno, or 0 */
/* Called in place of the system's calls that sync, when not NULL. */
extern int (*tape__disk_shim)(int fd);
#endif

/* The smallest block of a file system, and page. */
enum { TAPE__BLOCK = 4096 };

/* Of a buffer for a path: a queue's directory (site.h), a name of 255 bytes, and a suffix. */
enum { TAPE__PATH_SIZE = 1200 };

/* ---- memory ---- */
void *tape__alloc(size_t size); /* zeroed; NULL when there is none */
void tape__free(void *memory);
uint64_t tape__alloc_count(void); /* calls of tape__alloc so far, in this process */

/* ---- files ---- */
typedef struct {
    uint64_t size;
    uint64_t allocated; /* bytes on disk */
    uint64_t device;
    uint64_t inode;
    uint64_t modified_ns; /* by the real-time clock */
    bool is_directory;
    bool is_regular;
} tape__stat_t;

enum { TAPE__RDONLY = 0, TAPE__RDWR = 1, TAPE__CREATE_NEW = 2 };
int tape__open_file(const char *path, int flags); /* descriptor */
void tape__close_file(int fd);
int tape__stat_fd(int fd, tape__stat_t *out);
int tape__stat_path(const char *path, tape__stat_t *out);
int tape__file_truncate(int fd, uint64_t size);
/* Reserves blocks without changing the size; never glibc's emulation, which writes into the file.
 * -EOPNOTSUPP, whatever the kernel's word for it is, where the file system cannot. */
int tape__file_reserve(int fd, uint64_t offset, uint64_t size);
/* The same for who goes on without: 0 there. */
static inline int tape__file_try_reserve(int fd, uint64_t offset, uint64_t size)
{
    int rc = tape__file_reserve(fd, offset, size);
    return rc == -EOPNOTSUPP ? 0 : rc;
}
int tape__free_space(int fd, uint64_t *out);
int64_t tape__file_read(int fd, uint64_t offset, void *buffer, size_t size);
int tape__file_write(int fd, uint64_t offset, const void *buffer, size_t size); /* 0: all */
/* What was written to a file, also through mappings and by other processes, is on disk; of a
 * directory: its names are. An error is told once, and what it concerns may be lost: a later 0 says
 * nothing about it. */
int tape__file_sync(int fd);
int tape__directory_sync(int fd);
int tape__file_duplicate(int fd); /* another descriptor of the same open file */
/* Whether the file system has no disk, so that nothing on it survives the machine. */
bool tape__filesystem_is_memory(int fd);
int tape__link(const char *from, const char *to);
int tape__unlink(const char *path);
int tape__rename(const char *from, const char *to);
int tape__mkdir(const char *path);
int tape__rmdir(const char *path);
/* The current directory, from which relative paths lead. */
int tape__current_directory(char *out, size_t size);
int tape__can_write(const char *path); /* 0, or -EACCES, -EROFS, ... */
/* Calls `each` with every name in the directory that is not one itself, until it returns non-zero
 * (then that is returned). */
int tape__list_directory(const char *path, int (*each)(void *user, const char *name), void *user);
/* Whether a page that is read in a hole of the file takes memory or room, as on tmpfs: then reading
 * one without room is a signal. 1, 0, or a negative errno. */
int tape__reading_allocates(int fd);
/* The end of the data from `from` on, a hole or the end of the file; `from` itself when that is in
 * a hole. */
int tape__data_end(int fd, uint64_t from, uint64_t *end);
/* *name: NULL when processes of one host share its pages, else the name of the file system. */
int tape__unshared_filesystem(const char *path, const char **name);

/* ---- mapping ---- */
int tape__map(int fd, uint64_t offset, size_t size, bool writable, uint8_t **out);
void tape__unmap(uint8_t *base, size_t size);
/* Brings pages in for writing; -EINVAL where the kernel cannot. */
int tape__populate(uint8_t *base, size_t size);
/* The same for reading. */
int tape__present(uint8_t *base, size_t size);
size_t tape__page_size(void);

/* ---- locks on byte ranges: of open file descriptions; they meet Java's fcntl locks (5.3) ---- */
int tape__lock_range(int fd, uint64_t start, uint64_t length, bool exclusive); /* -EAGAIN: held */
int tape__unlock_range(int fd, uint64_t start, uint64_t length);
typedef enum { TAPE__RANGE_FREE = 61, TAPE__RANGE_LOCKED = 62 } tape__range_t; /* by another */
int tape__range_state(int fd, uint64_t start, uint64_t length); /* one of these, or -errno */

/* ---- processes ---- */
int64_t tape__pid(void);
/* Not a dead one, a zombie, or the number of a thread that is not the first of its process. */
bool tape__process_alive(int64_t pid);
uint64_t tape__process_start(int64_t pid); /* in clock ticks since boot; 0 unknown */
uint64_t tape__pid_namespace(void);        /* an id; 0 unknown */
uint64_t tape__boot(void);                 /* an id of this run of the kernel; 0 unknown */
/* Whether a process has the file mapped for writing. */
typedef enum { TAPE__MAPS_UNSEEN, TAPE__MAPS_NOT, TAPE__MAPS_IT } tape__maps_t;
tape__maps_t tape__process_maps(int64_t pid, uint64_t inode);

/* ---- time ---- */
int64_t tape__now_ms(void);        /* real time, precise */
int64_t tape__now_coarse_ns(void);
int64_t tape__now_coarse_ms(void); /* real time, behind by at most tape__coarse_tick_ms() */
int64_t tape__coarse_tick_ms(void);
int64_t tape__monotonic_ns(void);
void tape__sleep_ns(int64_t ns);
void tape__yield(void);

#endif
