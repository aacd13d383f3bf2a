/* batch.c - write_many(): what is encoded stands in one buffer, raw bytes where they are.
 *
 * All is encoded, or looked at, before C is called, and nobody can change it then: the messages are
 * in a tuple of ours. Anything but bytes in raw, and every codec that is not Fressian's in C, goes
 * to the method in Python, with the same tuple.
 */
#include "fast.h"

/* Spans of raw messages. False when one of them is not bytes. */
static bool spans_of_bytes(PyObject *messages, tape_span_t *spans)
{
    const Py_ssize_t count = PyTuple_GET_SIZE(messages);
    for (Py_ssize_t i = 0; i < count; i++) {
        PyObject *message = PyTuple_GET_ITEM(messages, i);
        if (!PyBytes_CheckExact(message)) return false;
        spans[i] = (tape_span_t){PyBytes_AS_STRING(message), (size_t)PyBytes_GET_SIZE(message)};
    }
    return true;
}

/* Encodes all, one behind the other; the buffer may move until the last one is done. */
static int encode_all(void *state, PyObject *messages, fressian_lane_buffer_t *buffer,
                      tape_span_t *spans)
{
    const Py_ssize_t count = PyTuple_GET_SIZE(messages);
    size_t end = 0;
    for (Py_ssize_t i = 0; i < count; i++) {
        buffer->head = end;
        if (fast_fressian->encode(state, PyTuple_GET_ITEM(messages, i), buffer) != 0) return -1;
        spans[i] = (tape_span_t){NULL, buffer->size};
        end += buffer->size;
    }
    end = 0;
    for (Py_ssize_t i = 0; i < count; i++) {
        spans[i].data = buffer->data + end;
        end += spans[i].size;
    }
    return 0;
}

/* The range, or what Appender._wrote_many() raises. */
static PyObject *write_spans(appender_t *a, const tape_span_t *spans, Py_ssize_t count)
{
    PyObject *keep = Py_NewRef(a->handle); /* somebody may close it meanwhile */
    tape_appender_t *appender = a->appender;
    size_t written = 0;
    int64_t first;
    Py_BEGIN_ALLOW_THREADS
    first = fast_c->write_many(appender, spans, (size_t)count, &written);
    Py_END_ALLOW_THREADS
    Py_DECREF(keep);
    return PyObject_CallMethod((PyObject *)a, "_wrote_many", "Lnn", (long long)first,
                               (Py_ssize_t)written, count);
}

static PyObject *write_tuple(appender_t *a, PyObject *messages)
{
    const Py_ssize_t count = PyTuple_GET_SIZE(messages);
    fressian_lane_buffer_t buffer = {0};
    tape_span_t *spans = NULL;
    PyObject *result = NULL;
    bool slowly = count == 0 || a->appender == NULL;
    if (!slowly && (spans = PyMem_New(tape_span_t, count)) == NULL) return PyErr_NoMemory();
    if (!slowly && a->kind == KIND_RAW) slowly = !spans_of_bytes(messages, spans);
    if (slowly)
        result = fast_slowly(SLOW_WRITE_MANY, (PyObject *)a, &messages, 1, NULL);
    else if (a->kind == KIND_RAW || encode_all(a->fressian, messages, &buffer, spans) == 0)
        result = write_spans(a, spans, count);
    PyMem_Free(buffer.data);
    PyMem_Free(spans);
    return result;
}

PyObject *appender_write_many(PyObject *self, PyObject *const *args, Py_ssize_t n, PyObject *names)
{
    appender_t *a = (appender_t *)self;
    if (n != 1 || names != NULL || !a->armed || a->kind == KIND_OTHER)
        return fast_slowly(SLOW_WRITE_MANY, self, args, n, names);
    PyObject *messages = PySequence_Tuple(args[0]);
    if (messages == NULL) return NULL;
    PyObject *result = write_tuple(a, messages);
    Py_DECREF(messages);
    return result;
}
