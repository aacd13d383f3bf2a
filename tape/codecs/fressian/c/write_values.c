/* write_values.c - decimals, moments, UUIDs, arrays and what else is rare. */

#include "speed.h"

#include <datetime.h>

/* -- numbers and moments */

/* Up to 18 digits, as in "-129.95" or "1E+10", without Decimal.as_tuple(). 1: done, 0: not so. */
static int put_short_decimal(enc_t *e, PyObject *value)
{
    PyObject *text = PyObject_Str(value);
    if (!text)
        return -1;
    const char *p = PyUnicode_AsUTF8(text);
    int64_t unscaled = 0, scale = 0, exponent = 0;
    int digits = 0, point = 0, ok = p != NULL, negative = 0;
    if (ok && *p == '-') {
        negative = 1;
        p++;
    }
    for (; ok && ((*p >= '0' && *p <= '9') || (*p == '.' && !point)); p++) {
        if (*p == '.') {
            point = 1;
            continue;
        }
        ok = ++digits <= 18;
        if (ok)
            unscaled = unscaled * 10 + (*p - '0');
        scale += point;
    }
    if (ok && *p == 'E') {
        char *end;
        exponent = strtoll(p + 1, &end, 10);
        ok = end != p + 1 && exponent > -4000000000 && exponent < 4000000000;
        p = end;
    }
    ok = ok && digits && *p == 0;
    Py_DECREF(text);
    scale -= exponent;
    if (!ok || scale < INT32_MIN || scale > INT32_MAX)
        return 0;
    PyObject *number = PyLong_FromLongLong(negative ? -unscaled : unscaled);
    if (!number)
        return -1;
    int rc = put_byte(e, C_BIGDEC) || put_big(e, number) || put_int(e, scale) ? -1 : 1;
    Py_DECREF(number);
    return rc;
}

SHARED int write_decimal(enc_t *e, PyObject *value)
{
    if (!LATE(Decimal))
        return -1;
    if (Py_TYPE(value) == (PyTypeObject *)g.Decimal) {
        int done = put_short_decimal(e, value);
        if (done)
            return done < 0 ? -1 : 0;
    }
    PyObject *parts = call_late(LATE(decimal_parts), value);
    if (!parts)
        return refuse_current(e);
    int rc = put_byte(e, C_BIGDEC) || put_big(e, PyTuple_GET_ITEM(parts, 0)) ||
             put_int(e, PyLong_AsLongLong(PyTuple_GET_ITEM(parts, 1)));
    Py_DECREF(parts);
    return rc ? -1 : 0;
}

SHARED int write_fraction(enc_t *e, PyObject *value)
{
    PyObject *parts = call_late(LATE(ratio_parts), value);
    if (!parts)
        return refuse_current(e);
    PyObject *numerator = PyTuple_GET_ITEM(parts, 0), *denominator = PyTuple_GET_ITEM(parts, 1);
    int overflow;
    int whole = PyLong_AsLongLongAndOverflow(denominator, &overflow) == 1 && !overflow;
    int rc;
    if (whole)                          /* Clojure has no Ratio 4/1 */
        rc = write_bigint(e, numerator);
    else
        rc = write_struct_head(e, g.s_ratio, 2, &e->ratio2) || write_bigint(e, numerator) ||
             write_bigint(e, denominator);
    Py_DECREF(parts);
    return rc ? -1 : 0;
}

SHARED int write_datetime(enc_t *e, PyObject *value)
{
    if (need_datetime())
        return -1;
    if (PyDateTime_DATE_GET_TZINFO(value) == PyDateTime_TimeZone_UTC) {
        int us = PyDateTime_DATE_GET_MICROSECOND(value);
        if (e->options->truncate_datetimes || us % 1000 == 0) {
            int64_t days = days_from_civil(PyDateTime_GET_YEAR(value),
                                           (unsigned)PyDateTime_GET_MONTH(value),
                                           (unsigned)PyDateTime_GET_DAY(value));
            int64_t seconds = days * 86400 + PyDateTime_DATE_GET_HOUR(value) * 3600 +
                              PyDateTime_DATE_GET_MINUTE(value) * 60 +
                              PyDateTime_DATE_GET_SECOND(value);
            return put_byte(e, C_INST) || put_int(e, seconds * 1000 + us / 1000) ? -1 : 0;
        }
    }
    PyObject *ms = PyObject_CallFunctionObjArgs(LATE(instant_ms), value,
                                                e->options->truncate_datetimes ? Py_True : Py_False,
                                                NULL);
    if (!ms)
        return refuse_current(e);
    int64_t number = PyLong_AsLongLong(ms);
    Py_DECREF(ms);
    return put_byte(e, C_INST) || put_int(e, number) ? -1 : 0;
}

