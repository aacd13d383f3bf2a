/* read.c - the switch over all codes, struct and cache entries, and one whole object. */

#include "speed.h"

/* -- the switch */

/* What begins with `code`, B0 to CA: also reached by a struct type with the tag of the code. */
static PyObject *read_coded(dec_t *d, unsigned code, const uint8_t *at, int64_t depth, int flags)
{
    switch (code) {
    case C_KEY:
    case C_SYM: return read_name(d, code, at, depth, flags);
    case C_MAP:
    case C_SET: return read_collection(d, code, at, depth, flags);
    case C_INST: return depth > d->options->max_depth ? too_deep(d, at) : read_inst(d);
    case C_OBJECTS: return read_objects(d, at, depth, flags);
    case C_LONGS:
    case C_DOUBLES:
    case C_BOOLS:
    case C_INTS:
    case C_FLOATS: return read_numbers(d, code);
    case C_UUID:
    case C_REGEX:
    case C_URI:
    case C_BIGINT:
    case C_BIGDEC: return read_leaf(d, code, at, depth, flags);
    default: return fail(d, at, "code %02x has no meaning", (int)code);
    }
}

/* -- structs: their entries in the cache */

static PyObject *read_struct(dec_t *d, int64_t entry, const uint8_t *at, int64_t depth, int flags)
{
    if (entry < 0 || entry >= d->structs_used)
        return fail(d, at, "no struct entry %lld", (long long)entry);
    struct_t type = d->structs[entry];
    if (type.kind >= C_LONGS)
        return read_coded(d, (unsigned)type.kind, at, depth, flags);
    if (type.kind != TAG_OTHER)
        return read_clojure(d, type.kind, at, depth, flags);
    Py_INCREF(type.tag);                /* a reset among the components empties the table */
    PyObject *made = read_unknown(d, type.tag, type.count, at, depth, flags);
    Py_DECREF(type.tag);
    return made;
}

static PyObject *define_struct(dec_t *d, const uint8_t *at, int64_t depth, int flags)
{
    PyObject *tag = read_value(d, depth + 1, flags);
    if (!tag)
        return NULL;
    const uint8_t *count_at = d->p;
    int64_t count;
    if (read_int(d, &count)) {
        Py_DECREF(tag);
        return NULL;
    }
    if (count < 0 || count > COUNT_MAX) {
        Py_DECREF(tag);
        return fail(d, count_at, "a struct of %lld components", (long long)count);
    }
    if (d->structs_used == d->structs_room) {
        uint32_t room = d->structs_room ? d->structs_room * 2 : 16;
        struct_t *structs = PyMem_Realloc(d->structs, room * sizeof *structs);
        if (!structs) {
            Py_DECREF(tag);
            return PyErr_NoMemory();
        }
        d->structs = structs;
        d->structs_room = room;
    }
    d->structs[d->structs_used++] = (struct_t){tag, count, tag_kind(tag)};
    return read_struct(d, d->structs_used - 1, at, depth, flags);
}

/* -- the priority cache */

static PyObject *read_put(dec_t *d, const uint8_t *at, int64_t depth, int flags)
{
    if (depth >= d->options->max_depth)
        return too_deep(d, at);
    int64_t entry = reserve(d), before = d->expanded;
    if (entry < 0)
        return NULL;
    PyObject *value = read_value(d, depth + 1, flags);
    if (!value)
        return NULL;
    int leaf = PyUnicode_CheckExact(value) || Py_TYPE(value) == g.Keyword ||
               Py_TYPE(value) == g.Symbol;
    if (!leaf)
        leaf = LATE(leaves) ? PySet_Contains(g.leaves, (PyObject *)Py_TYPE(value)) : -1;
    if (leaf < 0) {
        Py_DECREF(value);
        return NULL;
    }
    fill(d, entry, value, leaf ? 0 : (d->p - at) + d->expanded - before);
    return value;
}

/* -- the switch over all codes */

static PyObject *read_double(dec_t *d)
{
    if (d->end - d->p < 8)
        return ended(d);
    uint64_t bits = get_be64(d->p);
    double v;
    memcpy(&v, &bits, 8);
    d->p += 8;
    return PyFloat_FromDouble(v);
}

static PyObject *read_float(dec_t *d)
{
    if (d->end - d->p < 4)
        return ended(d);
    uint32_t bits = get_be32(d->p);
    float v;
    memcpy(&v, &bits, 4);
    d->p += 4;
    return float32_new(v);
}

