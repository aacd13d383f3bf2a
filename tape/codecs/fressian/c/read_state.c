/* read_state.c - the reader's place, its errors, footers and caches. */

#include "speed.h"

SHARED void dec_init(dec_t *d, const options_t *options, const void *data, Py_ssize_t size,
                     int checksum)
{
    memset(d, 0, sizeof *d);
    d->options = options;
    d->base = d->p = d->start = data;
    d->end = d->base + size;
    d->budget = 4 * (int64_t)size + 65536;
    d->prealloc = size;
    d->checksum = checksum;
}

static void dec_forget(dec_t *d)
{
    while (d->cached)
        Py_XDECREF(d->cache[--d->cached].value);
    while (d->structs_used)
        Py_DECREF(d->structs[--d->structs_used].tag);
}

SHARED void dec_clear(dec_t *d)
{
    dec_forget(d);
    PyMem_Free(d->cache);
    PyMem_Free(d->structs);
    d->cache = NULL;
    d->structs = NULL;
    Py_CLEAR(d->memo);
}

/* -- errors */

SHARED void set_decode_error(PyObject *text, Py_ssize_t offset)
{
    PyObject *args = text ? PyTuple_Pack(1, text) : NULL;
    PyObject *named = args ? Py_BuildValue("{s:n}", "offset", offset) : NULL;
    PyObject *error = named ? PyObject_Call(g.DecodeError, args, named) : NULL;
    if (error)
        PyErr_SetObject(g.DecodeError, error);
    Py_XDECREF(error);
    Py_XDECREF(named);
    Py_XDECREF(args);
    Py_XDECREF(text);
}

SHARED PyObject *raise_at(Py_ssize_t offset, PyObject *message)
{
    PyObject *full = message ? PyUnicode_FromFormat("%U at byte %zd", message, offset) : NULL;
    set_decode_error(full, offset);
    Py_XDECREF(message);
    return NULL;
}

SHARED PyObject *fail(dec_t *d, const uint8_t *at, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    PyObject *message = PyUnicode_FromFormatV(format, args);
    va_end(args);
    return raise_at(at - d->base, message);
}

SHARED PyObject *ended(dec_t *d)
{
    return fail(d, d->end, "the input ends inside an object");
}

SHARED PyObject *too_deep(dec_t *d, const uint8_t *at)
{
    return fail(d, at, "nested deeper than %lld levels", (long long)d->options->max_depth);
}

/* -- footers and resets */

SHARED int reset(dec_t *d, const uint8_t *at)
{
    if (d->pending) {
        fail(d, at, "the caches are emptied inside a value that is being cached");
        return -1;
    }
    dec_forget(d);
    return 0;
}

static uint32_t adler32(const uint8_t *p, size_t size)
{
    uint32_t a = 1, b = 0;
    while (size) {
        size_t part = size < 5552 ? size : 5552;    /* b cannot overflow in so many steps */
        size -= part;
        while (part--) {
            a += *p++;
            b += a;
        }
        a %= 65521;
        b %= 65521;
    }
    return b << 16 | a;
}

SHARED int read_footer(dec_t *d)
{
    const uint8_t *at = d->p;
    if (d->end - at < 12) {
        ended(d);
        return -1;
    }
    if (get_be32(at) != 0xCFCFCFCF) {
        fail(d, at, "wrong footer magic");
        return -1;
    }
    uint32_t length = get_be32(at + 4), size = (uint32_t)(at - d->start);
    if (length != size) {
        PyObject *text = PyUnicode_FromFormat("the footer's length is %u, not %u", length, size);
        raise_at(at - d->base, text);
        return -1;
    }
    if (d->checksum) {
        uint32_t made = adler32(d->start, (size_t)(at + 8 - d->start)), given = get_be32(at + 8);
        if (made != given) {
            char text[80];
            snprintf(text, sizeof text, "the footer's checksum is %08x, not %08x", given, made);
            fail(d, at, "%s", text);
            return -1;
        }
    }
    d->p = d->start = at + 12;
    return reset(d, at);
}

/* -- the caches */

SHARED int64_t reserve(dec_t *d)
{
    if (d->cached == d->cache_room) {
        uint32_t room = d->cache_room ? d->cache_room * 2 : 32;
        entry_t *cache = PyMem_Realloc(d->cache, room * sizeof *cache);
        if (!cache) {
            PyErr_NoMemory();
            return -1;
        }
        d->cache = cache;
        d->cache_room = room;
    }
    d->cache[d->cached] = (entry_t){NULL, 0};
    d->pending++;
    return d->cached++;
}

SHARED void fill(dec_t *d, int64_t entry, PyObject *value, int64_t size)
{
    d->cache[entry] = (entry_t){new_ref(value), size};
    d->pending--;
}

SHARED int put_name(dec_t *d, PyObject *text)
{
    int64_t entry = reserve(d);
    if (entry < 0)
        return -1;
    fill(d, entry, text, 0);
    return 0;
}

/* A borrowed reference to the entry's value, or NULL. */
SHARED PyObject *entry_value(dec_t *d, int64_t entry, const uint8_t *at)
{
    if (entry < 0 || entry >= d->cached)
        return fail(d, at, "no cache entry %lld", (long long)entry);
    if (!d->cache[entry].value)
        return fail(d, at, "cache entry %lld is under construction", (long long)entry);
    return d->cache[entry].value;
}

SHARED PyObject *freeze(dec_t *d, PyObject *value)
{
    if (!d->memo && !(d->memo = PyDict_New()))
        return NULL;
    return PyObject_CallFunctionObjArgs(LATE(freeze), value, d->memo, NULL);
}

SHARED PyObject *refer(dec_t *d, int64_t entry, const uint8_t *at, int flags)
{
    PyObject *value = entry_value(d, entry, at);
    if (!value)
        return NULL;
    int64_t size = d->cache[entry].size;
    if (size) {
        d->expanded += flags & F_HASHED ? size * 8 : size;
        if (d->expanded > d->options->max_expanded)
            return fail(d, at, "shared values that are too large when written out: the limit is "
                        "max_expanded=%lld", (long long)d->options->max_expanded);
        if (flags)
            return freeze(d, value);
    }
    return new_ref(value);
}

SHARED int spend(dec_t *d, int64_t amount, const uint8_t *at)
{
    d->budget -= amount;
    if (d->budget >= 0)
        return 0;
    fail(d, at, "shared values are copied too often");
    return -1;
}
