/* writer.c - Fressian into the caller's buffer; what does not fit is counted, not written. */

#include "tape_fressian.h"

#include <string.h>

#include "base/error.h"
#include "fressian/codes.h"
#include "fressian/units.h"

#define MESSAGE_MAX ((size_t)1 << 62)   /* no sum of sizes below can wrap */

void tape_fressian_write_to(tape_fressian_writer_t *w, void *buffer, size_t capacity)
{
    w->data = buffer;
    w->capacity = buffer ? capacity : 0;
    w->size = 0;
    w->error = w->depth = w->done = 0;
    w->names = 0;
}

static int refuse(tape_fressian_writer_t *w, const char *why)
{
    if (!w->error)
        w->error = tape__fail(TAPE_EINVAL, NULL, (int64_t)w->size, "Fressian: %s", why);
    return w->error;
}

/* -- bytes */

static void put(tape_fressian_writer_t *w, const void *bytes, size_t size)
{
    if (size && w->size <= w->capacity && size <= w->capacity - w->size)
        memcpy(w->data + w->size, bytes, size);
    w->size += size;
}

static void put_byte(tape_fressian_writer_t *w, unsigned byte)
{
    unsigned char one = (unsigned char)byte;
    put(w, &one, 1);
}

/* `size` bytes of a number, most significant first. */
static void put_big_endian(tape_fressian_writer_t *w, uint64_t value, int size)
{
    unsigned char bytes[8];
    for (int i = 0; i < size; i++)
        bytes[i] = (unsigned char)(value >> 8 * (size - 1 - i));
    put(w, bytes, (size_t)size);
}

static void put_number(tape_fressian_writer_t *w, int64_t v)
{
    /* forms of 1 to 6 bytes behind a code that has the high bits: the code of 0 in each */
    static const unsigned zero[] = {0x00, 0x50, 0x68, 0x72, 0x76, 0x7A, 0x7E};
    static const int bits[] = {6, 12, 19, 25, 33, 41, 49};
    if (v >= -1 && v < 64) {
        put_byte(w, (unsigned)v & 0xFF);
        return;
    }
    for (int size = 1; size <= 6; size++)
        if (v >= -(INT64_C(1) << bits[size]) && v < INT64_C(1) << bits[size]) {
            uint64_t high = (uint64_t)v >> 8 * size;
            put_byte(w, (unsigned)(zero[size] + high) & 0xFF);
            put_big_endian(w, (uint64_t)v, size);
            return;
        }
    put_byte(w, C_INT);
    put_big_endian(w, (uint64_t)v, 8);
}

/* -- what may come next */

/* Before a value: whether one may stand here. */
static int begin(tape_fressian_writer_t *w)
{
    if (w->error)
        return w->error;
    if (w->done)
        return refuse(w, "a message is one value, and it is complete");
    if (w->size > MESSAGE_MAX)
        return refuse(w, "the message is longer than any memory");
    return TAPE_OK;
}

/* After a whole value: the lists that end with it end, too. */
static int settle(tape_fressian_writer_t *w)
{
    while (w->depth) {
        int top = w->depth - 1;
        w->open[top].odd ^= 1;
        if (w->open[top].left < 0 || --w->open[top].left > 0)
            return TAPE_OK;
        w->depth--;
    }
    w->done = 1;
    return TAPE_OK;
}

/* -- values */

int tape_fressian_put_nil(tape_fressian_writer_t *w)
{
    if (begin(w))
        return w->error;
    put_byte(w, C_NULL);
    return settle(w);
}

int tape_fressian_put_bool(tape_fressian_writer_t *w, int truth)
{
    if (begin(w))
        return w->error;
    put_byte(w, truth ? C_TRUE : C_FALSE);
    return settle(w);
}

int tape_fressian_put_int(tape_fressian_writer_t *w, int64_t value)
{
    if (begin(w))
        return w->error;
    put_number(w, value);
    return settle(w);
}

