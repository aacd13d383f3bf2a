/* wire.c - see wire.h; code bytes are those of the table in format.md 3.1. */
#include "format/wire.h"

#include <string.h>

#include "base/bytes.h"

enum {
    CODE_BLOCK8 = 0x80,
    CODE_BLOCK16 = 0x81,
    CODE_BLOCK32 = 0x82,
    CODE_U8_ARRAY = 0x8A,
    CODE_I64_ARRAY = 0x8D,
    CODE_PADDING32 = 0x8E,
    CODE_PADDING = 0x8F,
    CODE_FLOAT32 = 0x90,
    CODE_FLOAT64 = 0x91,
    CODE_UUID = 0xA0,
    CODE_UINT8 = 0xA1,
    CODE_UINT16 = 0xA2,
    CODE_UINT32 = 0xA3,
    CODE_INT8 = 0xA4,
    CODE_INT16 = 0xA5,
    CODE_INT32 = 0xA6,
    CODE_INT64 = 0xA7,
    CODE_INT64_HEX = 0xAF,
    CODE_FALSE = 0xB0,
    CODE_TRUE = 0xB1,
    CODE_TIME = 0xB2,
    CODE_ZONED_DATE_TIME = 0xB5,
    CODE_TYPE_PREFIX = 0xB6,
    CODE_FIELD_NAME_ANY = 0xB7,
    CODE_STRING_ANY = 0xB8,
    CODE_EVENT_NAME = 0xB9,
    CODE_FIELD_NUMBER = 0xBA,
    CODE_NULL = 0xBB,
    CODE_TYPE_LITERAL = 0xBC,
    CODE_COMMENT = 0xBE,
    CODE_HINT = 0xBF,
    CODE_FIELD_NAME0 = 0xC0,
    CODE_STRING0 = 0xE0
};

bool tape__wire_is(tape__text_t text, const char *wish)
{
    return text.length == strlen(wish) && memcmp(text.text, wish, text.length) == 0;
}

static bool has(const tape__wire_t *w, uint64_t n) { return n <= w->size - w->at; }

static int peek(const tape__wire_t *w) { return has(w, 1) ? w->base[w->at] : -1; }

/* format.md 3.2 */
static bool stop_bit(tape__wire_t *w, int64_t *value)
{
    uint64_t result = 0;
    for (int shift = 0; shift < 70; shift += 7) {
        if (!has(w, 1)) return false;
        uint8_t b = w->base[w->at++];
        if (b == 0 && shift > 0) {
            *value = (int64_t)~result;
            return true;
        }
        if (shift < 64) result |= (uint64_t)(b & 0x7F) << shift;
        if (!(b & 0x80)) {
            *value = (int64_t)result;
            return true;
        }
    }
    return false;
}

static bool span(tape__wire_t *w, int64_t length, tape__text_t *out)
{
    if (length < 0 || !has(w, (uint64_t)length)) return false;
    out->text = w->base + w->at;
    out->length = (size_t)length;
    w->at += (size_t)length;
    return true;
}

static bool stop_bit_text(tape__wire_t *w, tape__text_t *out)
{
    int64_t length;
    w->at++;
    return stop_bit(w, &length) && span(w, length, out);
}

void tape__wire_skip_padding(tape__wire_t *w)
{
    tape__text_t comment;
    for (;;) {
        size_t before = w->at;
        switch (peek(w)) {
        case CODE_PADDING:
            w->at++;
            continue;
        case CODE_PADDING32:
            if (!has(w, 5) || !has(w, 5 + (uint64_t)tape__get_u32(w->base + w->at + 1))) return;
            w->at += 5 + (size_t)tape__get_u32(w->base + w->at + 1);
            continue;
        case CODE_COMMENT:
            if (!stop_bit_text(w, &comment)) {
                w->at = before;
                return;
            }
            continue;
        default:
            return;
        }
    }
}

bool tape__wire_at_end(tape__wire_t *w)
{
    tape__wire_skip_padding(w);
    return w->at >= w->size;
}

bool tape__wire_name(tape__wire_t *w, tape__text_t *name)
{
    tape__wire_skip_padding(w);
    int code = peek(w);
    if (code >= CODE_FIELD_NAME0 && code < CODE_STRING0) {
        w->at++;
        return span(w, code - CODE_FIELD_NAME0, name);
    }
    if (code == CODE_FIELD_NAME_ANY || code == CODE_EVENT_NAME) return stop_bit_text(w, name);
    return false;
}

