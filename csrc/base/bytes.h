/* bytes.h - little-endian loads and stores, alignment, and arithmetic that notices overflow.
 *
 * All integers of the format are little-endian whatever the host is (format.md, conventions).
 * These work on private copies and on parts of a file that no one changes any more.
 */
#ifndef TAPE_BYTES_H
#define TAPE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* For the few functions that make up a hot path and are used at several places in it. */
#define TAPE__INLINE inline __attribute__((always_inline))
#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "words of the format are shared in place, so the host must be little-endian");

static inline uint16_t tape__get_u16(const uint8_t *p)
{
    uint16_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

static inline uint32_t tape__get_u32(const uint8_t *p)
{
    uint32_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

static inline uint64_t tape__get_u64(const uint8_t *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

static inline void tape__put_u16(uint8_t *p, uint16_t v) { memcpy(p, &v, sizeof v); }
static inline void tape__put_u32(uint8_t *p, uint32_t v) { memcpy(p, &v, sizeof v); }
static inline void tape__put_u64(uint8_t *p, uint64_t v) { memcpy(p, &v, sizeof v); }

/* memcpy() without a call for what messages are most often: from 16 to 64 bytes. */
static TAPE__INLINE void tape__copy(uint8_t *to, const void *data, size_t size)
{
    const uint8_t *from = (const uint8_t *)data;
    if (size - 16 > 48) {
        if (size != 0) memcpy(to, from, size); /* it wants no NULL */
        return;
    }
    uint8_t head[16], tail[16], middle[16], late[16];
    memcpy(head, from, 16);
    memcpy(tail, from + size - 16, 16);
    if (size > 32) {
        memcpy(middle, from + 16, 16);
        memcpy(late, from + size - 32, 16);
        memcpy(to + 16, middle, 16);
        memcpy(to + size - 32, late, 16);
    }
    memcpy(to, head, 16);
    memcpy(to + size - 16, tail, 16);
}

/* How many zeros lead. Files of queues are mostly zeros, so these go by 64 bytes at a time. */
static inline size_t tape__zeros(const uint8_t *p, size_t size)
{
    size_t n = 0;
    for (; size - n >= 64; n += 64) {
        uint64_t any = 0;
        for (size_t i = 0; i < 64; i += 8) any |= tape__get_u64(p + n + i);
        if (any) break;
    }
    while (n < size && p[n] == 0) n++;
    return n;
}
/* How much is left without the zeros at the end. */
static inline size_t tape__without_zeros(const uint8_t *p, size_t size)
{
    while (size >= 64 && tape__zeros(p + size - 64, 64) == 64) size -= 64;
    while (size > 0 && p[size - 1] == 0) size--;
    return size;
}

/* The smallest multiple of `n` (a power of two) that is not below `v`. */
static inline uint64_t tape__align_up(uint64_t v, uint64_t n) { return (v + n - 1) & ~(n - 1); }
static inline uint64_t tape__align_down(uint64_t v, uint64_t n) { return v & ~(n - 1); }

/* True, and *out unset, when a + b does not fit. */
static inline bool tape__add_overflows(uint64_t a, uint64_t b, uint64_t *out)
{
    return __builtin_add_overflow(a, b, out);
}

static inline uint64_t tape__max_u64(uint64_t a, uint64_t b) { return a > b ? a : b; }
static inline uint64_t tape__min_u64(uint64_t a, uint64_t b) { return a < b ? a : b; }

#endif
