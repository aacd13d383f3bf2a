/* speed.h - the private header of Fressian's codec in C: types, small inlines, and who calls whom.
 *
 * The floors, lowest first; a file calls its own floor leftwards and lower floors only. The two
 * recursions, from the parts of a value to the value, enter at write_value() and read_value().
 *
 *   ground    python
 *   writer    write_buffer  write_scalars  write_text  write_names  write_collections
 *             write_structs  write_values  write
 *   reader    read_state  read_scalars  read_text  read_objects  read_names  read_collections
 *             read_values  read_structs  read
 *   top       streams  codec  lane  module
 *
 * Each file is a translation unit of its own when SPEED_APART is defined: the tests compile them
 * so, and check the floors by the symbols. The extension is built from unity.c, which includes
 * all of them as one unit with everything static: what is called for each value is inlined then by
 * every compiler, where link-time optimisation would need one that has it.
 *
 * The codec knows nothing of queues and includes nothing of libtape. */
#ifndef TAPE_FRESSIAN_SPEED_H
#define TAPE_FRESSIAN_SPEED_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>
#include <string.h>

#include "lane.h"

#ifdef SPEED_APART
#define SHARED extern __attribute__((visibility("hidden")))
#define SHARED_INLINE SHARED
#else
#define SHARED static
#define SHARED_INLINE static inline
#endif

/* The kinds of handlers.py, in its order. */
enum kind {
    K_UNKNOWN, K_NIL, K_BOOL, K_INT, K_FLOAT, K_STR, K_BYTES, K_LIST, K_MAP, K_SET, K_KEYWORD,
    K_SYMBOL, K_BIGINT, K_FLOAT32, K_CHAR, K_DECIMAL, K_FRACTION, K_DATETIME, K_INSTANT, K_UUID,
    K_URI, K_REGEX, K_PATTERN, K_ARRAY, K_BOOL_ARRAY, K_OBJECT_ARRAY, K_RECORD, K_TAGGED,
    K_CACHED, K_NUMPY_ARRAY, K_NUMPY_SCALAR, K_REFUSED
};

enum code {
    C_PRIORITY = 0x80, C_STRUCT_PACKED = 0xA0, C_LONGS = 0xB0, C_DOUBLES, C_BOOLS, C_INTS,
    C_FLOATS, C_OBJECTS, C_MAP = 0xC0, C_SET, C_UUID = 0xC3, C_REGEX, C_URI, C_BIGINT, C_BIGDEC,
    C_INST, C_SYM, C_KEY, C_GET = 0xCC, C_PUT, C_FOOTER = 0xCF, C_BYTES_PACKED = 0xD0,
    C_BYTES_CHUNK = 0xD8, C_BYTES, C_STRING_PACKED, C_STRING_CHUNK = 0xE2, C_STRING,
    C_LIST_PACKED, C_LIST = 0xEC, C_CLOSED_LIST, C_OPEN_LIST, C_STRUCT_TYPE, C_STRUCT,
    C_TRUE = 0xF5, C_FALSE, C_NULL, C_INT, C_FLOAT, C_DOUBLE, C_DOUBLE_0, C_DOUBLE_1, C_END,
    C_RESET, C_MINUS_1
};

#define COUNT_MAX INT64_C(0x7fffffff)
#define STRING_PART_MAX 65536
#define BYTES_PART_MAX 65535
#define SAME_HASH_MAX 64

/* Python objects that live as long as the module. */
typedef struct {
    PyTypeObject *Keyword, *Symbol, *BigInt, *Float32, *Char, *URI, *Regex, *Instant, *FrozenMap,
        *Record, *TaggedValue, *BoolArray, *ObjectArray, *Cached;
    PyObject *Decimal, *UUID, *uuid_unknown, *END;
    PyObject *DecodeError;
    PyObject *bigint_bytes, *instant_ms, *decimal_parts, *make_decimal,
        *ratio_parts, *make_ratio, *uri_text, *pattern_text, *array_parts, *numpy_parts,
        *numpy_scalar, *make_array, *make_numpy, *cache_key, *freeze, *run_reader,
        *encode_error, *keys_clash, *sorted_members, *sorted_items, *leaves, *code_of_tag, *split;
    PyObject *s_items, *s_offset, *s_index, *s_key, *s_member, *s_field, *s_map, *s_set, *s_record,
        *s_ratio, *s_char;
    /* offsets of slots: the types are Python classes, their fields are read in place */
    Py_ssize_t o_keyword_ns, o_keyword_name, o_symbol_ns, o_symbol_name, o_char, o_uri, o_regex,
        o_instant, o_map_items, o_map_hash, o_record_name, o_record_fields, o_tagged_tag,
        o_tagged_values, o_cached, o_uuid_int, o_uuid_safe;
} globals_t;

