/* cursor.c - CursorLane: the turn, and what a codec makes of a message.
 *
 * The element of Turn._outs is the one token. A lane that has the turn has set the length of the
 * list to 0, and gives it back by setting it to 1: a pop and an append without their cost. Nobody
 * touches the list meanwhile, since only who has popped the element may put it back; whoever tries
 * finds it empty, and Turn._take_lost() sees that a lane is busy.
 */
#include "fast.h"

PyObject *fast_take_exception(void)
{
#if PY_VERSION_HEX >= 0x030C0000
    return PyErr_GetRaisedException();
#else
    PyObject *type, *value, *trace;
    PyErr_Fetch(&type, &value, &trace);
    PyErr_NormalizeException(&type, &value, &trace);
    if (trace != NULL) PyException_SetTraceback(value, trace);
    Py_XDECREF(type);
    Py_XDECREF(trace);
    return value;
#endif
}

void fast_raise(PyObject *exception)
{
#if PY_VERSION_HEX >= 0x030C0000
    PyErr_SetRaisedException(exception);
#else
    Py_INCREF(Py_TYPE(exception));
    PyErr_Restore((PyObject *)Py_TYPE(exception), exception, PyException_GetTraceback(exception));
#endif
}

/* ---- decoding ---- */

/* Ends a view of mapped memory; true when somebody else still looks through it. */
static bool is_kept(PyObject *object, const PyObject *value)
{
    PyMemoryViewObject *view = (PyMemoryViewObject *)object;
    bool kept = value == object || view->exports != 0 || view->mbuf->exports != 1;
    if (!kept && Py_REFCNT(object) > 1) { /* a name for it is left: then of an ended view */
        PyObject *done = PyObject_CallMethod(object, "release", NULL);
        kept = done == NULL;
        Py_XDECREF(done);
        PyErr_Clear();
    }
    return kept;
}

static PyObject *decode_other(cursor_t *c, const uint8_t *data, size_t size, PyObject **failed)
{
    PyObject *view = PyMemoryView_FromMemory((char *)(uintptr_t)data, (Py_ssize_t)size, PyBUF_READ);
    PyObject *value = view == NULL ? NULL : PyObject_CallOneArg(c->decode, view);
    if (value == NULL) {
        *failed = fast_take_exception();
        if (view != NULL) (void)is_kept(view, NULL); /* its traceback names the view */
    } else if (is_kept(view, value)) {
        Py_CLEAR(value);
        *failed = Py_NewRef(fast_kept);
    }
    Py_XDECREF(view);
    return value;
}

/* The value of a message, or NULL and in *failed what went wrong; no exception is set. */
PyObject *cursor_decode(cursor_t *c, const uint8_t *data, size_t size, PyObject **failed)
{
    PyObject *value;
    if (c->kind == KIND_OTHER) return decode_other(c, data, size, failed);
    if (c->kind == KIND_RAW)
        value = PyBytes_FromStringAndSize((const char *)data, (Py_ssize_t)size);
    else
        value = fast_fressian->decode(c->fressian, data, size);
    if (value == NULL) *failed = fast_take_exception();
    return value;
}

/* ---- the turn ---- */

/* Whether the lane has the turn now. Not while a loop in Python has messages read ahead. */
bool cursor_take(cursor_t *c)
{
    if (!c->armed || c->tailer == NULL || PyList_GET_SIZE(c->outs) != 1 ||
        (c->ahead != NULL && c->ahead != Py_None))
        return false;
    Py_SET_SIZE(c->outs, 0);
    return c->busy = true;
}

void cursor_give(cursor_t *c)
{
    Py_SET_SIZE(c->outs, 1);
    c->busy = false;
}

/* The next message with the turn taken; given back when there is a value, or nothing (NULL and
 * code 0). Otherwise *begun says what the lane cannot deal with, and the turn is kept. */
PyObject *cursor_next(cursor_t *c, begun_t *begun)
{
    *begun = (begun_t){fast_c->next(c->tailer, c->out), NULL};
    if (begun->code == 1 && c->out->framing == c->framing) {
        PyObject *keep = Py_NewRef(c->handle); /* and what is mapped, if the queue is closed */
        PyObject *value = cursor_decode(c, c->out->data, c->out->size, &begun->failed);
        Py_DECREF(keep);
        if (value != NULL) {
            c->out->index = -1;
            cursor_give(c);
            return value;
        }
    } else if (begun->code == 0) {
        cursor_give(c);
    }
    return NULL;
}

