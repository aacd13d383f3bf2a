/* The Fressian codec in C: the twin of _writer.py and _reader.py, which are its oracle.
 *
 *   Codec(options)            .encode(obj) .decode(view) .encoder() .decoder(data, checksum)
 *   Encoder                   .write(obj, cache) .tag(tag, count) .reset()
 *   Decoder                   .next() .footer() .at_footer() .pos
 *
 * A Codec keeps one writer with its buffer for the next call; a call that finds it in use (another
 * thread, or user code called by a call) makes one of its own. Readers live on the C stack. */

#include "_speed_common.h"
#include "_speed_write.h"
#include "_speed_write_caches.h"
#include "_speed_write_collections.h"
#include "_speed_write_structs.h"
#include "_speed_read.h"
#include "_speed_read_text.h"
#include "_speed_read_collections.h"
#include "_speed_read_structs.h"

#define SPARE_MAX (1 << 20)     /* a larger buffer is given back after its message */

typedef struct {
    PyObject_HEAD
    options_t options;
    enc_t *spare;               /* taken and given back with one exchange: any thread */
} codec_t;

/* -- encode, decode */

/* A message that is one large ASCII text: straight into its bytes, without the writer's buffer. */
static PyObject *encode_large_text(PyObject *text, Py_ssize_t length)
{
    int head = length < 4096 ? 3 : 4;           /* the code and the length as an integer */
    PyObject *bytes = PyBytes_FromStringAndSize(NULL, head + length);
    if (!bytes)
        return NULL;
    uint8_t *p = (uint8_t *)PyBytes_AS_STRING(bytes);
    p[0] = C_STRING;
    p[1] = (uint8_t)(head == 3 ? 0x50 + (length >> 8) : 0x68 + (length >> 16));
    if (head == 4)
        p[2] = (uint8_t)(length >> 8);
    p[head - 1] = (uint8_t)length;
    memcpy(p + head, PyUnicode_1BYTE_DATA(text), (size_t)length);
    return bytes;
}

static PyObject *codec_encode(codec_t *self, PyObject *value)
{
    if (PyUnicode_CheckExact(value) && PyUnicode_IS_COMPACT_ASCII(value)) {
        Py_ssize_t length = PyUnicode_GET_LENGTH(value);
        if (length >= 1024 && length <= STRING_PART_MAX && length + 4 <= self->options.max_size)
            return encode_large_text(value, length);
    }
    enc_t *e = __atomic_exchange_n(&self->spare, NULL, __ATOMIC_ACQ_REL);
    if (!e) {
        if (!(e = PyMem_Malloc(sizeof *e)))
            return PyErr_NoMemory();
        if (enc_init(e, &self->options)) {
            PyMem_Free(e);
            return NULL;
        }
    }
    PyObject *bytes = enc_object(e, value, 0);
    if (e->entries || e->struct_entries)
        enc_forget(e);
    e->reset_due = 0;
    if (e->capacity <= SPARE_MAX)
        e = __atomic_exchange_n(&self->spare, e, __ATOMIC_ACQ_REL);
    if (e) {
        enc_clear(e);
        PyMem_Free(e);
    }
    return bytes;
}

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

static int check_size(const options_t *options, Py_ssize_t size)
{
    if (size <= options->max_size)
        return 0;
    PyObject *text = PyUnicode_FromFormat("%zd bytes; the limit is max_size=%lld", size,
                                          (long long)options->max_size);
    PyObject *args = text ? PyTuple_Pack(1, text) : NULL;
    PyObject *named = args ? Py_BuildValue("{s:i}", "offset", 0) : NULL;
    PyObject *error = named ? PyObject_Call(g.DecodeError, args, named) : NULL;
    if (error)
        PyErr_SetObject(g.DecodeError, error);
    Py_XDECREF(error);
    Py_XDECREF(named);
    Py_XDECREF(args);
    Py_XDECREF(text);
    return -1;
}

static PyObject *codec_decode(codec_t *self, PyObject *data)
{
    Py_buffer view;
    if (PyObject_GetBuffer(data, &view, PyBUF_SIMPLE))
        return NULL;
    PyObject *value = NULL;
    if (!check_size(&self->options, view.len)) {
        dec_t d;
        dec_init(&d, &self->options, view.buf, view.len, self->options.checksum);
        value = read_only_object(&d);
        dec_clear(&d);
    }
    PyBuffer_Release(&view);
    return value;
}

/* -- Encoder: one pair of caches over many objects */

typedef struct {
    PyObject_HEAD
    codec_t *codec;
    enc_t e;
} encoder_t;

