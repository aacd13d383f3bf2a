/* The writer: Python values to bytes. Every function gives 0, or -1 after an error.
 *
 * Errors are of two sorts. A value that cannot be written leaves its reason in enc->message, and
 * the callers add where they were to enc->path on the way out, innermost first. Anything else
 * (memory, an exception of user code) is an ordinary Python error and goes out as it is.
 *
 * Recursion goes as deep as max_depth, which Options limits to 4000 levels. */

#define SPELLED_MAX 39          /* copied at once, whatever the size */
#define KEYWORDS_KNOWN 256
#define NAMES_KEPT 512          /* known from message to message, and so many of their bytes */
#define NAME_BYTES_KEPT 65536

typedef struct {
    PyObject *key;              /* a str by content; a Keyword or Symbol by address; or NULL */
    Py_hash_t hash;
    uint32_t epoch;             /* the name has an entry when it equals the encoder's */
    uint32_t entry;
    uint8_t size;               /* of `spelled`, or 0: too long, not ASCII, or no str */
    uint8_t spelled[SPELLED_MAX];       /* the put of a text */
} cache_slot_t;

/* The slots of a Keyword's parts, so that it needs no look-up but that of its address. */
typedef struct {
    PyObject *keyword;
    uint32_t ns, name;          /* indices of slots; NO_SLOT for a part that has none */
} known_t;

#define NO_SLOT UINT32_MAX

typedef struct {
    const options_t *options;
    uint8_t *data;
    size_t size, capacity;
    /* priority cache: names in an open-addressed table, all else in a dict by cache_key. The
     * table and the known keywords outlive the message, as far as they are small. */
    cache_slot_t *slots;
    known_t *known;
    uint32_t slot_mask, epoch, entries, in_slots;
    size_t name_bytes;
    PyObject *others;           /* dict: cache_key to entry, or NULL */
    PyObject *kept;             /* list: what `others` knows by address stays alive */
    PyObject *structs;          /* dict: (tag, count) to entry, or NULL */
    uint32_t struct_entries;
    int32_t ratio2, char1, record2;     /* entries of the common structs, or -1 */
    int reset_due, busy;
    PyObject *message, *cause, *path;   /* of a refused value */
} enc_t;

static int write_value(enc_t *e, PyObject *value, int64_t depth);

/* -- memory */

static int enc_init(enc_t *e, const options_t *options)
{
    memset(e, 0, sizeof *e);
    e->options = options;
    e->epoch = 1;
    e->slot_mask = 63;
    e->ratio2 = e->char1 = e->record2 = -1;
    e->capacity = 1024;
    e->data = PyMem_Malloc(e->capacity);
    e->slots = PyMem_Calloc(e->slot_mask + 1, sizeof *e->slots);
    e->known = PyMem_Calloc(KEYWORDS_KNOWN, sizeof *e->known);
    if (!e->data || !e->slots || !e->known) {
        PyMem_Free(e->data);
        PyMem_Free(e->slots);
        PyMem_Free(e->known);
        PyErr_NoMemory();
        return -1;
    }
    return 0;
}

static void forget_keywords(enc_t *e)
{
    for (uint32_t i = 0; i < KEYWORDS_KNOWN; i++)
        Py_CLEAR(e->known[i].keyword);
}

/* Empties the table of names, and makes it small again. */
static void forget_names(enc_t *e)
{
    forget_keywords(e);
    for (uint32_t i = 0; i <= e->slot_mask; i++)
        Py_CLEAR(e->slots[i].key);
    e->in_slots = 0;
    e->name_bytes = 0;
    cache_slot_t *small = e->slot_mask > 63 ? PyMem_Calloc(64, sizeof *small) : NULL;
    if (small) {
        PyMem_Free(e->slots);
        e->slots = small;
        e->slot_mask = 63;
    }
}

static void enc_forget(enc_t *e)
{
    e->entries = e->struct_entries = 0;
    e->ratio2 = e->char1 = e->record2 = -1;
    if (++e->epoch == 0 || e->in_slots > NAMES_KEPT || e->name_bytes > NAME_BYTES_KEPT) {
        forget_names(e);
        e->epoch += e->epoch == 0;
    }
    Py_CLEAR(e->others);
    Py_CLEAR(e->kept);
    Py_CLEAR(e->structs);
}

static void enc_clear(enc_t *e)
{
    enc_forget(e);
    forget_names(e);
    PyMem_Free(e->data);
    PyMem_Free(e->slots);
    PyMem_Free(e->known);
    Py_CLEAR(e->message);
    Py_CLEAR(e->cause);
    Py_CLEAR(e->path);
}