bool tape__wire_type(tape__wire_t *w, tape__text_t *type)
{
    tape__wire_skip_padding(w);
    return peek(w) == CODE_TYPE_PREFIX && stop_bit_text(w, type);
}

/* The length of a block prefix and its size in bytes (0: no block here). */
static size_t block_prefix(const tape__wire_t *w, uint64_t *length)
{
    const uint8_t *p = w->base + w->at;
    switch (peek(w)) {
    case CODE_BLOCK8:
        if (!has(w, 2)) return 0;
        *length = p[1];
        return 2;
    case CODE_BLOCK16:
        if (!has(w, 3)) return 0;
        *length = tape__get_u16(p + 1);
        return 3;
    case CODE_BLOCK32:
        if (!has(w, 5)) return 0;
        *length = tape__get_u32(p + 1);
        return 5;
    default:
        return 0;
    }
}

bool tape__wire_block(tape__wire_t *w, tape__wire_t *inside)
{
    uint64_t length;
    tape__wire_skip_padding(w);
    size_t prefix = block_prefix(w, &length);
    if (prefix == 0 || !has(w, prefix + length)) return false;
    inside->base = w->base + w->at + prefix;
    inside->size = (size_t)length;
    inside->at = 0;
    inside->origin = w->origin + w->at + prefix;
    w->at += prefix + (size_t)length;
    return true;
}

static bool whole_float(double d, int64_t *value)
{
    if (!(d >= -9.2e18 && d <= 9.2e18) || (double)(int64_t)d != d) return false;
    *value = (int64_t)d;
    return true;
}

bool tape__wire_int(tape__wire_t *w, int64_t *value)
{
    static const uint8_t widths[] = {1, 2, 4, 1, 2, 4, 8}; /* codes A1..A7 */
    tape__wire_skip_padding(w);
    int code = peek(w);
    if (code < 0) return false;
    const uint8_t *p = w->base + w->at + 1;
    size_t width = 0;
    if (code >= CODE_UINT8 && code <= CODE_INT64) width = widths[code - CODE_UINT8];
    if (code == CODE_INT64_HEX || code == CODE_FLOAT64) width = 8;
    if (code == CODE_FLOAT32) width = 4;
    if (!has(w, 1 + width) || (width == 0 && code > 0x7F)) return false;
    w->at += 1 + width;
    float f;
    double d;
    switch (code) {
    case CODE_UINT8: *value = p[0]; return true;
    case CODE_UINT16: *value = tape__get_u16(p); return true;
    case CODE_UINT32: *value = tape__get_u32(p); return true;
    case CODE_INT8: *value = (int8_t)p[0]; return true;
    case CODE_INT16: *value = (int16_t)tape__get_u16(p); return true;
    case CODE_INT32: *value = (int32_t)tape__get_u32(p); return true;
    case CODE_INT64:
    case CODE_INT64_HEX: *value = (int64_t)tape__get_u64(p); return true;
    case CODE_FLOAT32:
        memcpy(&f, p, sizeof f);
        return whole_float((double)f, value);
    case CODE_FLOAT64:
        memcpy(&d, p, sizeof d);
        return whole_float(d, value);
    default: *value = code; return true;
    }
}

bool tape__wire_text(tape__wire_t *w, tape__text_t *value)
{
    tape__wire_skip_padding(w);
    int code = peek(w);
    if (code >= CODE_STRING0) {
        w->at++;
        return span(w, code - CODE_STRING0, value);
    }
    if (code == CODE_STRING_ANY || (code >= CODE_TIME && code <= CODE_ZONED_DATE_TIME))
        return stop_bit_text(w, value);
    return false;
}

bool tape__wire_bound(tape__wire_t *w, uint64_t *position)
{
    tape__wire_skip_padding(w);
    if (peek(w) != CODE_INT64 || !has(w, 9)) return false;
    *position = w->origin + w->at + 1;
    w->at += 9;
    return *position % 8 == 0;
}

bool tape__wire_array(tape__wire_t *w, tape__wire_array_t *array)
{
    tape__wire_skip_padding(w);
    if (peek(w) != CODE_I64_ARRAY || !has(w, 17)) return false;
    const uint8_t *p = w->base + w->at + 1;
    array->capacity = tape__get_u64(p);
    array->used = tape__get_u64(p + 8);
    array->position = w->origin + w->at + 17;
    if (array->capacity > (w->size - w->at - 17) / 8) return false;
    w->at += 17 + 8 * (size_t)array->capacity;
    return array->position % 8 == 0;
}

