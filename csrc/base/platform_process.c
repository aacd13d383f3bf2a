/* platform_process.c - Linux: what the kernel tells of processes; see platform.h. */
#define _GNU_SOURCE
#include "base/platform.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int64_t tape__pid(void) { return (int64_t)getpid(); }

/* The fields after the command name of /proc/<pid>/stat: the name may hold blanks and brackets, so
 * they begin behind the last ')'. Returns the number of bytes, 0 when it cannot be read. */
static size_t read_stat(int64_t pid, char *buffer, size_t size, char **fields)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%" PRId64 "/stat", pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return 0;
    ssize_t n = read(fd, buffer, size - 1);
    close(fd);
    if (n <= 0) return 0;
    buffer[n] = 0;
    char *end = strrchr(buffer, ')');
    if (!end || end[1] != ' ') return 0;
    *fields = end + 2;
    return (size_t)n;
}

/* Field `n` of those, which begin with field 3; NULL when there are not so many. */
static const char *stat_field(const char *fields, int n)
{
    for (int field = 3; fields && field < n; field++) {
        fields = strchr(fields, ' ');
        if (fields) fields++;
    }
    return fields;
}

/* Whether the number is that of a thread which is not the first of its process: kill() and /proc
 * know these, too. */
static bool is_a_mere_thread(int64_t pid)
{
    char line[256];
    long long group = pid;
    snprintf(line, sizeof line, "/proc/%" PRId64 "/status", pid);
    FILE *status = fopen(line, "re");
    if (!status) return false;
    while (fgets(line, sizeof line, status))
        if (sscanf(line, "Tgid: %lld", &group) == 1) break;
    fclose(status);
    return group != pid;
}

bool tape__process_alive(int64_t pid)
{
    char buffer[1024], *fields;
    if (pid <= 0 || pid > INT32_MAX) return false;
    if (kill((pid_t)pid, 0) != 0 && errno == ESRCH) return false;
    if (!read_stat(pid, buffer, sizeof buffer, &fields)) return true;
    if (is_a_mere_thread(pid)) return false;
    if (*fields != 'Z' && *fields != 'X') return true;
    /* A killed process that its parent has not reaped runs no more; but the first thread of one may
     * have ended while others go on. */
    const char *threads = stat_field(fields, 20);
    return threads && strtol(threads, NULL, 10) > 1;
}

uint64_t tape__process_start(int64_t pid)
{
    char buffer[1024], *fields;
    if (!read_stat(pid, buffer, sizeof buffer, &fields)) return 0;
    const char *start = stat_field(fields, 22);
    return start ? strtoull(start, NULL, 10) : 0;
}

uint64_t tape__pid_namespace(void)
{
    struct stat st;
    return stat("/proc/self/ns/pid", &st) == 0 ? (uint64_t)st.st_ino : 0;
}

uint64_t tape__boot(void)
{
    char text[64] = "";
    uint64_t boot = 0;
    FILE *f = fopen("/proc/sys/kernel/random/boot_id", "re");
    if (!f) return 0;
    if (!fgets(text, sizeof text, f)) text[0] = 0;
    fclose(f);
    for (const char *p = text; *p; p++) boot = boot * 31 + (unsigned char)*p;
    return boot;
}

/* Unseen when nothing was listed: we may not look, or there is no memory. */
static tape__maps_t search_maps(const char *path, uint64_t inode)
{
    char line[1024];
    FILE *maps = fopen(path, "re");
    if (!maps) return TAPE__MAPS_UNSEEN;
    bool found = false;
    int lines = 0;
    while (!found && fgets(line, sizeof line, maps)) {
        uint64_t mapped;
        char rights[8];
        if (sscanf(line, "%*s %7s %*s %*s %" SCNu64, rights, &mapped) == 2) {
            lines++;
            found = mapped == inode && rights[1] == 'w';
        }
    }
    fclose(maps);
    if (lines == 0) return TAPE__MAPS_UNSEEN;
    return found ? TAPE__MAPS_IT : TAPE__MAPS_NOT;
}

/* The memory of a process whose first thread has ended shows in that of another. */
static tape__maps_t search_maps_of_threads(int64_t pid, uint64_t inode)
{
    char path[320];
    tape__maps_t found = TAPE__MAPS_UNSEEN;
    snprintf(path, sizeof path, "/proc/%" PRId64 "/task", pid);
    DIR *threads = opendir(path);
    if (!threads) return found;
    for (const struct dirent *e; found == TAPE__MAPS_UNSEEN && (e = readdir(threads)) != NULL;) {
        if (e->d_name[0] == '.') continue;
        snprintf(path, sizeof path, "/proc/%" PRId64 "/task/%.20s/maps", pid, e->d_name);
        found = search_maps(path, inode);
    }
    closedir(threads);
    return found;
}

tape__maps_t tape__process_maps(int64_t pid, uint64_t inode)
{
    enum { KERNEL_THREAD = 0x00200000 }; /* PF_KTHREAD: it has no memory */
    char path[64], buffer[1024], *fields;
    snprintf(path, sizeof path, "/proc/%" PRId64 "/maps", pid);
    tape__maps_t found = search_maps(path, inode);
    if (found != TAPE__MAPS_UNSEEN || !read_stat(pid, buffer, sizeof buffer, &fields))
        return found;
    const char *flags = stat_field(fields, 9);
    if (flags && strtoul(flags, NULL, 10) & KERNEL_THREAD) return TAPE__MAPS_NOT;
    return search_maps_of_threads(pid, inode);
}
