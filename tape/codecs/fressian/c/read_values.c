/* read_values.c - moments, UUIDs, big numbers, URIs and arrays. */

#include "speed.h"

#include <datetime.h>

SHARED PyObject *read_inst(dec_t *d)
{
    int64_t ms;
    if (read_int(d, &ms))
        return NULL;
    if (ms < INT64_C(-62135596800000) || ms > INT64_C(253402300799999)) {
        PyObject *made = slotted_new(g.Instant), *number = made ? PyLong_FromLongLong(ms) : NULL;
        if (number)
            SLOT(made, g.o_instant) = number;
        else
            Py_CLEAR(made);
        return made;
    }
    if (need_datetime())
        return NULL;
    int64_t seconds = ms / 1000 - (ms % 1000 < 0), days, rest;
    int year, month, day, us = (int)(ms - seconds * 1000) * 1000;
    days = seconds / 86400 - (seconds % 86400 < 0);
    rest = seconds - days * 86400;
    civil_from_days(days, &year, &month, &day);
    return PyDateTimeAPI->DateTime_FromDateAndTime(year, month, day, (int)(rest / 3600),
                                                   (int)(rest / 60 % 60), (int)(rest % 60), us,
                                                   PyDateTime_TimeZone_UTC,
                                                   PyDateTimeAPI->DateTimeType);
}

/* -- structs with a code */

static const char *leaf_name(unsigned code)
{
    return code == C_UUID     ? "uuid"
           : code == C_REGEX  ? "regex"
           : code == C_URI    ? "uri"
           : code == C_BIGINT ? "bigint"
                              : "bigdec";
}

static PyObject *make_big(dec_t *d, unsigned code, PyObject *bytes, const uint8_t *at)
{
    Py_ssize_t size = PyBytes_GET_SIZE(bytes);
    if (!size)
        return fail(d, at, "a %s of 0 bytes", leaf_name(code));
    if (size > d->options->max_bigint)
        return fail(d, at, "a %s of %zd bytes; the limit is max_bigint=%lld", leaf_name(code),
                    size, (long long)d->options->max_bigint);
    if (spend(d, size, at))
        return NULL;
    return int_from_be((const uint8_t *)PyBytes_AS_STRING(bytes), size, 1);
}

static PyObject *make_bigint(PyObject *number)
{
    int overflow;
    PyLong_AsLongLongAndOverflow(number, &overflow);
    if (overflow)
        return number;
    PyObject *args = PyTuple_Pack(1, number);
    PyObject *made = args ? PyLong_Type.tp_new(g.BigInt, args, NULL) : NULL;
    Py_XDECREF(args);
    Py_DECREF(number);
    return made;
}

static PyObject *make_bigdec(dec_t *d, PyObject *number)
{
    int64_t wide;
    PyObject *made = NULL;
    if (!read_int(d, &wide)) {
        int32_t scale = (int32_t)(uint32_t)(uint64_t)wide;  /* Java takes the low 32 bits */
        int overflow;
        long long small = PyLong_AsLongLongAndOverflow(number, &overflow);
        if (!overflow) {
            char text[48];
            snprintf(text, sizeof text, "%lldE%lld", small, -(long long)scale);
            made = PyObject_CallFunction(LATE(Decimal), "s", text);
        } else {
            made = PyObject_CallFunction(LATE(make_decimal), "Oi", number, (int)scale);
        }
    }
    Py_DECREF(number);
    return made;
}

SHARED PyObject *read_leaf(dec_t *d, unsigned code, const uint8_t *at, int64_t depth, int flags)
{
    if (depth > d->options->max_depth)
        return too_deep(d, at);
    if (code == C_UUID && d->end - d->p >= 18 && d->p[0] == C_BYTES && d->p[1] == 16) {
        d->p += 18;
        return uuid_new(d->p - 16);
    }
    PyObject *part = read_value(d, depth + 1, flags), *made = NULL;
    if (!part)
        return NULL;
    if (code == C_REGEX || code == C_URI) {
        if (!PyUnicode_CheckExact(part))
            fail(d, at, "a %s that is not a string", leaf_name(code));
        else
            made = code == C_REGEX ? text_new(g.Regex, g.o_regex, part)
                                   : text_new(g.URI, g.o_uri, part);
    } else if (!PyBytes_CheckExact(part)) {
        fail(d, at, "a %s that is not bytes", leaf_name(code));
    } else if (code == C_UUID) {
        if (PyBytes_GET_SIZE(part) != 16)
            fail(d, at, "a uuid of %zd bytes", PyBytes_GET_SIZE(part));
        else
            made = uuid_new((const uint8_t *)PyBytes_AS_STRING(part));
    } else {
        PyObject *number = make_big(d, code, part, at);
        if (number)
            made = code == C_BIGINT ? make_bigint(number) : make_bigdec(d, number);
    }
    Py_DECREF(part);
    return made;
}

/* -- arrays */

