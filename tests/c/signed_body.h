/* signed_body.h - bodies of messages that tell who wrote them, and which one of his each is. */
#ifndef TAPE_SIGNED_BODY_H
#define TAPE_SIGNED_BODY_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "check.h"

typedef struct {
    int writer, number;
    uint8_t rest[52], last[24];
} t_body_t;

/* Long ones have the last bytes: what is left of one reaches behind a short one in its place. */
static inline size_t t_body_size(bool is_long)
{
    return is_long ? sizeof(t_body_t) : offsetof(t_body_t, last);
}

static inline t_body_t t_body_of(int writer, int number)
{
    t_body_t b = {writer, number, {0}, {0}};
    memset(b.rest, 'a' + 7 * writer + number, sizeof b.rest);
    memset(b.last, 'A' + 7 * writer + number, sizeof b.last);
    return b;
}

/* Whatever is no such body, byte by byte, ends the program. */
static inline t_body_t t_body_read(const void *data, size_t size)
{
    t_body_t b;
    CHECK(size == t_body_size(false) || size == t_body_size(true));
    memcpy(&b, data, size);
    const t_body_t whole = t_body_of(b.writer, b.number);
    CHECK(memcmp(&b, &whole, size) == 0);
    return b;
}

#endif
