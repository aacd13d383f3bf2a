/* The writer, fourth part: structs, the rarer types, and the choice between them. */

/* -- structs */

static int write_record(enc_t *e, PyObject *record, int64_t depth)
{
    if (write_struct_head(e, g.s_record, 2, &e->record2))
        return -1;
    PyObject *name = PyObject_CallFunctionObjArgs((PyObject *)g.Symbol, Py_None,
                                                  SLOT(record, g.o_record_name), NULL);
    if (!name)
        return -1;
    int rc = write_put(e, name);
    if (rc == 0)
        rc = write_symbol(e, name);
    Py_DECREF(name);
    if (rc < 0)
        return -1;
    ENTER(e, depth);
    ENTER(e, depth + 1);
    PyObject *fields = SLOT(record, g.o_record_fields);
    Py_ssize_t count = PyObject_Size(fields);
    if (count < 0 || put_byte(e, C_MAP) || put_byte(e, C_CLOSED_LIST) ||
        write_entries(e, fields, count, depth + 2, write_field))
        return -1;
    return put_byte(e, C_END);
}

static int write_tagged(enc_t *e, PyObject *value, int64_t depth)
{
    PyObject *tag = SLOT(value, g.o_tagged_tag), *parts = SLOT(value, g.o_tagged_values);
    Py_ssize_t count = PyTuple_GET_SIZE(parts);
    PyObject *code = PyUnicode_CheckExact(tag) ? PyDict_GetItemWithError(g.code_of_tag, tag)
                                               : NULL;
    if (!code) {
        if (PyErr_Occurred() || write_struct_head(e, tag, count, NULL))
            return -1;
    } else {
        long number = PyLong_AsLong(code);
        PyObject *list = count == 1 ? PyTuple_GET_ITEM(parts, 0) : NULL;
        int is_list = list && (PyList_CheckExact(list) || PyTuple_CheckExact(list));
        if (!(number == C_SET || number == C_MAP) || !is_list ||
            (number == C_MAP && Py_SIZE(list) % 2))
            return refuse(e, "a TaggedValue cannot stand for a %U: use its own type", tag);
        if (put_byte(e, (unsigned)number))      /* entries that clash in a dict */
            return -1;
    }
    ENTER(e, depth);
    return write_elements(e, parts, count, depth + 1);
}

/* A value of a registered class, or one that stands for another. */
static int write_handled(enc_t *e, PyObject *value, PyObject *how, int64_t depth)
{
    PyObject *tag = PyTuple_GET_ITEM(how, 1);
    PyObject *made = PyObject_CallOneArg(PyTuple_GET_ITEM(how, 2), value);
    if (!made)
        return -1;
    int rc = -1;
    if (tag == Py_None) {
        if (depth >= e->options->max_depth)
            refuse_depth(e);
        else
            rc = write_value(e, made, depth + 1);
        Py_DECREF(made);
        return rc;
    }
    PyObject *parts = PySequence_Tuple(made);
    Py_DECREF(made);
    if (!parts)
        return -1;
    Py_ssize_t count = PyTuple_GET_SIZE(parts);
    if (!write_struct_head(e, tag, count, NULL)) {
        if (depth >= e->options->max_depth)
            refuse_depth(e);
        else
            rc = write_elements(e, parts, count, depth + 1);
    }
    Py_DECREF(parts);
    return rc;
}

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

static int write_decimal(enc_t *e, PyObject *value)
{
    if (Py_TYPE(value) == (PyTypeObject *)g.Decimal) {
        int done = put_short_decimal(e, value);
        if (done)
            return done < 0 ? -1 : 0;
    }
    PyObject *parts = PyObject_CallOneArg(g.decimal_parts, value);
    if (!parts)
        return refuse_current(e);
    int rc = put_byte(e, C_BIGDEC) || put_big(e, PyTuple_GET_ITEM(parts, 0)) ||
             put_int(e, PyLong_AsLongLong(PyTuple_GET_ITEM(parts, 1)));
    Py_DECREF(parts);
    return rc ? -1 : 0;
}