static int enc_grow(enc_t *e, size_t more)
{
    if (more > (size_t)PY_SSIZE_T_MAX - e->size) {
        PyErr_NoMemory();
        return -1;
    }
    size_t capacity = e->capacity;
    while (capacity < e->size + more)
        capacity += capacity / 2 + 1024;
    uint8_t *data = PyMem_Realloc(e->data, capacity);
    if (!data) {
        PyErr_NoMemory();
        return -1;
    }
    e->data = data;
    e->capacity = capacity;
    return 0;
}

static inline int need(enc_t *e, size_t more)
{
    return e->capacity - e->size >= more ? 0 : enc_grow(e, more);
}

static inline int put_byte(enc_t *e, unsigned byte)
{
    if (need(e, 1))
        return -1;
    e->data[e->size++] = (uint8_t)byte;
    return 0;
}

static inline int put_raw(enc_t *e, const void *bytes, size_t size)
{
    if (need(e, size))
        return -1;
    memcpy(e->data + e->size, bytes, size);
    e->size += size;
    return 0;
}

/* -- refusals */

static int refuse(enc_t *e, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    Py_XSETREF(e->message, PyUnicode_FromFormatV(format, args));
    va_end(args);
    return -1;
}

/* Turns the ValueError, TypeError or OverflowError of a conversion into a refusal. */
static int refuse_current(enc_t *e)
{
    if (!PyErr_ExceptionMatches(PyExc_ValueError) && !PyErr_ExceptionMatches(PyExc_TypeError) &&
        !PyErr_ExceptionMatches(PyExc_OverflowError))
        return -1;
    PyObject *type, *value, *trace;
    PyErr_Fetch(&type, &value, &trace);
    PyErr_NormalizeException(&type, &value, &trace);
    Py_XSETREF(e->message, PyObject_Str(value));
    Py_XSETREF(e->cause, xnew_ref(value));
    Py_XDECREF(type);
    Py_XDECREF(value);
    Py_XDECREF(trace);
    return -1;
}

/* Adds where we were to the path of a refusal; always gives -1. */
static int note(enc_t *e, PyObject *kind, PyObject *key)
{
    if (!e->message || PyErr_Occurred())
        return -1;
    if (!e->path)
        e->path = PyList_New(0);
    PyObject *segment = PyTuple_Pack(2, kind, key ? key : Py_None);
    if (!e->path || !segment || PyList_Append(e->path, segment))
        PyErr_Clear();
    Py_XDECREF(segment);
    return -1;
}

static int note_index(enc_t *e, Py_ssize_t index)
{
    if (!e->message || PyErr_Occurred())
        return -1;
    PyObject *number = PyLong_FromSsize_t(index);
    if (number)
        note(e, g.s_index, number);
    Py_XDECREF(number);
    return -1;
}

static int refuse_type(enc_t *e, PyObject *value)
{
    PyObject *name = PyObject_GetAttrString((PyObject *)Py_TYPE(value), "__qualname__");
    if (!name)
        return -1;
    refuse(e, "no Fressian encoding for %U", name);
    Py_DECREF(name);
    return -1;
}

static int refuse_depth(enc_t *e)
{
    return refuse(e, "nested deeper than %lld levels (a value that contains itself?)",
                  (long long)e->options->max_depth);
}

#define ENTER(e, depth)                              \
    do {                                             \
        if ((depth) >= (e)->options->max_depth)      \
            return refuse_depth(e);                  \
    } while (0)

/* -- integers and floats */

static int put_int(enc_t *e, int64_t v)
{
    if (need(e, 9))
        return -1;
    uint8_t *p = e->data + e->size;
    if (v >= -1 && v < 64) {
        p[0] = (uint8_t)v;
        e->size += 1;
    } else if (v >= -4096 && v < 4096) {
        p[0] = (uint8_t)(0x50 + (v >> 8));
        p[1] = (uint8_t)v;
        e->size += 2;
    } else if (v >= -524288 && v < 524288) {
        p[0] = (uint8_t)(0x68 + (v >> 16));
        put_be16(p + 1, (uint16_t)v);
        e->size += 3;
    } else if (v >= -33554432 && v < 33554432) {
        p[0] = (uint8_t)(0x72 + (v >> 24));
        p[1] = (uint8_t)(v >> 16);
        put_be16(p + 2, (uint16_t)v);
        e->size += 4;
    } else if (v >= -INT64_C(8589934592) && v < INT64_C(8589934592)) {
        p[0] = (uint8_t)(0x76 + (v >> 32));
        put_be32(p + 1, (uint32_t)v);
        e->size += 5;
    } else if (v >= -INT64_C(2199023255552) && v < INT64_C(2199023255552)) {
        p[0] = (uint8_t)(0x7A + (v >> 40));
        p[1] = (uint8_t)(v >> 32);
        put_be32(p + 2, (uint32_t)v);
        e->size += 6;
    } else if (v >= -INT64_C(562949953421312) && v < INT64_C(562949953421312)) {
        p[0] = (uint8_t)(0x7E + (v >> 48));
        put_be16(p + 1, (uint16_t)(v >> 32));
        put_be32(p + 3, (uint32_t)v);
        e->size += 7;
    } else {
        p[0] = C_INT;
        put_be64(p + 1, (uint64_t)v);
        e->size += 9;
    }
    return 0;
}

