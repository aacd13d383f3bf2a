/* lane.c - the capsule: encode into a caller's buffer and decode from memory, without bytes. */

#include "speed.h"

/* The Codec whose method `name` the object's attribute is, or NULL without an error. */
static PyObject *codec_behind(PyObject *object, const char *name)
{
    PyObject *method = PyObject_GetAttrString(object, name), *self = NULL;
    if (!method)
        PyErr_Clear();
    else if (PyCFunction_CheckExact(method))
        self = PyCFunction_GET_SELF(method);
    if (self && (Py_TYPE(self) != &codec_type ||
                 strcmp(((PyCFunctionObject *)method)->m_ml->ml_name, name)))
        self = NULL;
    Py_XINCREF(self);
    Py_XDECREF(method);
    return self;
}

static void *lane_state_of(PyObject *codec)
{
    PyObject *encoder = codec_behind(codec, "encode"), *decoder = codec_behind(codec, "decode");
    int one = encoder && encoder == decoder;
    Py_XDECREF(decoder);
    if (!one)
        Py_CLEAR(encoder);
    return encoder;
}

/* The writer writes into the caller's memory: the two change places for the call. */
static void swap_buffers(enc_t *e, fressian_lane_buffer_t *buffer)
{
    uint8_t *data = e->data;
    size_t capacity = e->capacity;
    e->data = buffer->data;
    e->capacity = buffer->capacity;
    buffer->data = data;
    buffer->capacity = capacity;
}

static int lane_encode(void *state, PyObject *value, fressian_lane_buffer_t *buffer)
{
    codec_t *codec = state;
    enc_t *e = codec_take(codec);
    buffer->size = 0;
    if (!e)
        return -1;
    swap_buffers(e, buffer);
    e->size = 0;
    int rc = need(e, buffer->head + 64);        /* 64: so that a NULL becomes memory, too */
    if (!rc) {
        e->size = buffer->head;
        rc = enc_write(e, value, 0, buffer->head);
    }
    if (!rc)
        buffer->size = e->size - buffer->head;
    swap_buffers(e, buffer);
    codec_give(codec, e);
    return rc;
}

static PyObject *lane_decode(void *state, const void *data, size_t size)
{
    const options_t *options = &((codec_t *)state)->options;
    if (size > (size_t)PY_SSIZE_T_MAX)
        size = (size_t)PY_SSIZE_T_MAX;          /* more than any memory holds: max_size tells */
    return dec_one(options, data, (Py_ssize_t)size);
}

static const fressian_lane_t lane = {
    .version = FRESSIAN_LANE_VERSION,
    .size = sizeof lane,
    .state_of = lane_state_of,
    .encode = lane_encode,
    .decode = lane_decode,
};

SHARED PyObject *lane_capsule(void)
{
    return PyCapsule_New((void *)(uintptr_t)&lane, FRESSIAN_LANE_CAPSULE, NULL);
}
