/* read_names.c - keywords and symbols, and the tables that know them from before. */

#include "speed.h"

/* -- names and keys that come again: a bounded table of strings and keywords.
 *
 * It only saves making equal objects again. The GIL guards it; without one it is not used. */

#ifndef Py_GIL_DISABLED
#define MEMO_SIZE 2048
#define FOLLOWED_MAX 47
static PyObject *memo_keys[MEMO_SIZE], *memo_keywords[MEMO_SIZE];

/* Keywords by the addresses of their parts in the cache. */
static struct {
    PyObject *keyword, *ns, *name;
} memo_pairs[MEMO_SIZE];

/* Keywords by the one that was read before: messages tend to have their keys in one order. The
 * bytes tell the keyword if the entries that they refer to have the same texts as then. */
typedef struct {
    PyObject *keyword, *ns, *name;      /* ns, name: of a reference, what stood there; or NULL */
    uint32_t next;
    uint8_t ns_entry, name_entry, ns_put, name_put, size;
    uint8_t bytes[FOLLOWED_MAX];        /* behind the code */
} followed_t;
static followed_t memo_followed[MEMO_SIZE];      /* the first: of the beginning of an input */

static inline uint32_t memo_hash(const uint8_t *p, Py_ssize_t size, uint64_t seed)
{
    uint64_t h = seed ^ (uint64_t)size, word;
    for (; size >= 8; p += 8, size -= 8) {
        memcpy(&word, p, 8);
        h = (h ^ word) * UINT64_C(0x9E3779B97F4A7C15);
        h ^= h >> 29;
    }
    word = 0;
    for (Py_ssize_t i = 0; i < size; i++)
        word = word << 8 | p[i];
    h = (h ^ word) * UINT64_C(0x9E3779B97F4A7C15);
    return (uint32_t)(h >> 40);
}

static inline int same_ascii(PyObject *text, const uint8_t *p, Py_ssize_t size)
{
    return PyUnicode_GET_LENGTH(text) == size && PyUnicode_IS_ASCII(text) &&
           !memcmp(PyUnicode_1BYTE_DATA(text), p, (size_t)size);
}
#endif

/* A string in key position: read as any other, but an equal one may be given again. */
SHARED PyObject *read_key_text(dec_t *d, unsigned code)
{
#ifndef Py_GIL_DISABLED
    Py_ssize_t size = (Py_ssize_t)code - C_STRING_PACKED, skip = 0;
    if (code == C_STRING && d->p < d->end && *d->p < 0x40) {
        size = *d->p;
        skip = 1;
    } else if (code >= C_STRING_CHUNK) {
        return read_text(d, code);
    }
    if (size <= d->end - d->p - skip) {
        const uint8_t *p = d->p + skip;
        PyObject **slot = &memo_keys[memo_hash(p, size, 0) % MEMO_SIZE];
        if (*slot && same_ascii(*slot, p, size)) {
            d->p = p + size;
            return new_ref(*slot);
        }
        PyObject *text = read_text(d, code);
        if (text && PyUnicode_IS_ASCII(text))
            Py_XSETREF(*slot, new_ref(text));
        return text;
    }
#endif
    return read_text(d, code);
}

typedef struct {
    const uint8_t *p;           /* the text's bytes, when it stands here */
    Py_ssize_t size;
    PyObject *text;             /* borrowed from the cache; Py_None for nil; or NULL */
    int put;
    int64_t reference;          /* to a put of the other part, or -1 */
} part_t;

/* One part of a name when it is spelled plainly; 0 when it is not. No step is taken. */
static int plain_part(dec_t *d, const uint8_t **pp, part_t *part, const part_t *first)
{
    const uint8_t *p = *pp, *end = d->end;
    *part = (part_t){NULL, 0, NULL, 0, -1};
    if (p >= end)
        return 0;
    unsigned code = *p++;
    if (code == C_NULL && !first) {
        part->text = Py_None;
        *pp = p;
        return 1;
    }
    if (code == C_PUT) {
        if (p >= end)
            return 0;
        part->put = 1;
        code = *p++;
    }
    if (code >= C_STRING_PACKED && code <= 0xE1) {
        part->size = (Py_ssize_t)code - C_STRING_PACKED;
    } else if (code == C_STRING && p + 1 < end && *p < 0x60) {
        part->size = *p++;
        if (part->size >= 0x40)
            part->size = ((part->size - 0x50) * 256) + *p++;
    } else if (code >= C_PRIORITY && code < C_STRUCT_PACKED && !part->put) {
        uint32_t entry = code - C_PRIORITY;
        if (entry < d->cached)
            part->text = d->cache[entry].value;
        else if (first && first->put && entry == d->cached)
            part->reference = entry;
        if (part->reference < 0 && (!part->text || !PyUnicode_CheckExact(part->text)))
            return 0;
        *pp = p;
        return 1;
    } else {
        return 0;
    }
    if (part->size < 0 || part->size > end - p)
        return 0;
    part->p = p;
    *pp = p + part->size;
    return 1;
}

