/* write_structs.c - structs: their heads, records, tagged values, registered classes. */

#include "speed.h"

/* -- structs */

static int put_struct_entry(enc_t *e, uint32_t entry)
{
    if (entry < 16)
        return put_byte(e, C_STRUCT_PACKED + entry);
    return put_byte(e, C_STRUCT) || put_int(e, entry) ? -1 : 0;
}

static int write_tag_object(enc_t *e, PyObject *tag)
{
    if (PyBool_Check(tag) || PyLong_Check(tag) || PyFloat_Check(tag) || PyBytes_Check(tag) ||
        Py_TYPE(tag) == g.Keyword || Py_TYPE(tag) == g.Symbol)
        return write_value(e, tag, 0);
    return refuse(e, "no Fressian encoding for a struct with the tag %R", tag);
}

/* The entry of (tag, count) if it is known, else its definition. Java looks up the tag alone and
 * gets out of step when one tag has two counts; what Java writes right is the same here. */
SHARED int write_struct_head(enc_t *e, PyObject *tag, Py_ssize_t count, int32_t *quick)
{
    if (quick && *quick >= 0)
        return put_struct_entry(e, (uint32_t)*quick);
    PyObject *name = PyUnicode_CheckExact(tag) ? new_ref(tag)
                                               : call_late(LATE(cache_key), tag);
    if (!name)
        return refuse_current(e);
    PyObject *key = Py_BuildValue("(Nn)", name, count);
    if (!key)
        return -1;
    int rc = -1;
    if (!e->structs && !(e->structs = PyDict_New()))
        goto done;
    PyObject *found = PyDict_GetItemWithError(e->structs, key);
    if (found) {
        rc = put_struct_entry(e, (uint32_t)PyLong_AsUnsignedLong(found));
        goto done;
    }
    if (PyErr_Occurred() || put_byte(e, C_STRUCT_TYPE) ||
        (PyUnicode_CheckExact(tag) ? put_text(e, tag) : write_tag_object(e, tag)))
        goto done;
    PyObject *number = PyLong_FromUnsignedLong(e->struct_entries);
    if (!number || PyDict_SetItem(e->structs, key, number)) {
        Py_XDECREF(number);
        goto done;
    }
    Py_DECREF(number);
    if (quick)
        *quick = (int32_t)e->struct_entries;
    e->struct_entries++;
    rc = put_int(e, count);
done:
    Py_DECREF(key);
    return rc;
}

SHARED int write_record(enc_t *e, PyObject *record, int64_t depth)
{
    if (write_struct_head(e, g.s_record, 2, &e->record2))
        return -1;
    PyObject *name = PyObject_CallFunctionObjArgs((PyObject *)g.Symbol, Py_None,
                                                  SLOT(record, g.o_record_name), NULL);
    if (!name)
        return -1;
    int rc = write_put(e, name);
    if (rc == 0)
        rc = write_symbol(e, name);
    Py_DECREF(name);
    if (rc < 0)
        return -1;
    ENTER(e, depth);
    ENTER(e, depth + 1);
    PyObject *fields = SLOT(record, g.o_record_fields);
    Py_ssize_t count = PyObject_Size(fields);
    if (count < 0 || put_byte(e, C_MAP) || put_byte(e, C_CLOSED_LIST) ||
        write_entries(e, fields, count, depth + 2, write_field))
        return -1;
    return put_byte(e, C_END);
}

SHARED int write_tagged(enc_t *e, PyObject *value, int64_t depth)
{
    PyObject *tag = SLOT(value, g.o_tagged_tag), *parts = SLOT(value, g.o_tagged_values);
    Py_ssize_t count = PyTuple_GET_SIZE(parts);
    PyObject *code = PyUnicode_CheckExact(tag) ? PyDict_GetItemWithError(g.code_of_tag, tag)
                                               : NULL;
    if (!code) {
        if (PyErr_Occurred() || write_struct_head(e, tag, count, NULL))
            return -1;
    } else {
        long number = PyLong_AsLong(code);
        PyObject *list = count == 1 ? PyTuple_GET_ITEM(parts, 0) : NULL;
        int is_list = list && (PyList_CheckExact(list) || PyTuple_CheckExact(list));
        if (!(number == C_SET || number == C_MAP) || !is_list ||
            (number == C_MAP && Py_SIZE(list) % 2))
            return refuse(e, "a TaggedValue cannot stand for a %U: use its own type", tag);
        if (put_byte(e, (unsigned)number))      /* entries that clash in a dict */
            return -1;
    }
    ENTER(e, depth);
    return write_elements(e, parts, count, depth + 1);
}

/* A value of a registered class, or one that stands for another. */
SHARED int write_handled(enc_t *e, PyObject *value, PyObject *how, int64_t depth)
{
    PyObject *tag = PyTuple_GET_ITEM(how, 1);
    PyObject *made = PyObject_CallOneArg(PyTuple_GET_ITEM(how, 2), value);
    if (!made)
        return -1;
    int rc = -1;
    if (tag == Py_None) {
        if (depth >= e->options->max_depth)
            refuse_depth(e);
        else
            rc = write_value(e, made, depth + 1);
        Py_DECREF(made);
        return rc;
    }
    PyObject *parts = PySequence_Tuple(made);
    Py_DECREF(made);
    if (!parts)
        return -1;
    Py_ssize_t count = PyTuple_GET_SIZE(parts);
    if (!write_struct_head(e, tag, count, NULL)) {
        if (depth >= e->options->max_depth)
            refuse_depth(e);
        else
            rc = write_elements(e, parts, count, depth + 1);
    }
    Py_DECREF(parts);
    return rc;
}
