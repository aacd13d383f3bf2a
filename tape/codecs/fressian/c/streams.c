/* streams.c - the types Encoder and Decoder: many objects with one pair of caches. */

#include "speed.h"

/* -- Encoder: one pair of caches over many objects */

typedef struct {
    PyObject_HEAD
    PyObject *codec;            /* whose options these are */
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
    PyObject *codec;            /* whose options these are */
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

/* -- made by a Codec */

SHARED PyObject *codec_encoder(codec_t *self, PyObject *Py_UNUSED(ignored))
{
    encoder_t *made = PyObject_New(encoder_t, &encoder_type);
    if (!made)
        return NULL;
    made->codec = new_ref((PyObject *)self);
    if (enc_init(&made->e, &self->options)) {
        memset(&made->e, 0, sizeof made->e);
        Py_DECREF(made);
        return NULL;
    }
    return (PyObject *)made;
}

SHARED PyObject *codec_decoder(codec_t *self, PyObject *args)
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
    made->codec = new_ref((PyObject *)self);
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

SHARED int take_streams(void)
{
    return PyType_Ready(&encoder_type) || PyType_Ready(&decoder_type) ? -1 : 0;
}