SHARED globals_t g;

/* A part of g that only some values need, taken when the first comes; or NULL with an error. */
#define LATE(name) (g.name ? g.name : take_late(&g.name))

/* datetime.h keeps its table in a static of each unit that includes it, and importing the module
 * takes milliseconds: done when the first moment comes. */
#define need_datetime() (!PyDateTimeAPI && !(PyDateTime_IMPORT) ? -1 : 0)


#define SLOT(object, offset) (*(PyObject **)((char *)(object) + (offset)))

/* -- options, read once from _options.Options */

typedef struct {
    PyObject *py;                       /* the Options object */
    PyObject *handlers, *dispatch, *readers, *records;
    PyObject *default_;                 /* or NULL */
    PyObject *cached_fields;            /* or NULL when empty */
    int keywords_as_str, frozen, numpy, sort, checksum, tagged_clashes, negative_zero,
        truncate_datetimes;
    int64_t max_depth, max_count, max_size, max_bigint, max_expanded;
} options_t;

/* -- big-endian bytes */

static inline void put_be16(uint8_t *p, uint16_t v)
{
    v = __builtin_bswap16(v);
    memcpy(p, &v, 2);
}

static inline void put_be32(uint8_t *p, uint32_t v)
{
    v = __builtin_bswap32(v);
    memcpy(p, &v, 4);
}

static inline void put_be64(uint8_t *p, uint64_t v)
{
    v = __builtin_bswap64(v);
    memcpy(p, &v, 8);
}

static inline uint32_t get_be32(const uint8_t *p)
{
    uint32_t v;
    memcpy(&v, p, 4);
    return __builtin_bswap32(v);
}

static inline uint64_t get_be64(const uint8_t *p)
{
    uint64_t v;
    memcpy(&v, p, 8);
    return __builtin_bswap64(v);
}

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the codec in C is for little-endian machines; elsewhere the one in Python is used"
#endif

/* -- Python integers and bytes; the public functions came with 3.13 */

static inline PyObject *int_from_be(const uint8_t *p, Py_ssize_t size, int is_signed)
{
#if PY_VERSION_HEX >= 0x030D0000
    return is_signed ? PyLong_FromNativeBytes(p, (size_t)size, Py_ASNATIVEBYTES_BIG_ENDIAN)
                     : PyLong_FromUnsignedNativeBytes(p, (size_t)size,
                                                      Py_ASNATIVEBYTES_BIG_ENDIAN);
#else
    return _PyLong_FromByteArray(p, (size_t)size, 0, is_signed);
#endif
}

/* 16 big-endian bytes of an unsigned integer; -1 with an error set when it does not fit. */
static inline int int_to_be16(PyObject *n, uint8_t *p)
{
#if PY_VERSION_HEX >= 0x030D0000
    Py_ssize_t need = PyLong_AsNativeBytes(n, p, 16, Py_ASNATIVEBYTES_BIG_ENDIAN |
                                           Py_ASNATIVEBYTES_UNSIGNED_BUFFER);
    if (need < 0)
        return -1;
    if (need > 16) {
        PyErr_SetString(PyExc_OverflowError, "int too big to convert");
        return -1;
    }
    return 0;
#else
    return _PyLong_AsByteArray((PyLongObject *)n, p, 16, 0, 0);
#endif
}

/* -- days: proleptic Gregorian calendar, day 0 is 1970-01-01 */

static inline int64_t days_from_civil(int64_t year, unsigned month, unsigned day)
{
    year -= month <= 2;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    unsigned year_of_era = (unsigned)(year - era * 400);
    unsigned day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    unsigned day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + (int64_t)day_of_era - 719468;
}

static inline void civil_from_days(int64_t days, int *year, int *month, int *day)
{
    days += 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    unsigned day_of_era = (unsigned)(days - era * 146097);
    unsigned year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    unsigned day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    unsigned m = (5 * day_of_year + 2) / 153;
    *day = (int)(day_of_year - (153 * m + 2) / 5 + 1);
    *month = (int)(m < 10 ? m + 3 : m - 9);
    *year = (int)((int64_t)year_of_era + era * 400 + (*month <= 2));
}

/* -- small things */

static inline PyObject *new_ref(PyObject *o)
{
    Py_INCREF(o);
    return o;
}

static inline PyObject *xnew_ref(PyObject *o)
{
    Py_XINCREF(o);
    return o;
}

/* An object of a slotted type, its slots empty: NULL means unset, so set them all. */
static inline PyObject *slotted_new(PyTypeObject *type)
{
    return type->tp_alloc(type, 0);
}

/* -- python.c */