SHARED PyObject *read_value(dec_t *d, int64_t depth, int flags)
{
    for (;;) {
        const uint8_t *at = d->p;
        if (at >= d->end)
            return depth == 0 ? new_ref(g.END) : ended(d);
        unsigned code = *d->p++;
        if (code < 0x40)
            return PyLong_FromLong((long)code);
        if (code < 0x80 || code == C_INT) {
            int64_t v;
            return packed_int(d, code, &v) ? NULL : PyLong_FromLongLong(v);
        }
        if (code >= C_STRING_PACKED && code <= C_STRING)
            return read_text(d, code);
        if (code >= C_LIST_PACKED && code <= C_OPEN_LIST)
            return read_list(d, code, at, depth, flags);
        if (code < C_STRUCT_PACKED)
            return refer(d, (int64_t)code - C_PRIORITY, at, flags);
        if (code < C_LONGS) {
            if (depth > d->options->max_depth)
                return too_deep(d, at);
            return read_struct(d, (int64_t)code - C_STRUCT_PACKED, at, depth, flags);
        }
        if (code >= C_BYTES_PACKED && code <= C_BYTES)
            return read_bytes(d, code);
        int64_t entry;
        switch (code) {
        case C_NULL: return new_ref(Py_None);
        case C_TRUE: return new_ref(Py_True);
        case C_FALSE: return new_ref(Py_False);
        case C_DOUBLE: return read_double(d);
        case C_FLOAT: return read_float(d);
        case C_DOUBLE_0: return PyFloat_FromDouble(0.0);
        case C_DOUBLE_1: return PyFloat_FromDouble(1.0);
        case C_MINUS_1: return PyLong_FromLong(-1);
        case C_GET:
            return read_int(d, &entry) ? NULL : refer(d, entry, at, flags);
        case C_PUT: return read_put(d, at, depth, flags);
        case C_STRUCT_TYPE:
            if (depth > d->options->max_depth)
                return too_deep(d, at);
            return define_struct(d, at, depth, flags);
        case C_STRUCT:
            if (depth > d->options->max_depth)
                return too_deep(d, at);
            return read_int(d, &entry) ? NULL : read_struct(d, entry, at, depth, flags);
        case C_RESET:
            if (reset(d, at))
                return NULL;
            continue;
        case C_FOOTER:
            if (depth > 1 || (depth == 1 && !d->top_open))
                return fail(d, at, "a footer inside a value");
            d->p = at;
            if (read_footer(d))
                return NULL;
            continue;
        case C_END: return fail(d, at, "an end of a collection where none is open");
        default: return read_coded(d, code, at, depth, flags);
        }
    }
}

/* An error that is no DecodeError, as when hashing a key fails in an unplanned way, becomes one. */
static PyObject *dec_failed(dec_t *d)
{
    if (PyErr_ExceptionMatches(g.DecodeError) ||
        !(PyErr_ExceptionMatches(PyExc_ValueError) || PyErr_ExceptionMatches(PyExc_TypeError) ||
          PyErr_ExceptionMatches(PyExc_RecursionError) ||
          PyErr_ExceptionMatches(PyExc_OverflowError)))
        return NULL;
    PyObject *type, *value, *trace;
    PyErr_Fetch(&type, &value, &trace);
    PyErr_NormalizeException(&type, &value, &trace);
    PyObject *text = PyObject_Str(value);
    raise_at(d->p - d->base, text);
    Py_XDECREF(type);
    Py_XDECREF(value);
    Py_XDECREF(trace);
    return NULL;
}

SHARED PyObject *dec_next(dec_t *d)
{
    PyObject *value = read_value(d, 0, d->options->frozen ? F_FROZEN : 0);
    return value ? value : dec_failed(d);
}

/* -- one object alone */

static PyObject *read_only_object(dec_t *d)
{
    PyObject *value = dec_next(d);
    if (!value)
        return NULL;
    if (value == g.END) {
        Py_DECREF(value);
        return fail(d, d->p, "the input ends before an object");
    }
    if ((d->p < d->end && *d->p == C_FOOTER && read_footer(d)) ||
        (d->p != d->end && !fail(d, d->p, "bytes after the object")))
        Py_CLEAR(value);
    return value;
}

SHARED int check_size(const options_t *options, Py_ssize_t size)
{
    if (size <= options->max_size)
        return 0;
    set_decode_error(PyUnicode_FromFormat("%zd bytes; the limit is max_size=%lld", size,
                                          (long long)options->max_size), 0);
    return -1;
}

/* The only object of some bytes. */
SHARED PyObject *dec_one(const options_t *options, const void *data, Py_ssize_t size)
{
    if (check_size(options, size))
        return NULL;
    dec_t d;
    dec_init(&d, options, data, size, options->checksum);
    PyObject *value = read_only_object(&d);
    dec_clear(&d);
    return value;
}
