/* arrow.c - columns as a stream of Arrow's C interface: one batch, whose memory is Python's.
 *
 * A column is a tuple (name, format, nulls, validity, data); see tape/_arrow.py. What is handed out
 * keeps the tuple alive, and the buffers of its data, until it is released; a child may be moved
 * out of its parent, so each holds what it needs itself. Consumers call from any thread, without
 * the GIL.
 */
#include "fast.h"

/* As Arrow defines them, for all time: https://arrow.apache.org/docs/format/CDataInterface.html */
struct ArrowSchema {
    const char *format, *name, *metadata;
    int64_t flags, n_children;
    struct ArrowSchema **children, *dictionary;
    void (*release)(struct ArrowSchema *);
    void *private_data;
};

struct ArrowArray {
    int64_t length, null_count, offset, n_buffers, n_children;
    const void **buffers;
    struct ArrowArray **children, *dictionary;
    void (*release)(struct ArrowArray *);
    void *private_data;
};

struct ArrowArrayStream {
    int (*get_schema)(struct ArrowArrayStream *, struct ArrowSchema *);
    int (*get_next)(struct ArrowArrayStream *, struct ArrowArray *);
    const char *(*get_last_error)(struct ArrowArrayStream *);
    void (*release)(struct ArrowArrayStream *);
    void *private_data;
};

enum { ARROW_NULLABLE = 2, NO_MEMORY = 12 /* ENOMEM, of every system */ };

static const char stream_name[] = "arrow_array_stream";

typedef struct {
    PyObject *columns;
    int64_t length;
    bool given;
} source_t;

/* What a column, or the batch, needs as long as somebody has it. */
typedef struct {
    PyObject *columns;
    const void *buffers[2]; /* validity, data */
    Py_buffer views[2];     /* the same; obj is NULL: there is none */
} held_t;

/* When Python has gone, so has all that could be given back to it. */
static void let_go(held_t *held)
{
    if (Py_IsInitialized()) {
        PyGILState_STATE state = PyGILState_Ensure();
        for (int i = 0; i < 2; i++)
            if (held->views[i].obj != NULL) PyBuffer_Release(&held->views[i]);
        Py_DECREF(held->columns);
        PyGILState_Release(state);
    }
    PyMem_RawFree(held);
}

static held_t *hold(PyObject *columns)
{
    held_t *held = PyMem_RawCalloc(1, sizeof *held);
    if (held != NULL) held->columns = Py_NewRef(columns);
    return held;
}

/* ---- releasing: alike for both; the children stand in one block with the pointers to them ---- */

#define RELEASE(type)                                            \
    static void release_##type(struct type *it)                  \
    {                                                            \
        for (int64_t i = 0; i < it->n_children; i++) {           \
            struct type *child = it->children[i];                \
            if (child->release != NULL) child->release(child);   \
        }                                                        \
        PyMem_RawFree(it->children);                             \
        let_go(it->private_data);                                \
        it->release = NULL;                                      \
    }
RELEASE(ArrowSchema)
RELEASE(ArrowArray)

/* Pointers to `count` children and the children behind them; NULL: no memory. */
static void *family(int64_t count, size_t size)
{
    char **block = PyMem_RawCalloc(1, (size_t)count * (sizeof *block + size) + 1);
    for (int64_t i = 0; block != NULL && i < count; i++)
        block[i] = (char *)(block + count) + (size_t)i * size;
    return block;
}

/* ---- with the GIL ---- */

static int fill_schema(struct ArrowSchema *out, PyObject *columns, PyObject *column)
{
    *out = (struct ArrowSchema){.format = "+s", .name = ""};
    if (column != NULL) {
        out->name = PyUnicode_AsUTF8(PyTuple_GET_ITEM(column, 0));
        out->format = PyUnicode_AsUTF8(PyTuple_GET_ITEM(column, 1));
        if (PyTuple_GET_ITEM(column, 3) != Py_None) out->flags = ARROW_NULLABLE;
    }
    out->private_data = hold(columns);
    if (out->private_data == NULL) return NO_MEMORY;
    out->release = release_ArrowSchema;
    return 0;
}

static int whole_schema(struct ArrowSchema *out, PyObject *columns)
{
    if (fill_schema(out, columns, NULL) != 0) return NO_MEMORY;
    const int64_t count = PyTuple_GET_SIZE(columns);
    out->children = family(count, sizeof *out);
    if (out->children == NULL) return NO_MEMORY;
    for (; out->n_children < count; out->n_children++)
        if (fill_schema(out->children[out->n_children], columns,
                        PyTuple_GET_ITEM(columns, out->n_children)) != 0)
            return NO_MEMORY;
    return 0;
}

