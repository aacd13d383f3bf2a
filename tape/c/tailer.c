/* tailer.c - TailerLane: read, get, seek and iterating, as long as nothing rare happens. */
#include "fast.h"

PyObject *fast_word_timeout;
static PyObject *word_default;

/* The cursor of a tailer; NULL when it has none of ours, as before the end of its __init__. */
cursor_t *cursor_of(PyObject *tailer)
{
    PyObject *cursor = ((tailer_t *)tailer)->cursor;
    return cursor != NULL && PyObject_TypeCheck(cursor, &cursor_type) ? (cursor_t *)cursor : NULL;
}

/* The method written in Python, with the same arguments. */
PyObject *fast_slowly(int which, PyObject *self, PyObject *const *args, Py_ssize_t n,
                      PyObject *names)
{
    PyObject *stack[8];
    const Py_ssize_t all = n + (names == NULL ? 0 : PyTuple_GET_SIZE(names));
    if (all > 7) return PyErr_Format(PyExc_TypeError, "too many arguments");
    stack[0] = self;
    for (Py_ssize_t i = 0; i < all; i++) stack[1 + i] = args[i];
    return PyObject_Vectorcall(fast_slow[which], stack, (size_t)n + 1, names);
}

/* default and timeout out of the arguments; false when they are not as read() takes them. */
static bool read_arguments(PyObject *const *args, Py_ssize_t n, PyObject *names, PyObject **none,
                           PyObject **timeout)
{
    if (n > 1) return false;
    if (n == 1) *none = args[0];
    for (Py_ssize_t i = 0; names != NULL && i < PyTuple_GET_SIZE(names); i++) {
        PyObject *name = PyTuple_GET_ITEM(names, i);
        if (name == fast_word_timeout) *timeout = args[n + i];
        else if (name == word_default && n == 0) *none = args[n + i];
        else return false;
    }
    return true;
}

/* What may be tried without waiting first: -1 not, 0 no waiting, 1 waiting. */
int fast_timeout(PyObject *timeout)
{
    if (timeout == NULL) return 0;
    if (timeout == Py_None) return 1;
    if (PyFloat_CheckExact(timeout)) {
        const double seconds = PyFloat_AS_DOUBLE(timeout);
        return seconds > 0 ? 1 : seconds == 0 ? 0 : -1;
    }
    int beyond = 0;
    if (!PyLong_CheckExact(timeout)) return -1;
    const long seconds = PyLong_AsLongAndOverflow(timeout, &beyond);
    return beyond || seconds < 0 ? -1 : seconds > 0;
}

PyObject *tailer_read(PyObject *self, PyObject *const *args, Py_ssize_t n, PyObject *names)
{
    PyObject *none = Py_None, *timeout = NULL;
    cursor_t *c = cursor_of(self);
    if (c == NULL || !read_arguments(args, n, names, &none, &timeout) ||
        fast_timeout(timeout) < 0 || !cursor_take(c))
        return fast_slowly(SLOW_READ, self, args, n, names);
    begun_t begun;
    PyObject *value = cursor_next(c, &begun);
    if (value != NULL) return value;
    if (begun.code != 0) {
        PyObject *zero = PyLong_FromLong(0), *more[3] = {none, timeout ? timeout : zero, Py_False};
        value = cursor_hand_over(c, &begun, "read", more, 3);
        Py_XDECREF(zero);
        return value;
    }
    if (fast_timeout(timeout) == 0) return Py_NewRef(none);
    return cursor_wait(c, none, timeout);
}

PyObject *tailer_get(PyObject *self, PyObject *const *args, Py_ssize_t n, PyObject *names)
{
    PyObject *timeout = Py_None;
    cursor_t *c = cursor_of(self);
    if (n == 1 && names == NULL) timeout = args[0];
    if (n == 0 && names != NULL && PyTuple_GET_SIZE(names) == 1 &&
        PyTuple_GET_ITEM(names, 0) == fast_word_timeout)
        timeout = args[0];
    else if (n > 1 || names != NULL)
        return fast_slowly(SLOW_GET, self, args, n, names);
    if (c == NULL || fast_timeout(timeout) < 0 || !cursor_take(c))
        return fast_slowly(SLOW_GET, self, args, n, names);
    begun_t begun;
    PyObject *value = cursor_next(c, &begun);
    if (value != NULL) return value;
    if (begun.code == 0) return cursor_wait(c, fast_nothing, timeout);
    PyObject *more[3] = {fast_nothing, timeout, Py_False};
    return cursor_hand_over(c, &begun, "read", more, 3);
}

