/* codec.c - the type Codec: its options, encode() and decode().
 *
 * A Codec keeps one writer with its buffer for the next call; a call that finds it in use (another
 * thread, or user code called by a call) makes one of its own. Readers live on the C stack. */

#include "speed.h"

#define SPARE_MAX (1 << 20)     /* a larger buffer is given back after its message */

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

static enc_t *new_writer(codec_t *self)
{
    enc_t *e = PyMem_Malloc(sizeof *e);
    if (!e) {
        PyErr_NoMemory();
        return NULL;
    }
    if (enc_init(e, &self->options)) {
        PyMem_Free(e);
        return NULL;
    }
    return e;
}

static void free_writer(enc_t *e)
{
    enc_clear(e);
    PyMem_Free(e);
}

/* The writer kept for the next call, or a new one when that is in use; codec_give() takes it. */
SHARED_INLINE enc_t *codec_take(codec_t *self)
{
    enc_t *e = __atomic_exchange_n(&self->spare, NULL, __ATOMIC_ACQ_REL);
    return e ? e : new_writer(self);
}

SHARED_INLINE void codec_give(codec_t *self, enc_t *e)
{
    if (e->entries || e->struct_entries)
        enc_forget(e);
    e->reset_due = 0;
    if (e->capacity <= SPARE_MAX)
        e = __atomic_exchange_n(&self->spare, e, __ATOMIC_ACQ_REL);
    if (e)
        free_writer(e);
}

static PyObject *codec_encode(codec_t *self, PyObject *value)
{
    if (PyUnicode_CheckExact(value) && PyUnicode_IS_COMPACT_ASCII(value)) {
        Py_ssize_t length = PyUnicode_GET_LENGTH(value);
        if (length >= 1024 && length <= STRING_PART_MAX && length + 4 <= self->options.max_size)
            return encode_large_text(value, length);
    }
    enc_t *e = codec_take(self);
    if (!e)
        return NULL;
    PyObject *bytes = enc_object(e, value, 0);
    codec_give(self, e);
    return bytes;
}

static PyObject *codec_decode(codec_t *self, PyObject *data)
{
    Py_buffer view;
    if (PyObject_GetBuffer(data, &view, PyBUF_SIMPLE))
        return NULL;
    PyObject *value = dec_one(&self->options, view.buf, view.len);
    PyBuffer_Release(&view);
    return value;
}

/* -- Codec */

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
    o->truncate_datetimes = flag_option(py, "truncate_datetimes");
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
    if (self->spare)
        free_writer(self->spare);
    codec_clear(self);
    Py_TYPE(self)->tp_free((PyObject *)self);
}

static PyMethodDef codec_methods[] = {
    {"encode", (PyCFunction)codec_encode, METH_O,
     "encode($self, obj, /)\n--\n\nThe bytes of one object. Raises EncodeError with ``.path``."},
    {"decode", (PyCFunction)codec_decode, METH_O,
     "decode($self, view, /)\n--\n\n"
     "The value of the bytes, of which nothing is kept. Raises DecodeError."},
    {"encoder", (PyCFunction)codec_encoder, METH_NOARGS, "A stream of objects to write."},
    {"decoder", (PyCFunction)codec_decoder, METH_VARARGS, "A stream of objects to read."},
    {NULL, NULL, 0, NULL},
};

#ifndef SPEED_APART
static
#endif
PyTypeObject codec_type = {
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
