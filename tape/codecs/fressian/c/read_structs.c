/* read_structs.c - structs without a code: chars, ratios, records, unknown tags. */

#include "speed.h"

/* -- structs without a code */

/* An integer of any spelling; Java's reader takes 65.0 for 65. 0 when it is none. */
static int whole(PyObject *value, long long *n)
{
    int overflow = 1;
    if (PyLong_CheckExact(value) || Py_TYPE(value) == g.BigInt)
        *n = PyLong_AsLongLongAndOverflow(value, &overflow);
    else if (PyFloat_CheckExact(value)) {
        double v = PyFloat_AS_DOUBLE(value);
        if (v >= -1e6 && v <= 1e6 && v == (double)(long long)v) {
            *n = (long long)v;
            overflow = 0;
        }
    }
    return !overflow;
}

static PyObject *make_char(dec_t *d, PyObject *part, const uint8_t *at)
{
    long long unit;
    if (!whole(part, &unit) || unit < 0 || unit > 0xFFFF)
        return fail(d, at, "a char that is no number from 0 to 65535");
    PyObject *made = slotted_new(g.Char), *number = made ? PyLong_FromLongLong(unit) : NULL;
    if (number)
        SLOT(made, g.o_char) = number;
    else
        Py_CLEAR(made);
    return made;
}

static PyObject *make_byte(dec_t *d, PyObject *part, const uint8_t *at)
{
    long long value;
    if (!whole(part, &value) || value < -128 || value > 127)
        return fail(d, at, "a byte that is no number from -128 to 127");
    return PyLong_FromLongLong(value);
}

static int is_int(PyObject *value)
{
    return PyLong_CheckExact(value) || Py_TYPE(value) == g.BigInt;
}

static int64_t bit_length(PyObject *value)
{
    PyObject *bits = PyObject_CallMethod(value, "bit_length", NULL);
    int64_t n = bits ? PyLong_AsLongLong(bits) : -1;
    Py_XDECREF(bits);
    return n;
}

static PyObject *make_ratio(dec_t *d, PyObject *a, PyObject *b, const uint8_t *at)
{
    if (!is_int(a) || !is_int(b))
        return fail(d, at, "a ratio whose parts are not integers");
    int64_t first = bit_length(a), second = bit_length(b);
    if (first < 0 || second < 0)
        return NULL;
    int64_t size = first > second ? first : second;
    if (size > d->options->max_bigint / 16 * 8)     /* gcd takes the square of the size */
        return fail(d, at, "a ratio whose parts are too large");
    if (size > 63 && spend(d, size / 4, at))
        return NULL;
    if (second == 0)
        return fail(d, at, "a ratio with denominator 0");
    PyObject *x = PyNumber_Long(a), *y = x ? PyNumber_Long(b) : NULL;
    PyObject *made = x && y ? PyObject_CallFunctionObjArgs(LATE(make_ratio), x, y, NULL) : NULL;
    Py_XDECREF(x);
    Py_XDECREF(y);
    return made;
}

/* What a registered reader makes of the parts (a list). */
static PyObject *run_reader(dec_t *d, PyObject *function, PyObject *parts, PyObject *what,
                            const uint8_t *at)
{
    PyObject *made = what ? PyObject_CallFunction(LATE(run_reader), "OOOn", function, parts, what,
                                                  (Py_ssize_t)(at - d->base)) : NULL;
    Py_XDECREF(what);
    return made;
}

static PyObject *make_record(dec_t *d, PyObject *name, PyObject *fields, const uint8_t *at)
{
    if (Py_TYPE(name) != g.Symbol || SLOT(name, g.o_symbol_ns) != Py_None)
        return fail(d, at, "a record whose name is not a plain symbol");
    PyObject *dict = Py_TYPE(fields) == g.FrozenMap ? SLOT(fields, g.o_map_items) : fields;
    if (!PyDict_CheckExact(dict))
        return fail(d, at, "a record whose fields are not a map");
    if (spend(d, 4 * (int64_t)PyDict_GET_SIZE(dict), at))
        return NULL;
    PyObject *type_name = SLOT(name, g.o_symbol_name);
    PyObject *build = PyDict_GetItemWithError(d->options->records, type_name);
    PyObject *copy = dict == fields ? PyDict_Copy(dict) : new_ref(dict);
    if (!copy || (!build && PyErr_Occurred())) {
        Py_XDECREF(copy);
        return NULL;
    }
    PyObject *made = NULL;
    if (build) {
        PyObject *parts = Py_BuildValue("[N]", dict == fields ? copy : PyDict_Copy(dict));
        if (dict != fields)
            Py_DECREF(copy);
        made = parts ? run_reader(d, build, parts,
                                  PyUnicode_FromFormat("the reader of %U", type_name), at) : NULL;
        Py_XDECREF(parts);
        return made;
    }
    PyObject *map = dict == fields ? frozen_map(copy) : new_ref(fields);
    Py_DECREF(copy);
    made = map ? slotted_new(g.Record) : NULL;
    if (!made) {
        Py_XDECREF(map);
        return NULL;
    }
    SLOT(made, g.o_record_name) = new_ref(type_name);
    SLOT(made, g.o_record_fields) = map;
    return made;
}

SHARED PyObject *read_clojure(dec_t *d, int kind, const uint8_t *at, int64_t depth, int flags)
{
    PyObject *a = read_value(d, depth + 1, flags), *b = NULL, *made = NULL;
    if (a && kind >= TAG_RATIO)
        b = read_value(d, depth + 1, flags);
    if (a && kind == TAG_CHAR)
        made = make_char(d, a, at);
    else if (a && kind == TAG_BYTE)
        made = make_byte(d, a, at);
    else if (b)
        made = kind == TAG_RATIO ? make_ratio(d, a, b, at) : make_record(d, a, b, at);
    Py_XDECREF(a);
    Py_XDECREF(b);
    return made;
}

SHARED PyObject *read_unknown(dec_t *d, PyObject *tag, int64_t count, const uint8_t *at,
                              int64_t depth, int flags)
{
    if (count > d->end - d->p)
        return fail(d, at, "%lld components in %zd bytes", (long long)count,
                    (Py_ssize_t)(d->end - d->p));
    PyObject *items = read_items(d, count, depth + 1, flags, at);
    if (!items)
        return NULL;
    PyObject *build = PyDict_GetItemWithError(d->options->readers, tag), *made = NULL;
    if (!build && PyErr_Occurred()) {
        if (!PyErr_ExceptionMatches(PyExc_TypeError) &&
            !PyErr_ExceptionMatches(PyExc_RecursionError)) {
            Py_DECREF(items);
            return NULL;
        }
        PyErr_Clear();                  /* a tag that cannot be hashed has no reader */
    }
    if (build) {
        made = run_reader(d, build, items, PyUnicode_FromFormat("the reader of %R", tag), at);
    } else {
        PyObject *values = PyList_AsTuple(items);
        made = values ? tagged_new(tag, values) : NULL;
    }
    Py_DECREF(items);
    return made;
}

SHARED int tag_kind(PyObject *tag)
{
    if (!PyUnicode_CheckExact(tag))
        return TAG_OTHER;
    PyObject *code = PyDict_GetItemWithError(g.code_of_tag, tag);
    if (code)
        return (int)PyLong_AsLong(code);
    static const char *const names[] = {NULL, "char", "byte", "ratio", "record"};
    for (int kind = TAG_CHAR; kind <= TAG_RECORD; kind++)
        if (PyUnicode_CompareWithASCIIString(tag, names[kind]) == 0)
            return kind;
    return TAG_OTHER;
}
