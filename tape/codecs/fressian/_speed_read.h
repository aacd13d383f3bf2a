/* The reader: bytes to Python values. Functions give a new reference, or NULL with an error set.
 *
 * The same steps as in _reader.py, and the same errors at the same offsets: the tests compare
 * both. Counts from the input are compared with the bytes left before anything is allocated for
 * them. Recursion goes as deep as max_depth, which Options limits to 4000 levels. */

typedef struct {
    PyObject *value;            /* NULL while under construction */
    int64_t size;               /* bytes if written out again; 0 for what has no parts */
} entry_t;

typedef struct {
    PyObject *tag;
    int64_t count;
    int kind;                   /* a code, one of enum clojure_tag, or 0 */
} struct_t;

enum clojure_tag { TAG_OTHER, TAG_CHAR, TAG_BYTE, TAG_RATIO, TAG_RECORD };
enum { F_FROZEN = 1, F_HASHED = 2 };

typedef struct {
    const options_t *options;
    const uint8_t *base, *p, *end, *start;  /* start: where the next footer's bytes begin */
    entry_t *cache;
    struct_t *structs;
    uint32_t cached, cache_room, structs_used, structs_room;
    int64_t pending, expanded, budget, prealloc;
    PyObject *memo;
    int checksum, top_open;
    uint32_t followed;          /* of memo_followed: the last keyword */
} dec_t;

static PyObject *read_value(dec_t *d, int64_t depth, int flags);

static void dec_init(dec_t *d, const options_t *options, const void *data, Py_ssize_t size,
                     int checksum)
{
    memset(d, 0, sizeof *d);
    d->options = options;
    d->base = d->p = d->start = data;
    d->end = d->base + size;
    d->budget = 4 * (int64_t)size + 65536;
    d->prealloc = size;
    d->checksum = checksum;
}

static void dec_forget(dec_t *d)
{
    while (d->cached)
        Py_XDECREF(d->cache[--d->cached].value);
    while (d->structs_used)
        Py_DECREF(d->structs[--d->structs_used].tag);
}

static void dec_clear(dec_t *d)
{
    dec_forget(d);
    PyMem_Free(d->cache);
    PyMem_Free(d->structs);
    d->cache = NULL;
    d->structs = NULL;
    Py_CLEAR(d->memo);
}

/* -- errors */

static PyObject *raise_at(Py_ssize_t offset, PyObject *message)
{
    PyObject *full = message ? PyUnicode_FromFormat("%U at byte %zd", message, offset) : NULL;
    PyObject *args = full ? PyTuple_Pack(1, full) : NULL;
    PyObject *named = args ? Py_BuildValue("{s:n}", "offset", offset) : NULL;
    PyObject *error = named ? PyObject_Call(g.DecodeError, args, named) : NULL;
    if (error)
        PyErr_SetObject(g.DecodeError, error);
    Py_XDECREF(error);
    Py_XDECREF(named);
    Py_XDECREF(args);
    Py_XDECREF(full);
    Py_XDECREF(message);
    return NULL;
}

static PyObject *fail(dec_t *d, const uint8_t *at, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    PyObject *message = PyUnicode_FromFormatV(format, args);
    va_end(args);
    return raise_at(at - d->base, message);
}

static PyObject *ended(dec_t *d)
{
    return fail(d, d->end, "the input ends inside an object");
}

static PyObject *too_deep(dec_t *d, const uint8_t *at)
{
    return fail(d, at, "nested deeper than %lld levels", (long long)d->options->max_depth);
}

/* -- footers and resets */

static int reset(dec_t *d, const uint8_t *at)
{
    if (d->pending) {
        fail(d, at, "the caches are emptied inside a value that is being cached");
        return -1;
    }
    dec_forget(d);
    return 0;
}

static uint32_t adler32(const uint8_t *p, size_t size)
{
    uint32_t a = 1, b = 0;
    while (size) {
        size_t part = size < 5552 ? size : 5552;    /* b cannot overflow in so many steps */
        size -= part;
        while (part--) {
            a += *p++;
            b += a;
        }
        a %= 65521;
        b %= 65521;
    }
    return b << 16 | a;
}