/* Takes what every message may need; without it the module cannot be. */
SHARED int take_python(void);
SHARED PyObject *take_late(PyObject **where);
SHARED int take_uuid(void);

/* Calls what LATE() gave, if it gave something. */
static inline PyObject *call_late(PyObject *function, PyObject *argument)
{
    return function ? PyObject_CallOneArg(function, argument) : NULL;
}

/* -- the writer: Python values to bytes. Every function gives 0, or -1 after an error.
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

typedef int (*entry_writer)(enc_t *, PyObject *, PyObject *, int64_t);

/* write.c: the one entry of the recursion. */
SHARED int write_value(enc_t *e, PyObject *value, int64_t depth);

/* write_buffer.c */
SHARED int enc_init(enc_t *e, const options_t *options);
SHARED void forget_keywords(enc_t *e);
SHARED void enc_forget(enc_t *e);
SHARED void enc_clear(enc_t *e);
SHARED int enc_grow(enc_t *e, size_t more);
SHARED int refuse(enc_t *e, const char *format, ...);
SHARED int refuse_current(enc_t *e);
SHARED int note(enc_t *e, PyObject *kind, PyObject *key);
SHARED int note_index(enc_t *e, Py_ssize_t index);
SHARED int refuse_type(enc_t *e, PyObject *value);
SHARED int refuse_depth(enc_t *e);

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

#define ENTER(e, depth)                              \
    do {                                             \
        if ((depth) >= (e)->options->max_depth)      \
            return refuse_depth(e);                  \
    } while (0)

/* write_scalars.c */
SHARED int put_int(enc_t *e, int64_t v);
SHARED int put_double(enc_t *e, double v);
SHARED int put_float(enc_t *e, float v);
SHARED int put_bytes(enc_t *e, const uint8_t *p, size_t size);
SHARED int put_big(enc_t *e, PyObject *n);
SHARED int write_bigint(enc_t *e, PyObject *n);
SHARED int write_int(enc_t *e, PyObject *value);

/* write_text.c */
SHARED int put_text(enc_t *e, PyObject *text);

/* write_names.c: the priority cache */
SHARED int write_name(enc_t *e, unsigned code, PyObject *ns, PyObject *name);
SHARED_INLINE int write_keyword(enc_t *e, PyObject *k);
SHARED_INLINE int write_symbol(enc_t *e, PyObject *s);
SHARED int write_put(enc_t *e, PyObject *value);
SHARED int write_cached(enc_t *e, PyObject *wrapper, int64_t depth);

/* write_collections.c */
SHARED int check_count(enc_t *e, Py_ssize_t count);
SHARED int write_elements(enc_t *e, PyObject *list, Py_ssize_t count, int64_t depth);
SHARED int write_list(enc_t *e, PyObject *list, int64_t depth);
SHARED int write_sequence(enc_t *e, PyObject *value, int64_t depth);
SHARED int write_set(enc_t *e, PyObject *value, int64_t depth);
SHARED int write_field(enc_t *e, PyObject *key, PyObject *value, int64_t depth);
SHARED int write_entries(enc_t *e, PyObject *map, Py_ssize_t count, int64_t depth,
                         entry_writer write);
SHARED int write_map(enc_t *e, PyObject *map, int64_t depth);

/* write_structs.c */
SHARED int write_struct_head(enc_t *e, PyObject *tag, Py_ssize_t count, int32_t *quick);
SHARED int write_record(enc_t *e, PyObject *record, int64_t depth);
SHARED int write_tagged(enc_t *e, PyObject *value, int64_t depth);
SHARED int write_handled(enc_t *e, PyObject *value, PyObject *how, int64_t depth);

/* write_values.c */
SHARED int write_decimal(enc_t *e, PyObject *value);
SHARED int write_fraction(enc_t *e, PyObject *value);
SHARED int write_datetime(enc_t *e, PyObject *value);
SHARED int write_instant(enc_t *e, PyObject *value);
SHARED int write_uuid(enc_t *e, PyObject *value);
SHARED int write_bools(enc_t *e, PyObject *items);
SHARED int write_objects(enc_t *e, PyObject *items, int64_t depth);
SHARED int write_array(enc_t *e, PyObject *function, PyObject *value, int64_t depth);
SHARED int write_bytes_like(enc_t *e, PyObject *value);
SHARED int write_parsed(enc_t *e, unsigned code, PyObject *function, PyObject *value);

/* write.c */
SHARED void enc_fail(enc_t *e);
SHARED PyObject *enc_take(enc_t *e);
SHARED_INLINE int enc_write(enc_t *e, PyObject *value, int cache, size_t begin);
SHARED_INLINE PyObject *enc_object(enc_t *e, PyObject *value, int cache);