/* Calls a method of the cursor, with the arguments and what C said; it takes the turn over. When an
 * interrupt keeps it from that, what C gave is next again. */
PyObject *cursor_hand_over(cursor_t *c, begun_t *begun, const char *method,
                           PyObject *const *arguments, size_t count)
{
    PyObject *stack[5], *name = PyUnicode_InternFromString(method), *result = NULL, *told;
    if (begun->failed == NULL) told = Py_BuildValue("[i]", begun->code);
    else told = Py_BuildValue("[Ni]", begun->failed, begun->code);
    if (name != NULL && told != NULL) {
        stack[0] = (PyObject *)c;
        for (size_t i = 0; i < count; i++) stack[1 + i] = arguments[i];
        stack[1 + count] = told;
        result = PyObject_VectorcallMethod(name, stack, 2 + count, NULL);
    }
    Py_XDECREF(name);
    Py_XDECREF(told);
    if (c->busy) {
        if (c->tailer != NULL) fast_c->unread(c->tailer);
        c->out->index = -1;
        cursor_give(c);
    }
    return result;
}

/* The token itself, for a method in Python that goes on. */
static PyObject *take_over(PyObject *self, PyObject *args)
{
    cursor_t *c = (cursor_t *)self;
    PyObject *first = NULL;
    if (!PyArg_ParseTuple(args, "|O", &first) ||
        (first != NULL && PyObject_SetAttrString(self, "_first", first) < 0))
        return NULL;
    if (!c->busy) return PyErr_Format(PyExc_RuntimeError, "no lane has the turn");
    c->busy = false;
    return PyList_GET_ITEM(c->outs, 0); /* with the reference that the list had */
}

/* ---- the type ---- */

/* _arm(outs, out, codec, decode, raw, framing, poison): from here on the lane is used. */
static PyObject *arm(PyObject *self, PyObject *args)
{
    cursor_t *c = (cursor_t *)self;
    PyObject *outs, *out, *codec, *decode, *poison;
    int raw;
    unsigned int framing;
    void *place;
    if (!PyArg_ParseTuple(args, "O!OOOpIO", &PyList_Type, &outs, &out, &codec, &decode, &raw,
                          &framing, &poison) ||
        fast_address_of(out, &place) < 0)
        return NULL;
    if (c->armed) return PyErr_Format(PyExc_RuntimeError, "it is armed");
    if (fast_fressian != NULL && !raw) c->fressian = fast_fressian->state_of(codec);
    if (PyErr_Occurred()) return NULL;
    c->kind = raw ? KIND_RAW : c->fressian != NULL ? KIND_FRESSIAN : KIND_OTHER;
    c->outs = Py_NewRef(outs);
    c->out = place;
    c->decode = Py_NewRef(decode);
    c->poison = Py_NewRef(poison);
    c->framing = framing;
    c->armed = true;
    Py_RETURN_NONE;
}

static int traverse(PyObject *self, visitproc visit, void *arg)
{
    cursor_t *c = (cursor_t *)self;
    Py_VISIT(c->handle);
    Py_VISIT(c->outs);
    Py_VISIT(c->ahead);
    Py_VISIT(c->decode);
    Py_VISIT(c->poison);
    Py_VISIT((PyObject *)c->fressian);
    return 0;
}

static int clear(PyObject *self)
{
    cursor_t *c = (cursor_t *)self;
    PyObject *state = c->fressian;
    c->armed = false;
    c->tailer = NULL;
    c->fressian = NULL;
    Py_XDECREF(state);
    Py_CLEAR(c->decode);
    Py_CLEAR(c->poison);
    Py_CLEAR(c->outs);
    Py_CLEAR(c->ahead);
    Py_CLEAR(c->handle);
    return 0;
}

static void dealloc(PyObject *self)
{
    PyObject_GC_UnTrack(self);
    (void)clear(self);
    Py_TYPE(self)->tp_free(self);
}

static PyMethodDef methods[] = {
    {"_arm", arm, METH_VARARGS, NULL},
    {"_take_over", take_over, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef members[] = {
    {"_ahead", T_OBJECT_EX, offsetof(cursor_t, ahead), 0, NULL},
    {"_busy", T_BOOL, offsetof(cursor_t, busy), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

PyTypeObject cursor_type = FAST_HANDLED_TYPE("tape._fast.CursorLane", cursor_t);
