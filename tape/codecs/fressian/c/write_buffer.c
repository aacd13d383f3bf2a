/* write_buffer.c - the writer's memory, and its refusals with the path to the value. */

#include "speed.h"

/* -- memory */

SHARED int enc_init(enc_t *e, const options_t *options)
{
    memset(e, 0, sizeof *e);
    e->options = options;
    e->epoch = 1;
    e->slot_mask = 63;
    e->ratio2 = e->char1 = e->record2 = -1;
    e->capacity = 1024;
    e->data = PyMem_Malloc(e->capacity);
    e->slots = PyMem_Calloc(e->slot_mask + 1, sizeof *e->slots);
    e->known = PyMem_Calloc(KEYWORDS_KNOWN, sizeof *e->known);
    if (!e->data || !e->slots || !e->known) {
        PyMem_Free(e->data);
        PyMem_Free(e->slots);
        PyMem_Free(e->known);
        PyErr_NoMemory();
        return -1;
    }
    return 0;
}

SHARED void forget_keywords(enc_t *e)
{
    for (uint32_t i = 0; i < KEYWORDS_KNOWN; i++)
        Py_CLEAR(e->known[i].keyword);
}

/* Empties the table of names, and makes it small again. */
static void forget_names(enc_t *e)
{
    forget_keywords(e);
    for (uint32_t i = 0; i <= e->slot_mask; i++)
        Py_CLEAR(e->slots[i].key);
    e->in_slots = 0;
    e->name_bytes = 0;
    cache_slot_t *small = e->slot_mask > 63 ? PyMem_Calloc(64, sizeof *small) : NULL;
    if (small) {
        PyMem_Free(e->slots);
        e->slots = small;
        e->slot_mask = 63;
    }
}

SHARED void enc_forget(enc_t *e)
{
    e->entries = e->struct_entries = 0;
    e->ratio2 = e->char1 = e->record2 = -1;
    if (++e->epoch == 0 || e->in_slots > NAMES_KEPT || e->name_bytes > NAME_BYTES_KEPT) {
        forget_names(e);
        e->epoch += e->epoch == 0;
    }
    Py_CLEAR(e->others);
    Py_CLEAR(e->kept);
    Py_CLEAR(e->structs);
}

SHARED void enc_clear(enc_t *e)
{
    enc_forget(e);
    forget_names(e);
    PyMem_Free(e->data);
    PyMem_Free(e->slots);
    PyMem_Free(e->known);
    Py_CLEAR(e->message);
    Py_CLEAR(e->cause);
    Py_CLEAR(e->path);
}

SHARED int enc_grow(enc_t *e, size_t more)
{
    if (more > (size_t)PY_SSIZE_T_MAX - e->size) {
        PyErr_NoMemory();
        return -1;
    }
    size_t capacity = e->capacity;
    while (capacity < e->size + more)
        capacity += capacity / 2 + 1024;
    uint8_t *data = PyMem_Realloc(e->data, capacity);
    if (!data) {
        PyErr_NoMemory();
        return -1;
    }
    e->data = data;
    e->capacity = capacity;
    return 0;
}

/* -- refusals */

SHARED int refuse(enc_t *e, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    Py_XSETREF(e->message, PyUnicode_FromFormatV(format, args));
    va_end(args);
    return -1;
}

/* Turns the ValueError, TypeError or OverflowError of a conversion into a refusal. */
SHARED int refuse_current(enc_t *e)
{
    if (!PyErr_ExceptionMatches(PyExc_ValueError) && !PyErr_ExceptionMatches(PyExc_TypeError) &&
        !PyErr_ExceptionMatches(PyExc_OverflowError))
        return -1;
    PyObject *type, *value, *trace;
    PyErr_Fetch(&type, &value, &trace);
    PyErr_NormalizeException(&type, &value, &trace);
    Py_XSETREF(e->message, PyObject_Str(value));
    Py_XSETREF(e->cause, xnew_ref(value));
    Py_XDECREF(type);
    Py_XDECREF(value);
    Py_XDECREF(trace);
    return -1;
}

/* Adds where we were to the path of a refusal; always gives -1. */
SHARED int note(enc_t *e, PyObject *kind, PyObject *key)
{
    if (!e->message || PyErr_Occurred())
        return -1;
    if (!e->path)
        e->path = PyList_New(0);
    PyObject *segment = PyTuple_Pack(2, kind, key ? key : Py_None);
    if (!e->path || !segment || PyList_Append(e->path, segment))
        PyErr_Clear();
    Py_XDECREF(segment);
    return -1;
}

SHARED int note_index(enc_t *e, Py_ssize_t index)
{
    if (!e->message || PyErr_Occurred())
        return -1;
    PyObject *number = PyLong_FromSsize_t(index);
    if (number)
        note(e, g.s_index, number);
    Py_XDECREF(number);
    return -1;
}

SHARED int refuse_type(enc_t *e, PyObject *value)
{
    PyObject *name = PyObject_GetAttrString((PyObject *)Py_TYPE(value), "__qualname__");
    if (!name)
        return -1;
    refuse(e, "no Fressian encoding for %U", name);
    Py_DECREF(name);
    return -1;
}

SHARED int refuse_depth(enc_t *e)
{
    return refuse(e, "nested deeper than %lld levels (a value that contains itself?)",
                  (long long)e->options->max_depth);
}
