/* platform_check.c - see platform_check.h. */
#define _GNU_SOURCE
#include "base/platform_check.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/platform.h"

int tape__file_next_data(int fd, uint64_t from, uint64_t size, uint64_t *begin, uint64_t *end)
{
    if (from >= size) return 0;
    off_t data = lseek(fd, (off_t)from, SEEK_DATA);
    if (data < 0 && errno == ENXIO) return 0;
    off_t hole = data < 0 ? -1 : lseek(fd, data, SEEK_HOLE);
    *begin = data < 0 ? from : (uint64_t)data;
    *end = hole < 0 || (uint64_t)hole > size ? size : (uint64_t)hole;
    return *begin < size && *end > *begin;
}

/* Lines of maps end in the path, behind blanks. */
static bool maps_below(const char *process, const char *prefix, size_t length)
{
    char path[300], line[5000];
    snprintf(path, sizeof path, "/proc/%.200s/maps", process);
    FILE *maps = fopen(path, "re");
    bool found = false;
    if (!maps) return false;
    while (!found && fgets(line, sizeof line, maps)) {
        const char *name = strchr(line, '/');
        found = name && strncmp(name, prefix, length) == 0 && name[length] == '/';
    }
    fclose(maps);
    return found;
}

int64_t tape__other_writer(uint64_t inode)
{
    DIR *processes = opendir("/proc");
    const int64_t self = tape__pid();
    int64_t found = 0;
    const struct dirent *entry;
    if (!processes) return 0;
    while (found == 0 && (entry = readdir(processes))) {
        const int64_t pid = strtoll(entry->d_name, NULL, 10); /* 0: no process */
        if (pid > 0 && pid != self && tape__process_maps(pid, inode) == TAPE__MAPS_IT) found = pid;
    }
    closedir(processes);
    return found;
}

int64_t tape__directory_user(const char *path)
{
    char real[4096];
    DIR *processes = opendir("/proc");
    int64_t pid = 0;
    const struct dirent *entry;
    if (!processes) return 0;
    if (!realpath(path, real)) snprintf(real, sizeof real, "%s", path);
    while (pid == 0 && (entry = readdir(processes)))
        if (isdigit((unsigned char)entry->d_name[0]) &&
            maps_below(entry->d_name, real, strlen(real)))
            pid = strtoll(entry->d_name, NULL, 10);
    closedir(processes);
    return pid;
}
