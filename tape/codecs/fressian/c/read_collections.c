/* read_collections.c - lists, maps and sets. */

#include "speed.h"

/* -- lists */

/* Elements of the list that begins with `code`: a count, or -1 until FD, -2 also until the end. */
static int list_count(dec_t *d, unsigned code, int64_t *count)
{
    if (code < C_LIST) {
        *count = code - C_LIST_PACKED;
        if (*count <= d->end - d->p)
            return 0;
        fail(d, d->p - 1, "%lld elements in %zd bytes", (long long)*count,
             (Py_ssize_t)(d->end - d->p));
        return -1;
    }
    if (code == C_LIST)
        return read_count(d, "elements", 1, count);
    *count = code == C_CLOSED_LIST ? -1 : -2;
    return 0;
}

/* In a list without a count: 1 when it ends here (and is stepped over), 0 when not, -1 error. */
static int list_ends(dec_t *d, int64_t count)
{
    if (d->p >= d->end) {
        if (count == -2)
            return 1;
        ended(d);
        return -1;
    }
    if (*d->p != C_END)
        return 0;
    d->p++;
    return 1;
}

static int too_many(dec_t *d, const uint8_t *at)
{
    fail(d, at, "more elements than max_count=%lld", (long long)d->options->max_count);
    return -1;
}

/* A list of `count` values at the level `depth`. Room is taken only for as many elements as the
 * whole input has bytes, however many nested lists claim them. */
SHARED PyObject *read_items(dec_t *d, int64_t count, int64_t depth, int flags,
                            const uint8_t *list_at)
{
    int filled = count >= 0 && count <= d->prealloc;
    PyObject *list = PyList_New(filled ? (Py_ssize_t)count : 0);
    if (!list)
        return NULL;
    if (filled) {
        d->prealloc -= count;
        for (int64_t i = 0; i < count; i++) {
            PyObject *item = read_value(d, depth, flags);
            if (!item)
                goto failed;
            PyList_SET_ITEM(list, i, item);
        }
        return list;
    }
    for (int64_t i = 0; count < 0 || i < count; i++) {
        int over = count < 0 ? list_ends(d, count) : 0;
        if (over < 0)
            goto failed;
        if (over)
            break;
        PyObject *item = read_value(d, depth, flags);
        if (!item)
            goto failed;
        int rc = PyList_Append(list, item);
        Py_DECREF(item);
        if (rc || (count < 0 && i >= d->options->max_count && too_many(d, list_at)))
            goto failed;
    }
    return list;
failed:
    Py_DECREF(list);
    return NULL;
}

static PyObject *as_tuple(PyObject *list, int flags)
{
    if (!list || !flags)
        return list;
    PyObject *tuple = PyList_AsTuple(list);
    Py_DECREF(list);
    return tuple;
}

SHARED PyObject *read_list(dec_t *d, unsigned code, const uint8_t *at, int64_t depth, int flags)
{
    int64_t count;
    if (depth >= d->options->max_depth)
        return too_deep(d, at);
    if (list_count(d, code, &count))
        return NULL;
    int outer = d->top_open;
    d->top_open = depth == 0 && count == -2;
    PyObject *list = read_items(d, count, depth + 1, flags, at);
    d->top_open = outer;
    return as_tuple(list, flags);
}

/* -- maps and sets */

enum trouble { FINE, UNHASHABLE, COLLIDING };

typedef struct {
    PyObject *counts;           /* hash to number of keys that have it, for large collections */
    int watched;                /* the collection may have more than SAME_HASH_MAX elements */
    int trouble;                /* the first thing wrong with a key; the rest is still read */
} keys_t;


/* Refuses keys chosen to have one hash. Names, texts and small integers cannot be. */
static int watch_key(keys_t *keys, PyObject *key)
{
    PyTypeObject *type = Py_TYPE(key);
    if (!keys->watched || type == &PyUnicode_Type || type == g.Keyword || type == g.Symbol)
        return 0;
    if (type == &PyLong_Type) {
        int overflow;
        PyLong_AsLongLongAndOverflow(key, &overflow);
        if (!overflow)
            return 0;
    }
    Py_hash_t hash = PyObject_Hash(key);
    if (hash == -1)
        return -1;
    PyObject *number = PyLong_FromSsize_t(hash), *sum = NULL;
    int rc = -1;
    if (number && (keys->counts || (keys->counts = PyDict_New()))) {
        PyObject *seen = PyDict_GetItemWithError(keys->counts, number);
        long count = seen ? PyLong_AsLong(seen) + 1 : 1;
        if (count > SAME_HASH_MAX)
            keys->trouble = COLLIDING;
        sum = PyLong_FromLong(count);
        rc = sum ? PyDict_SetItem(keys->counts, number, sum) : -1;
    }
    Py_XDECREF(number);
    Py_XDECREF(sum);
    return rc;
}