static PyObject *make_name(dec_t *d, unsigned code, PyObject *ns, PyObject *name,
                           const uint8_t *at)
{
    if (!PyUnicode_CheckExact(name) || (ns != Py_None && !PyUnicode_CheckExact(ns)))
        return fail(d, at, "a %s whose parts are not strings", code == C_KEY ? "key" : "sym");
    if (code == C_KEY && d->options->keywords_as_str)
        return ns == Py_None ? new_ref(name) : PyUnicode_FromFormat("%U/%U", ns, name);
    PyTypeObject *type = code == C_KEY ? g.Keyword : g.Symbol;
    return PyObject_CallFunctionObjArgs((PyObject *)type, ns, name, NULL);
}


static PyObject *slow_name(dec_t *d, unsigned code, part_t *ns, part_t *name, const uint8_t *at)
{
    /* both texts first: an error in one must leave the cache as it was for the other */
    PyObject *made = NULL, *second = NULL;
    PyObject *first = ns->text ? new_ref(ns->text) : text_from(d, ns->p, ns->size);
    if (first)
        second = name->reference >= 0 ? new_ref(first)
                 : name->text         ? new_ref(name->text)
                                      : text_from(d, name->p, name->size);
    if (second && !(ns->put && put_name(d, first)) && !(name->put && put_name(d, second)))
        made = make_name(d, code, first, second, at);
    Py_XDECREF(first);
    Py_XDECREF(second);
    return made;
}

#ifndef Py_GIL_DISABLED
static inline const uint8_t *part_data(part_t *part, Py_ssize_t *size)
{
    if (part->p) {
        *size = part->size;
        return part->p;
    }
    *size = PyUnicode_GET_LENGTH(part->text);
    return PyUnicode_IS_ASCII(part->text) ? PyUnicode_1BYTE_DATA(part->text) : NULL;
}

static inline int same_part(PyObject *have, const uint8_t *p, Py_ssize_t size)
{
    return p ? have != Py_None && same_ascii(have, p, size) : have == Py_None;
}

/* The keyword made for the same bytes before, if the table still has it. */
static PyObject *keyword_by_bytes(dec_t *d, part_t *ns, part_t *name, const uint8_t *at)
{
    Py_ssize_t ns_size = 0, name_size;
    const uint8_t *ns_data = ns->text == Py_None ? NULL : part_data(ns, &ns_size);
    const uint8_t *name_data = part_data(name, &name_size);
    if (!name_data || (!ns_data && ns->text != Py_None) || ns_size + name_size > 256)
        return slow_name(d, C_KEY, ns, name, at);
    uint32_t hash = memo_hash(name_data, name_size,
                              ns_data ? memo_hash(ns_data, ns_size, 1) : 0);
    PyObject **slot = &memo_keywords[hash % MEMO_SIZE], *known = *slot;
    if (known && same_part(SLOT(known, g.o_keyword_name), name_data, name_size) &&
        same_part(SLOT(known, g.o_keyword_ns), ns_data, ns_size)) {
        Py_INCREF(known);
        if ((ns->put && put_name(d, SLOT(known, g.o_keyword_ns))) ||
            (name->put && put_name(d, SLOT(known, g.o_keyword_name))))
            Py_CLEAR(known);
        return known;
    }
    PyObject *made = slow_name(d, C_KEY, ns, name, at);
    if (made)
        Py_XSETREF(*slot, new_ref(made));
    return made;
}

static inline uint32_t pair_place(const PyObject *ns, const PyObject *name)
{
    uint64_t pair = ((uint64_t)(uintptr_t)ns * 31 + (uint64_t)(uintptr_t)name) *
                    UINT64_C(0x9E3779B97F4A7C15);
    return (uint32_t)(pair >> 40) % MEMO_SIZE;
}

/* The keyword of two texts in the cache. */
static PyObject *keyword_of_pair(dec_t *d, part_t *ns, part_t *name, const uint8_t *at)
{
    uint32_t place = pair_place(ns->text, name->text);
    if (memo_pairs[place].name == name->text && memo_pairs[place].ns == ns->text)
        return new_ref(memo_pairs[place].keyword);
    PyObject *found = keyword_by_bytes(d, ns, name, at);
    Py_ssize_t size = PyUnicode_GET_LENGTH(name->text);
    if (ns->text != Py_None)
        size += PyUnicode_GET_LENGTH(ns->text);
    if (found && size <= 256) {
        PyObject *old[] = {memo_pairs[place].keyword, memo_pairs[place].ns,
                           memo_pairs[place].name};
        memo_pairs[place].keyword = new_ref(found);
        memo_pairs[place].ns = new_ref(ns->text);
        memo_pairs[place].name = new_ref(name->text);
        for (int i = 0; i < 3; i++)
            Py_XDECREF(old[i]);
    }
    return found;
}

