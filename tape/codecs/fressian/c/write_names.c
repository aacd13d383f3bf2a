/* write_names.c - the priority cache, and the names that go through it. */

#include "speed.h"

/* -- the priority cache */

static int put_reference(enc_t *e, uint32_t entry)
{
    if (entry < 32)
        return put_byte(e, C_PRIORITY + entry);
    return put_byte(e, C_GET) || put_int(e, entry) ? -1 : 0;
}

static int slots_grow(enc_t *e)
{
    uint32_t mask = e->slot_mask * 2 + 1;
    cache_slot_t *slots = PyMem_Calloc((size_t)mask + 1, sizeof *slots);
    if (!slots) {
        PyErr_NoMemory();
        return -1;
    }
    for (uint32_t i = 0; i <= e->slot_mask; i++) {
        if (!e->slots[i].key)
            continue;
        uint32_t at = (uint32_t)e->slots[i].hash & mask;
        while (slots[at].key)
            at = (at + 1) & mask;
        slots[at] = e->slots[i];
    }
    PyMem_Free(e->slots);
    e->slots = slots;
    e->slot_mask = mask;
    forget_keywords(e);                 /* they know the places in the old table */
    return 0;
}

static inline int same_text(PyObject *a, PyObject *b)
{
    if (!PyUnicode_Check(a) || !PyUnicode_Check(b))
        return 0;                       /* names are equal only to themselves */
    Py_ssize_t length = PyUnicode_GET_LENGTH(a);
    int kind = PyUnicode_KIND(a);
    return length == PyUnicode_GET_LENGTH(b) && kind == (int)PyUnicode_KIND(b) &&
           !memcmp(PyUnicode_DATA(a), PyUnicode_DATA(b), (size_t)length * (size_t)kind);
}

static void spell(cache_slot_t *slot, PyObject *text)
{
    Py_ssize_t size = PyUnicode_IS_COMPACT_ASCII(text) ? PyUnicode_GET_LENGTH(text) : -1;
    Py_ssize_t head = size < 8 ? 2 : 3;
    if (size < 0 || size >= 64 || head + size > SPELLED_MAX)
        return;
    slot->spelled[0] = C_PUT;
    slot->spelled[1] = (uint8_t)(size < 8 ? C_STRING_PACKED + size : C_STRING);
    slot->spelled[2] = (uint8_t)size;
    memcpy(slot->spelled + head, PyUnicode_1BYTE_DATA(text), (size_t)size);
    slot->size = (uint8_t)(head + size);
}

/* The slot of a str, Keyword or Symbol, which is made if there is none; or NULL. */
static cache_slot_t *name_slot(enc_t *e, PyObject *key)
{
    Py_hash_t hash = PyUnicode_CheckExact(key) ? ((PyASCIIObject *)key)->hash : -1;
    if (hash == -1 && (hash = PyObject_Hash(key)) == -1)
        return NULL;
    if (e->in_slots * 4 > (e->slot_mask + 1) * 3 && slots_grow(e))
        return NULL;
    uint32_t at = (uint32_t)hash & e->slot_mask;
    for (cache_slot_t *slot; (slot = &e->slots[at])->key; at = (at + 1) & e->slot_mask)
        if (slot->key == key || (slot->hash == hash && same_text(slot->key, key)))
            return slot;
    cache_slot_t *slot = &e->slots[at];
    *slot = (cache_slot_t){.key = new_ref(key), .hash = hash, .epoch = e->epoch - 1};
    e->in_slots++;
    if (PyUnicode_CheckExact(key)) {
        spell(slot, key);
        e->name_bytes += (size_t)PyUnicode_GET_LENGTH(key) * PyUnicode_KIND(key);
    }
    return slot;
}

/* Finds a str, Keyword or Symbol, or gives it the next number: 1 it is there and *entry is set,
 * 0 it is new and a put has been written, -1 error. */
static int cache_name(enc_t *e, PyObject *key, uint32_t *entry)
{
    cache_slot_t *slot = name_slot(e, key);
    if (!slot)
        return -1;
    if (slot->epoch == e->epoch) {
        *entry = slot->entry;
        return 1;
    }
    slot->epoch = e->epoch;
    slot->entry = e->entries++;
    return put_byte(e, C_PUT);
}

/* A text that has a slot: its entry, or its put. There is room for two of SPELLED_MAX bytes. */
static inline int write_slot(enc_t *e, cache_slot_t *slot)
{
    if (slot->epoch == e->epoch) {
        if (slot->entry < 32) {
            e->data[e->size++] = (uint8_t)(C_PRIORITY + slot->entry);
            return 0;
        }
        return put_reference(e, slot->entry);
    }
    slot->epoch = e->epoch;
    slot->entry = e->entries++;
    if (slot->size) {
        memcpy(e->data + e->size, slot->spelled, SPELLED_MAX);
        e->size += slot->size;
        return 0;
    }
    return put_byte(e, C_PUT) || put_text(e, slot->key) ? -1 : 0;
}