/* After a failed insertion: whether the key is to blame, which is told when all is read. */
static int key_trouble(keys_t *keys)
{
    if (!PyErr_ExceptionMatches(PyExc_TypeError) && !PyErr_ExceptionMatches(PyExc_RecursionError))
        return -1;
    PyErr_Clear();
    keys->trouble = UNHASHABLE;
    return 0;
}

static int add_entry(keys_t *keys, PyObject *dict, PyObject *key, PyObject *value)
{
    if (keys->trouble)
        return 0;
    if (watch_key(keys, key))
        return key_trouble(keys);
    if (keys->trouble)
        return 0;
    return PyDict_SetItem(dict, key, value) ? key_trouble(keys) : 0;
}

static int add_member(keys_t *keys, PyObject *set, PyObject *member)
{
    if (keys->trouble)
        return 0;
    if (watch_key(keys, member))
        return key_trouble(keys);
    if (keys->trouble)
        return 0;
    return PySet_Add(set, member) ? key_trouble(keys) : 0;
}

static PyObject *clash(dec_t *d, PyObject *items, PyObject *tag, const char *what, int flags,
                       const uint8_t *at)
{
    if (!items)
        return fail(d, at, "a %U with %s", tag, what);
    PyObject *list = flags ? PyList_AsTuple(items) : new_ref(items);
    PyObject *values = list ? PyTuple_Pack(1, list) : NULL;
    Py_XDECREF(list);
    return values ? tagged_new(tag, values) : NULL;
}

/* A map from its elements in a list; `given`: the list may be shared and keys are frozen. */
static PyObject *map_of(dec_t *d, PyObject *items, int flags, const uint8_t *at)
{
    Py_ssize_t size = Py_SIZE(items);
    if (size & 1)
        return fail(d, at, "a map of an odd number of elements");
    keys_t keys = {NULL, size > 2 * SAME_HASH_MAX, FINE};
    PyObject *dict = PyDict_New(), *made = NULL;
    int rc = dict ? 0 : -1;
    for (Py_ssize_t i = 0; i < size && !rc; i += 2)
        rc = add_entry(&keys, dict, PyList_GET_ITEM(items, i), PyList_GET_ITEM(items, i + 1));
    PyObject *kept = d->options->tagged_clashes ? items : NULL;
    if (!rc) {
        if (keys.trouble == COLLIDING)
            fail(d, at, "too many keys with the same hash");
        else if (keys.trouble)
            made = clash(d, kept, g.s_map, "a key that cannot be hashed", flags, at);
        else if (2 * PyDict_GET_SIZE(dict) != size)
            made = clash(d, kept, g.s_map, "keys that are equal in Python", flags, at);
        else
            made = flags ? frozen_map(dict) : new_ref(dict);
    }
    Py_XDECREF(dict);
    Py_XDECREF(keys.counts);
    return made;
}

static PyObject *set_of(dec_t *d, PyObject *items, int flags, const uint8_t *at)
{
    Py_ssize_t size = Py_SIZE(items);
    keys_t keys = {NULL, size > SAME_HASH_MAX, FINE};
    PyObject *set = flags ? PyFrozenSet_New(NULL) : PySet_New(NULL), *made = NULL;
    int rc = set ? 0 : -1;
    for (Py_ssize_t i = 0; i < size && !rc; i++)
        rc = add_member(&keys, set, PyList_GET_ITEM(items, i));
    PyObject *kept = d->options->tagged_clashes ? items : NULL;
    if (!rc) {
        if (keys.trouble == COLLIDING)
            fail(d, at, "too many keys with the same hash");
        else if (keys.trouble)
            made = clash(d, kept, g.s_set, "a member that cannot be hashed", flags, at);
        else if (PySet_GET_SIZE(set) != size)
            made = clash(d, kept, g.s_set, "members that are equal in Python", flags, at);
        else
            made = new_ref(set);
    }
    Py_XDECREF(set);
    Py_XDECREF(keys.counts);
    return made;
}

static PyObject *read_key(dec_t *d, int64_t depth, int flags)
{
    if (d->p < d->end) {
        unsigned code = *d->p;
        if (code >= C_STRING_PACKED && code <= C_STRING)
            return read_key_text(d, *d->p++);
        if (code == C_KEY) {
            d->p++;
            return read_name(d, code, d->p - 1, depth, flags | F_HASHED);
        }
    }
    return read_value(d, depth, flags | F_HASHED);
}

/* A dict of names and scalars need not be looked at by the garbage collector: CPython leaves those
 * with str keys out by itself, and takes them up again when something else is put into them. Since
 * 3.14 it does neither. */
static void leave_to_counting(PyObject *dict)
{
#if PY_VERSION_HEX < 0x030E0000 && !defined(Py_GIL_DISABLED)
    if (PyObject_GC_IsTracked(dict))
        PyObject_GC_UnTrack(dict);
#else
    (void)dict;
#endif
}

/* A dict that keywords are about to be put into; others grow well enough. As for lists, room is
 * taken only for as many elements as the whole input has bytes. */
