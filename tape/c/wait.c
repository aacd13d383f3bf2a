/* wait.c - sleeping for a message, without the GIL and without the turn: C knows that the tailer is
 * in use meanwhile. */
#include "fast.h"

#include <time.h>

#define FOR_EVER INT64_MAX
/* A signal that comes just before C goes to sleep wakes nobody, so who hears them looks up. */
#define LISTEN_NS INT64_C(50000000)

static int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* `timeout` is one that fast_timeout() takes. */
static int64_t deadline_of(PyObject *timeout)
{
    if (timeout == Py_None) return FOR_EVER;
    const double seconds = PyFloat_AsDouble(timeout);
    return seconds < 1e9 ? now_ns() + (int64_t)(seconds * 1e9) : FOR_EVER;
}

/* The longest sleep of this thread; -1: an exception. */
static int64_t longest(void)
{
    PyObject *number = PyObject_CallNoArgs(fast_main_thread);
    if (number == NULL) return -1;
    const unsigned long main_thread = PyLong_AsUnsignedLong(number);
    Py_DECREF(number);
    if (PyErr_Occurred()) return -1;
    return main_thread == PyThread_get_thread_ident() ? LISTEN_NS : FOR_EVER;
}

static int sleep_for(cursor_t *c, int64_t ns)
{
    PyObject *keep = Py_NewRef(c->handle); /* somebody may close it meanwhile */
    tape_tailer_t *tailer = c->tailer;
    int code;
    Py_BEGIN_ALLOW_THREADS
    code = fast_c->wait(tailer, ns == FOR_EVER ? -1 : ns);
    Py_END_ALLOW_THREADS
    Py_DECREF(keep);
    return code;
}

/* Cursor.read() with the time that is left; `begun` if the lane has the turn. */
static PyObject *read_on(cursor_t *c, PyObject *none, int64_t until, begun_t *begun)
{
    PyObject *left = Py_NewRef(Py_None), *value = NULL;
    if (until != FOR_EVER) {
        const int64_t ns = until - now_ns();
        Py_SETREF(left, PyFloat_FromDouble(ns > 0 ? (double)ns / 1e9 : 0.0));
    }
    PyObject *more[3] = {none, left, Py_False};
    if (left != NULL && begun == NULL)
        value = PyObject_CallMethod((PyObject *)c, "read", "OO", none, left);
    else if (left != NULL)
        value = cursor_hand_over(c, begun, "read", more, 3);
    Py_XDECREF(left);
    return value;
}

PyObject *cursor_wait(cursor_t *c, PyObject *none, PyObject *timeout)
{
    const int64_t until = deadline_of(timeout), most = longest();
    if (most < 0) return NULL;
    for (;;) {
        int64_t left = until == FOR_EVER ? FOR_EVER : until - now_ns();
        if (left <= 0 && none != fast_nothing) return Py_NewRef(none);
        if (left <= 0) return PyObject_CallMethod((PyObject *)c, "_none_came", "O", timeout);
        const int code = sleep_for(c, left < most ? left : most);
        if (code < 0) return PyObject_CallMethod((PyObject *)c, "_check", "i", code);
        if (PyErr_CheckSignals() < 0) return NULL;
        if (!cursor_take(c)) return read_on(c, none, until, NULL);
        begun_t begun;
        PyObject *value = cursor_next(c, &begun);
        if (value != NULL) return value;
        if (begun.code != 0) return read_on(c, none, until, &begun);
    }
}
