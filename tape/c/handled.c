/* handled.c - `_handle`, with which every lane but the tailer's begins. */
#include "fast.h"

int fast_address_of(PyObject *pointer, void **out)
{
    PyObject *number = PyObject_CallOneArg(fast_pointer, pointer);
    if (number == NULL) return -1;
    *out = PyLong_AsVoidPtr(number);
    Py_DECREF(number);
    return PyErr_Occurred() ? -1 : 0;
}

static PyObject *get_handle(PyObject *self, void *unused)
{
    PyObject *handle = ((handled_t *)self)->handle;
    (void)unused;
    if (handle == NULL) PyErr_SetString(PyExc_AttributeError, "_handle");
    return Py_XNewRef(handle);
}

static int set_handle(PyObject *self, PyObject *value, void *unused)
{
    handled_t *h = (handled_t *)self;
    void *address = NULL;
    (void)unused;
    if (value != NULL && fast_address_of(value, &address) < 0) return -1;
    h->pointer = address;
    PyObject *old = h->handle;
    h->handle = Py_XNewRef(value);
    Py_XDECREF(old);
    return 0;
}

PyGetSetDef fast_handled_properties[] = {
    {"_handle", get_handle, set_handle, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};