SHARED int write_instant(enc_t *e, PyObject *value)
{
    int overflow;
    long long ms = PyLong_AsLongLongAndOverflow(SLOT(value, g.o_instant), &overflow);
    if (overflow)
        return refuse(e, "the Instant does not fit 64 bits");
    return put_byte(e, C_INST) || put_int(e, ms) ? -1 : 0;
}

SHARED int write_uuid(enc_t *e, PyObject *value)
{
    if (take_uuid())
        return -1;
    PyObject *number = SLOT(value, g.o_uuid_int);
    if (!number || need(e, 19))
        return number ? -1 : refuse(e, "a UUID without a value");
    memcpy(e->data + e->size, "\xC3\xD9\x10", 3);
    if (int_to_be16(number, e->data + e->size + 3))
        return refuse_current(e);
    e->size += 19;
    return 0;
}

/* -- arrays */

static int put_numbers(enc_t *e, unsigned code, const uint8_t *p, Py_ssize_t size)
{
    Py_ssize_t width = code == C_INTS || code == C_FLOATS ? 4 : 8, count = size / width;
    if (check_count(e, count) || put_byte(e, code) || put_int(e, count))
        return -1;
    int rc = 0;
    for (Py_ssize_t i = 0; i < count && !rc; i++, p += width) {
        union {
            int32_t i;
            int64_t q;
            float f;
            double d;
        } item;
        memcpy(&item, p, (size_t)width);
        rc = code == C_INTS    ? put_int(e, item.i)
             : code == C_LONGS ? put_int(e, item.q)
             : code == C_FLOATS ? put_float(e, item.f)
                                : put_double(e, item.d);
    }
    return rc;
}

SHARED int write_bools(enc_t *e, PyObject *items)
{
    Py_ssize_t count = PySequence_Size(items);
    if (check_count(e, count) || put_byte(e, C_BOOLS) || put_int(e, count))
        return -1;
    for (Py_ssize_t i = 0; i < count; i++) {
        PyObject *item = PySequence_GetItem(items, i);
        int truth = item ? PyObject_IsTrue(item) : -1;
        Py_XDECREF(item);
        if (truth < 0 || put_byte(e, truth ? C_TRUE : C_FALSE))
            return -1;
    }
    return 0;
}

SHARED int write_objects(enc_t *e, PyObject *items, int64_t depth)
{
    Py_ssize_t count = PySequence_Size(items);
    if (check_count(e, count))
        return -1;
    ENTER(e, depth);
    return put_byte(e, C_OBJECTS) || put_int(e, count) ||
                   write_elements(e, items, count, depth + 1) ? -1 : 0;
}

/* array.array and numpy arrays, by what the function of _convert makes of them. */
SHARED int write_array(enc_t *e, PyObject *function, PyObject *value, int64_t depth)
{
    PyObject *parts = call_late(function, value);
    if (!parts)
        return refuse_current(e);
    unsigned code = (unsigned)PyLong_AsLong(PyTuple_GET_ITEM(parts, 0));
    PyObject *items = PyTuple_GET_ITEM(parts, 1);
    int rc = -1;
    Py_buffer view;
    if (code == C_OBJECTS) {
        rc = write_objects(e, items, depth);
    } else if (code == C_BOOLS) {
        rc = write_bools(e, items);
    } else if (!PyObject_GetBuffer(items, &view, PyBUF_SIMPLE)) {
        rc = put_numbers(e, code, view.buf, view.len);
        PyBuffer_Release(&view);
    }
    Py_DECREF(parts);
    return rc;
}

SHARED int write_bytes_like(enc_t *e, PyObject *value)
{
    if (PyMemoryView_Check(value)) {
        Py_buffer *view = PyMemoryView_GET_BUFFER(value);
        if (view->ndim != 1 || !PyBuffer_IsContiguous(view, 'C'))
            return refuse(e, "no Fressian encoding for a memoryview that is not contiguous bytes");
    }
    Py_buffer view;
    if (PyObject_GetBuffer(value, &view, PyBUF_SIMPLE))
        return refuse_current(e);
    int rc = put_bytes(e, view.buf, (size_t)view.len);
    PyBuffer_Release(&view);
    return rc;
}

/* The text that a function of _convert makes of a URI or a pattern. */
SHARED int write_parsed(enc_t *e, unsigned code, PyObject *function, PyObject *value)
{
    PyObject *text = call_late(function, value);
    if (!text)
        return refuse_current(e);
    int rc = put_byte(e, code) || put_text(e, text);
    Py_DECREF(text);
    return rc ? -1 : 0;
}
