/* The reader, fourth part: structs, arrays, and the switch over codes. */

/* -- values of slotted types */

/* Takes over `values`. */
static PyObject *tagged_new(PyObject *tag, PyObject *values)
{
    PyObject *made = slotted_new(g.TaggedValue);
    if (!made) {
        Py_DECREF(values);
        return NULL;
    }
    SLOT(made, g.o_tagged_tag) = new_ref(tag);
    SLOT(made, g.o_tagged_values) = values;
    return made;
}

static PyObject *text_new(PyTypeObject *type, Py_ssize_t offset, PyObject *text)
{
    PyObject *made = slotted_new(type);
    if (made)
        SLOT(made, offset) = new_ref(text);
    return made;
}

static PyObject *float32_new(float value)
{
    PyObject *made = slotted_new(g.Float32);
    if (made)
        ((PyFloatObject *)made)->ob_fval = value;
    return made;
}

static PyObject *array_new(PyTypeObject *type, PyObject *list)
{
    PyObject *tuple = PyList_AsTuple(list), *made = NULL;
    PyObject *args = tuple ? PyTuple_Pack(1, tuple) : NULL;
    if (args)
        made = PyTuple_Type.tp_new(type, args, NULL);
    Py_XDECREF(tuple);
    Py_XDECREF(args);
    return made;
}

static PyObject *uuid_new(const uint8_t *p)
{
    PyObject *number = int_from_be(p, 16, 0);
    PyObject *made = number ? slotted_new((PyTypeObject *)g.UUID) : NULL;
    if (!made) {
        Py_XDECREF(number);
        return NULL;
    }
    SLOT(made, g.o_uuid_int) = number;
    SLOT(made, g.o_uuid_safe) = new_ref(g.uuid_unknown);
    return made;
}

static PyObject *read_inst(dec_t *d)
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
            made = PyObject_CallFunction(g.Decimal, "s", text);
        } else {
            made = PyObject_CallFunction(g.make_decimal, "Oi", number, (int)scale);
        }
    }
    Py_DECREF(number);
    return made;
}

static PyObject *read_leaf(dec_t *d, unsigned code, const uint8_t *at, int64_t depth, int flags)
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

static PyObject *read_numbers(dec_t *d, unsigned code)
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
    PyObject *made = code == C_BOOLS && !d->options->numpy
                         ? bools_of(out, count)
                         : PyObject_CallFunction(d->options->numpy ? g.make_numpy : g.make_array,
                                                 "iO", (int)code, raw);
    Py_DECREF(raw);
    return made;
}

static PyObject *read_objects(dec_t *d, const uint8_t *at, int64_t depth, int flags)
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
    PyObject *made = x && y ? PyObject_CallFunctionObjArgs(g.make_ratio, x, y, NULL) : NULL;
    Py_XDECREF(x);
    Py_XDECREF(y);
    return made;
}

/* What a registered reader makes of the parts (a list). */
static PyObject *run_reader(dec_t *d, PyObject *function, PyObject *parts, PyObject *what,
                            const uint8_t *at)
{
    PyObject *made = what ? PyObject_CallFunction(g.run_reader, "OOOn", function, parts, what,
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

static PyObject *read_clojure(dec_t *d, int kind, const uint8_t *at, int64_t depth, int flags)
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

static PyObject *read_unknown(dec_t *d, PyObject *tag, int64_t count, const uint8_t *at,
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

static PyObject *read_coded(dec_t *d, unsigned code, const uint8_t *at, int64_t depth, int flags);

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

static int tag_kind(PyObject *tag)
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
        leaf = PySet_Contains(g.leaves, (PyObject *)Py_TYPE(value));
    if (leaf < 0) {
        Py_DECREF(value);
        return NULL;
    }
    fill(d, entry, value, leaf ? 0 : (d->p - at) + d->expanded - before);
    return value;
}

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

static PyObject *read_value(dec_t *d, int64_t depth, int flags)
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

static PyObject *dec_next(dec_t *d)
{
    PyObject *value = read_value(d, 0, d->options->frozen ? F_FROZEN : 0);
    return value ? value : dec_failed(d);
}
