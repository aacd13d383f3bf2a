/* read_text.c - texts and byte strings. */

#include "speed.h"

/* -- text */

static inline int is_ascii(const uint8_t *p, size_t size)
{
    uint64_t seen = 0, word;
    for (; size >= 8; p += 8, size -= 8) {
        memcpy(&word, p, 8);
        seen |= word;
    }
    while (size--)
        seen |= *p++;
    return !(seen & UINT64_C(0x8080808080808080));
}

/* Bytes to UTF-16 units: -1, or the offset of the first unit that is no Fressian text. Java takes
 * overlong forms and any byte as continuation; only its two-byte NUL is taken here. */
static Py_ssize_t decode_units(const uint8_t *p, Py_ssize_t size, Py_UCS2 *out, Py_ssize_t *units)
{
    Py_ssize_t i = 0, n = *units;
    while (i < size) {
        unsigned c = p[i];
        if (c < 0x80) {
            out[n++] = (Py_UCS2)c;
            i++;
        } else if (c >= 0xC0 && c < 0xE0) {
            if (size - i < 2 || (p[i + 1] & 0xC0) != 0x80 || c == 0xC1 ||
                (c == 0xC0 && p[i + 1] != 0x80))
                return i;
            out[n++] = (Py_UCS2)((c & 0x1F) << 6 | (p[i + 1] & 0x3F));
            i += 2;
        } else if (c >= 0xE0 && c < 0xF0) {
            if (size - i < 3 || (p[i + 1] & 0xC0) != 0x80 || (p[i + 2] & 0xC0) != 0x80 ||
                (c == 0xE0 && p[i + 1] < 0xA0))
                return i;
            out[n++] = (Py_UCS2)((c & 0xF) << 12 | (p[i + 1] & 0x3F) << 6 | (p[i + 2] & 0x3F));
            i += 3;
        } else {
            return i;
        }
    }
    *units = n;
    return -1;
}

/* A str of UTF-16 units, pairs of surrogates joined, unpaired ones kept. */
static PyObject *join_units(const Py_UCS2 *units, Py_ssize_t count)
{
    Py_UCS4 max = 0;
    Py_ssize_t length = 0;
    for (Py_ssize_t i = 0; i < count; i++, length++) {
        Py_UCS4 c = units[i];
        if (c >= 0xD800 && c < 0xDC00 && i + 1 < count && (units[i + 1] & 0xFC00) == 0xDC00) {
            c = 0x10000;
            i++;
        }
        max |= c;
    }
    PyObject *text = PyUnicode_New(length, max > 0x10FFFF ? 0x10FFFF : max);
    if (!text || !length)
        return text;
    int kind = PyUnicode_KIND(text);
    void *data = PyUnicode_DATA(text);
    for (Py_ssize_t i = 0, n = 0; i < count; i++, n++) {
        Py_UCS4 c = units[i];
        if (c >= 0xD800 && c < 0xDC00 && i + 1 < count && (units[i + 1] & 0xFC00) == 0xDC00)
            c = 0x10000 + ((c - 0xD800) << 10) + (units[++i] - 0xDC00u);
        PyUnicode_WRITE(kind, data, n, c);
    }
    return text;
}

SHARED PyObject *text_from(dec_t *d, const uint8_t *p, Py_ssize_t size)
{
    if (is_ascii(p, (size_t)size)) {
        PyObject *text = PyUnicode_New(size, 127);
        if (text && size)
            memcpy(PyUnicode_1BYTE_DATA(text), p, (size_t)size);
        return text;
    }
    Py_UCS2 few[256], *units = few;
    if (size > 256 && !(units = PyMem_Malloc((size_t)size * sizeof *units)))
        return PyErr_NoMemory();
    Py_ssize_t count = 0, wrong = decode_units(p, size, units, &count);
    PyObject *text = wrong < 0 ? join_units(units, count)
                               : fail(d, p + wrong, "not Fressian text");
    if (units != few)
        PyMem_Free(units);
    return text;
}

/* The parts that follow E2: each has whole units, surrogates are joined over the parts. */
static PyObject *read_chunked_text(dec_t *d)
{
    Py_UCS2 *units = NULL;
    Py_ssize_t count = 0;
    unsigned code = C_STRING_CHUNK;
    PyObject *text = NULL;
    for (;;) {
        int64_t size = (int64_t)code - C_STRING_PACKED;
        if (code >= C_STRING_CHUNK && read_count(d, "bytes", 0, &size))
            break;
        if (size > d->end - d->p) {
            ended(d);
            break;
        }
        Py_UCS2 *more = PyMem_Realloc(units, (size_t)(count + size + 1) * sizeof *more);
        if (!more) {
            PyErr_NoMemory();
            break;
        }
        units = more;
        Py_ssize_t wrong = decode_units(d->p, size, units, &count);
        if (wrong >= 0) {
            fail(d, d->p + wrong, "not Fressian text");
            break;
        }
        d->p += size;
        if (code != C_STRING_CHUNK) {
            text = join_units(units, count);
            break;
        }
        if (d->p >= d->end) {
            ended(d);
            break;
        }
        code = *d->p;
        if (code < C_STRING_PACKED || code > C_STRING) {
            fail(d, d->p, "the next part of a string was expected");
            break;
        }
        d->p++;
    }
    PyMem_Free(units);
    return text;
}

#ifndef PLANTED_BUG
#define PLANTED_BUG 0           /* tests/fuzz: by 1 too long, for a check of the fuzzer itself */
#endif

SHARED PyObject *read_text(dec_t *d, unsigned code)
{
    int64_t size = (int64_t)code - C_STRING_PACKED;
    if (code == C_STRING_CHUNK)
        return read_chunked_text(d);
    if (code == C_STRING && read_count(d, "bytes", 0, &size))
        return NULL;
    if (size > d->end - d->p + PLANTED_BUG)
        return ended(d);
    PyObject *text = text_from(d, d->p, size);
    if (text)
        d->p += size;
    return text;
}

SHARED PyObject *read_bytes(dec_t *d, unsigned code)
{
    PyObject *whole = NULL;
    for (;;) {
        int64_t size = (int64_t)code - C_BYTES_PACKED;
        if (code >= C_BYTES_CHUNK && read_count(d, "bytes", 0, &size))
            goto failed;
        if (size > d->end - d->p) {
            ended(d);
            goto failed;
        }
        if (!whole && code != C_BYTES_CHUNK) {
            PyObject *bytes = PyBytes_FromStringAndSize((const char *)d->p, size);
            d->p += size;
            return bytes;
        }
        if (!whole && !(whole = PyByteArray_FromStringAndSize(NULL, 0)))
            return NULL;
        Py_ssize_t before = PyByteArray_GET_SIZE(whole);
        if (PyByteArray_Resize(whole, before + size))
            goto failed;
        memcpy(PyByteArray_AS_STRING(whole) + before, d->p, (size_t)size);
        d->p += size;
        if (code != C_BYTES_CHUNK)
            break;
        if (d->p >= d->end) {
            ended(d);
            goto failed;
        }
        code = *d->p;
        if (code != C_BYTES_CHUNK && code != C_BYTES) {
            fail(d, d->p, "the next part of a byte string was expected");
            goto failed;
        }
        d->p++;
    }
    PyObject *bytes = PyBytes_FromStringAndSize(PyByteArray_AS_STRING(whole),
                                                PyByteArray_GET_SIZE(whole));
    Py_DECREF(whole);
    return bytes;
failed:
    Py_XDECREF(whole);
    return NULL;
}
