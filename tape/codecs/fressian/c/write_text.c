/* write_text.c - texts: UTF-16 units, each encoded by itself. */

#include "speed.h"

/* -- text: UTF-16 units, each encoded by itself */

static inline size_t unit_size(Py_UCS4 c)
{
    return c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 6;
}

static inline uint8_t *put_unit(uint8_t *p, Py_UCS4 c)
{
    if (c < 0x80) {
        *p++ = (uint8_t)c;
    } else if (c < 0x800) {
        *p++ = (uint8_t)(0xC0 | c >> 6);
        *p++ = (uint8_t)(0x80 | (c & 0x3F));
    } else {
        *p++ = (uint8_t)(0xE0 | c >> 12);
        *p++ = (uint8_t)(0x80 | (c >> 6 & 0x3F));
        *p++ = (uint8_t)(0x80 | (c & 0x3F));
    }
    return p;
}

static inline Py_UCS4 high_half(Py_UCS4 c)
{
    return 0xD800 + ((c - 0x10000) >> 10);
}

static inline Py_UCS4 low_half(Py_UCS4 c)
{
    return 0xDC00 + ((c - 0x10000) & 0x3FF);
}

static int put_string_head(enc_t *e, size_t size, int last)
{
    if (!last)
        return put_byte(e, C_STRING_CHUNK) || put_int(e, (int64_t)size) ? -1 : 0;
    if (size < 8)
        return put_byte(e, C_STRING_PACKED + (unsigned)size);
    return put_byte(e, C_STRING) || put_int(e, (int64_t)size) ? -1 : 0;
}

static int put_ascii(enc_t *e, const uint8_t *p, size_t size)
{
    if (size < 8) {
        if (need(e, 8))
            return -1;
        e->data[e->size] = (uint8_t)(C_STRING_PACKED + size);
        memcpy(e->data + e->size + 1, p, size);
        e->size += 1 + size;
        return 0;
    }
    while (size > STRING_PART_MAX) {
        if (put_string_head(e, STRING_PART_MAX, 0) || put_raw(e, p, STRING_PART_MAX))
            return -1;
        p += STRING_PART_MAX;
        size -= STRING_PART_MAX;
    }
    return put_string_head(e, size, 1) || put_raw(e, p, size) ? -1 : 0;
}

/* Writes text that is not ASCII in one part. */
static int put_short_text(enc_t *e, PyObject *text, size_t size)
{
    int kind = PyUnicode_KIND(text);
    const void *data = PyUnicode_DATA(text);
    Py_ssize_t length = PyUnicode_GET_LENGTH(text);
    if (put_string_head(e, size, 1) || need(e, size))
        return -1;
    uint8_t *p = e->data + e->size;
    for (Py_ssize_t i = 0; i < length; i++) {
        Py_UCS4 c = PyUnicode_READ(kind, data, i);
        if (c >= 0x10000) {
            p = put_unit(p, high_half(c));
            c = low_half(c);
        }
        p = put_unit(p, c);
    }
    e->size += size;
    return 0;
}

/* Writes text in parts of at most 65536 bytes; a part may end between the halves of a pair. */
static int put_long_text(enc_t *e, PyObject *text, size_t size)
{
    uint8_t *part = PyMem_Malloc(STRING_PART_MAX + 8), *p = part;
    if (!part) {
        PyErr_NoMemory();
        return -1;
    }
    int kind = PyUnicode_KIND(text), rc = 0;
    const void *data = PyUnicode_DATA(text);
    Py_ssize_t length = PyUnicode_GET_LENGTH(text);
    for (Py_ssize_t i = 0; i < length && !rc; i++) {
        Py_UCS4 units[2] = {PyUnicode_READ(kind, data, i), 0};
        int halves = 1;
        if (units[0] >= 0x10000) {
            units[1] = low_half(units[0]);
            units[0] = high_half(units[0]);
            halves = 2;
        }
        for (int h = 0; h < halves && !rc; h++) {
            if ((size_t)(p - part) + unit_size(units[h]) > STRING_PART_MAX) {
                rc = put_string_head(e, (size_t)(p - part), 0) ||
                     put_raw(e, part, (size_t)(p - part));
                size -= (size_t)(p - part);
                p = part;
            }
            p = put_unit(p, units[h]);
        }
    }
    if (!rc)
        rc = put_string_head(e, size, 1) || put_raw(e, part, size);
    PyMem_Free(part);
    return rc ? -1 : 0;
}

SHARED int put_text(enc_t *e, PyObject *text)
{
    if (PyUnicode_IS_COMPACT_ASCII(text))
        return put_ascii(e, PyUnicode_1BYTE_DATA(text), (size_t)PyUnicode_GET_LENGTH(text));
#if PY_VERSION_HEX < 0x030C0000
    if (PyUnicode_READY(text))
        return -1;
#endif
    int kind = PyUnicode_KIND(text);
    const void *data = PyUnicode_DATA(text);
    Py_ssize_t length = PyUnicode_GET_LENGTH(text);
    size_t size = 0;
    for (Py_ssize_t i = 0; i < length; i++)
        size += unit_size(PyUnicode_READ(kind, data, i));
    return size <= STRING_PART_MAX ? put_short_text(e, text, size) : put_long_text(e, text, size);
}
