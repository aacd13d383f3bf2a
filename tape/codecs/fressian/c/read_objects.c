/* read_objects.c - objects of the package's slotted types, made without their Python code. */

#include "speed.h"

/* Takes over `values`. */
SHARED PyObject *tagged_new(PyObject *tag, PyObject *values)
{
    PyObject *made = slotted_new(g.TaggedValue);
    if (!made) {
        Py_DECREF(values);
        return NULL;
    }
    SLOT(made, g.o_tagged_tag) = new_ref(tag);
    SLOT(made, g.o_tagged_values) = values;
    return made;
}

SHARED PyObject *text_new(PyTypeObject *type, Py_ssize_t offset, PyObject *text)
{
    PyObject *made = slotted_new(type);
    if (made)
        SLOT(made, offset) = new_ref(text);
    return made;
}

SHARED PyObject *float32_new(float value)
{
    PyObject *made = slotted_new(g.Float32);
    if (made)
        ((PyFloatObject *)made)->ob_fval = value;
    return made;
}

SHARED PyObject *array_new(PyTypeObject *type, PyObject *list)
{
    PyObject *tuple = PyList_AsTuple(list), *made = NULL;
    PyObject *args = tuple ? PyTuple_Pack(1, tuple) : NULL;
    if (args)
        made = PyTuple_Type.tp_new(type, args, NULL);
    Py_XDECREF(tuple);
    Py_XDECREF(args);
    return made;
}

SHARED PyObject *uuid_new(const uint8_t *p)
{
    if (take_uuid())
        return NULL;
    PyObject *number = int_from_be(p, 16, 0);
    PyObject *made = number ? slotted_new((PyTypeObject *)g.UUID) : NULL;
    if (!made) {
        Py_XDECREF(number);
        return NULL;
    }
    SLOT(made, g.o_uuid_int) = number;
    SLOT(made, g.o_uuid_safe) = new_ref(g.uuid_unknown);
    return made;
}

SHARED PyObject *frozen_map(PyObject *dict)
{
    PyObject *map = slotted_new(g.FrozenMap);
    if (map) {
        SLOT(map, g.o_map_items) = new_ref(dict);
        SLOT(map, g.o_map_hash) = new_ref(Py_None);
    }
    return map;
}
