/* What the parts of _speed.c share: the Python types and functions they use, options, numbers.
 *
 * The extension is one translation unit: _speed.c includes the other files, each a few hundred
 * lines, in order. It knows nothing of queues and includes nothing of libtape. */
#ifndef TAPE_SPEED_COMMON_H
#define TAPE_SPEED_COMMON_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <datetime.h>
#include <structmember.h>
#include <stdint.h>
#include <string.h>

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
static struct {
    PyTypeObject *Keyword, *Symbol, *BigInt, *Float32, *Char, *URI, *Regex, *Instant, *FrozenMap,
        *Record, *TaggedValue, *BoolArray, *ObjectArray, *Cached;
    PyObject *Decimal, *Fraction, *UUID, *uuid_unknown, *END;
    PyObject *DecodeError, *EncodeError;
    PyObject *bigint_bytes, *instant_ms, *make_instant, *decimal_parts, *make_decimal,
        *ratio_parts, *make_ratio, *uri_text, *pattern_text, *array_parts, *numpy_parts,
        *numpy_scalar, *make_array, *make_numpy, *cache_key, *freeze, *run_reader,
        *encode_error, *sorted_members, *sorted_items, *leaves, *code_of_tag, *split;
    PyObject *s_items, *s_offset, *s_index, *s_key, *s_member, *s_field, *s_map, *s_set, *s_record,
        *s_ratio, *s_char;
    /* offsets of slots: the types are Python classes, their fields are read in place */
    Py_ssize_t o_keyword_ns, o_keyword_name, o_symbol_ns, o_symbol_name, o_char, o_uri, o_regex,
        o_instant, o_map_items, o_map_hash, o_record_name, o_record_fields, o_tagged_tag,
        o_tagged_values, o_cached, o_uuid_int, o_uuid_safe;
} g;

#define SLOT(object, offset) (*(PyObject **)((char *)(object) + (offset)))

/* -- options, read once from _options.Options */

typedef struct {
    PyObject *py;                       /* the Options object */
    PyObject *handlers, *dispatch, *readers, *records;
    PyObject *default_;                 /* or NULL */
    PyObject *cached_fields;            /* or NULL when empty */
    int keywords_as_str, frozen, numpy, sort, checksum, tagged_clashes, negative_zero, strict_inst;
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

#endif