static int enter(enc_t *e)
{
    if (e->busy) {
        PyErr_SetString(PyExc_RuntimeError, "the Writer is in use by another call");
        return -1;
    }
    e->busy = 1;
    return 0;
}

static PyObject *encoder_write(encoder_t *self, PyObject *args)
{
    PyObject *value;
    int cache = 0;
    if (!PyArg_ParseTuple(args, "O|p", &value, &cache) || enter(&self->e))
        return NULL;
    PyObject *bytes = enc_object(&self->e, value, cache);
    self->e.busy = 0;
    return bytes;
}

static PyObject *encoder_tag(encoder_t *self, PyObject *args)
{
    PyObject *tag;
    long long count;
    if (!PyArg_ParseTuple(args, "OL", &tag, &count))
        return NULL;
    if (count < 0 || count > COUNT_MAX)
        return PyErr_Format(PyExc_ValueError,
                            "a struct has 0 to 2**31 - 1 components, not %lld", count);
    if (enter(&self->e))
        return NULL;
    enc_t *e = &self->e;
    e->size = 0;
    PyObject *code = PyUnicode_CheckExact(tag) ? PyDict_GetItemWithError(g.code_of_tag, tag)
                                               : NULL;
    int rc = PyErr_Occurred() || (e->reset_due && put_byte(e, C_RESET));
    if (!rc)
        rc = code ? put_byte(e, (unsigned)PyLong_AsLong(code))
                  : write_struct_head(e, tag, (Py_ssize_t)count, NULL);
    if (rc)
        enc_fail(e);
    PyObject *bytes = rc ? NULL : enc_take(e);
    e->busy = 0;
    return bytes;
}

static PyObject *encoder_reset(encoder_t *self, PyObject *Py_UNUSED(ignored))
{
    if (enter(&self->e))
        return NULL;
    enc_forget(&self->e);
    self->e.reset_due = 0;
    self->e.busy = 0;
    Py_RETURN_NONE;
}

static void encoder_dealloc(encoder_t *self)
{
    enc_clear(&self->e);
    Py_XDECREF(self->codec);
    PyObject_Free(self);
}

static PyMethodDef encoder_methods[] = {
    {"write", (PyCFunction)encoder_write, METH_VARARGS, "The bytes of one object."},
    {"tag", (PyCFunction)encoder_tag, METH_VARARGS, "The head of a struct written by hand."},
    {"reset", (PyCFunction)encoder_reset, METH_NOARGS, "Forgets both caches."},
    {NULL, NULL, 0, NULL},
};

static PyTypeObject encoder_type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "tape.codecs.fressian._speed.Encoder",
    .tp_basicsize = sizeof(encoder_t),
    .tp_flags = Py_TPFLAGS_DEFAULT,
    .tp_dealloc = (destructor)encoder_dealloc,
    .tp_methods = encoder_methods,
};

/* -- Decoder: the objects of one stream */

typedef struct {
    PyObject_HEAD
    codec_t *codec;
    Py_buffer view;
    dec_t d;
    int busy;
} decoder_t;

static int decoder_enter(decoder_t *self)
{
    if (self->busy) {
        PyErr_SetString(PyExc_RuntimeError, "the Reader is in use by another call");
        return -1;
    }
    self->busy = 1;
    return 0;
}

static PyObject *decoder_next(decoder_t *self, PyObject *Py_UNUSED(ignored))
{
    if (decoder_enter(self))
        return NULL;
    PyObject *value = dec_next(&self->d);
    self->busy = 0;
    return value;
}

