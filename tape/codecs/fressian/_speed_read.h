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

/* -- text */

static inline int is_ascii(const uint8_t *p, size_t size)
{
    uint64_t seen = 0, word;
    for (; size >= 8; p += 8, size -= 8) {
        memcpy(&word, p, 8);
        seen |= word;
    }
    while (size--)
        seen |= *p++;
    return !(seen & UINT64_C(0x8080808080808080));
}

/* Bytes to UTF-16 units: -1, or the offset of the first unit that is no Fressian text. Java takes
 * overlong forms and any byte as continuation; only its two-byte NUL is taken here. */
static Py_ssize_t decode_units(const uint8_t *p, Py_ssize_t size, Py_UCS2 *out, Py_ssize_t *units)
{
    Py_ssize_t i = 0, n = *units;
    while (i < size) {
        unsigned c = p[i];
        if (c < 0x80) {
            out[n++] = (Py_UCS2)c;
            i++;
        } else if (c >= 0xC0 && c < 0xE0) {
            if (size - i < 2 || (p[i + 1] & 0xC0) != 0x80 || c == 0xC1 ||
                (c == 0xC0 && p[i + 1] != 0x80))
                return i;
            out[n++] = (Py_UCS2)((c & 0x1F) << 6 | (p[i + 1] & 0x3F));
            i += 2;
        } else if (c >= 0xE0 && c < 0xF0) {
            if (size - i < 3 || (p[i + 1] & 0xC0) != 0x80 || (p[i + 2] & 0xC0) != 0x80 ||
                (c == 0xE0 && p[i + 1] < 0xA0))
                return i;
            out[n++] = (Py_UCS2)((c & 0xF) << 12 | (p[i + 1] & 0x3F) << 6 | (p[i + 2] & 0x3F));
            i += 3;
        } else {
            return i;
        }
    }
    *units = n;
    return -1;
}

/* A str of UTF-16 units, pairs of surrogates joined, unpaired ones kept. */
static PyObject *join_units(const Py_UCS2 *units, Py_ssize_t count)
{
    Py_UCS4 max = 0;
    Py_ssize_t length = 0;
    for (Py_ssize_t i = 0; i < count; i++, length++) {
        Py_UCS4 c = units[i];
        if (c >= 0xD800 && c < 0xDC00 && i + 1 < count && (units[i + 1] & 0xFC00) == 0xDC00) {
            c = 0x10000;
            i++;
        }
        max |= c;
    }
    PyObject *text = PyUnicode_New(length, max > 0x10FFFF ? 0x10FFFF : max);
    if (!text || !length)
        return text;
    int kind = PyUnicode_KIND(text);
    void *data = PyUnicode_DATA(text);
    for (Py_ssize_t i = 0, n = 0; i < count; i++, n++) {
        Py_UCS4 c = units[i];
        if (c >= 0xD800 && c < 0xDC00 && i + 1 < count && (units[i + 1] & 0xFC00) == 0xDC00)
            c = 0x10000 + ((c - 0xD800) << 10) + (units[++i] - 0xDC00u);
        PyUnicode_WRITE(kind, data, n, c);
    }
    return text;
}

static PyObject *text_from(dec_t *d, const uint8_t *p, Py_ssize_t size)
{
    if (is_ascii(p, (size_t)size)) {
        PyObject *text = PyUnicode_New(size, 127);
        if (text && size)
            memcpy(PyUnicode_1BYTE_DATA(text), p, (size_t)size);
        return text;
    }
    Py_UCS2 few[256], *units = few;
    if (size > 256 && !(units = PyMem_Malloc((size_t)size * sizeof *units)))
        return PyErr_NoMemory();
    Py_ssize_t count = 0, wrong = decode_units(p, size, units, &count);
    PyObject *text = wrong < 0 ? join_units(units, count)
                               : fail(d, p + wrong, "not Fressian text");
    if (units != few)
        PyMem_Free(units);
    return text;
}

/* The parts that follow E2: each has whole units, surrogates are joined over the parts. */
static PyObject *read_chunked_text(dec_t *d)
{
    Py_UCS2 *units = NULL;
    Py_ssize_t count = 0;
    unsigned code = C_STRING_CHUNK;
    PyObject *text = NULL;
    for (;;) {
        int64_t size = (int64_t)code - C_STRING_PACKED;
        if (code >= C_STRING_CHUNK && read_count(d, "bytes", 0, &size))
            break;
        if (size > d->end - d->p) {
            ended(d);
            break;
        }
        Py_UCS2 *more = PyMem_Realloc(units, (size_t)(count + size + 1) * sizeof *more);
        if (!more) {
            PyErr_NoMemory();
            break;
        }
        units = more;
        Py_ssize_t wrong = decode_units(d->p, size, units, &count);
        if (wrong >= 0) {
            fail(d, d->p + wrong, "not Fressian text");
            break;
        }
        d->p += size;
        if (code != C_STRING_CHUNK) {
            text = join_units(units, count);
            break;
        }
        if (d->p >= d->end) {
            ended(d);
            break;
        }
        code = *d->p;
        if (code < C_STRING_PACKED || code > C_STRING) {
            fail(d, d->p, "the next part of a string was expected");
            break;
        }
        d->p++;
    }
    PyMem_Free(units);
    return text;
}