static PyObject *dict_for(dec_t *d, int64_t pairs)
{
#if PY_VERSION_HEX < 0x030D0000
    if (pairs > 5 && pairs <= 10 && d->p < d->end && *d->p == C_KEY && d->prealloc >= 2 * pairs) {
        d->prealloc -= 2 * pairs;
        return _PyDict_NewPresized((Py_ssize_t)pairs);
    }
#endif
    (void)d;
    (void)pairs;
    return PyDict_New();
}

/* The usual case: a counted list of few keys and values goes straight into a dict. */
static PyObject *read_entries(dec_t *d, int64_t pairs, int64_t depth, int flags,
                              const uint8_t *at)
{
    keys_t keys = {NULL, 0, FINE};
    PyObject *dict = dict_for(d, pairs), *made = NULL;
    int simple = 1;
    if (!dict)
        return NULL;
    for (int64_t i = 0; i < pairs; i++) {
        PyObject *key = read_key(d, depth, flags);
        PyObject *value = key ? read_value(d, depth, flags) : NULL;
        simple &= value && !PyObject_IS_GC(value) &&
                  (Py_TYPE(key) == g.Keyword || PyUnicode_CheckExact(key));
        int rc = value ? add_entry(&keys, dict, key, value) : -1;
        Py_XDECREF(key);
        Py_XDECREF(value);
        if (rc)
            goto done;
    }
    if (simple)
        leave_to_counting(dict);
    if (keys.trouble)
        fail(d, at, "a map with a key that cannot be hashed");
    else if (PyDict_GET_SIZE(dict) != pairs)
        fail(d, at, "a map with keys that are equal in Python");
    else
        made = flags ? frozen_map(dict) : new_ref(dict);
done:
    Py_DECREF(dict);
    return made;
}

/* Keys and values in turn, into a list; as read_items, but every other one is hashed. */
static PyObject *read_flat_entries(dec_t *d, int64_t count, int64_t depth, int flags,
                                   const uint8_t *list_at)
{
    PyObject *list = PyList_New(0);
    for (int64_t i = 0; list && (count < 0 || i < count); i++) {
        int over = count < 0 ? list_ends(d, count) : 0;
        if (over > 0)
            break;
        PyObject *item = over < 0 ? NULL
                         : i & 1  ? read_value(d, depth, flags)
                                  : read_key(d, depth, flags);
        int rc = item ? PyList_Append(list, item) : -1;
        Py_XDECREF(item);
        if (rc || (count < 0 && i >= 2 * d->options->max_count && too_many(d, list_at)))
            Py_CLEAR(list);
    }
    return list;
}

/* The list of a map or set that is no list code: by way of the cache. */
static PyObject *from_list(dec_t *d, unsigned code, const uint8_t *at, int64_t depth, int flags)
{
    PyObject *value = read_value(d, depth + 1, flags), *made = NULL;
    if (!value)
        return NULL;
    if (!PyList_CheckExact(value) && !PyTuple_CheckExact(value)) {
        Py_DECREF(value);
        return fail(d, at, "a %s was expected to be a list", code == C_MAP ? "map" : "set");
    }
    PyObject *items = spend(d, 4 * (int64_t)Py_SIZE(value), at) ? NULL : PySequence_List(value);
    Py_DECREF(value);
    for (Py_ssize_t i = 0; items && i < PyList_GET_SIZE(items); i += code == C_MAP ? 2 : 1) {
        PyObject *frozen = freeze(d, PyList_GET_ITEM(items, i));
        if (!frozen) {
            Py_CLEAR(items);
            break;
        }
        PyList_SetItem(items, i, frozen);
    }
    if (items)
        made = code == C_MAP ? map_of(d, items, flags, at) : set_of(d, items, flags, at);
    Py_XDECREF(items);
    return made;
}

SHARED PyObject *read_collection(dec_t *d, unsigned code, const uint8_t *at, int64_t depth,
                                 int flags)
{
    if (depth >= d->options->max_depth)
        return too_deep(d, at);
    while (d->p < d->end && *d->p == C_RESET) {
        if (reset(d, d->p))
            return NULL;
        d->p++;
    }
    unsigned follow = d->p < d->end ? *d->p : 0;
    if (follow < C_LIST_PACKED || follow > C_OPEN_LIST)
        return from_list(d, code, at, depth, flags);
    int64_t count;
    d->p++;
    if (list_count(d, follow, &count))
        return NULL;
    int outer = d->top_open;
    d->top_open = 0;
    PyObject *made = NULL;
    if (code == C_MAP && count >= 0 && !(count & 1) && count <= 2 * SAME_HASH_MAX &&
        !d->options->tagged_clashes) {
        made = read_entries(d, count / 2, depth + 1, flags, at);
    } else {
        PyObject *items = code == C_MAP ? read_flat_entries(d, count, depth + 1, flags, at)
                                        : read_items(d, count, depth + 1, flags | F_HASHED,
                                                     at);
        if (items)
            made = code == C_MAP ? map_of(d, items, flags, at) : set_of(d, items, flags, at);
        Py_XDECREF(items);
    }
    d->top_open = outer;
    return made;
}
