/* write_collections.c - lists, maps and sets. */

#include "speed.h"

SHARED int check_count(enc_t *e, Py_ssize_t count)
{
    if (count < 0)
        return -1;
    if (count > e->options->max_count || count > COUNT_MAX / 2)
        return refuse(e, "%zd elements; the limit is max_count=%lld", count,
                      (long long)e->options->max_count);
    return 0;
}

static int put_list_head(enc_t *e, int64_t count)
{
    if (count < 8)
        return put_byte(e, C_LIST_PACKED + (unsigned)count);
    return put_byte(e, C_LIST) || put_int(e, count) ? -1 : 0;
}

static int refuse_changed(enc_t *e)
{
    return refuse(e, "changed while it was encoded");
}

/* The elements of a list or tuple, which user code may change meanwhile. */
SHARED int write_elements(enc_t *e, PyObject *list, Py_ssize_t count, int64_t depth)
{
    if (PyTuple_Check(list)) {
        for (Py_ssize_t i = 0; i < count; i++)
            if (write_value(e, PyTuple_GET_ITEM(list, i), depth))
                return note_index(e, i);
        return 0;
    }
    for (Py_ssize_t i = 0; i < count; i++) {
        if (i >= PyList_GET_SIZE(list))
            return refuse_changed(e);
        PyObject *item = new_ref(PyList_GET_ITEM(list, i));
        int rc = write_value(e, item, depth);
        Py_DECREF(item);
        if (rc)
            return note_index(e, i);
    }
    return PyList_GET_SIZE(list) == count ? 0 : refuse_changed(e);
}

SHARED int write_list(enc_t *e, PyObject *list, int64_t depth)
{
    Py_ssize_t count = Py_SIZE(list);
    if (check_count(e, count))
        return -1;
    ENTER(e, depth);
    return put_list_head(e, count) || write_elements(e, list, count, depth + 1) ? -1 : 0;
}

/* What iterates: deque, range, sets, subclasses of list. `member` names parts in paths. */
static int write_iterable(enc_t *e, PyObject *value, Py_ssize_t count, int64_t depth, int member)
{
    PyObject *iterator = PyObject_GetIter(value);
    if (!iterator)
        return refuse_current(e);
    PyObject *item;
    Py_ssize_t i = 0;
    int rc = 0;
    while (!rc && (item = PyIter_Next(iterator))) {
        rc = i >= count ? refuse_changed(e) : write_value(e, item, depth);
        Py_DECREF(item);
        if (rc)
            rc = member ? note(e, g.s_member, NULL) : note_index(e, i);
        i++;
    }
    Py_DECREF(iterator);
    if (rc)
        return rc;
    if (PyErr_Occurred()) {
        if (!PyErr_ExceptionMatches(PyExc_RuntimeError))
            return -1;
        PyErr_Clear();
        return refuse_changed(e);
    }
    return i == count ? 0 : refuse_changed(e);
}

SHARED int write_sequence(enc_t *e, PyObject *value, int64_t depth)
{
    Py_ssize_t count = PyObject_Size(value);
    if (check_count(e, count))
        return -1;
    ENTER(e, depth);
    return put_list_head(e, count) || write_iterable(e, value, count, depth + 1, 0) ? -1 : 0;
}

/* Keys, or members, that would fall together for a reader with keywords="str" could never be
 * read. */
static int check_keys(enc_t *e, PyObject *keys)
{
    PyObject *key, *value;
    Py_ssize_t at = 0;
    if (!e->options->keywords_as_str || e->options->tagged_clashes)
        return 0;
    if (PyDict_CheckExact(keys)) {
        int others = 0;
        while (!others && PyDict_Next(keys, &at, &key, &value))
            others = !PyUnicode_CheckExact(key);
        if (!others)
            return 0;
    }
    PyObject *clash = LATE(keys_clash);
    PyObject *answer = clash ? PyObject_CallOneArg(clash, keys) : NULL;
    int rc = answer ? PyObject_IsTrue(answer) : -1;
    Py_XDECREF(answer);
    if (rc <= 0)
        return rc;
    return refuse(e, "str and keywords that are equal with keywords=\"str\"");
}

SHARED int write_set(enc_t *e, PyObject *value, int64_t depth)
{
    Py_ssize_t count = PyObject_Size(value);
    if (check_count(e, count) || check_keys(e, value))
        return -1;
    ENTER(e, depth);
    if (put_byte(e, C_SET) || put_list_head(e, count))
        return -1;
    if (!e->options->sort)
        return write_iterable(e, value, count, depth + 1, 1);
    PyObject *sort = LATE(sorted_members);
    PyObject *sorted = PyObject_CallFunctionObjArgs(sort, e->options->py, value, NULL);
    if (!sorted)
        return -1;
    int rc = write_iterable(e, sorted, count, depth + 1, 1);
    Py_DECREF(sorted);
    return rc;
}

/* A str key as the keyword it stands for (keywords="str"). */
static PyObject *keyword_of(PyObject *text)
{
    PyObject *parts = PyObject_CallOneArg(g.split, text);
    PyObject *made = parts ? PyObject_Call((PyObject *)g.Keyword, parts, NULL) : NULL;
    Py_XDECREF(parts);
    return made;
}

