/* write.c - the choice between all kinds of values, and one whole object. */

#include "speed.h"

/* -- the choice */

static int write_made(enc_t *e, PyObject *made, int64_t depth)
{
    if (!made)
        return -1;
    int rc = depth >= e->options->max_depth ? refuse_depth(e) : write_value(e, made, depth + 1);
    Py_DECREF(made);
    return rc;
}

static int write_kind(enc_t *e, PyObject *value, long kind, int64_t depth)
{
    switch (kind) {
    case K_NIL: return put_byte(e, C_NULL);
    case K_BOOL: return put_byte(e, value == Py_True ? C_TRUE : C_FALSE);
    case K_INT: return write_int(e, value);
    case K_FLOAT: return put_double(e, PyFloat_AS_DOUBLE(value));
    case K_STR: return put_text(e, value);
    case K_BYTES: return write_bytes_like(e, value);
    case K_LIST: return write_sequence(e, value, depth);
    case K_MAP: return write_map(e, value, depth);
    case K_SET: return write_set(e, value, depth);
    case K_KEYWORD: return write_keyword(e, value);
    case K_SYMBOL: return write_symbol(e, value);
    case K_BIGINT: return write_bigint(e, value);
    case K_FLOAT32: return put_float(e, (float)PyFloat_AS_DOUBLE(value));
    case K_CHAR:
        return write_struct_head(e, g.s_char, 1, &e->char1) ||
                       put_int(e, PyLong_AsLongLong(SLOT(value, g.o_char))) ? -1 : 0;
    case K_DECIMAL: return write_decimal(e, value);
    case K_FRACTION: return write_fraction(e, value);
    case K_DATETIME: return write_datetime(e, value);
    case K_INSTANT: return write_instant(e, value);
    case K_UUID: return write_uuid(e, value);
    case K_URI: return write_parsed(e, C_URI, LATE(uri_text), value);
    case K_REGEX: return put_byte(e, C_REGEX) || put_text(e, SLOT(value, g.o_regex)) ? -1 : 0;
    case K_PATTERN: return write_parsed(e, C_REGEX, LATE(pattern_text), value);
    case K_ARRAY: return write_array(e, LATE(array_parts), value, depth);
    case K_BOOL_ARRAY: return write_bools(e, value);
    case K_OBJECT_ARRAY: return write_objects(e, value, depth);
    case K_RECORD: return write_record(e, value, depth);
    case K_TAGGED: return write_tagged(e, value, depth);
    case K_CACHED: return write_cached(e, value, depth);
    case K_NUMPY_ARRAY: return write_array(e, LATE(numpy_parts), value, depth);
    case K_NUMPY_SCALAR: {
        PyObject *made = call_late(LATE(numpy_scalar), value);
        return made ? write_made(e, made, depth) : refuse_current(e);
    }
    default:
        if (!e->options->default_)
            return refuse_type(e, value);
        return write_made(e, PyObject_CallOneArg(e->options->default_, value), depth);
    }
}

static int write_other(enc_t *e, PyObject *value, int64_t depth)
{
    PyObject *type = (PyObject *)Py_TYPE(value);
    PyObject *how = PyDict_GetItemWithError(e->options->dispatch, type);
    if (how)
        Py_INCREF(how);
    else if (PyErr_Occurred() ||
             !(how = PyObject_CallMethod(e->options->handlers, "resolve", "O", type)))
        return -1;
    int rc = PyTuple_CheckExact(how) ? write_handled(e, value, how, depth)
                                     : write_kind(e, value, PyLong_AsLong(how), depth);
    Py_DECREF(how);
    return rc;
}

SHARED int write_value(enc_t *e, PyObject *value, int64_t depth)
{
    PyTypeObject *type = Py_TYPE(value);
    if (type == &PyUnicode_Type)
        return put_text(e, value);
    if (type == &PyLong_Type)
        return write_int(e, value);
    if (type == &PyDict_Type)
        return write_map(e, value, depth);
    if (type == g.Keyword)
        return write_keyword(e, value);
    if (type == &PyList_Type || type == &PyTuple_Type)
        return write_list(e, value, depth);
    if (value == Py_None)
        return put_byte(e, C_NULL);
    if (type == &PyBool_Type)
        return put_byte(e, value == Py_True ? C_TRUE : C_FALSE);
    if (type == &PyFloat_Type)
        return put_double(e, PyFloat_AS_DOUBLE(value));
    if (type == &PyBytes_Type)
        return put_bytes(e, (uint8_t *)PyBytes_AS_STRING(value), (size_t)PyBytes_GET_SIZE(value));
    return write_other(e, value, depth);
}

/* -- one object */

/* Raises what stopped the writer; nothing of the object is kept, the caches are emptied. */
SHARED void enc_fail(enc_t *e)
{
    int dirty = e->entries || e->struct_entries || e->reset_due;
    enc_forget(e);
    e->reset_due = dirty;
    PyObject *message = e->message, *cause = e->cause, *path = e->path;
    e->message = e->cause = e->path = NULL;
    if (!PyErr_Occurred() && message) {
        if (path)
            PyList_Reverse(path);
        PyObject *empty = PyTuple_New(0);
        PyObject *error = empty ? PyObject_CallFunctionObjArgs(LATE(encode_error), message,
                                                               path ? path : empty,
                                                               cause ? cause : Py_None, NULL)
                                : NULL;
        if (error)
            PyErr_SetObject((PyObject *)Py_TYPE(error), error);
        Py_XDECREF(error);
        Py_XDECREF(empty);
    }
    Py_XDECREF(message);
    Py_XDECREF(cause);
    Py_XDECREF(path);
    if (!PyErr_Occurred())
        PyErr_SetString(PyExc_SystemError, "the Fressian writer failed without an error");
}

/* What every whole object ends with: its size within the limit, no reset due any more. */
static inline int enc_end(enc_t *e, size_t begin)
{
    if ((int64_t)(e->size - begin) > e->options->max_size) {
        Py_CLEAR(e->path);
        refuse(e, "more than max_size=%lld bytes", (long long)e->options->max_size);
        enc_fail(e);
        return -1;
    }
    e->reset_due = 0;
    return 0;
}

SHARED PyObject *enc_take(enc_t *e)
{
    return enc_end(e, 0) ? NULL
                         : PyBytes_FromStringAndSize((char *)e->data, (Py_ssize_t)e->size);
}

/* One object at e->size, where `begin` bytes of something else stand in front. */
SHARED_INLINE int enc_write(enc_t *e, PyObject *value, int cache, size_t begin)
{
    int rc = e->reset_due ? put_byte(e, C_RESET) : 0;
    if (!rc && cache) {
        PyObject *wrapper = slotted_new(g.Cached);
        if (wrapper) {
            SLOT(wrapper, g.o_cached) = new_ref(value);
            rc = write_cached(e, wrapper, 0);
            Py_DECREF(wrapper);
        } else {
            rc = -1;
        }
    } else if (!rc) {
        rc = write_value(e, value, 0);
    }
    if (rc) {
        enc_fail(e);
        return -1;
    }
    return enc_end(e, begin);
}

SHARED_INLINE PyObject *enc_object(enc_t *e, PyObject *value, int cache)
{
    e->size = 0;
    return enc_write(e, value, cache, 0)
               ? NULL
               : PyBytes_FromStringAndSize((char *)e->data, (Py_ssize_t)e->size);
}