static int read_footer(dec_t *d)
{
    const uint8_t *at = d->p;
    if (d->end - at < 12) {
        ended(d);
        return -1;
    }
    if (get_be32(at) != 0xCFCFCFCF) {
        fail(d, at, "wrong footer magic");
        return -1;
    }
    uint32_t length = get_be32(at + 4), size = (uint32_t)(at - d->start);
    if (length != size) {
        PyObject *text = PyUnicode_FromFormat("the footer's length is %u, not %u", length, size);
        raise_at(at - d->base, text);
        return -1;
    }
    if (d->checksum) {
        uint32_t made = adler32(d->start, (size_t)(at + 8 - d->start)), given = get_be32(at + 8);
        if (made != given) {
            char text[80];
            snprintf(text, sizeof text, "the footer's checksum is %08x, not %08x", given, made);
            fail(d, at, "%s", text);
            return -1;
        }
    }
    d->p = d->start = at + 12;
    return reset(d, at);
}

/* -- the caches */

static int64_t reserve(dec_t *d)
{
    if (d->cached == d->cache_room) {
        uint32_t room = d->cache_room ? d->cache_room * 2 : 32;
        entry_t *cache = PyMem_Realloc(d->cache, room * sizeof *cache);
        if (!cache) {
            PyErr_NoMemory();
            return -1;
        }
        d->cache = cache;
        d->cache_room = room;
    }
    d->cache[d->cached] = (entry_t){NULL, 0};
    d->pending++;
    return d->cached++;
}

static void fill(dec_t *d, int64_t entry, PyObject *value, int64_t size)
{
    d->cache[entry] = (entry_t){new_ref(value), size};
    d->pending--;
}

static int put_name(dec_t *d, PyObject *text)
{
    int64_t entry = reserve(d);
    if (entry < 0)
        return -1;
    fill(d, entry, text, 0);
    return 0;
}

/* A borrowed reference to the entry's value, or NULL. */
static PyObject *entry_value(dec_t *d, int64_t entry, const uint8_t *at)
{
    if (entry < 0 || entry >= d->cached)
        return fail(d, at, "no cache entry %lld", (long long)entry);
    if (!d->cache[entry].value)
        return fail(d, at, "cache entry %lld is under construction", (long long)entry);
    return d->cache[entry].value;
}

static PyObject *freeze(dec_t *d, PyObject *value)
{
    if (!d->memo && !(d->memo = PyDict_New()))
        return NULL;
    return PyObject_CallFunctionObjArgs(g.freeze, value, d->memo, NULL);
}

static PyObject *refer(dec_t *d, int64_t entry, const uint8_t *at, int flags)
{
    PyObject *value = entry_value(d, entry, at);
    if (!value)
        return NULL;
    int64_t size = d->cache[entry].size;
    if (size) {
        d->expanded += flags & F_HASHED ? size * 8 : size;
        if (d->expanded > d->options->max_expanded)
            return fail(d, at, "shared values that are too large when written out: the limit is "
                        "max_expanded=%lld", (long long)d->options->max_expanded);
        if (flags)
            return freeze(d, value);
    }
    return new_ref(value);
}

static int spend(dec_t *d, int64_t amount, const uint8_t *at)
{
    d->budget -= amount;
    if (d->budget >= 0)
        return 0;
    fail(d, at, "shared values are copied too often");
    return -1;
}

/* -- integers */

/* The payload of an integer code, d->p behind the code; -1 with an error at the end of input. */
static int packed_int(dec_t *d, unsigned code, int64_t *v)
{
    static const uint8_t sizes[] = {1, 1, 2, 3, 4, 5, 6};
    static const uint8_t zeros[] = {0x50, 0x50, 0x68, 0x72, 0x76, 0x7A, 0x7E};
    if (code < 0x40) {
        *v = code;
        return 0;
    }
    if (code == C_MINUS_1) {
        *v = -1;
        return 0;
    }
    Py_ssize_t left = d->end - d->p;
    if (code == C_INT) {
        if (left < 8)
            goto ended;
        *v = (int64_t)get_be64(d->p);
        d->p += 8;
        return 0;
    }
    int form = code < 0x60 ? 0 : code < 0x70 ? 2 : 3 + (int)(code - 0x70) / 4;
    int size = sizes[form];
    if (left < size)
        goto ended;
    int64_t n = (int64_t)code - zeros[form];
    for (int i = 0; i < size; i++)
        n = (int64_t)((uint64_t)n << 8 | d->p[i]);
    d->p += size;
    *v = n;
    return 0;
ended:
    ended(d);
    return -1;
}