/* -- the reader: bytes to Python values. Functions give a new reference, or NULL with an error.
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

/* read.c: the one entry of the recursion. */
SHARED PyObject *read_value(dec_t *d, int64_t depth, int flags);

/* read_state.c */
SHARED void dec_init(dec_t *d, const options_t *options, const void *data, Py_ssize_t size,
                     int checksum);
SHARED void dec_clear(dec_t *d);
SHARED void set_decode_error(PyObject *text, Py_ssize_t offset); /* takes the text */
SHARED PyObject *raise_at(Py_ssize_t offset, PyObject *message);
SHARED PyObject *fail(dec_t *d, const uint8_t *at, const char *format, ...);
SHARED PyObject *ended(dec_t *d);
SHARED PyObject *too_deep(dec_t *d, const uint8_t *at);
SHARED int reset(dec_t *d, const uint8_t *at);
SHARED int read_footer(dec_t *d);
SHARED int64_t reserve(dec_t *d);
SHARED void fill(dec_t *d, int64_t entry, PyObject *value, int64_t size);
SHARED int put_name(dec_t *d, PyObject *text);
SHARED PyObject *entry_value(dec_t *d, int64_t entry, const uint8_t *at);
SHARED PyObject *freeze(dec_t *d, PyObject *value);
SHARED PyObject *refer(dec_t *d, int64_t entry, const uint8_t *at, int flags);
SHARED int spend(dec_t *d, int64_t amount, const uint8_t *at);

/* read_scalars.c */
SHARED int packed_int(dec_t *d, unsigned code, int64_t *v);
SHARED_INLINE int read_int(dec_t *d, int64_t *v);
SHARED int read_count(dec_t *d, const char *what, int limited, int64_t *count);

/* read_text.c */
SHARED PyObject *text_from(dec_t *d, const uint8_t *p, Py_ssize_t size);
SHARED PyObject *read_text(dec_t *d, unsigned code);
SHARED PyObject *read_bytes(dec_t *d, unsigned code);

/* read_objects.c */
SHARED PyObject *tagged_new(PyObject *tag, PyObject *values);
SHARED PyObject *text_new(PyTypeObject *type, Py_ssize_t offset, PyObject *text);
SHARED PyObject *float32_new(float value);
SHARED PyObject *array_new(PyTypeObject *type, PyObject *list);
SHARED PyObject *uuid_new(const uint8_t *p);
SHARED PyObject *frozen_map(PyObject *dict);

/* read_names.c */
SHARED PyObject *read_key_text(dec_t *d, unsigned code);
SHARED PyObject *read_name(dec_t *d, unsigned code, const uint8_t *at, int64_t depth, int flags);

/* read_collections.c */
SHARED PyObject *read_items(dec_t *d, int64_t count, int64_t depth, int flags,
                            const uint8_t *list_at);
SHARED PyObject *read_list(dec_t *d, unsigned code, const uint8_t *at, int64_t depth, int flags);
SHARED PyObject *read_collection(dec_t *d, unsigned code, const uint8_t *at, int64_t depth,
                                 int flags);

/* read_values.c */
SHARED PyObject *read_inst(dec_t *d);
SHARED PyObject *read_leaf(dec_t *d, unsigned code, const uint8_t *at, int64_t depth, int flags);
SHARED PyObject *read_numbers(dec_t *d, unsigned code);
SHARED PyObject *read_objects(dec_t *d, const uint8_t *at, int64_t depth, int flags);

/* read_structs.c */
SHARED PyObject *read_clojure(dec_t *d, int kind, const uint8_t *at, int64_t depth, int flags);
SHARED PyObject *read_unknown(dec_t *d, PyObject *tag, int64_t count, const uint8_t *at,
                              int64_t depth, int flags);
SHARED int tag_kind(PyObject *tag);

/* read.c */
SHARED PyObject *dec_next(dec_t *d);
SHARED PyObject *dec_one(const options_t *options, const void *data, Py_ssize_t size);
SHARED int check_size(const options_t *options, Py_ssize_t size);

/* -- top */

typedef struct {
    PyObject_HEAD
    options_t options;
    enc_t *spare;               /* taken and given back with one exchange: any thread */
} codec_t;

/* streams.c: the methods encoder() and decoder() of a Codec, and their types */
SHARED PyObject *codec_encoder(codec_t *self, PyObject *ignored);
SHARED PyObject *codec_decoder(codec_t *self, PyObject *args);
SHARED int take_streams(void);

/* codec.c */
SHARED PyTypeObject codec_type;
SHARED_INLINE enc_t *codec_take(codec_t *self);
SHARED_INLINE void codec_give(codec_t *self, enc_t *e);

/* lane.c */
SHARED PyObject *lane_capsule(void);

#endif