bool tape__wire_skip_value(tape__wire_t *w)
{
    tape__wire_t inside;
    tape__text_t text;
    tape__wire_array_t array;
    int64_t number;
    tape__wire_skip_padding(w);
    if (peek(w) == CODE_TYPE_PREFIX && !stop_bit_text(w, &text)) return false;
    int code = peek(w);
    if (code >= CODE_BLOCK8 && code <= CODE_BLOCK32) return tape__wire_block(w, &inside);
    if (code == CODE_I64_ARRAY) return tape__wire_array(w, &array);
    if (code == CODE_NULL || code == CODE_FALSE || code == CODE_TRUE) {
        w->at++;
        return true;
    }
    if (code == CODE_UUID) {
        if (!has(w, 17)) return false;
        w->at += 17;
        return true;
    }
    if (code == CODE_TYPE_LITERAL) return stop_bit_text(w, &text);
    if (tape__wire_text(w, &text)) return true;
    return tape__wire_int(w, &number);
}

static bool unframe_exact(const uint8_t *body, size_t size, size_t *offset, size_t *length)
{
    tape__wire_t w = {body, size, 1, 0};
    uint64_t block;
    if (size < 4 || body[0] != CODE_FIELD_NAME0) return false;
    size_t prefix = block_prefix(&w, &block);
    if (prefix == 0 || block == 0 || block != size - 1 - prefix) return false;
    if (body[1 + prefix] != CODE_U8_ARRAY) return false;
    *offset = prefix + 2;
    *length = (size_t)block - 1;
    return true;
}

bool tape__wire_unframe_any(const uint8_t *body, size_t size, size_t *offset, size_t *length)
{
    if (unframe_exact(body, size, offset, length)) return true;
    tape__wire_t w = {body, size, 0, 0}, inside;
    tape__text_t text;
    if (!tape__wire_name(&w, &text)) return false;
    tape__wire_skip_padding(&w);
    if (peek(&w) == CODE_TYPE_PREFIX) {
        if (!stop_bit_text(&w, &text) || !tape__wire_is(text, "byte[]")) return false;
    }
    if (!tape__wire_block(&w, &inside) || inside.size == 0) return false;
    if (inside.base[0] != CODE_U8_ARRAY) return false;
    *offset = (size_t)(inside.base + 1 - body);
    *length = inside.size - 1;
    return true;
}

/* ---- writing ---- */

static uint8_t *take(tape__wire_out_t *o, size_t n)
{
    static uint8_t nowhere[64];
    if (o->overflow || n > o->capacity - o->at) {
        o->overflow = true;
        return n <= sizeof nowhere ? nowhere : NULL;
    }
    uint8_t *p = o->base + o->at;
    o->at += n;
    return p;
}

static void put_byte(tape__wire_out_t *o, int byte) { *take(o, 1) = (uint8_t)byte; }

static void put_bytes(tape__wire_out_t *o, const void *data, size_t n)
{
    uint8_t *p = take(o, n);
    if (p && !o->overflow) memcpy(p, data, n);
}

static void put_stop_bit_text(tape__wire_out_t *o, int code, const char *text)
{
    size_t length = strlen(text), rest = length;
    put_byte(o, code);
    for (; rest > 0x7F; rest >>= 7) put_byte(o, (int)(rest & 0x7F) | 0x80);
    put_byte(o, (int)rest);
    put_bytes(o, text, length);
}

void tape__wire_put_event(tape__wire_out_t *o, const char *name)
{
    put_stop_bit_text(o, CODE_EVENT_NAME, name);
}

void tape__wire_put_field(tape__wire_out_t *o, const char *name)
{
    size_t length = strlen(name);
    if (length < 0x20) {
        put_byte(o, CODE_FIELD_NAME0 + (int)length);
        put_bytes(o, name, length);
    } else {
        put_stop_bit_text(o, CODE_FIELD_NAME_ANY, name);
    }
}

void tape__wire_put_type(tape__wire_out_t *o, const char *type)
{
    put_stop_bit_text(o, CODE_TYPE_PREFIX, type);
}

size_t tape__wire_begin_block(tape__wire_out_t *o)
{
    put_byte(o, CODE_BLOCK32);
    tape__put_u32(take(o, 4), 0);
    return o->at;
}

void tape__wire_end_block(tape__wire_out_t *o, size_t begun)
{
    if (!o->overflow) tape__put_u32(o->base + begun - 4, (uint32_t)(o->at - begun));
}