int tape_fressian_put_double(tape_fressian_writer_t *w, double value)
{
    if (begin(w))
        return w->error;
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    if (value == 0.0) {
        put_byte(w, C_DOUBLE_0);
    } else if (value == 1.0) {
        put_byte(w, C_DOUBLE_1);
    } else {
        put_byte(w, C_DOUBLE);
        put_big_endian(w, value != value ? UINT64_C(0x7ff8000000000000) : bits, 8);
    }
    return settle(w);
}

int tape_fressian_put_bytes(tape_fressian_writer_t *w, const void *bytes, size_t size)
{
    const unsigned char *p = bytes;
    if (begin(w))
        return w->error;
    if ((size && !bytes) || size > MESSAGE_MAX)
        return refuse(w, "bytes without memory");
    if (size < 8) {
        put_byte(w, C_BYTES_PACKED + (unsigned)size);
        put(w, p, size);
        return settle(w);
    }
    for (; size > BYTES_PART_MAX; p += BYTES_PART_MAX, size -= BYTES_PART_MAX) {
        put_byte(w, C_BYTES_CHUNK);
        put_number(w, BYTES_PART_MAX);
        put(w, p, BYTES_PART_MAX);
    }
    put_byte(w, C_BYTES);
    put_number(w, (int64_t)size);
    put(w, p, size);
    return settle(w);
}

/* -- texts */

typedef struct {
    const unsigned char *p, *end;
    uint32_t low;               /* the second half of a pair that is still to come, or 0 */
} source_t;

/* The next unit, or UINT32_MAX: no UTF-8. */
static uint32_t next_unit(source_t *s)
{
    uint32_t c = s->low;
    if (c) {
        s->low = 0;
        return c;
    }
    c = tape__units_utf8(&s->p, s->end);
    if (c == UINT32_MAX || c < 0x10000)
        return c;
    s->low = 0xDC00 + ((c - 0x10000) & 0x3FF);
    return 0xD800 + ((c - 0x10000) >> 10);
}

static size_t unit_size(uint32_t unit)
{
    return unit < 0x80 ? 1 : unit < 0x800 ? 2 : 3;
}

/* Bytes of the next part, at most STRING_PART_MAX; SIZE_MAX: no UTF-8. `last`: nothing follows. */
static size_t measure_part(source_t s, int *last)
{
    size_t size = 0;
    while (s.p < s.end || s.low) {
        uint32_t unit = next_unit(&s);
        if (unit == UINT32_MAX)
            return SIZE_MAX;
        if (size + unit_size(unit) > STRING_PART_MAX) {
            *last = 0;
            return size;
        }
        size += unit_size(unit);
    }
    *last = 1;
    return size;
}

static int put_text(tape_fressian_writer_t *w, const char *text, size_t size)
{
    source_t s = {(const unsigned char *)text, (const unsigned char *)text + size, 0};
    for (int last = 0; !last;) {
        size_t part = measure_part(s, &last);
        if (part == SIZE_MAX)
            return refuse(w, "a text that is no UTF-8");
        if (last && part < 8) {
            put_byte(w, C_STRING_PACKED + (unsigned)part);
        } else {
            put_byte(w, last ? C_STRING : C_STRING_CHUNK);
            put_number(w, (int64_t)part);
        }
        for (size_t done = 0; done < part;) {
            unsigned char out[4];
            size_t n = tape__units_put(out, next_unit(&s));
            put(w, out, n);
            done += n;
        }
    }
    return TAPE_OK;
}

int tape_fressian_put_string(tape_fressian_writer_t *w, const char *text, size_t size)
{
    if (begin(w))
        return w->error;
    if ((size && !text) || size > MESSAGE_MAX / 2)
        return refuse(w, "a text without memory");
    return put_text(w, size ? text : "", size) ? w->error : settle(w);
}

