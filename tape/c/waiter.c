/* waiter.c - WaiterLane: a loop's descriptor was readable; those who sleep are told.
 *
 * On the way from a writer's message to the task that awaits it, this is all that tape does before
 * the loop runs the task: it is short, since after a sleep nothing is in the processor's caches.
 */
#include "fast.h"

enum { AT_ONCE = 64 };

typedef struct {
    PyObject_HEAD
    PyObject *handle;
    tape_waiter_t *waiter;
    PyObject *sleepers; /* lists of futures by token; LoopWaiter.sleeper() fills it */
} waiter_t;

static PyObject *word_done, *word_set_result;

/* Tells a future, if nobody has ended it. */
static int tell(PyObject *future)
{
    PyObject *done = PyObject_CallMethodNoArgs(future, word_done);
    const int is_done = done == NULL ? -1 : PyObject_IsTrue(done);
    Py_XDECREF(done);
    if (is_done != 0) return is_done < 0 ? -1 : 0;
    PyObject *set = PyObject_CallMethodOneArg(future, word_set_result, Py_None);
    Py_XDECREF(set);
    return set == NULL ? -1 : 0;
}

static int tell_all_of(waiter_t *w, uint64_t token)
{
    PyObject *key = PyLong_FromUnsignedLongLong(token), *futures;
    int outcome = key == NULL ? -1 : 0;
    futures = key == NULL ? NULL : PyDict_GetItemWithError(w->sleepers, key);
    if (futures != NULL) { /* otherwise whoever slept was cancelled */
        Py_INCREF(futures);
        outcome = PyDict_DelItem(w->sleepers, key);
        for (Py_ssize_t i = 0; outcome == 0 && i < PyList_GET_SIZE(futures); i++) {
            PyObject *future = Py_NewRef(PyList_GET_ITEM(futures, i));
            outcome = tell(future);
            Py_DECREF(future);
        }
        Py_DECREF(futures);
    }
    Py_XDECREF(key);
    return PyErr_Occurred() ? -1 : outcome;
}

static PyObject *wake(PyObject *self, PyObject *unused)
{
    waiter_t *w = (waiter_t *)self;
    uint64_t tokens[AT_ONCE];
    int64_t got;
    (void)unused;
    if (w->waiter == NULL || w->sleepers == NULL) Py_RETURN_NONE;
    do {
        got = fast_c->waiter_take(w->waiter, tokens, AT_ONCE);
        if (got < 0) return PyObject_CallMethod(self, "_refused", "L", (long long)got);
        for (int64_t i = 0; i < got; i++)
            if (tell_all_of(w, tokens[i]) < 0) return NULL;
    } while (got == AT_ONCE);
    Py_RETURN_NONE;
}

/* ---- the type ---- */

static int traverse(PyObject *self, visitproc visit, void *arg)
{
    Py_VISIT(((waiter_t *)self)->handle);
    Py_VISIT(((waiter_t *)self)->sleepers);
    return 0;
}

static int clear(PyObject *self)
{
    waiter_t *w = (waiter_t *)self;
    w->waiter = NULL;
    Py_CLEAR(w->sleepers);
    Py_CLEAR(w->handle);
    return 0;
}

static void dealloc(PyObject *self)
{
    PyObject_GC_UnTrack(self);
    (void)clear(self);
    Py_TYPE(self)->tp_free(self);
}

static PyMethodDef methods[] = {
    {"_wake", wake, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef members[] = {
    {"_sleepers", T_OBJECT_EX, offsetof(waiter_t, sleepers), 0, NULL},
    {NULL, 0, 0, 0, NULL},
};

PyTypeObject waiter_type = FAST_HANDLED_TYPE("tape._fast.WaiterLane", waiter_t);

int waiter_setup(void)
{
    word_done = PyUnicode_InternFromString("done");
    word_set_result = PyUnicode_InternFromString("set_result");
    return word_done != NULL && word_set_result != NULL ? 0 : -1;
}