static int put_double(enc_t *e, double v)
{
    uint64_t bits;
    memcpy(&bits, &v, 8);
    if (v == 0.0 && !(bits && e->options->negative_zero))
        return put_byte(e, C_DOUBLE_0);
    if (v == 1.0)
        return put_byte(e, C_DOUBLE_1);
    if (v != v)
        bits = UINT64_C(0x7ff8000000000000);
    if (need(e, 9))
        return -1;
    e->data[e->size] = C_DOUBLE;
    put_be64(e->data + e->size + 1, bits);
    e->size += 9;
    return 0;
}

static int put_float(enc_t *e, float v)
{
    uint32_t bits;
    memcpy(&bits, &v, 4);
    if (v != v)
        bits = 0x7fc00000;
    if (need(e, 5))
        return -1;
    e->data[e->size] = C_FLOAT;
    put_be32(e->data + e->size + 1, bits);
    e->size += 5;
    return 0;
}

/* -- byte strings */

static int put_bytes(enc_t *e, const uint8_t *p, size_t size)
{
    if (size < 8)
        return put_byte(e, C_BYTES_PACKED + (unsigned)size) || put_raw(e, p, size) ? -1 : 0;
    while (size > BYTES_PART_MAX) {
        if (put_byte(e, C_BYTES_CHUNK) || put_int(e, BYTES_PART_MAX) ||
            put_raw(e, p, BYTES_PART_MAX))
            return -1;
        p += BYTES_PART_MAX;
        size -= BYTES_PART_MAX;
    }
    return put_byte(e, C_BYTES) || put_int(e, (int64_t)size) || put_raw(e, p, size) ? -1 : 0;
}

/* A bigint's bytes, from a Python integer of any size. */
static int put_big(enc_t *e, PyObject *n)
{
    int overflow;
    long long v = PyLong_AsLongLongAndOverflow(n, &overflow);
    if (v == -1 && !overflow && PyErr_Occurred())
        return -1;
    if (!overflow) {
        uint8_t raw[8];
        put_be64(raw, (uint64_t)v);
        int skip = 0;
        while (skip < 7 && raw[skip] == (v < 0 ? 0xFF : 0) &&
               (raw[skip + 1] & 0x80) == (v < 0 ? 0x80 : 0))
            skip++;
        return put_bytes(e, raw + skip, 8 - (size_t)skip);
    }
    PyObject *bytes = PyObject_CallOneArg(g.bigint_bytes, n);
    if (!bytes)
        return -1;
    int rc = put_bytes(e, (uint8_t *)PyBytes_AS_STRING(bytes), (size_t)PyBytes_GET_SIZE(bytes));
    Py_DECREF(bytes);
    return rc;
}

static int write_bigint(enc_t *e, PyObject *n)
{
    return put_byte(e, C_BIGINT) || put_big(e, n) ? -1 : 0;
}

static int write_int(enc_t *e, PyObject *value)
{
    int overflow;
    long long v = PyLong_AsLongLongAndOverflow(value, &overflow);
    if (overflow)
        return write_bigint(e, value);
    if (v == -1 && PyErr_Occurred())
        return -1;
    return put_int(e, v);
}

/* -- text: UTF-16 units, each encoded by itself */

static inline size_t unit_size(Py_UCS4 c)
{
    return c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 6;
}

static inline uint8_t *put_unit(uint8_t *p, Py_UCS4 c)
{
    if (c < 0x80) {
        *p++ = (uint8_t)c;
    } else if (c < 0x800) {
        *p++ = (uint8_t)(0xC0 | c >> 6);
        *p++ = (uint8_t)(0x80 | (c & 0x3F));
    } else {
        *p++ = (uint8_t)(0xE0 | c >> 12);
        *p++ = (uint8_t)(0x80 | (c >> 6 & 0x3F));
        *p++ = (uint8_t)(0x80 | (c & 0x3F));
    }
    return p;
}

