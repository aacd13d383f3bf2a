/* stream.c - StreamLane: a step of `async for` that does not wait ends without a coroutine.
 *
 * A step takes its message when it is awaited, not when it is made: who drops it, or cancels the
 * task before, has taken nothing. When there is none, Stream._pause() gives what to await: a
 * future, behind which the step looks again, or a coroutine, for all that is rare, whose result it
 * is.
 */
#include "fast.h"

enum { SHARE = 256 }; /* so many messages are given before others may run */

typedef struct {
    PyObject_HEAD
    PyObject *cursor;
    unsigned int given; /* since others could run */
} stream_t;

typedef struct {
    PyObject_HEAD
    stream_t *stream; /* NULL: awaited to its end */
    PyObject *awaits; /* what it awaits now: the iterator of a future, or a coroutine */
    PyObject *future; /* NULL: it is a coroutine */
} next_t;

/* ---- the step ---- */

static void finish(next_t *n)
{
    Py_CLEAR(n->stream);
    Py_CLEAR(n->awaits);
    Py_CLEAR(n->future);
}

/* A message that is there; NULL without an exception: it must be waited for. */
static PyObject *take_one(stream_t *s)
{
    cursor_t *c = (cursor_t *)s->cursor;
    if (s->given >= SHARE || c == NULL || !PyObject_TypeCheck(s->cursor, &cursor_type) ||
        !cursor_take(c))
        return NULL;
    Py_INCREF(c); /* decode() may run anything */
    begun_t begun;
    PyObject *value = cursor_next(c, &begun);
    if (value == NULL && begun.code != 0) {
        value = cursor_hand_over(c, &begun, "one", NULL, 0);
        if (value == fast_nothing) Py_CLEAR(value);
    }
    Py_DECREF(c);
    if (value != NULL) {
        s->given++;
    } else if (PyErr_Occurred()) { /* a queue that was closed ends the loop */
        PyObject *error = fast_take_exception();
        value = PyObject_CallMethod((PyObject *)s, "_failed", "O", error);
        Py_XDECREF(error);
    }
    return value;
}

/* What to await: 1, or 0 when there is something at once, or -1. */
static int begin_pause(next_t *n)
{
    PyObject *what = PyObject_CallMethod((PyObject *)n->stream, "_pause", NULL);
    if (what == NULL) return -1;
    if (what == Py_None) {
        Py_DECREF(what);
        return 0;
    }
    if (PyCoro_CheckExact(what)) {
        n->awaits = what;
        return 1;
    }
    const PyAsyncMethods *async = Py_TYPE(what)->tp_as_async;
    n->future = what;
    n->awaits = async != NULL && async->am_await != NULL ? async->am_await(what)
                                                         : PyObject_CallMethod(what, "__await__",
                                                                               NULL);
    return n->awaits == NULL ? -1 : 1;
}

/* Nobody will tell the future any more. */
static void forget(next_t *n)
{
    if (n->stream == NULL) return;
    PyObject *error = fast_take_exception();
    PyObject *done = PyObject_CallMethod((PyObject *)n->stream, "_forget", "O", n->future);
    Py_XDECREF(done);
    if (done == NULL) PyErr_Clear();
    if (error != NULL) fast_raise(error); /* takes the reference */
}

static PyObject *reused(void)
{
    return PyErr_Format(PyExc_RuntimeError, "a step of a stream is awaited once");
}

static PySendResult step_send(PyObject *self, PyObject *sent, PyObject **result)
{
    next_t *n = (next_t *)self;
    PySendResult outcome = PYGEN_ERROR;
    *result = NULL;
    if (n->stream == NULL) {
        (void)reused();
        return PYGEN_ERROR;
    }
    for (;;) {
        if (n->awaits != NULL) {
            outcome = PyIter_Send(n->awaits, sent, result);
            if (outcome != PYGEN_RETURN || n->future == NULL) break;
            Py_CLEAR(*result); /* woken */
            Py_CLEAR(n->awaits);
            Py_CLEAR(n->future);
            outcome = PYGEN_ERROR;
        }
        *result = take_one(n->stream);
        if (*result != NULL) outcome = PYGEN_RETURN;
        if (*result != NULL || PyErr_Occurred() || begin_pause(n) < 0) break;
        sent = Py_None;
    }
    if (outcome == PYGEN_ERROR && n->future != NULL) forget(n);
    if (outcome != PYGEN_NEXT) finish(n);
    return outcome;
}

