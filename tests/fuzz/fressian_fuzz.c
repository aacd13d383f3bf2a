/* libFuzzer's entry for the Fressian reader and writer in C, instrumented, inside a Python.
 *
 * Built by fressian_fuzz.sh. The Python half, fressian_target.py, compares each input's result
 * with the codec in Python; a difference is an abort, as is what the sanitizers find. With $PLANT
 * there is a bug in the reader. */
static int planted_bug;
#define PLANTED_BUG planted_bug
#include "../../tape/codecs/fressian/c/unity.c"

static PyObject *target;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    planted_bug = getenv("PLANT") != NULL;
    Py_InitializeEx(0);
    PyRun_SimpleString("import sys; import tape.codecs.fressian");
    PyObject *speed = PyInit__speed();
    PyObject *module = speed ? PyImport_ImportModule("fressian_target") : NULL;
    PyObject *made = module ? PyObject_CallMethod(module, "start", "O", speed) : NULL;
    target = made ? PyObject_GetAttrString(module, "one") : NULL;
    if (!target) {
        PyErr_Print();
        abort();
    }
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    PyObject *bytes = PyBytes_FromStringAndSize((const char *)data, (Py_ssize_t)size);
    PyObject *result = PyObject_CallOneArg(target, bytes);
    Py_DECREF(bytes);
    if (!result) {
        PyErr_Print();
        abort();
    }
    Py_DECREF(result);
    return 0;
}
