/* _pyfloor.c - the floor of Python: what a call of C and one object a message cost, no more.
 *
 * Log(path, size) maps a file; append(bytes) takes a lock word, copies, claims the header word by
 * CAS and gives the lock back: it returns the position. Iterating gives the messages as bytes, and
 * next() gives the next one or None. No checks, no rolling, no other process: this is not a queue.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

typedef struct {
    PyObject_HEAD
    uint8_t *base;
    size_t size, end, next;
} log_t;

enum { START = 64 };

static PyObject *log_new(PyTypeObject *type, PyObject *args, PyObject *keywords)
{
    const char *path;
    Py_ssize_t size;
    (void)keywords;
    if (!PyArg_ParseTuple(args, "sn", &path, &size)) return NULL;
    int fd = open(path, O_RDWR | O_CREAT, 0600);
    if (fd < 0) return PyErr_SetFromErrnoWithFilename(PyExc_OSError, path);
    void *base = MAP_FAILED;
    if (ftruncate(fd, size) == 0)
        base = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);
    close(fd);
    if (base == MAP_FAILED) return PyErr_SetFromErrnoWithFilename(PyExc_OSError, path);
    log_t *self = (log_t *)type->tp_alloc(type, 0);
    if (self == NULL) return NULL;
    self->base = base;
    self->size = (size_t)size;
    self->end = self->next = START;
    return (PyObject *)self;
}

static void log_dealloc(PyObject *object)
{
    log_t *self = (log_t *)object;
    munmap(self->base, self->size);
    Py_TYPE(object)->tp_free(object);
}

static PyObject *log_append(PyObject *object, PyObject *message)
{
    log_t *self = (log_t *)object;
    if (!PyBytes_CheckExact(message)) return PyErr_Format(PyExc_TypeError, "bytes");
    size_t length = (size_t)PyBytes_GET_SIZE(message);
    size_t at = self->end;
    if (at + length + 8 > self->size) return PyErr_Format(PyExc_ValueError, "full");
    uint64_t *lock = (uint64_t *)self->base, none = 0, held = 1;
    uint32_t *word = (uint32_t *)(self->base + at), empty = 0;
    if (!__atomic_compare_exchange_n(lock, &none, 1, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
        return PyErr_Format(PyExc_RuntimeError, "locked");
    memcpy(word + 1, PyBytes_AS_STRING(message), length);
    if (!__atomic_compare_exchange_n(word, &empty, (uint32_t)length, 0, __ATOMIC_SEQ_CST,
                                     __ATOMIC_SEQ_CST))
        return PyErr_Format(PyExc_RuntimeError, "taken");
    self->end = (at + 4 + length + 3) & ~(size_t)3;
    __atomic_compare_exchange_n(lock, &held, 0, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
    return PyLong_FromSize_t(at);
}

static PyObject *log_iternext(PyObject *object)
{
    log_t *self = (log_t *)object;
    const uint32_t *word = (const uint32_t *)(self->base + self->next);
    uint32_t length = __atomic_load_n(word, __ATOMIC_ACQUIRE);
    if (length == 0) return NULL;
    PyObject *message = PyBytes_FromStringAndSize((const char *)(word + 1), length);
    if (message != NULL) self->next = (self->next + 4 + length + 3) & ~(size_t)3;
    return message;
}

static PyObject *log_next(PyObject *object, PyObject *none)
{
    PyObject *message = log_iternext(object);
    (void)none;
    if (message == NULL && !PyErr_Occurred()) Py_RETURN_NONE;
    return message;
}

/* Where reading stands; a position to read from, as append() gave it; all bytes zero again. */
static PyObject *log_tell(PyObject *object, PyObject *none)
{
    (void)none;
    return PyLong_FromSize_t(((log_t *)object)->next);
}

static PyObject *log_seek(PyObject *object, PyObject *position)
{
    size_t at = PyLong_AsSize_t(position);
    if (at == (size_t)-1 && PyErr_Occurred()) return NULL;
    ((log_t *)object)->next = at;
    Py_RETURN_NONE;
}

static PyObject *log_clear(PyObject *object, PyObject *none)
{
    log_t *self = (log_t *)object;
    (void)none;
    memset(self->base, 0, self->size);
    self->end = self->next = START;
    Py_RETURN_NONE;
}

static PyMethodDef log_methods[] = {
    {"append", log_append, METH_O, NULL},     {"next", log_next, METH_NOARGS, NULL},
    {"tell", log_tell, METH_NOARGS, NULL},    {"seek", log_seek, METH_O, NULL},
    {"clear", log_clear, METH_NOARGS, NULL},  {NULL, NULL, 0, NULL},
};

static PyTypeObject log_type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "_pyfloor.Log",
    .tp_basicsize = sizeof(log_t),
    .tp_flags = Py_TPFLAGS_DEFAULT,
    .tp_new = log_new,
    .tp_dealloc = log_dealloc,
    .tp_iter = PyObject_SelfIter,
    .tp_iternext = log_iternext,
    .tp_methods = log_methods,
};

static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "_pyfloor", NULL, -1, NULL, NULL, NULL,
                                    NULL, NULL};

PyMODINIT_FUNC PyInit__pyfloor(void)
{
    PyObject *made = PyModule_Create(&module);
    if (made == NULL || PyType_Ready(&log_type) < 0) return NULL;
    Py_INCREF(&log_type);
    if (PyModule_AddObject(made, "Log", (PyObject *)&log_type) < 0) return NULL;
    return made;
}