static int element(dec_t *d, unsigned array, PyObject **value)
{
    int64_t few[16], *entries = few, used = 0;
    int rc = -1;
    const uint8_t *at;
    unsigned code;
    *value = NULL;
    for (;;) {
        at = d->p;
        if (at >= d->end) {
            ended(d);
            return -1;
        }
        code = *d->p++;
        if (code == C_PUT) {
            int64_t limit = d->options->max_depth;
            if (used >= limit) {
                too_deep(d, at);
                goto done;
            }
            if (used == 16 && entries == few) {
                entries = PyMem_Malloc((size_t)limit * sizeof *entries);
                if (!entries) {
                    PyErr_NoMemory();
                    return -1;
                }
                memcpy(entries, few, sizeof few);
            }
            if ((entries[used++] = reserve(d)) < 0)
                goto done;
        } else if (code == C_RESET) {
            if (reset(d, at))
                goto done;
        } else {
            break;
        }
    }
    PyObject *made = NULL;
    if (code == C_TRUE || code == C_FALSE)
        made = PyBool_FromLong(code == C_TRUE);
    else if (code == C_DOUBLE || code == C_FLOAT || code == C_DOUBLE_0 || code == C_DOUBLE_1 ||
             (code >= C_PRIORITY && code < C_STRUCT_PACKED) || code == C_GET) {
        d->p = at;
        if (code >= C_PRIORITY && code <= C_GET) {
            d->p++;
            int64_t entry = (int64_t)code - C_PRIORITY;
            if (code == C_GET && read_int(d, &entry))
                goto done;
            made = xnew_ref(entry_value(d, entry, at));
        } else {
            made = read_value(d, 0, 0);
        }
        if (!made)
            goto done;
    }
    PyTypeObject *wanted = array == C_DOUBLES ? &PyFloat_Type
                           : array == C_FLOATS ? g.Float32 : &PyBool_Type;
    if (!made || Py_TYPE(made) != wanted) {
        Py_XDECREF(made);
        fail(d, at, "an element of a %s[] was expected",
             array == C_DOUBLES ? "double" : array == C_FLOATS ? "float" : "boolean");
        goto done;
    }
    while (used--)
        fill(d, entries[used], made, 0);
    *value = made;
    rc = 0;
done:
    if (entries != few)
        PyMem_Free(entries);
    return rc;
}

static int read_item(dec_t *d, unsigned array, uint8_t *out)
{
    const uint8_t *at = d->p;
    if (array == C_LONGS || array == C_INTS) {
        int64_t v;
        if (read_int(d, &v))
            return -1;
        if (array == C_LONGS) {
            memcpy(out, &v, 8);
            return 0;
        }
        if (v < INT32_MIN || v > INT32_MAX) {
            fail(d, at, "an int[] element that does not fit 32 bits");
            return -1;
        }
        int32_t small = (int32_t)v;
        memcpy(out, &small, 4);
        return 0;
    }
    PyObject *value;
    if (element(d, array, &value))
        return -1;
    if (array == C_BOOLS) {
        *out = value == Py_True;
    } else {
        double v = PyFloat_AS_DOUBLE(value);
        float narrow = (float)v;
        memcpy(out, array == C_FLOATS ? (void *)&narrow : (void *)&v, array == C_FLOATS ? 4 : 8);
    }
    Py_DECREF(value);
    return 0;
}

static PyObject *bools_of(const uint8_t *raw, int64_t count)
{
    PyObject *list = PyList_New((Py_ssize_t)count);
    for (int64_t i = 0; list && i < count; i++)
        PyList_SET_ITEM(list, i, new_ref(raw[i] ? Py_True : Py_False));
    PyObject *made = list ? array_new(g.BoolArray, list) : NULL;
    Py_XDECREF(list);
    return made;
}

SHARED PyObject *read_numbers(dec_t *d, unsigned code)
{
    int64_t count;
    if (read_count(d, "elements", 1, &count))
        return NULL;
    size_t width = code == C_BOOLS ? 1 : code == C_INTS || code == C_FLOATS ? 4 : 8;
    PyObject *raw = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)((size_t)count * width));
    if (!raw)
        return NULL;
    uint8_t *out = (uint8_t *)PyBytes_AS_STRING(raw);
    for (int64_t i = 0; i < count; i++)
        if (read_item(d, code, out + (size_t)i * width)) {
            Py_DECREF(raw);
            return NULL;
        }
    PyObject *made;
    if (d->options->numpy)
        made = PyObject_CallFunction(LATE(make_numpy), "iO", (int)code, raw);
    else if (code == C_BOOLS)
        made = bools_of(out, count);
    else
        made = PyObject_CallFunction(LATE(make_array), "iO", (int)code, raw);
    Py_DECREF(raw);
    return made;
}

SHARED PyObject *read_objects(dec_t *d, const uint8_t *at, int64_t depth, int flags)
{
    int64_t count;
    if (depth >= d->options->max_depth)
        return too_deep(d, at);
    if (read_count(d, "elements", 1, &count))
        return NULL;
    PyObject *items = read_items(d, count, depth + 1, flags, at);
    PyObject *made = items ? array_new(g.ObjectArray, items) : NULL;
    Py_XDECREF(items);
    return made;
}
