/* spans.c - texts and byte strings where they stand in the input: measured, compared, copied. */

#include "fressian/spans.h"

#include <string.h>

#include "base/error.h"
#include "fressian/codes.h"
#include "fressian/units.h"

int tape__spans_number(const unsigned char **p, const unsigned char *end, int64_t *value)
{
    static const unsigned zero[] = {0x00, 0x50, 0x68, 0x72, 0x76, 0x7A, 0x7E};
    if (*p >= end)
        return 0;
    unsigned code = **p;
    if (code < 0x40 || code == C_INT_MINUS_1) {
        *value = code < 0x40 ? (int64_t)code : -1;
        (*p)++;
        return 1;
    }
    if (code >= 0x80 && code != C_INT)
        return 0;
    int size = code == C_INT ? 8 : code < 0x60 ? 1 : code < 0x70 ? 2 : 3 + (int)(code - 0x70) / 4;
    if (end - *p <= size)
        return 0;
    uint64_t n = code == C_INT ? 0 : (uint64_t)((int64_t)code - (int64_t)zero[size]);
    for (int i = 1; i <= size; i++)
        n = n << 8 | (*p)[i];
    *value = (int64_t)n;
    *p += size + 1;
    return 1;
}

/* The head of a part: its code at *p, which moves to its bytes. 1, or 0: not in the input. */
static int part_head(const unsigned char **p, const unsigned char *end, int is_text, size_t *size,
                     int *last)
{
    unsigned code = *(*p)++;
    unsigned packed = is_text ? C_STRING_PACKED : C_BYTES_PACKED;
    unsigned chunk = is_text ? C_STRING_CHUNK : C_BYTES_CHUNK;
    int64_t count = (int64_t)code - packed;
    *last = code != chunk;
    if (code >= chunk && !tape__spans_number(p, end, &count))
        return 0;
    if (count < 0 || count > end - *p)
        return 0;
    *size = (size_t)count;
    return 1;
}

/* Whether a code may begin the next part of a text or byte string. */
static int is_part(unsigned code, int is_text)
{
    return is_text ? code >= C_STRING_PACKED && code <= C_STRING
                   : code == C_BYTES_CHUNK || code == C_BYTES;
}

typedef struct {
    size_t size;                /* as UTF-8 */
    uint32_t high;              /* a first half that waits for its second, or 0 */
    int plain, halved;          /* plain: the bytes are UTF-8 as they stand */
} text_t;

/* Adds the units of one part; NULL, or where no unit stands. */
static const unsigned char *measure_units(const unsigned char *p, const unsigned char *end,
                                          text_t *text)
{
    while (p < end) {
        const unsigned char *at = p;
        uint32_t unit = tape__units_wire(&p, end);
        if (unit == UINT32_MAX)
            return at;
        if (text->high && (unit & 0xFC00) == 0xDC00) {
            text->high = 0;             /* a pair: 4 bytes, 3 of which are counted */
            text->size += 1;
            continue;
        }
        text->halved |= text->high != 0 || (unit & 0xFC00) == 0xDC00;
        text->high = (unit & 0xFC00) == 0xD800 ? unit : 0;
        text->plain &= (unit & 0xF800) != 0xD800 && !(unit == 0 && p - at == 2);
        text->size += unit < 0x80 ? 1 : unit < 0x800 ? 2 : 3;
    }
    return NULL;
}

const char tape__spans_cached_length[] = "the length of a string by way of the cache";

const char *tape__spans_take(const unsigned char **p, const unsigned char *end,
                             tape_fressian_span_t *span)
{
    text_t text = {0, 0, 1, 0};
    int is_text = **p >= C_STRING_PACKED, parts = 0, last = 0;
    *span = (tape_fressian_span_t){.wire = *p, .is_text = is_text};
    while (!last) {
        size_t size;
        const unsigned char *at = *p;
        if (parts++ && (at >= end || !is_part(*at, is_text)))
            return "the next part of a string was expected";
        if (!part_head(p, end, is_text, &size, &last)) {
            unsigned next = end - at > 1 ? at[1] : 0;
            *p = at;
            return (next >= C_PRIORITY_CACHE_PACKED && next < C_STRUCT_CACHE_PACKED) ||
                           next == C_GET_PRIORITY_CACHE || next == C_PUT_PRIORITY_CACHE
                       ? tape__spans_cached_length
                       : "a string that does not end in the input";
        }
        const unsigned char *wrong = is_text ? measure_units(*p, *p + size, &text) : NULL;
        if (wrong) {
            *p = wrong;
            return "not Fressian text";
        }
        if (!is_text)
            text.size += size;
        span->data = (const char *)*p;
        *p += size;
    }
    span->size = text.size;
    span->wire_size = (size_t)(*p - span->wire);
    span->halved = text.halved || text.high;
    if (parts > 1 || !text.plain)
        span->data = NULL;
    return NULL;
}

/* The text's next bytes as UTF-8, from parts that have been checked. */
typedef struct {
    const unsigned char *p, *part_end, *end;
    int is_text, last;
} walk_t;

/* Enters the next part when this one is used up; 0 at the end. */
static int walk_part(walk_t *w)
{
    while (w->p == w->part_end) {
        size_t size;
        if (w->last || w->p >= w->end || !part_head(&w->p, w->end, w->is_text, &size, &w->last))
            return 0;
        w->part_end = w->p + size;
    }
    return 1;
}

/* Up to 4 bytes of the span; 0 at the end. */
static size_t walk(walk_t *w, unsigned char *out)
{
    if (!walk_part(w))
        return 0;
    if (!w->is_text) {
        out[0] = *w->p++;
        return 1;
    }
    uint32_t c = tape__units_wire(&w->p, w->part_end);
    if ((c & 0xFC00) == 0xD800 && walk_part(w)) {
        const unsigned char *before = w->p;
        uint32_t low = tape__units_wire(&w->p, w->part_end);
        if ((low & 0xFC00) == 0xDC00)
            c = 0x10000 + ((c - 0xD800) << 10) + (low - 0xDC00);
        else
            w->p = before;
    }
    return tape__units_put(out, c);
}

int tape_fressian_copy(const tape_fressian_span_t *span, void *buffer, size_t capacity)
{
    unsigned char *out = buffer, few[4];
    if (span->size > capacity)
        return tape__fail(TAPE_ETOOBIG, NULL, (int64_t)capacity,
                          "Fressian: a string of %zu bytes", span->size);
    if (span->halved)
        return tape__fail(TAPE_EINVAL, NULL, -1, "Fressian: a text with half a character");
    if (!span->size)
        return TAPE_OK;
    if (span->data) {
        memcpy(out, span->data, span->size);
        return TAPE_OK;
    }
    walk_t w = {span->wire, span->wire, span->wire + span->wire_size, span->is_text, 0};
    for (size_t n; (n = walk(&w, few)); out += n)
        memcpy(out, few, n);
    return TAPE_OK;
}

int tape_fressian_equals(const tape_fressian_span_t *span, const void *bytes, size_t size)
{
    const unsigned char *wanted = bytes;
    unsigned char few[4];
    if (span->size != size || span->halved)
        return 0;
    if (span->data || !size)
        return !size || !memcmp(span->data, bytes, size);
    walk_t w = {span->wire, span->wire, span->wire + span->wire_size, span->is_text, 0};
    for (size_t n; (n = walk(&w, few)); wanted += n)
        if (memcmp(few, wanted, n))
            return 0;
    return 1;
}
