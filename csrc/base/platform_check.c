/* platform_check.c - see platform_check.h. */
#define _GNU_SOURCE
#include "base/platform_check.h"

#include <errno.h>
#include <unistd.h>

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