static PyObject *decoder_footer(decoder_t *self, PyObject *Py_UNUSED(ignored))
{
    dec_t *d = &self->d;
    if (decoder_enter(self))
        return NULL;
    int rc = -1;
    if (d->p >= d->end)
        fail(d, d->p, "a footer was expected, the input ends");
    else if (*d->p != C_FOOTER)
        fail(d, d->p, "a footer was expected");
    else
        rc = read_footer(d);
    self->busy = 0;
    if (rc)
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *decoder_at_footer(decoder_t *self, PyObject *Py_UNUSED(ignored))
{
    return PyBool_FromLong(self->d.p < self->d.end && *self->d.p == C_FOOTER);
}

static PyObject *decoder_pos(decoder_t *self, void *Py_UNUSED(closure))
{
    return PyLong_FromSsize_t(self->d.p - self->d.base);
}

static void decoder_dealloc(decoder_t *self)
{
    dec_clear(&self->d);
    if (self->view.obj)
        PyBuffer_Release(&self->view);
    Py_XDECREF(self->codec);
    PyObject_Free(self);
}

static PyMethodDef decoder_methods[] = {
    {"next", (PyCFunction)decoder_next, METH_NOARGS, "The next object, or END."},
    {"footer", (PyCFunction)decoder_footer, METH_NOARGS, "Reads the footer that stands here."},
    {"at_footer", (PyCFunction)decoder_at_footer, METH_NOARGS, "Whether a footer begins here."},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef decoder_getset[] = {
    {"pos", (getter)decoder_pos, NULL, "Offset of the next byte.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyTypeObject decoder_type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "tape.codecs.fressian._speed.Decoder",
    .tp_basicsize = sizeof(decoder_t),
    .tp_flags = Py_TPFLAGS_DEFAULT,
    .tp_dealloc = (destructor)decoder_dealloc,
    .tp_methods = decoder_methods,
    .tp_getset = decoder_getset,
};

/* -- Codec */

static PyObject *codec_encoder(codec_t *self, PyObject *Py_UNUSED(ignored))
{
    encoder_t *made = PyObject_New(encoder_t, &encoder_type);
    if (!made)
        return NULL;
    made->codec = (codec_t *)new_ref((PyObject *)self);
    if (enc_init(&made->e, &self->options)) {
        memset(&made->e, 0, sizeof made->e);
        Py_DECREF(made);
        return NULL;
    }
    return (PyObject *)made;
}

static PyObject *codec_decoder(codec_t *self, PyObject *args)
{
    PyObject *data;
    int checksum;
    if (!PyArg_ParseTuple(args, "Op", &data, &checksum))
        return NULL;
    decoder_t *made = PyObject_New(decoder_t, &decoder_type);
    if (!made)
        return NULL;
    memset(&made->view, 0, sizeof made->view);
    memset(&made->d, 0, sizeof made->d);
    made->busy = 0;
    made->codec = (codec_t *)new_ref((PyObject *)self);
    if (PyObject_GetBuffer(data, &made->view, PyBUF_SIMPLE)) {
        made->view.obj = NULL;
        Py_DECREF(made);
        return NULL;
    }
    if (check_size(&self->options, made->view.len)) {
        Py_DECREF(made);
        return NULL;
    }
    dec_init(&made->d, &self->options, made->view.buf, made->view.len, checksum);
    return (PyObject *)made;
}

static int flag_option(PyObject *options, const char *name)
{
    PyObject *value = PyObject_GetAttrString(options, name);
    int truth = value ? PyObject_IsTrue(value) : 0;
    Py_XDECREF(value);
    return truth > 0;
}

static int64_t number_option(PyObject *options, const char *name)
{
    PyObject *value = PyObject_GetAttrString(options, name);
    int64_t number = value ? PyLong_AsLongLong(value) : 0;
    Py_XDECREF(value);
    return number;
}

static int read_options(options_t *o, PyObject *py)
{
    o->py = new_ref(py);
    o->handlers = PyObject_GetAttrString(py, "handlers");
    if (!o->handlers)
        return -1;
    o->dispatch = PyObject_GetAttrString(o->handlers, "dispatch");
    o->readers = PyObject_GetAttrString(o->handlers, "readers");
    o->records = PyObject_GetAttrString(o->handlers, "records");
    o->default_ = PyObject_GetAttrString(py, "default");
    if (o->default_ == Py_None)
        Py_CLEAR(o->default_);
    o->cached_fields = PyObject_GetAttrString(py, "cached_fields");
    if (o->cached_fields && PySet_Size(o->cached_fields) == 0)
        Py_CLEAR(o->cached_fields);
    o->keywords_as_str = flag_option(py, "keywords_as_str");
    o->frozen = flag_option(py, "frozen");
    o->numpy = flag_option(py, "numpy");
    o->sort = flag_option(py, "sort");
    o->checksum = flag_option(py, "checksum");
    o->negative_zero = flag_option(py, "negative_zero");
    o->strict_inst = flag_option(py, "strict_inst");
    PyObject *clashes = PyObject_GetAttrString(py, "clashes");
    o->tagged_clashes = clashes && !PyUnicode_CompareWithASCIIString(clashes, "tagged");
    Py_XDECREF(clashes);
    o->max_depth = number_option(py, "max_depth");
    o->max_count = number_option(py, "max_count");
    o->max_size = number_option(py, "max_size");
    o->max_bigint = number_option(py, "max_bigint");
    o->max_expanded = number_option(py, "max_expanded");
    return PyErr_Occurred() ? -1 : 0;
}

static PyObject *codec_new(PyTypeObject *type, PyObject *args, PyObject *Py_UNUSED(named))
{
    PyObject *options;
    if (!PyArg_ParseTuple(args, "O", &options))
        return NULL;
    codec_t *self = (codec_t *)type->tp_alloc(type, 0);
    if (self && read_options(&self->options, options))
        Py_CLEAR(self);
    return (PyObject *)self;
}

static int codec_traverse(codec_t *self, visitproc visit, void *arg)
{
    Py_VISIT(self->options.py);
    Py_VISIT(self->options.handlers);
    Py_VISIT(self->options.default_);
    return 0;
}

static int codec_clear(codec_t *self)
{
    options_t *o = &self->options;
    Py_CLEAR(o->py);
    Py_CLEAR(o->handlers);
    Py_CLEAR(o->dispatch);
    Py_CLEAR(o->readers);
    Py_CLEAR(o->records);
    Py_CLEAR(o->default_);
    Py_CLEAR(o->cached_fields);
    return 0;
}

static void codec_dealloc(codec_t *self)
{
    PyObject_GC_UnTrack(self);
    if (self->spare) {
        enc_clear(self->spare);
        PyMem_Free(self->spare);
    }
    codec_clear(self);
    Py_TYPE(self)->tp_free((PyObject *)self);
}

static PyMethodDef codec_methods[] = {
    {"encode", (PyCFunction)codec_encode, METH_O,
     "encode(obj)\n--\n\nThe bytes of one object. Raises EncodeError with ``.path``."},
    {"decode", (PyCFunction)codec_decode, METH_O,
     "decode(view)\n--\n\nThe value of the bytes, of which nothing is kept. Raises DecodeError."},
    {"encoder", (PyCFunction)codec_encoder, METH_NOARGS, "A stream of objects to write."},
    {"decoder", (PyCFunction)codec_decoder, METH_VARARGS, "A stream of objects to read."},
    {NULL, NULL, 0, NULL},
};

static PyTypeObject codec_type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "tape.codecs.fressian._speed.Codec",
    .tp_basicsize = sizeof(codec_t),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .tp_new = codec_new,
    .tp_dealloc = (destructor)codec_dealloc,
    .tp_traverse = (traverseproc)codec_traverse,
    .tp_clear = (inquiry)codec_clear,
    .tp_methods = codec_methods,
};

/* -- the module */

static PyObject *take(const char *module, const char *name)
{
    PyObject *m = PyImport_ImportModule(module);
    PyObject *found = m ? PyObject_GetAttrString(m, name) : NULL;
    Py_XDECREF(m);
    return found;
}

static int take_type(PyTypeObject **where, const char *name)
{
    *where = (PyTypeObject *)take("tape.codecs.fressian.types", name);
    return *where ? 0 : -1;
}

/* Where an object of a slotted class keeps an attribute. */
static int slot_offset(PyTypeObject *type, const char *name, Py_ssize_t *offset)
{
    PyObject *slot = PyObject_GetAttrString((PyObject *)type, name);
    if (!slot)
        return -1;
    int ok = Py_TYPE(slot) == &PyMemberDescr_Type;
    if (ok)
        *offset = ((PyMemberDescrObject *)slot)->d_member->offset;
    else
        PyErr_Format(PyExc_ImportError, "%s.%s is no slot", type->tp_name, name);
    Py_DECREF(slot);
    return ok ? 0 : -1;
}

static int take_types(void)
{
    return take_type(&g.Keyword, "Keyword") || take_type(&g.Symbol, "Symbol") ||
           take_type(&g.BigInt, "BigInt") || take_type(&g.Float32, "Float32") ||
           take_type(&g.Char, "Char") || take_type(&g.URI, "URI") ||
           take_type(&g.Regex, "Regex") || take_type(&g.Instant, "Instant") ||
           take_type(&g.FrozenMap, "FrozenMap") || take_type(&g.Record, "Record") ||
           take_type(&g.TaggedValue, "TaggedValue") || take_type(&g.BoolArray, "BoolArray") ||
           take_type(&g.ObjectArray, "ObjectArray") || take_type(&g.Cached, "Cached");
}

static int take_slots(void)
{
    PyTypeObject *uuid = (PyTypeObject *)g.UUID;
    return slot_offset(g.Keyword, "ns", &g.o_keyword_ns) ||
           slot_offset(g.Keyword, "name", &g.o_keyword_name) ||
           slot_offset(g.Symbol, "ns", &g.o_symbol_ns) ||
           slot_offset(g.Symbol, "name", &g.o_symbol_name) ||
           slot_offset(g.Char, "unit", &g.o_char) || slot_offset(g.URI, "text", &g.o_uri) ||
           slot_offset(g.Regex, "text", &g.o_regex) ||
           slot_offset(g.Instant, "ms", &g.o_instant) ||
           slot_offset(g.FrozenMap, "_items", &g.o_map_items) ||
           slot_offset(g.FrozenMap, "_hash", &g.o_map_hash) ||
           slot_offset(g.Record, "type_name", &g.o_record_name) ||
           slot_offset(g.Record, "fields", &g.o_record_fields) ||
           slot_offset(g.TaggedValue, "tag", &g.o_tagged_tag) ||
           slot_offset(g.TaggedValue, "values", &g.o_tagged_values) ||
           slot_offset(g.Cached, "value", &g.o_cached) ||
           slot_offset(uuid, "int", &g.o_uuid_int) ||
           slot_offset(uuid, "is_safe", &g.o_uuid_safe);
}

static int take_functions(void)
{
    static const struct {
        PyObject **where;
        const char *name;
    } functions[] = {
        {&g.bigint_bytes, "bigint_bytes"}, {&g.instant_ms, "instant_ms"},
        {&g.make_instant, "make_instant"}, {&g.decimal_parts, "decimal_parts"},
        {&g.make_decimal, "make_decimal"}, {&g.ratio_parts, "ratio_parts"},
        {&g.make_ratio, "make_ratio"}, {&g.uri_text, "uri_text"},
        {&g.pattern_text, "pattern_text"}, {&g.array_parts, "array_parts"},
        {&g.numpy_parts, "numpy_parts"}, {&g.numpy_scalar, "numpy_scalar"},
        {&g.make_array, "make_array"}, {&g.make_numpy, "make_numpy"},
        {&g.cache_key, "cache_key"}, {&g.freeze, "freeze"}, {&g.run_reader, "run_reader"},
        {&g.encode_error, "encode_error"}, {&g.leaves, "_LEAVES"},
    };
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++)
        if (!(*functions[i].where = take("tape.codecs.fressian._convert", functions[i].name)))
            return -1;
    g.sorted_members = take("tape.codecs.fressian._writer", "sorted_members");
    g.sorted_items = take("tape.codecs.fressian._writer", "sorted_items");
    g.END = take("tape.codecs.fressian._reader", "END");
    g.split = take("tape.codecs.fressian.types", "_split");
    g.code_of_tag = take("tape.codecs.fressian.codes", "CODE_OF_TAG");
    g.DecodeError = take("tape.errors", "DecodeError");
    g.EncodeError = take("tape.errors", "EncodeError");
    g.Decimal = take("decimal", "Decimal");
    g.Fraction = take("fractions", "Fraction");
    g.UUID = take("uuid", "UUID");
    PyObject *safe = take("uuid", "SafeUUID");
    g.uuid_unknown = safe ? PyObject_GetAttrString(safe, "unknown") : NULL;
    Py_XDECREF(safe);
    return PyErr_Occurred() ? -1 : 0;
}

static int take_strings(void)
{
    static const struct {
        PyObject **where;
        const char *text;
    } strings[] = {
        {&g.s_items, "items"}, {&g.s_offset, "offset"}, {&g.s_index, "index"}, {&g.s_key, "key"},
        {&g.s_member, "member"}, {&g.s_field, "field"}, {&g.s_map, "map"}, {&g.s_set, "set"},
        {&g.s_record, "record"}, {&g.s_ratio, "ratio"}, {&g.s_char, "char"},
    };
    for (size_t i = 0; i < sizeof strings / sizeof *strings; i++)
        if (!(*strings[i].where = PyUnicode_InternFromString(strings[i].text)))
            return -1;
    return 0;
}

static struct PyModuleDef speed_module = {
    PyModuleDef_HEAD_INIT,
    .m_name = "tape.codecs.fressian._speed",
    .m_doc = "The Fressian codec in C; use it through tape.codecs.fressian.",
    .m_size = -1,
};

PyMODINIT_FUNC PyInit__speed(void)
{
    PyDateTime_IMPORT;
    if (!PyDateTimeAPI || take_types() || take_functions() || take_slots() || take_strings() ||
        PyType_Ready(&encoder_type) || PyType_Ready(&decoder_type) || PyType_Ready(&codec_type))
        return NULL;
    PyObject *module = PyModule_Create(&speed_module);
    if (module && PyModule_AddObjectRef(module, "Codec", (PyObject *)&codec_type))
        Py_CLEAR(module);
    return module;
}
