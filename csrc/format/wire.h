/* wire.h - the part of BinaryWire that queue files consist of (format.md 3).
 *
 * Pure: a span of bytes in, values out. Nothing here knows files, and nothing is trusted: every
 * read is checked against the end of its span. Integers may come in any numeric code (3.3).
 */
#ifndef TAPE_WIRE_H
#define TAPE_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

/* A span being read. `origin` is the file offset of base[0]: bound values are found by it. */
typedef struct {
    const uint8_t *base;
    size_t size;
    size_t at;
    uint64_t origin;
} tape__wire_t;

typedef struct {
    const uint8_t *text;
    size_t length;
} tape__text_t;

typedef struct {
    uint64_t capacity;
    uint64_t used;
    uint64_t position; /* file offset of the first element */
} tape__wire_array_t;

bool tape__wire_is(tape__text_t text, const char *wish);

/* Each returns false, with `at` anywhere, when the bytes are something else or end too early. */
void tape__wire_skip_padding(tape__wire_t *w);
bool tape__wire_at_end(tape__wire_t *w); /* after padding and comments */
bool tape__wire_name(tape__wire_t *w, tape__text_t *name); /* a field or event name */
bool tape__wire_type(tape__wire_t *w, tape__text_t *type);
bool tape__wire_block(tape__wire_t *w, tape__wire_t *inside);
bool tape__wire_int(tape__wire_t *w, int64_t *value);
bool tape__wire_text(tape__wire_t *w, tape__text_t *value); /* a string or a time */
/* of an aligned i64, updated in place */
bool tape__wire_bound(tape__wire_t *w, uint64_t *position);
bool tape__wire_array(tape__wire_t *w, tape__wire_array_t *array);
bool tape__wire_skip_value(tape__wire_t *w);

/* Whether a document can be framed as below: it begins with a field's or event's name, or with what
 * Java skips before one (3.3). Most documents of other writers are told by this one byte. */
static inline bool tape__wire_may_be_framed(uint8_t first)
{
    return first >= 0x8E && ((first & 0xE0) == 0xC0 || first == 0xB7 || first == 0xB9 ||
                             first == 0x8E || first == 0x8F || first == 0xBE);
}

/* The whole rule: every way to write a name, a type and a length. */
bool tape__wire_unframe_any(const uint8_t *body, size_t size, size_t *offset, size_t *length);

/* A document's message as `wire().read().bytes()` finds it (13.1): false when it is not of that
 * kind or its length prefix disagrees with the document. First the frame that Clojure's tape and
 * ours make around short messages (tape__wire_frame()), without a call. */
static inline bool tape__wire_unframe(const uint8_t *body, size_t size, size_t *offset,
                                      size_t *length)
{
    if (size - 4 <= 0xFE && body[0] == 0xC0 && body[1] == 0x80 && body[2] == size - 3 &&
        body[3] == 0x8A) {
        *offset = 4;
        *length = size - 4;
        return true;
    }
    return size > 0 && tape__wire_may_be_framed(body[0]) &&
           tape__wire_unframe_any(body, size, offset, length);
}

/* ---- writing, into a buffer that the caller made large enough ---- */

typedef struct {
    uint8_t *base;
    size_t capacity;
    size_t at;
    uint64_t origin;
    bool overflow; /* set instead of writing past `capacity` */
} tape__wire_out_t;

void tape__wire_put_event(tape__wire_out_t *o, const char *name);
void tape__wire_put_field(tape__wire_out_t *o, const char *name);
void tape__wire_put_type(tape__wire_out_t *o, const char *type);
size_t tape__wire_begin_block(tape__wire_out_t *o);
void tape__wire_end_block(tape__wire_out_t *o, size_t begun);
void tape__wire_put_int(tape__wire_out_t *o, int64_t value);
void tape__wire_put_text(tape__wire_out_t *o, const char *text);
/* Padding so that the byte `after` bytes from here lies at a multiple of `alignment` in the
 * file. */
void tape__wire_pad(tape__wire_out_t *o, uint64_t alignment, uint64_t after);
uint64_t tape__wire_put_bound(tape__wire_out_t *o, int64_t value); /* its file offset */
uint64_t tape__wire_put_pair(tape__wire_out_t *o, int64_t a, int64_t b);
/* its first element, zeros */
uint64_t tape__wire_put_array(tape__wire_out_t *o, uint64_t capacity);

/* The frame of 13.1: writes at most 7 bytes before the data; returns how many. */
enum { TAPE__FRAME_MAX = 7 };
size_t tape__wire_frame_long(uint8_t out[TAPE__FRAME_MAX], size_t size);
/* That of up to 254 bytes, as a number. */
static inline uint32_t tape__wire_short_frame(size_t size)
{
    return 0x8A0080C0u | (uint32_t)(size + 1) << 16; /* the array's code counts */
}
static inline size_t tape__wire_frame(uint8_t out[TAPE__FRAME_MAX], size_t size)
{
    if (size > 0xFE) return tape__wire_frame_long(out, size);
    tape__put_u32(out, tape__wire_short_frame(size));
    return 4;
}
static inline size_t tape__wire_frame_size(size_t size)
{
    return size <= 0xFE ? 4 : size <= 0xFFFE ? 5 : TAPE__FRAME_MAX;
}
/* The same frame, `frame_size` bytes long, around fewer bytes than it was made for. */
void tape__wire_shrink_frame(uint8_t *frame, size_t frame_size, size_t size);

#endif
