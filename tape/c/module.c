/* module.c - tape._fast: what tape._lanes tells it, and how lanes come before methods in Python. */
#include "fast.h"

const tape_fast_table_t *fast_c;
const fressian_lane_t *fast_fressian;
PyObject *fast_pointer, *fast_nothing, *fast_kept, *fast_main_thread, *fast_slow[SLOW_COUNT];

typedef PyObject *(*lane_t)(PyObject *, PyObject *const *, Py_ssize_t, PyObject *);

/* Python's name for the signature, and where a lane stands. */
static const struct {
    const char *name, *signature;
    lane_t call;
    PyTypeObject *type;
} lanes[SLOW_COUNT] = {
    [SLOW_READ] = {"read", "($self, default=None, *, timeout=0)", tailer_read, &tailer_type},
    [SLOW_GET] = {"get", "($self, timeout=None)", tailer_get, &tailer_type},
    [SLOW_SEEK] = {"seek", "($self, index, *, strict=False)", tailer_seek, &tailer_type},
    [SLOW_READ_MANY] = {"read_many", "($self, n, *, timeout=0)", tailer_read_many, &tailer_type},
    [SLOW_ITER] = {"__iter__", "($self)", NULL, &tailer_type},
    [SLOW_WRITE] = {"write", "($self, obj, *, expect=None)", appender_write, &appender_type},
    [SLOW_WRITE_MANY] = {"write_many", "($self, iterable)", appender_write_many, &appender_type},
    [SLOW_TRY_WRITE] = {"try_write", "($self, obj)", appender_try_write, &appender_type},
};

/* The documentation with a signature in front, as PyMethodDef wants it; for good, as the class. */
static char *documented(const char *name, const char *signature, PyObject *method)
{
    PyObject *text = PyObject_GetAttrString(method, "__doc__");
    const char *doc = text != NULL && PyUnicode_Check(text) ? PyUnicode_AsUTF8(text) : "";
    char *all = NULL;
    if (doc != NULL) {
        const size_t size = strlen(name) + strlen(signature) + strlen(doc) + 8;
        all = PyMem_Malloc(size);
        if (all != NULL) PyOS_snprintf(all, size, "%s%s\n--\n\n%s", name, signature, doc);
        else PyErr_NoMemory();
    }
    Py_XDECREF(text);
    return all;
}

static int put_before(int which, PyObject *class)
{
    const char *name = lanes[which].name;
    PyObject *method = PyObject_GetAttrString(class, name), *lane = NULL;
    char *doc = method == NULL ? NULL : documented(name, lanes[which].signature, method);
    PyMethodDef *definition = doc == NULL ? NULL : PyMem_Calloc(1, sizeof *definition);
    if (definition != NULL) {
        definition->ml_name = name;
        definition->ml_doc = doc;
        definition->ml_flags = METH_FASTCALL | METH_KEYWORDS;
        definition->ml_meth = (PyCFunction)(void (*)(void))lanes[which].call;
        if (lanes[which].call == NULL) {
            definition->ml_flags = METH_NOARGS;
            definition->ml_meth = tailer_iter;
        }
        lane = PyDescr_NewMethod((PyTypeObject *)class, definition);
    }
    if (lane == NULL || PyObject_SetAttrString(class, name, lane) < 0) {
        Py_XDECREF(lane);
        Py_XDECREF(method);
        return -1;
    }
    Py_DECREF(lane);
    fast_slow[which] = method; /* kept for good */
    return 0;
}

/* adopt(class): its hot methods go through lanes from now on, and the lanes fall back on them. */
static PyObject *adopt(PyObject *module, PyObject *class)
{
    (void)module;
    if (fast_c == NULL || !PyType_Check(class))
        return PyErr_Format(PyExc_RuntimeError, "setup() comes first, and a class is wanted");
    for (int which = 0; which < SLOW_COUNT; which++) {
        if (!PyType_IsSubtype((PyTypeObject *)class, lanes[which].type)) continue;
        if (fast_slow[which] != NULL)
            return PyErr_Format(PyExc_RuntimeError, "%s has a lane", lanes[which].name);
        if (put_before(which, class) < 0) return NULL;
    }
    Py_RETURN_NONE;
}

/* setup(table, pointer, nothing, kept, main_thread): the address of libtape's functions; what gives
 * the address of a cffi pointer; two marks; what tells the thread that hears signals. */
static PyObject *setup(PyObject *module, PyObject *args)
{
    PyObject *table, *pointer, *nothing, *kept, *main_thread;
    (void)module;
    if (!PyArg_ParseTuple(args, "OOOOO", &table, &pointer, &nothing, &kept, &main_thread))
        return NULL;
    const tape_fast_table_t *given = PyLong_AsVoidPtr(table);
    if (given == NULL)
        return PyErr_Occurred() ? NULL : PyErr_Format(PyExc_ValueError, "no table");
    if (given->version != TAPE_FAST_VERSION || given->size != sizeof *given)
        return PyErr_Format(PyExc_ImportError, "tape._fast is of another build than tape._native");
    fast_pointer = Py_NewRef(pointer);
    fast_nothing = Py_NewRef(nothing);
    fast_kept = Py_NewRef(kept);
    fast_main_thread = Py_NewRef(main_thread);
    fast_c = given;
    Py_RETURN_NONE;
}

/* fressian(capsule): the codec's lane, when the codec has been imported. */
static PyObject *fressian(PyObject *module, PyObject *capsule)
{
    (void)module;
    const fressian_lane_t *lane = PyCapsule_GetPointer(capsule, FRESSIAN_LANE_CAPSULE);
    if (lane == NULL) return NULL;
    if (lane->version == FRESSIAN_LANE_VERSION) fast_fressian = lane;
    Py_RETURN_NONE;
}

static PyMethodDef functions[] = {
    {"adopt", adopt, METH_O, NULL},
    {"setup", setup, METH_VARARGS, NULL},
    {"fressian", fressian, METH_O, NULL},
    {"arrow_stream", fast_arrow_stream, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, .m_name = "tape._fast", .m_size = -1, .m_methods = functions};

PyMODINIT_FUNC PyInit__fast(void)
{
    PyTypeObject *types[] = {&cursor_type,   &tailer_type, &iterator_type,
                             &appender_type, &stream_type, &step_type, &waiter_type};
    const char *names[] = {"CursorLane", "TailerLane", "Messages", "AppenderLane", "StreamLane",
                           "Step", "WaiterLane"};
    PyObject *module = PyModule_Create(&definition);
    if (module == NULL || tailer_setup() < 0 || waiter_setup() < 0) return NULL;
    for (int i = 0; i < 7; i++)
        if (PyType_Ready(types[i]) < 0 ||
            PyModule_AddObject(module, names[i], Py_NewRef((PyObject *)types[i])) < 0)
            return NULL;
    return module;
}