/* As an iterator says what it returns. */
static PyObject *stepped(PySendResult outcome, PyObject *result)
{
    if (outcome != PYGEN_RETURN) return result;
    PyObject *stop = PyObject_CallOneArg(PyExc_StopIteration, result);
    if (stop != NULL) PyErr_SetObject(PyExc_StopIteration, stop);
    Py_XDECREF(stop);
    Py_DECREF(result);
    return NULL;
}

static PyObject *step_next(PyObject *self)
{
    PyObject *result;
    const PySendResult outcome = step_send(self, Py_None, &result);
    return stepped(outcome, result);
}

static PyObject *step_send_method(PyObject *self, PyObject *sent)
{
    PyObject *result;
    const PySendResult outcome = step_send(self, sent, &result);
    return stepped(outcome, result);
}

/* Raised where it waits; before its first step, as before that of a coroutine. */
static PyObject *step_throw(PyObject *self, PyObject *args)
{
    next_t *n = (next_t *)self;
    if (n->stream == NULL) return reused();
    if (n->awaits == NULL) n->awaits = PyObject_CallMethod((PyObject *)n->stream, "_slowly", NULL);
    PyObject *throw = n->awaits == NULL ? NULL : PyObject_GetAttrString(n->awaits, "throw");
    PyObject *result = throw == NULL ? NULL : PyObject_Call(throw, args, NULL);
    Py_XDECREF(throw);
    if (result == NULL) {
        if (n->future != NULL) forget(n);
        finish(n);
    }
    return result;
}

static PyObject *step_close(PyObject *self, PyObject *unused)
{
    next_t *n = (next_t *)self;
    (void)unused;
    PyObject *closed = n->awaits == NULL ? Py_NewRef(Py_None)
                                         : PyObject_CallMethod(n->awaits, "close", NULL);
    if (n->future != NULL) forget(n);
    finish(n);
    return closed;
}

static int step_traverse(PyObject *self, visitproc visit, void *arg)
{
    Py_VISIT((PyObject *)((next_t *)self)->stream);
    Py_VISIT(((next_t *)self)->awaits);
    Py_VISIT(((next_t *)self)->future);
    return 0;
}

static int step_clear(PyObject *self)
{
    finish((next_t *)self);
    return 0;
}

static void step_dealloc(PyObject *self)
{
    PyObject_GC_UnTrack(self);
    if (((next_t *)self)->future != NULL) forget((next_t *)self); /* dropped while it waits */
    (void)step_clear(self);
    PyObject_GC_Del(self);
}

static PyMethodDef step_methods[] = {
    {"send", step_send_method, METH_O, NULL},
    {"throw", step_throw, METH_VARARGS, NULL},
    {"close", step_close, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyAsyncMethods step_async = {.am_await = PyObject_SelfIter, .am_send = step_send};

PyTypeObject step_type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "tape._fast.Step",
    .tp_basicsize = sizeof(next_t),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .tp_dealloc = step_dealloc,
    .tp_traverse = step_traverse,
    .tp_clear = step_clear,
    .tp_iter = PyObject_SelfIter,
    .tp_iternext = step_next,
    .tp_methods = step_methods,
    .tp_as_async = &step_async,
};

/* ---- the stream ---- */

static PyObject *stream_next(PyObject *self)
{
    next_t *n = PyObject_GC_New(next_t, &step_type);
    if (n == NULL) return NULL;
    n->stream = (stream_t *)Py_NewRef(self);
    n->awaits = n->future = NULL;
    PyObject_GC_Track(n);
    return (PyObject *)n;
}

static int stream_traverse(PyObject *self, visitproc visit, void *arg)
{
    Py_VISIT(((stream_t *)self)->cursor);
    return 0;
}

static int stream_clear(PyObject *self)
{
    Py_CLEAR(((stream_t *)self)->cursor);
    return 0;
}

static void stream_dealloc(PyObject *self)
{
    PyObject_GC_UnTrack(self);
    (void)stream_clear(self);
    Py_TYPE(self)->tp_free(self);
}

static PyMemberDef stream_members[] = {
    {"_cursor", T_OBJECT_EX, offsetof(stream_t, cursor), 0, NULL},
    {"_given", T_UINT, offsetof(stream_t, given), 0, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyAsyncMethods stream_async = {.am_aiter = PyObject_SelfIter, .am_anext = stream_next};

PyTypeObject stream_type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "tape._fast.StreamLane",
    .tp_basicsize = sizeof(stream_t),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .tp_new = PyType_GenericNew,
    .tp_dealloc = stream_dealloc,
    .tp_traverse = stream_traverse,
    .tp_clear = stream_clear,
    .tp_members = stream_members,
    .tp_as_async = &stream_async,
};