static int cached_int(dec_t *d, int64_t entry, const uint8_t *at, int64_t *v)
{
    PyObject *value = entry_value(d, entry, at);
    if (!value)
        return -1;
    int overflow = 1;
    if (PyLong_CheckExact(value))
        *v = PyLong_AsLongLongAndOverflow(value, &overflow);
    if (!overflow)
        return 0;
    fail(d, at, "an integer was expected");
    return -1;
}

typedef struct {
    int64_t entry;              /* of a put, or -1 for a get */
    const uint8_t *at;
} waiting_t;

/* An integer by way of the cache, or with resets in front; no recursion. */
static int slow_int(dec_t *d, int64_t *v)
{
    waiting_t few[8], *waiting = few;
    int64_t used = 0, room = 8;
    int rc = -1;
    for (;;) {
        const uint8_t *at = d->p;
        if (at >= d->end) {
            ended(d);
            goto done;
        }
        unsigned code = *d->p++;
        if (code < 0x80 || code == C_INT || code == C_MINUS_1) {
            if (packed_int(d, code, v))
                goto done;
            break;
        }
        if (code < C_STRUCT_PACKED) {
            if (cached_int(d, code - C_PRIORITY, at, v))
                goto done;
            break;
        }
        if (code == C_RESET) {
            if (reset(d, at))
                goto done;
        } else if (code == C_PUT || code == C_GET) {
            if (used >= d->options->max_depth) {
                too_deep(d, at);
                goto done;
            }
            if (used == room) {
                waiting_t *more = PyMem_Malloc((size_t)room * 2 * sizeof *more);
                if (!more) {
                    PyErr_NoMemory();
                    goto done;
                }
                memcpy(more, waiting, (size_t)used * sizeof *more);
                if (waiting != few)
                    PyMem_Free(waiting);
                waiting = more;
                room *= 2;
            }
            int64_t entry = code == C_PUT ? reserve(d) : -1;
            if (code == C_PUT && entry < 0)
                goto done;
            waiting[used++] = (waiting_t){entry, at};
        } else {
            fail(d, at, "an integer was expected");
            goto done;
        }
    }
    while (used--) {
        if (waiting[used].entry < 0) {
            if (cached_int(d, *v, waiting[used].at, v))
                goto done;
        } else {
            PyObject *number = PyLong_FromLongLong(*v);
            if (!number)
                goto done;
            fill(d, waiting[used].entry, number, 0);
            Py_DECREF(number);
        }
    }
    rc = 0;
done:
    if (waiting != few)
        PyMem_Free(waiting);
    return rc;
}

static inline int read_int(dec_t *d, int64_t *v)
{
    if (d->p < d->end) {
        unsigned code = *d->p;
        if (code < 0x80 || code == C_INT || code == C_MINUS_1) {
            d->p++;
            return packed_int(d, code, v);
        }
    }
    return slow_int(d, v);
}

static int read_count(dec_t *d, const char *what, int limited, int64_t *count)
{
    const uint8_t *at = d->p;
    if (read_int(d, count))
        return -1;
    if (*count < 0)
        fail(d, at, "a negative count of %s", what);
    else if (*count > d->end - d->p || *count > COUNT_MAX)
        fail(d, at, "%lld %s in %zd bytes", (long long)*count, what, (Py_ssize_t)(d->end - d->p));
    else if (limited && *count > d->options->max_count)
        fail(d, at, "%lld %s; the limit is max_count=%lld", (long long)*count, what,
             (long long)d->options->max_count);
    else
        return 0;
    return -1;
}
