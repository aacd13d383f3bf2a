/* appender.c - AppenderLane: write and try_write, without bytes between codec and mapping. */
#include "fast.h"

/* A method without arguments, which gives nothing. */
static bool call(appender_t *a, const char *method)
{
    PyObject *nothing = PyObject_CallMethod((PyObject *)a, method, NULL);
    Py_XDECREF(nothing);
    return nothing != NULL;
}

/* The index, None when it shall not wait and would have to, or what Appender._fail_to_write()
 * raises. The GIL is kept while C need not wait; for the disk it may always have to. */
static PyObject *write_bytes(appender_t *a, const void *data, size_t size, bool may_wait)
{
    PyObject *keep = Py_NewRef(a->handle); /* somebody may close it meanwhile */
    tape_appender_t *appender = a->appender;
    bool slow = false;
    int64_t index;
    index = may_wait && a->waits ? TAPE_EAGAIN : fast_c->try_write(appender, data, size);
    if (index == TAPE_EAGAIN && may_wait) {
        Py_BEGIN_ALLOW_THREADS
        index = fast_c->write(appender, data, size);
        Py_END_ALLOW_THREADS
        slow = fast_c->has_slow_append();
    }
    Py_DECREF(keep);
    if (slow && !call(a, "_tell_slow")) return NULL;
    if (index == TAPE_EAGAIN && !may_wait) Py_RETURN_NONE;
    if (index >= 0) {
        if ((a->watch || (index & 1023) == 0) && !call(a, "_look_at_clock"))
            return NULL; /* a warning that is an error */
        return PyLong_FromLongLong(index);
    }
    return PyObject_CallMethod((PyObject *)a, "_fail_to_write", "L", (long long)index);
}

static PyObject *write_fressian(appender_t *a, PyObject *value, bool may_wait)
{
    PyObject *index = NULL;
    a->buffer_busy = true;
    if (fast_fressian->encode(a->fressian, value, &a->buffer) == 0)
        index = write_bytes(a, a->buffer.data, a->buffer.size, may_wait);
    a->buffer_busy = false;
    return index;
}

static PyObject *write_other(appender_t *a, PyObject *value, bool may_wait)
{
    PyObject *data = PyObject_CallOneArg(a->encode, value), *index;
    if (data == NULL) return NULL;
    if (PyBytes_CheckExact(data))
        index = write_bytes(a, PyBytes_AS_STRING(data), (size_t)PyBytes_GET_SIZE(data), may_wait);
    else
        index = PyObject_CallMethod((PyObject *)a, may_wait ? "_write_view" : "_try_view", "O",
                                    data);
    Py_DECREF(data);
    return index;
}

static PyObject *write_one(PyObject *self, PyObject *const *args, Py_ssize_t n, PyObject *names,
                           int which)
{
    appender_t *a = (appender_t *)self;
    const bool may_wait = which == SLOW_WRITE;
    if (n != 1 || names != NULL || !a->armed || a->appender == NULL)
        return fast_slowly(which, self, args, n, names);
    if (a->kind == KIND_RAW && PyBytes_CheckExact(args[0]))
        return write_bytes(a, PyBytes_AS_STRING(args[0]), (size_t)PyBytes_GET_SIZE(args[0]),
                           may_wait);
    if (a->kind == KIND_FRESSIAN && !a->buffer_busy) return write_fressian(a, args[0], may_wait);
    return write_other(a, args[0], may_wait);
}

PyObject *appender_write(PyObject *self, PyObject *const *args, Py_ssize_t n, PyObject *names)
{
    return write_one(self, args, n, names, SLOW_WRITE);
}

PyObject *appender_try_write(PyObject *self, PyObject *const *args, Py_ssize_t n, PyObject *names)
{
    return write_one(self, args, n, names, SLOW_TRY_WRITE);
}

/* ---- the type ---- */

/* _arm(codec, encode, raw): from here on the lane is used. */
static PyObject *arm(PyObject *self, PyObject *args)
{
    appender_t *a = (appender_t *)self;
    PyObject *codec, *encode;
    int raw;
    if (!PyArg_ParseTuple(args, "OOp", &codec, &encode, &raw)) return NULL;
    if (a->armed) return PyErr_Format(PyExc_RuntimeError, "it is armed");
    if (fast_fressian != NULL && !raw) a->fressian = fast_fressian->state_of(codec);
    if (PyErr_Occurred()) return NULL;
    a->kind = raw ? KIND_RAW : a->fressian != NULL ? KIND_FRESSIAN : KIND_OTHER;
    a->encode = Py_NewRef(encode);
    a->armed = true;
    Py_RETURN_NONE;
}

static int traverse(PyObject *self, visitproc visit, void *arg)
{
    appender_t *a = (appender_t *)self;
    Py_VISIT(a->handle);
    Py_VISIT(a->encode);
    Py_VISIT((PyObject *)a->fressian);
    return 0;
}

static int clear(PyObject *self)
{
    appender_t *a = (appender_t *)self;
    PyObject *state = a->fressian;
    a->armed = false;
    a->appender = NULL;
    a->fressian = NULL;
    Py_XDECREF(state);
    Py_CLEAR(a->encode);
    Py_CLEAR(a->handle);
    return 0;
}

static void dealloc(PyObject *self)
{
    PyObject_GC_UnTrack(self);
    (void)clear(self);
    PyMem_Free(((appender_t *)self)->buffer.data);
    Py_TYPE(self)->tp_free(self);
}

static PyMethodDef methods[] = {
    {"_arm", arm, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef members[] = {
    {"_watch", T_BOOL, offsetof(appender_t, watch), 0, NULL},
    {"_waits", T_BOOL, offsetof(appender_t, waits), 0, NULL},
    {NULL, 0, 0, 0, NULL},
};

PyTypeObject appender_type = FAST_HANDLED_TYPE("tape._fast.AppenderLane", appender_t);