static PyObject *read_text(dec_t *d, unsigned code)
{
    int64_t size = (int64_t)code - C_STRING_PACKED;
    if (code == C_STRING_CHUNK)
        return read_chunked_text(d);
    if (code == C_STRING && read_count(d, "bytes", 0, &size))
        return NULL;
#ifdef TAPE_PLANTED_BUG         /* tests/fuzz: a check of the fuzzer itself */
    if (size > d->end - d->p + 1)
#else
    if (size > d->end - d->p)
#endif
        return ended(d);
    PyObject *text = text_from(d, d->p, size);
    if (text)
        d->p += size;
    return text;
}

static PyObject *read_bytes(dec_t *d, unsigned code)
{
    PyObject *whole = NULL;
    for (;;) {
        int64_t size = (int64_t)code - C_BYTES_PACKED;
        if (code >= C_BYTES_CHUNK && read_count(d, "bytes", 0, &size))
            goto failed;
        if (size > d->end - d->p) {
            ended(d);
            goto failed;
        }
        if (!whole && code != C_BYTES_CHUNK) {
            PyObject *bytes = PyBytes_FromStringAndSize((const char *)d->p, size);
            d->p += size;
            return bytes;
        }
        if (!whole && !(whole = PyByteArray_FromStringAndSize(NULL, 0)))
            return NULL;
        Py_ssize_t before = PyByteArray_GET_SIZE(whole);
        if (PyByteArray_Resize(whole, before + size))
            goto failed;
        memcpy(PyByteArray_AS_STRING(whole) + before, d->p, (size_t)size);
        d->p += size;
        if (code != C_BYTES_CHUNK)
            break;
        if (d->p >= d->end) {
            ended(d);
            goto failed;
        }
        code = *d->p;
        if (code != C_BYTES_CHUNK && code != C_BYTES) {
            fail(d, d->p, "the next part of a byte string was expected");
            goto failed;
        }
        d->p++;
    }
    PyObject *bytes = PyBytes_FromStringAndSize(PyByteArray_AS_STRING(whole),
                                                PyByteArray_GET_SIZE(whole));
    Py_DECREF(whole);
    return bytes;
failed:
    Py_XDECREF(whole);
    return NULL;
}

/* -- names and keys that come again: a bounded table of strings and keywords.
 *
 * It only saves making equal objects again. The GIL guards it; without one it is not used. */

#ifndef Py_GIL_DISABLED
#define MEMO_SIZE 2048
static PyObject *memo_keys[MEMO_SIZE], *memo_keywords[MEMO_SIZE], *memo_pairs[MEMO_SIZE];

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
static PyObject *read_key_text(dec_t *d, unsigned code)
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
static PyObject *fast_keyword(dec_t *d, part_t *ns, part_t *name, const uint8_t *at)
{
    if (name->reference >= 0)
        return slow_name(d, C_KEY, ns, name, at);
    if (ns->text && name->text) {       /* nothing stands here: the same strings, perhaps */
        uint64_t pair = ((uint64_t)(uintptr_t)ns->text * 31 + (uint64_t)(uintptr_t)name->text) *
                        UINT64_C(0x9E3779B97F4A7C15);
        PyObject **place = &memo_pairs[(pair >> 40) % MEMO_SIZE], *had = *place;
        if (had && SLOT(had, g.o_keyword_name) == name->text &&
            SLOT(had, g.o_keyword_ns) == ns->text)
            return new_ref(had);
        PyObject *found = keyword_by_bytes(d, ns, name, at);
        if (found)
            Py_XSETREF(*place, new_ref(found));
        return found;
    }
    return keyword_by_bytes(d, ns, name, at);
}
#endif

static PyObject *read_name(dec_t *d, unsigned code, const uint8_t *at, int64_t depth, int flags)
{
    if (depth > d->options->max_depth)
        return too_deep(d, at);
    const uint8_t *p = d->p;
    part_t ns, name;
    if (plain_part(d, &p, &ns, NULL) && plain_part(d, &p, &name, &ns)) {
        PyObject *made;
#ifndef Py_GIL_DISABLED
        if (code == C_KEY && !d->options->keywords_as_str)
            made = fast_keyword(d, &ns, &name, at);
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