static int write_cached_text(enc_t *e, PyObject *text)
{
    uint32_t entry;
    if (PyUnicode_GET_LENGTH(text) == 0)
        return put_byte(e, C_STRING_PACKED);
    int known = cache_name(e, text, &entry);
    if (known < 0)
        return -1;
    return known ? put_reference(e, entry) : put_text(e, text);
}

SHARED int write_name(enc_t *e, unsigned code, PyObject *ns, PyObject *name)
{
    if (need(e, 2))
        return -1;
    e->data[e->size++] = (uint8_t)code;
    if (ns == Py_None)
        e->data[e->size++] = C_NULL;
    else if (write_cached_text(e, ns))
        return -1;
    return write_cached_text(e, name);
}

static int write_new_keyword(enc_t *e, PyObject *k, known_t *known)
{
    PyObject *ns = SLOT(k, g.o_keyword_ns), *name = SLOT(k, g.o_keyword_name);
    if (!PyUnicode_GET_LENGTH(name) || (ns != Py_None && !PyUnicode_GET_LENGTH(ns)))
        return write_name(e, C_KEY, ns, name);  /* empty parts are not cached */
    if (!name_slot(e, name) || (ns != Py_None && !name_slot(e, ns)))
        return -1;
    cache_slot_t *of_name = name_slot(e, name);     /* again: the table may have grown */
    cache_slot_t *of_ns = ns == Py_None ? NULL : name_slot(e, ns);
    if (!of_name || (ns != Py_None && !of_ns))
        return -1;
    known->ns = of_ns ? (uint32_t)(of_ns - e->slots) : NO_SLOT;
    known->name = (uint32_t)(of_name - e->slots);
    Py_XSETREF(known->keyword, new_ref(k));
    return write_name(e, C_KEY, ns, name);
}

SHARED_INLINE int write_keyword(enc_t *e, PyObject *k)
{
    uint64_t mixed = (uint64_t)(uintptr_t)k * UINT64_C(0x9E3779B97F4A7C15);
    known_t *known = &e->known[mixed >> 56];
    if (known->keyword != k)
        return write_new_keyword(e, k, known);
    uint32_t name = known->name;
    if (need(e, 3 * SPELLED_MAX))
        return -1;
    e->data[e->size++] = C_KEY;
    if (known->ns == NO_SLOT)
        e->data[e->size++] = C_NULL;
    else if (write_slot(e, &e->slots[known->ns]) || need(e, 2 * SPELLED_MAX))
        return -1;
    return write_slot(e, &e->slots[name]);
}

SHARED_INLINE int write_symbol(enc_t *e, PyObject *s)
{
    return write_name(e, C_SYM, SLOT(s, g.o_symbol_ns), SLOT(s, g.o_symbol_name));
}

/* Gives a value the next number or finds it: 1 a reference was written, 0 the value has to
 * follow, -1 error. */
SHARED int write_put(enc_t *e, PyObject *value)
{
    PyTypeObject *type = Py_TYPE(value);
    if (type == &PyUnicode_Type || type == g.Keyword || type == g.Symbol) {
        uint32_t entry;
        int known = cache_name(e, value, &entry);
        return known > 0 ? (put_reference(e, entry) ? -1 : 1) : known;
    }
    PyObject *key = call_late(LATE(cache_key), value);
    if (!key) {
        if (!PyErr_ExceptionMatches(PyExc_RecursionError))
            return refuse_current(e);
        PyErr_Clear();
        return refuse(e, "a cached value is nested too deeply (a value that contains itself?)");
    }
    int rc = -1;
    if (!e->others)
        e->others = PyDict_New();
    if (!e->kept)
        e->kept = PyList_New(0);
    if (!e->others || !e->kept)
        goto done;
    PyObject *found = PyDict_GetItemWithError(e->others, key);
    if (found) {
        rc = put_reference(e, (uint32_t)PyLong_AsUnsignedLong(found)) ? -1 : 1;
    } else if (!PyErr_Occurred()) {
        PyObject *number = PyLong_FromUnsignedLong(e->entries);
        if (number && !PyDict_SetItem(e->others, key, number) && !PyList_Append(e->kept, value)) {
            e->entries++;
            rc = put_byte(e, C_PUT);
        }
        Py_XDECREF(number);
    }
done:
    Py_DECREF(key);
    return rc;
}

SHARED int write_cached(enc_t *e, PyObject *wrapper, int64_t depth)
{
    PyObject *value = wrapper;
    while (Py_TYPE(value) == g.Cached)
        value = SLOT(value, g.o_cached);
    if (PyUnicode_CheckExact(value))
        return write_cached_text(e, value);
    int skip = value == Py_None || PyBool_Check(value);
    if (PyLong_CheckExact(value)) {
        int overflow;
        long long v = PyLong_AsLongLongAndOverflow(value, &overflow);
        skip = !overflow && v >= -4096 && v < 4096;
    } else if (PyFloat_CheckExact(value)) {
        double v = PyFloat_AS_DOUBLE(value);
        skip = v == 0.0 || v == 1.0;
    }
    if (!skip) {
        int known = write_put(e, value);
        if (known)
            return known < 0 ? -1 : 0;
    }
    ENTER(e, depth);
    return write_value(e, value, depth + 1);
}