/* The keyword whose parts are references or nil, when it is known. */
static inline PyObject *keyword_of_entries(dec_t *d)
{
    if (d->end - d->p < 2)
        return NULL;
    uint32_t first = d->p[0], second = d->p[1] - (uint32_t)C_PRIORITY;
    if (second >= 32 || second >= d->cached)
        return NULL;
    PyObject *ns = Py_None, *name = d->cache[second].value;
    if (first != C_NULL) {
        first -= C_PRIORITY;
        if (first >= 32 || first >= d->cached)
            return NULL;
        ns = d->cache[first].value;
    }
    uint32_t place = pair_place(ns, name);
    if (!name || memo_pairs[place].name != name || memo_pairs[place].ns != ns)
        return NULL;
    d->p += 2;
    return new_ref(memo_pairs[place].keyword);
}

static inline int same_entry(dec_t *d, PyObject *text, uint8_t entry)
{
    return !text || (entry < d->cached && d->cache[entry].value == text);
}

/* The keyword that followed the last one the time before, if its bytes stand here. */
static inline PyObject *keyword_that_follows(dec_t *d)
{
    uint32_t place = memo_followed[d->followed].next;
    followed_t *f = &memo_followed[place];
    if (!f->size || f->size > d->end - d->p || memcmp(f->bytes, d->p, f->size) ||
        !same_entry(d, f->ns, f->ns_entry) || !same_entry(d, f->name, f->name_entry))
        return NULL;
    PyObject *keyword = new_ref(f->keyword);
    d->followed = place;
    d->p += f->size;
    if ((f->ns_put && put_name(d, SLOT(keyword, g.o_keyword_ns))) ||
        (f->name_put && put_name(d, SLOT(keyword, g.o_keyword_name))))
        Py_CLEAR(keyword);
    return keyword;
}

static void remember_following(dec_t *d, PyObject *keyword, const part_t *ns,
                               const part_t *name, const uint8_t *p, Py_ssize_t size)
{
    if (size > FOLLOWED_MAX || (name->p && !PyUnicode_IS_ASCII(SLOT(keyword, g.o_keyword_name))) ||
        (ns->p && !PyUnicode_IS_ASCII(SLOT(keyword, g.o_keyword_ns))))
        return;
    uint32_t place = 1 + memo_hash(p, size, 2) % (MEMO_SIZE - 1);
    followed_t *f = &memo_followed[place];
    PyObject *of_ns = ns->p || ns->text == Py_None ? NULL : ns->text;
    PyObject *of_name = name->p ? NULL : name->text;
    memo_followed[d->followed].next = place;
    d->followed = place;
    if (f->keyword == keyword && f->ns == of_ns && f->name == of_name && f->size == size &&
        !memcmp(f->bytes, p, (size_t)size))
        return;
    PyObject *old[] = {f->keyword, f->ns, f->name};
    f->keyword = new_ref(keyword);
    f->ns = xnew_ref(of_ns);
    f->name = xnew_ref(of_name);
    f->ns_entry = (uint8_t)(p[0] - C_PRIORITY);
    f->name_entry = (uint8_t)(p[size - 1] - C_PRIORITY);
    f->ns_put = (uint8_t)ns->put;
    f->name_put = (uint8_t)name->put;
    f->size = (uint8_t)size;
    memcpy(f->bytes, p, (size_t)size);
    for (int i = 0; i < 3; i++)
        Py_XDECREF(old[i]);
}

static PyObject *fast_keyword(dec_t *d, part_t *ns, part_t *name, const uint8_t *at,
                              const uint8_t *end)
{
    if (name->reference >= 0)
        return slow_name(d, C_KEY, ns, name, at);
    if (ns->text && name->text)         /* nothing stands here */
        return keyword_of_pair(d, ns, name, at);
    PyObject *first = xnew_ref(ns->text), *second = xnew_ref(name->text);
    PyObject *found = keyword_by_bytes(d, ns, name, at);
    if (found)
        remember_following(d, found, ns, name, d->p, end - d->p);
    Py_XDECREF(first);
    Py_XDECREF(second);
    return found;
}
#endif

SHARED PyObject *read_name(dec_t *d, unsigned code, const uint8_t *at, int64_t depth, int flags)
{
    if (depth > d->options->max_depth)
        return too_deep(d, at);
    const uint8_t *p = d->p;
#ifndef Py_GIL_DISABLED
    if (code == C_KEY && !d->options->keywords_as_str) {
        PyObject *keyword = keyword_of_entries(d);
        if (keyword)
            return keyword;
        keyword = keyword_that_follows(d);
        if (keyword || PyErr_Occurred())
            return keyword;
    }
#endif
    part_t ns, name;
    if (plain_part(d, &p, &ns, NULL) && plain_part(d, &p, &name, &ns)) {
        PyObject *made;
#ifndef Py_GIL_DISABLED
        if (code == C_KEY && !d->options->keywords_as_str)
            made = fast_keyword(d, &ns, &name, at, p);
        else
#endif
            made = slow_name(d, code, &ns, &name, at);
        if (made)
            d->p = p;
        return made;
    }
    PyObject *first = read_value(d, depth + 1, flags), *second = NULL, *made = NULL;
    if (first)
        second = read_value(d, depth + 1, flags);
    if (second)
        made = make_name(d, code, first, second, at);
    Py_XDECREF(first);
    Py_XDECREF(second);
    return made;
}
