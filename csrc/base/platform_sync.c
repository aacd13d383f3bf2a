/* platform_sync.c - Linux: what is written reaches the disk. See platform.h. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/platform.h"

#ifdef TAPE_FAULTS
int (*tape__disk_shim)(int fd);
#define SHIM(fd)                                                                                   \
    do {                                                                                           \
        int fault_ = tape__fault_due(TAPE__OP_SYNC);                                               \
        if (fault_) return -fault_;                                                                \
        if (tape__disk_shim) return tape__disk_shim(fd);                                           \
    } while (0)
#else
#define SHIM(fd) ((void)0)
#endif

/* A signal ends the waiting on some file systems, and no word of an error is lost by asking again:
 * the kernel tells each once, with the call that returns. */
int tape__file_sync(int fd)
{
    int rc;
    SHIM(fd);
    do {
        rc = fdatasync(fd);
    } while (rc < 0 && errno == EINTR);
    return rc == 0 ? 0 : -errno;
}

int tape__directory_sync(int fd)
{
    int rc;
    SHIM(fd);
    do {
        rc = fsync(fd);
    } while (rc < 0 && errno == EINTR);
    return rc == 0 ? 0 : -errno;
}

int tape__file_duplicate(int fd)
{
#ifdef TAPE_FAULTS
    int fault = tape__fault_due(TAPE__OP_OPEN);
    if (fault) return -fault;
#endif
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    return copy < 0 ? -errno : copy;
}

bool tape__filesystem_is_memory(int fd)
{
    static const uint32_t magic[] = {0x01021994, 0x858458F6, 0x958458F6}; /* tmpfs, ramfs, huge */
    struct statfs st;
    if (fstatfs(fd, &st) != 0) return false;
    for (size_t i = 0; i < sizeof magic / sizeof *magic; i++)
        if ((uint32_t)st.f_type == magic[i]) return true;
    return false;
}