static int write_str_keyword(enc_t *e, PyObject *text)
{
    Py_ssize_t length = PyUnicode_GET_LENGTH(text);
    if (PyUnicode_FindChar(text, '/', 0, length, 1) == -1)
        return write_name(e, C_KEY, Py_None, text);
    PyObject *name = keyword_of(text);
    if (!name)
        return -1;
    int rc = write_keyword(e, name);
    Py_DECREF(name);
    return rc;
}

static inline int write_key(enc_t *e, PyObject *key, int64_t depth)
{
    if (e->options->keywords_as_str && PyUnicode_CheckExact(key))
        return write_str_keyword(e, key);
    return write_value(e, key, depth);
}

static int write_entry(enc_t *e, PyObject *key, PyObject *value, int64_t depth)
{
    if (write_key(e, key, depth))
        return note(e, g.s_key, NULL);
    if (write_value(e, value, depth))
        return note(e, g.s_field, key);
    return 0;
}

/* One field of a record: the key cached as a whole, the value only if asked for. */
SHARED int write_field(enc_t *e, PyObject *key, PyObject *value, int64_t depth)
{
    PyObject *name = e->options->keywords_as_str && PyUnicode_CheckExact(key) ? keyword_of(key)
                                                                              : new_ref(key);
    if (!name)
        return -1;
    int cached = 0, rc = -1;
    if (e->options->cached_fields)
        cached = PySet_Contains(e->options->cached_fields, name);
    PyObject *wrapper = cached >= 0 ? slotted_new(g.Cached) : NULL;
    if (wrapper) {
        SLOT(wrapper, g.o_cached) = new_ref(name);
        rc = write_cached(e, wrapper, depth);
        if (rc)
            note(e, g.s_key, NULL);
    }
    if (!rc) {
        if (cached) {
            Py_SETREF(SLOT(wrapper, g.o_cached), new_ref(value));
            rc = write_cached(e, wrapper, depth);
        } else {
            rc = write_value(e, value, depth);
        }
        if (rc)
            note(e, g.s_field, key);
    }
    Py_XDECREF(wrapper);
    Py_DECREF(name);
    return rc;
}

typedef int (*entry_writer)(enc_t *, PyObject *, PyObject *, int64_t);

static int write_dict_entries(enc_t *e, PyObject *dict, Py_ssize_t count, int64_t depth,
                              entry_writer write)
{
    PyObject *key, *value;
    Py_ssize_t at = 0, done = 0;
    while (PyDict_Next(dict, &at, &key, &value)) {
        if (done++ >= count)
            return refuse_changed(e);
        Py_INCREF(key);
        Py_INCREF(value);
        int rc = write(e, key, value, depth);
        Py_DECREF(key);
        Py_DECREF(value);
        if (rc)
            return -1;
        if (PyDict_GET_SIZE(dict) != count)
            return refuse_changed(e);
    }
    return done == count ? 0 : refuse_changed(e);
}

/* Entries in a list of pairs: of a Mapping that is no dict, or sorted. */
static int write_item_list(enc_t *e, PyObject *items, Py_ssize_t count, int64_t depth,
                           entry_writer write)
{
    Py_ssize_t done = 0;
    for (; done < PyList_GET_SIZE(items) && done < count; done++) {
        PyObject *pair = new_ref(PyList_GET_ITEM(items, done));
        int rc = -1;
        if (PyTuple_Check(pair) && PyTuple_GET_SIZE(pair) == 2)
            rc = write(e, PyTuple_GET_ITEM(pair, 0), PyTuple_GET_ITEM(pair, 1), depth);
        else
            refuse(e, "items() that are not pairs");
        Py_DECREF(pair);
        if (rc)
            return rc;
    }
    return done == count && PyList_GET_SIZE(items) == count ? 0 : refuse_changed(e);
}

SHARED int write_entries(enc_t *e, PyObject *map, Py_ssize_t count, int64_t depth,
                         entry_writer write)
{
    PyObject *dict = Py_TYPE(map) == g.FrozenMap ? SLOT(map, g.o_map_items) : map;
    if (PyDict_CheckExact(dict) && !e->options->sort)
        return write_dict_entries(e, dict, count, depth, write);
    PyObject *items = PyMapping_Items(dict);
    if (items && e->options->sort) {
        PyObject *sort = LATE(sorted_items);
        Py_SETREF(items, PyObject_CallFunctionObjArgs(sort, e->options->py, items, NULL));
    }
    if (!items)
        return -1;
    int rc = write_item_list(e, items, count, depth, write);
    Py_DECREF(items);
    return rc;
}

SHARED int write_map(enc_t *e, PyObject *map, int64_t depth)
{
    Py_ssize_t count = PyDict_CheckExact(map) ? PyDict_GET_SIZE(map) : PyObject_Size(map);
    if (check_count(e, count) || check_keys(e, map))
        return -1;
    ENTER(e, depth);
    if (put_byte(e, C_MAP) || put_list_head(e, 2 * (int64_t)count))
        return -1;
    return write_entries(e, map, count, depth + 1, write_entry);
}
