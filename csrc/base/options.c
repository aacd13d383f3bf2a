/* options.c - see options.h. */
#include "base/options.h"

#include <stdint.h>
#include <string.h>

#include "base/error.h"

enum {
    SIZE_LEAST = 8,    /* struct_size and flags, as the first version of each has them */
    SIZE_LIMIT = 4096 /* no struct of options will be longer; memory that was not set may seem so */
};

int tape__options_copy(void *own, size_t own_size, const void *given, const char *path)
{
    uint32_t size;
    memset(own, 0, own_size);
    if (!given) return TAPE_OK;
    memcpy(&size, given, sizeof size);
    if (size < SIZE_LEAST || size > SIZE_LIMIT)
        return tape__fail(TAPE_EINVAL, path, -1, "struct_size of the options is not set");
    for (const uint8_t *p = given, *end = p + size, *at = p + own_size; at < end; at++)
        if (*at != 0)
            return tape__fail(TAPE_EINVAL, path, -1,
                              "the options have a field, %zu bytes in, that this version of "
                              "libtape does not know", (size_t)(at - p));
    memcpy(own, given, size < own_size ? size : own_size);
    return TAPE_OK;
}