PyObject *tailer_seek(PyObject *self, PyObject *const *args, Py_ssize_t n, PyObject *names)
{
    cursor_t *c = cursor_of(self);
    if (c == NULL || n != 1 || names != NULL || !PyLong_CheckExact(args[0]))
        return fast_slowly(SLOW_SEEK, self, args, n, names);
    int beyond;
    const int64_t index = PyLong_AsLongLongAndOverflow(args[0], &beyond);
    if (beyond || index < 0 || !cursor_take(c)) return fast_slowly(SLOW_SEEK, self, args, n, names);
    const int found = fast_c->seek(c->tailer, index);
    cursor_give(c);
    if (found < 0) return PyObject_CallMethod((PyObject *)c, "_check", "i", found);
    return PyBool_FromLong(found == 1);
}

/* ---- iterating ---- */

/* One loop over what is there. The next message is asked of C when it is asked for, not before. */
typedef struct {
    PyObject_HEAD
    cursor_t *cursor; /* NULL: the loop has ended */
} iterator_t;

PyObject *tailer_iter(PyObject *self, PyObject *unused)
{
    cursor_t *c = cursor_of(self);
    (void)unused;
    if (c == NULL || !c->armed) return fast_slowly(SLOW_ITER, self, NULL, 0, NULL);
    iterator_t *loop = PyObject_GC_New(iterator_t, &iterator_type);
    if (loop == NULL) return NULL;
    Py_INCREF(c);
    loop->cursor = c;
    PyObject_GC_Track(loop);
    return (PyObject *)loop;
}

static int iterator_clear(PyObject *self)
{
    iterator_t *loop = (iterator_t *)self;
    Py_CLEAR(loop->cursor);
    return 0;
}

static PyObject *iterator_slow(iterator_t *loop, cursor_t *c, begun_t *begun)
{
    PyObject *value = begun == NULL ? PyObject_CallMethod((PyObject *)c, "one", NULL)
                                    : cursor_hand_over(c, begun, "one", NULL, 0);
    if (value == NULL || value == fast_nothing) {
        Py_CLEAR(value);
        Py_CLEAR(loop->cursor);
    }
    return value;
}

static PyObject *iterator_next(PyObject *self)
{
    iterator_t *loop = (iterator_t *)self;
    cursor_t *c = loop->cursor;
    if (c == NULL) return NULL;
    Py_INCREF(c); /* decode() may run anything */
    begun_t begun;
    PyObject *value;
    if (!cursor_take(c)) {
        value = iterator_slow(loop, c, NULL);
    } else if ((value = cursor_next(c, &begun)) == NULL) {
        if (begun.code != 0) value = iterator_slow(loop, c, &begun);
        else Py_CLEAR(loop->cursor);
    }
    Py_DECREF(c);
    return value;
}

static int iterator_traverse(PyObject *self, visitproc visit, void *arg)
{
    Py_VISIT(((iterator_t *)self)->cursor);
    return 0;
}

static void iterator_dealloc(PyObject *self)
{
    PyObject_GC_UnTrack(self);
    (void)iterator_clear(self);
    PyObject_GC_Del(self);
}

PyTypeObject iterator_type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "tape._fast.Messages",
    .tp_basicsize = sizeof(iterator_t),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .tp_dealloc = iterator_dealloc,
    .tp_traverse = iterator_traverse,
    .tp_clear = iterator_clear,
    .tp_iter = PyObject_SelfIter,
    .tp_iternext = iterator_next,
};

/* ---- the type ---- */

static int tailer_traverse(PyObject *self, visitproc visit, void *arg)
{
    Py_VISIT(((tailer_t *)self)->cursor);
    return 0;
}

static int tailer_clear(PyObject *self)
{
    Py_CLEAR(((tailer_t *)self)->cursor);
    return 0;
}

static void tailer_dealloc(PyObject *self)
{
    PyObject_GC_UnTrack(self);
    (void)tailer_clear(self);
    Py_TYPE(self)->tp_free(self);
}

static PyMemberDef tailer_members[] = {
    {"_cursor", T_OBJECT_EX, offsetof(tailer_t, cursor), 0, NULL},
    {NULL, 0, 0, 0, NULL},
};

PyTypeObject tailer_type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "tape._fast.TailerLane",
    .tp_basicsize = sizeof(tailer_t),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .tp_new = PyType_GenericNew,
    .tp_dealloc = tailer_dealloc,
    .tp_traverse = tailer_traverse,
    .tp_clear = tailer_clear,
    .tp_members = tailer_members,
};

int tailer_setup(void)
{
    word_default = PyUnicode_InternFromString("default");
    fast_word_timeout = PyUnicode_InternFromString("timeout");
    return word_default != NULL && fast_word_timeout != NULL ? 0 : -1;
}