static int fill_array(struct ArrowArray *out, const source_t *source, PyObject *column)
{
    held_t *held = hold(source->columns);
    *out = (struct ArrowArray){.length = source->length, .private_data = held, .n_buffers = 1};
    if (held == NULL) return NO_MEMORY;
    out->buffers = held->buffers;
    out->release = release_ArrowArray;
    if (column == NULL) return 0;
    out->n_buffers = 2;
    out->null_count = PyLong_AsLongLong(PyTuple_GET_ITEM(column, 2));
    for (int i = 0; i < 2; i++) {
        PyObject *from = PyTuple_GET_ITEM(column, 3 + i);
        if (from == Py_None) continue;
        if (PyObject_GetBuffer(from, &held->views[i], PyBUF_SIMPLE) < 0) return NO_MEMORY;
        held->buffers[i] = held->views[i].buf;
    }
    return 0;
}

static int whole_array(struct ArrowArray *out, const source_t *source)
{
    if (fill_array(out, source, NULL) != 0) return NO_MEMORY;
    const int64_t count = PyTuple_GET_SIZE(source->columns);
    out->children = family(count, sizeof *out);
    if (out->children == NULL) return NO_MEMORY;
    for (; out->n_children < count; out->n_children++) {
        struct ArrowArray *child = out->children[out->n_children];
        if (fill_array(child, source, PyTuple_GET_ITEM(source->columns, out->n_children)) == 0)
            continue;
        if (child->release != NULL) child->release(child);
        return NO_MEMORY;
    }
    return 0;
}

/* ---- the stream ---- */

static int get_schema(struct ArrowArrayStream *stream, struct ArrowSchema *out)
{
    const source_t *source = stream->private_data;
    PyGILState_STATE state = PyGILState_Ensure();
    int rc = whole_schema(out, source->columns);
    if (rc != 0 && out->release != NULL) out->release(out);
    PyErr_Clear();
    PyGILState_Release(state);
    return rc;
}

static int get_next(struct ArrowArrayStream *stream, struct ArrowArray *out)
{
    source_t *source = stream->private_data;
    *out = (struct ArrowArray){.release = NULL}; /* the end */
    if (source->given) return 0;
    PyGILState_STATE state = PyGILState_Ensure();
    int rc = whole_array(out, source);
    if (rc != 0 && out->release != NULL) out->release(out);
    source->given = rc == 0;
    PyErr_Clear();
    PyGILState_Release(state);
    return rc;
}

static const char *get_last_error(struct ArrowArrayStream *stream)
{
    (void)stream;
    return "out of memory"; /* there is no other */
}

static void release_stream(struct ArrowArrayStream *stream)
{
    source_t *source = stream->private_data;
    if (Py_IsInitialized()) {
        PyGILState_STATE state = PyGILState_Ensure();
        Py_DECREF(source->columns);
        PyGILState_Release(state);
    }
    PyMem_RawFree(source);
    stream->release = NULL;
}

static void drop_stream(PyObject *capsule)
{
    struct ArrowArrayStream *stream = PyCapsule_GetPointer(capsule, stream_name);
    if (stream == NULL) return;
    if (stream->release != NULL) stream->release(stream); /* else a consumer has moved it */
    PyMem_RawFree(stream);
}

static bool is_text(PyObject *o) { return PyUnicode_Check(o) && PyUnicode_AsUTF8(o) != NULL; }

/* Whether it is (str, str, int, buffer or None, buffer). */
static bool is_column(PyObject *c)
{
    if (!PyTuple_Check(c) || PyTuple_GET_SIZE(c) != 5) return false;
    PyObject *validity = PyTuple_GET_ITEM(c, 3);
    return is_text(PyTuple_GET_ITEM(c, 0)) && is_text(PyTuple_GET_ITEM(c, 1)) &&
           PyLong_Check(PyTuple_GET_ITEM(c, 2)) &&
           (validity == Py_None || PyObject_CheckBuffer(validity)) &&
           PyObject_CheckBuffer(PyTuple_GET_ITEM(c, 4));
}

/* arrow_stream(length, columns): a capsule with the stream. */
PyObject *fast_arrow_stream(PyObject *module, PyObject *args)
{
    long long length;
    PyObject *columns;
    (void)module;
    if (!PyArg_ParseTuple(args, "LO!", &length, &PyTuple_Type, &columns)) return NULL;
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(columns); i++)
        if (!is_column(PyTuple_GET_ITEM(columns, i)))
            return PyErr_Occurred() ? NULL : PyErr_Format(PyExc_TypeError, "no column");
    struct ArrowArrayStream *stream = PyMem_RawCalloc(1, sizeof *stream);
    source_t *source = PyMem_RawCalloc(1, sizeof *source);
    if (stream == NULL || source == NULL) {
        PyMem_RawFree(stream);
        PyMem_RawFree(source);
        return PyErr_NoMemory();
    }
    *source = (source_t){Py_NewRef(columns), length, false};
    *stream = (struct ArrowArrayStream){get_schema, get_next, get_last_error, release_stream,
                                        source};
    PyObject *capsule = PyCapsule_New(stream, stream_name, drop_stream);
    if (capsule == NULL) {
        release_stream(stream);
        PyMem_RawFree(stream);
    }
    return capsule;
}