/* A part of a keyword: an entry of the cache if it was written before, else it becomes one. It is
 * looked up by what it looks like on the wire, in the buffer itself. */
static int put_name(tape_fressian_writer_t *w, const char *text)
{
    size_t before = w->size;
    if (!*text) {
        put_byte(w, C_STRING_PACKED);
        return TAPE_OK;
    }
    if (w->names < TAPE_FRESSIAN_NAMES)
        put_byte(w, C_PUT_PRIORITY_CACHE);
    size_t at = w->size;
    if (put_text(w, text, strlen(text)))
        return w->error;
    size_t size = w->size - at;
    if (w->size > w->capacity)
        return TAPE_OK;                 /* only measuring: an upper bound will do */
    for (uint32_t i = 0; i < w->names; i++)
        if (w->name[i].size == size && !memcmp(w->data + w->name[i].at, w->data + at, size)) {
            w->size = before;
            put_byte(w, C_PRIORITY_CACHE_PACKED + i);
            return TAPE_OK;
        }
    if (w->names < TAPE_FRESSIAN_NAMES) {
        w->name[w->names].at = at;
        w->name[w->names++].size = size;
    }
    return TAPE_OK;
}

int tape_fressian_put_keyword(tape_fressian_writer_t *w, const char *ns, const char *name)
{
    if (begin(w))
        return w->error;
    if (!name)
        return refuse(w, "a keyword without a name");
    put_byte(w, C_KEY);
    if (!ns)
        put_byte(w, C_NULL);
    else if (put_name(w, ns))
        return w->error;
    return put_name(w, name) ? w->error : settle(w);
}

/* -- lists and maps */

static int put_head(tape_fressian_writer_t *w, int64_t count, int map)
{
    if (begin(w))
        return w->error;
    if (count < TAPE_FRESSIAN_OPEN || count > COUNT_MAX / 2)
        return refuse(w, "a count is 0 to 2**30 - 1, or TAPE_FRESSIAN_OPEN");
    if (w->depth == TAPE_FRESSIAN_DEPTH)
        return refuse(w, "lists nest deeper than TAPE_FRESSIAN_DEPTH");
    int64_t values = map && count > 0 ? 2 * count : count;
    if (map)
        put_byte(w, C_MAP);
    if (values < 0) {
        put_byte(w, C_BEGIN_CLOSED_LIST);
    } else if (values < 8) {
        put_byte(w, C_LIST_PACKED + (unsigned)values);
    } else {
        put_byte(w, C_LIST);
        put_number(w, values);
    }
    if (values == 0)
        return settle(w);
    w->open[w->depth].left = values;
    w->open[w->depth].map = map;
    w->open[w->depth++].odd = 0;
    return TAPE_OK;
}

int tape_fressian_put_list(tape_fressian_writer_t *w, int64_t count)
{
    return put_head(w, count, 0);
}

int tape_fressian_put_map(tape_fressian_writer_t *w, int64_t count)
{
    return put_head(w, count, 1);
}

int tape_fressian_put_end(tape_fressian_writer_t *w)
{
    if (begin(w))
        return w->error;
    int top = w->depth - 1;
    if (top < 0 || w->open[top].left >= 0)
        return refuse(w, "no list or map of unknown length is open here");
    if (w->open[top].map && w->open[top].odd)
        return refuse(w, "a map ends behind a key, its value is missing");
    put_byte(w, C_END_COLLECTION);
    w->depth--;
    return settle(w);
}

int tape_fressian_finish(tape_fressian_writer_t *w, size_t *size)
{
    *size = 0;
    if (w->error)
        return w->error;
    if (!w->done)
        return refuse(w, w->depth ? "a list or map lacks values, or its end" : "no value was put");
    *size = w->size;
    if (w->size > w->capacity)
        return tape__fail(TAPE_ETOOBIG, NULL, (int64_t)w->capacity,
                          "Fressian: the message needs up to %zu bytes", w->size);
    return TAPE_OK;
}