static inline Py_UCS4 high_half(Py_UCS4 c)
{
    return 0xD800 + ((c - 0x10000) >> 10);
}

static inline Py_UCS4 low_half(Py_UCS4 c)
{
    return 0xDC00 + ((c - 0x10000) & 0x3FF);
}

static int put_string_head(enc_t *e, size_t size, int last)
{
    if (!last)
        return put_byte(e, C_STRING_CHUNK) || put_int(e, (int64_t)size) ? -1 : 0;
    if (size < 8)
        return put_byte(e, C_STRING_PACKED + (unsigned)size);
    return put_byte(e, C_STRING) || put_int(e, (int64_t)size) ? -1 : 0;
}

static int put_ascii(enc_t *e, const uint8_t *p, size_t size)
{
    if (size < 8) {
        if (need(e, 8))
            return -1;
        e->data[e->size] = (uint8_t)(C_STRING_PACKED + size);
        memcpy(e->data + e->size + 1, p, size);
        e->size += 1 + size;
        return 0;
    }
    while (size > STRING_PART_MAX) {
        if (put_string_head(e, STRING_PART_MAX, 0) || put_raw(e, p, STRING_PART_MAX))
            return -1;
        p += STRING_PART_MAX;
        size -= STRING_PART_MAX;
    }
    return put_string_head(e, size, 1) || put_raw(e, p, size) ? -1 : 0;
}

/* Writes text that is not ASCII in one part. */
static int put_short_text(enc_t *e, PyObject *text, size_t size)
{
    int kind = PyUnicode_KIND(text);
    const void *data = PyUnicode_DATA(text);
    Py_ssize_t length = PyUnicode_GET_LENGTH(text);
    if (put_string_head(e, size, 1) || need(e, size))
        return -1;
    uint8_t *p = e->data + e->size;
    for (Py_ssize_t i = 0; i < length; i++) {
        Py_UCS4 c = PyUnicode_READ(kind, data, i);
        if (c >= 0x10000) {
            p = put_unit(p, high_half(c));
            c = low_half(c);
        }
        p = put_unit(p, c);
    }
    e->size += size;
    return 0;
}

/* Writes text in parts of at most 65536 bytes; a part may end between the halves of a pair. */
static int put_long_text(enc_t *e, PyObject *text, size_t size)
{
    uint8_t *part = PyMem_Malloc(STRING_PART_MAX + 8), *p = part;
    if (!part) {
        PyErr_NoMemory();
        return -1;
    }
    int kind = PyUnicode_KIND(text), rc = 0;
    const void *data = PyUnicode_DATA(text);
    Py_ssize_t length = PyUnicode_GET_LENGTH(text);
    for (Py_ssize_t i = 0; i < length && !rc; i++) {
        Py_UCS4 units[2] = {PyUnicode_READ(kind, data, i), 0};
        int halves = 1;
        if (units[0] >= 0x10000) {
            units[1] = low_half(units[0]);
            units[0] = high_half(units[0]);
            halves = 2;
        }
        for (int h = 0; h < halves && !rc; h++) {
            if ((size_t)(p - part) + unit_size(units[h]) > STRING_PART_MAX) {
                rc = put_string_head(e, (size_t)(p - part), 0) ||
                     put_raw(e, part, (size_t)(p - part));
                size -= (size_t)(p - part);
                p = part;
            }
            p = put_unit(p, units[h]);
        }
    }
    if (!rc)
        rc = put_string_head(e, size, 1) || put_raw(e, part, size);
    PyMem_Free(part);
    return rc ? -1 : 0;
}

static int put_text(enc_t *e, PyObject *text)
{
    if (PyUnicode_IS_COMPACT_ASCII(text))
        return put_ascii(e, PyUnicode_1BYTE_DATA(text), (size_t)PyUnicode_GET_LENGTH(text));
#if PY_VERSION_HEX < 0x030C0000
    if (PyUnicode_READY(text))
        return -1;
#endif
    int kind = PyUnicode_KIND(text);
    const void *data = PyUnicode_DATA(text);
    Py_ssize_t length = PyUnicode_GET_LENGTH(text);
    size_t size = 0;
    for (Py_ssize_t i = 0; i < length; i++)
        size += unit_size(PyUnicode_READ(kind, data, i));
    return size <= STRING_PART_MAX ? put_short_text(e, text, size) : put_long_text(e, text, size);
}