static int write_fraction(enc_t *e, PyObject *value)
{
    PyObject *parts = PyObject_CallOneArg(g.ratio_parts, value);
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

static int write_datetime(enc_t *e, PyObject *value)
{
    if (PyDateTime_DATE_GET_TZINFO(value) == PyDateTime_TimeZone_UTC) {
        int us = PyDateTime_DATE_GET_MICROSECOND(value);
        if (!e->options->strict_inst || us % 1000 == 0) {
            int64_t days = days_from_civil(PyDateTime_GET_YEAR(value),
                                           (unsigned)PyDateTime_GET_MONTH(value),
                                           (unsigned)PyDateTime_GET_DAY(value));
            int64_t seconds = days * 86400 + PyDateTime_DATE_GET_HOUR(value) * 3600 +
                              PyDateTime_DATE_GET_MINUTE(value) * 60 +
                              PyDateTime_DATE_GET_SECOND(value);
            return put_byte(e, C_INST) || put_int(e, seconds * 1000 + us / 1000) ? -1 : 0;
        }
    }
    PyObject *ms = PyObject_CallFunctionObjArgs(g.instant_ms, value,
                                                e->options->strict_inst ? Py_False : Py_True,
                                                NULL);
    if (!ms)
        return refuse_current(e);
    int64_t number = PyLong_AsLongLong(ms);
    Py_DECREF(ms);
    return put_byte(e, C_INST) || put_int(e, number) ? -1 : 0;
}

static int write_instant(enc_t *e, PyObject *value)
{
    int overflow;
    long long ms = PyLong_AsLongLongAndOverflow(SLOT(value, g.o_instant), &overflow);
    if (overflow)
        return refuse(e, "the Instant does not fit 64 bits");
    return put_byte(e, C_INST) || put_int(e, ms) ? -1 : 0;
}

static int write_uuid(enc_t *e, PyObject *value)
{
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

static int write_bools(enc_t *e, PyObject *items)
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

static int write_objects(enc_t *e, PyObject *items, int64_t depth)
{
    Py_ssize_t count = PySequence_Size(items);
    if (check_count(e, count))
        return -1;
    ENTER(e, depth);
    return put_byte(e, C_OBJECTS) || put_int(e, count) ||
                   write_elements(e, items, count, depth + 1) ? -1 : 0;
}

/* array.array and numpy arrays, by what the function of _convert makes of them. */
static int write_array(enc_t *e, PyObject *function, PyObject *value, int64_t depth)
{
    PyObject *parts = PyObject_CallOneArg(function, value);
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

static int write_bytes_like(enc_t *e, PyObject *value)
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
static int write_parsed(enc_t *e, unsigned code, PyObject *function, PyObject *value)
{
    PyObject *text = PyObject_CallOneArg(function, value);
    if (!text)
        return refuse_current(e);
    int rc = put_byte(e, code) || put_text(e, text);
    Py_DECREF(text);
    return rc ? -1 : 0;
}

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
    case K_URI: return write_parsed(e, C_URI, g.uri_text, value);
    case K_REGEX: return put_byte(e, C_REGEX) || put_text(e, SLOT(value, g.o_regex)) ? -1 : 0;
    case K_PATTERN: return write_parsed(e, C_REGEX, g.pattern_text, value);
    case K_ARRAY: return write_array(e, g.array_parts, value, depth);
    case K_BOOL_ARRAY: return write_bools(e, value);
    case K_OBJECT_ARRAY: return write_objects(e, value, depth);
    case K_RECORD: return write_record(e, value, depth);
    case K_TAGGED: return write_tagged(e, value, depth);
    case K_CACHED: return write_cached(e, value, depth);
    case K_NUMPY_ARRAY: return write_array(e, g.numpy_parts, value, depth);
    case K_NUMPY_SCALAR: {
        PyObject *made = PyObject_CallOneArg(g.numpy_scalar, value);
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

static int write_value(enc_t *e, PyObject *value, int64_t depth)
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
static void enc_fail(enc_t *e)
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
        PyObject *error = empty ? PyObject_CallFunctionObjArgs(g.encode_error, message,
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

static PyObject *enc_take(enc_t *e)
{
    if ((int64_t)e->size > e->options->max_size) {
        Py_CLEAR(e->path);
        refuse(e, "more than max_size=%lld bytes", (long long)e->options->max_size);
        enc_fail(e);
        return NULL;
    }
    e->reset_due = 0;
    return PyBytes_FromStringAndSize((char *)e->data, (Py_ssize_t)e->size);
}

static PyObject *enc_object(enc_t *e, PyObject *value, int cache)
{
    e->size = 0;
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
        return NULL;
    }
    return enc_take(e);
}