/* format.md 3.3, the choice of Wire 2.23 and later */
void tape__wire_put_int(tape__wire_out_t *o, int64_t v)
{
    if (v >= 0 && v <= 0xFF) {
        put_byte(o, CODE_UINT8);
        put_byte(o, (int)v);
    } else if (v >= INT8_MIN && v < 0) {
        put_byte(o, CODE_INT8);
        put_byte(o, (int)(v & 0xFF));
    } else if (v >= INT16_MIN && v <= INT16_MAX) {
        put_byte(o, CODE_INT16);
        tape__put_u16(take(o, 2), (uint16_t)v);
    } else if (v > 0 && v <= UINT16_MAX) {
        put_byte(o, CODE_UINT16);
        tape__put_u16(take(o, 2), (uint16_t)v);
    } else if (v >= INT32_MIN && v <= INT32_MAX) {
        put_byte(o, CODE_INT32);
        tape__put_u32(take(o, 4), (uint32_t)v);
    } else if (v > 0 && v <= UINT32_MAX) {
        put_byte(o, CODE_UINT32);
        tape__put_u32(take(o, 4), (uint32_t)v);
    } else if (v > -(INT64_C(1) << 62) && v < INT64_C(1) << 62 && (int64_t)(float)v == v) {
        float f = (float)v;
        put_byte(o, CODE_FLOAT32);
        memcpy(take(o, 4), &f, sizeof f);
    } else {
        put_byte(o, CODE_INT64);
        tape__put_u64(take(o, 8), (uint64_t)v);
    }
}

void tape__wire_put_text(tape__wire_out_t *o, const char *text)
{
    size_t length = strlen(text);
    if (length < 0x20) {
        put_byte(o, CODE_STRING0 + (int)length);
        put_bytes(o, text, length);
    } else {
        put_stop_bit_text(o, CODE_STRING_ANY, text);
    }
}

void tape__wire_pad(tape__wire_out_t *o, uint64_t alignment, uint64_t after)
{
    uint64_t target = o->origin + o->at + after;
    uint64_t n = tape__align_up(target, alignment) - target;
    if (n < 5) {
        for (; n > 0; n--) put_byte(o, CODE_PADDING);
        return;
    }
    put_byte(o, CODE_PADDING32);
    tape__put_u32(take(o, 4), (uint32_t)(n - 5));
    for (n -= 5; n > 0; n--) put_byte(o, 0);
}

uint64_t tape__wire_put_bound(tape__wire_out_t *o, int64_t value)
{
    tape__wire_pad(o, 8, 1);
    put_byte(o, CODE_INT64);
    uint64_t position = o->origin + o->at;
    tape__put_u64(take(o, 8), (uint64_t)value);
    return position;
}

uint64_t tape__wire_put_pair(tape__wire_out_t *o, int64_t a, int64_t b)
{
    tape__wire_pad(o, 16, 1);
    put_byte(o, CODE_I64_ARRAY);
    tape__put_u64(take(o, 8), 2);
    tape__put_u64(take(o, 8), 2);
    uint64_t position = o->origin + o->at;
    tape__put_u64(take(o, 8), (uint64_t)a);
    tape__put_u64(take(o, 8), (uint64_t)b);
    return position;
}

uint64_t tape__wire_put_array(tape__wire_out_t *o, uint64_t capacity)
{
    tape__wire_pad(o, 8, 1);
    put_byte(o, CODE_I64_ARRAY);
    tape__put_u64(take(o, 8), capacity);
    tape__put_u64(take(o, 8), 0);
    uint64_t position = o->origin + o->at;
    uint8_t *p = take(o, (size_t)capacity * 8);
    if (p && !o->overflow) memset(p, 0, (size_t)capacity * 8);
    return position;
}

size_t tape__wire_frame_long(uint8_t out[TAPE__FRAME_MAX], size_t size)
{
    size_t length = size + 1; /* the U8_ARRAY code counts */
    out[0] = CODE_FIELD_NAME0;
    if (length <= 0xFFFF) {
        out[1] = CODE_BLOCK16;
        tape__put_u16(out + 2, (uint16_t)length);
        out[4] = CODE_U8_ARRAY;
        return 5;
    }
    out[1] = CODE_BLOCK32;
    tape__put_u32(out + 2, (uint32_t)length);
    out[6] = CODE_U8_ARRAY;
    return 7;
}

void tape__wire_shrink_frame(uint8_t *frame, size_t frame_size, size_t size)
{
    const size_t length = size + 1;
    if (frame_size == 4) frame[2] = (uint8_t)length;
    else if (frame_size == 5) tape__put_u16(frame + 2, (uint16_t)length);
    else if (frame_size == 7) tape__put_u32(frame + 2, (uint32_t)length);
}
