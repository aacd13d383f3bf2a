/* tape_fressian.h - a small Fressian writer and reader, so that C talks to Python and Clojure.
 *
 * What tape's Python codec and Clojure's data.fressian write and read: nil, booleans, integers,
 * doubles, strings, bytes, lists, maps and keywords. The reader steps over everything else (sets,
 * dates, records, big numbers) and gives its bytes. Nothing is allocated; a writer and a reader
 * are plain structs for the stack, of some kilobytes.
 *
 *     unsigned char buffer[256];
 *     size_t size;
 *     tape_fressian_writer_t w;
 *     tape_fressian_write_to(&w, buffer, sizeof buffer);
 *     tape_fressian_put_map(&w, 2);
 *     tape_fressian_put_keyword(&w, "order", "id");
 *     tape_fressian_put_int(&w, 42);
 *     tape_fressian_put_keyword(&w, NULL, "price");
 *     tape_fressian_put_double(&w, 9.5);
 *     int rc = tape_fressian_finish(&w, &size);
 *     int64_t index = rc == TAPE_OK ? tape_appender_write(appender, buffer, size) : rc;
 *
 * Conventions
 *   A function that can fail returns TAPE_OK (0) or a negative code, as in tape.h; the trail has
 *   the offset and what was wrong. A writer or reader that failed stays failed: every later call
 *   returns the same code, so that one check at the end is enough.
 *   Texts are UTF-8 with a size; names of keywords are NUL-terminated UTF-8.
 *
 * Threads: a writer or reader belongs to one thread at a time.
 *
 * Caveats
 *   A message is one value. Fix: put several into a list.
 *   Keywords beyond 32 different names in one message are written out each time; readers see no
 *     difference.
 */
#ifndef TAPE_FRESSIAN_H
#define TAPE_FRESSIAN_H

#include "tape.h"

#ifdef __cplusplus
extern "C" {
#endif

#define TAPE_FRESSIAN_DEPTH 64      /* levels of nesting that are written and read */
#define TAPE_FRESSIAN_NAMES 32      /* names that a writer refers to instead of repeating */
#define TAPE_FRESSIAN_ENTRIES 1024  /* cached values that a reader finds again */
#define TAPE_FRESSIAN_STRUCTS 64    /* struct types that a reader finds again */
#define TAPE_FRESSIAN_OPEN (-1)     /* a count not known before: end it by ..._put_end() */

/* ---- writing -------------------------------------------------------------------------------- */

/* All members are private. */
typedef struct tape_fressian_writer {
    unsigned char *data;
    size_t capacity, size;
    int32_t error, depth, done;
    uint32_t names;
    struct { int64_t left; int32_t map, odd; } open[TAPE_FRESSIAN_DEPTH];
    struct { size_t at, size; } name[TAPE_FRESSIAN_NAMES];
} tape_fressian_writer_t;

/* Begins a message in the caller's memory. `buffer` may be NULL when `capacity` is 0: then nothing
 * is written and tape_fressian_finish() tells how much is needed. */
TAPE_API void tape_fressian_write_to(tape_fressian_writer_t *w, void *buffer, size_t capacity);

/* Writes a nil, a boolean, an integer. */
TAPE_API int tape_fressian_put_nil(tape_fressian_writer_t *w);
TAPE_API int tape_fressian_put_bool(tape_fressian_writer_t *w, int truth);
TAPE_API int tape_fressian_put_int(tape_fressian_writer_t *w, int64_t value);
/* Writes a double: -0.0 as 0.0 and every NaN as the one of Java, as data.fressian does. */
TAPE_API int tape_fressian_put_double(tape_fressian_writer_t *w, double value);
/* Writes a text, `size` bytes of UTF-8, which may contain NUL (TAPE_EINVAL when they are no UTF-8),
 * or bytes. */
TAPE_API int tape_fressian_put_string(tape_fressian_writer_t *w, const char *text, size_t size);
TAPE_API int tape_fressian_put_bytes(tape_fressian_writer_t *w, const void *bytes, size_t size);
/* Writes a keyword: :namespace/name, or :name when `ns` is NULL. */
TAPE_API int tape_fressian_put_keyword(tape_fressian_writer_t *w, const char *ns, const char *name);

/* A list of `count` values, which follow; it ends with the last of them. With TAPE_FRESSIAN_OPEN it
 * ends at tape_fressian_put_end(). */
TAPE_API int tape_fressian_put_list(tape_fressian_writer_t *w, int64_t count);
/* A map of `count` pairs; key, value, key, value follow. Keys have to differ: readers refuse a map
 * with two equal keys, and the writer does not look. */
TAPE_API int tape_fressian_put_map(tape_fressian_writer_t *w, int64_t count);
/* Ends the innermost list or map, which has been begun with TAPE_FRESSIAN_OPEN. */
TAPE_API int tape_fressian_put_end(tape_fressian_writer_t *w);

/* Ends the message and stores its size. TAPE_EINVAL when values are missing; TAPE_ETOOBIG when the
 * buffer was too small: `*size` is then a capacity that is enough. */
TAPE_API int tape_fressian_finish(tape_fressian_writer_t *w, size_t *size);

/* ---- reading -------------------------------------------------------------------------------- */

typedef enum tape_fressian_type {
    TAPE_FRESSIAN_DONE,         /* the input has ended, after whole values */
    TAPE_FRESSIAN_NIL,
    TAPE_FRESSIAN_BOOL,         /* integer: 0 or 1 */
    TAPE_FRESSIAN_INT,          /* integer */
    TAPE_FRESSIAN_DOUBLE,       /* number; also a float of four bytes */
    TAPE_FRESSIAN_STRING,       /* text */
    TAPE_FRESSIAN_BYTES,        /* text */
    TAPE_FRESSIAN_KEYWORD,      /* text is the name; ns.size is 0 and ns.wire NULL without one */
    TAPE_FRESSIAN_LIST,         /* count elements follow, then END; -1 when not known */
    TAPE_FRESSIAN_MAP,          /* count pairs follow, key and value in turn, then END */
    TAPE_FRESSIAN_END,          /* the innermost list or map has ended */
    TAPE_FRESSIAN_OTHER         /* a value of another type; wire and wire_size are its bytes */
} tape_fressian_type_t;

/* A text or byte string in the input. On the wire a text may come in parts and has each character
 * beyond U+FFFF as two halves; `data` is NULL then, and tape_fressian_copy() puts it together. */
typedef struct tape_fressian_span {
    const char *data;           /* the bytes (UTF-8 for a text) if they stand in one piece */
    size_t size;                /* of the bytes, also when data is NULL */
    const unsigned char *wire;  /* as written, from its code on */
    size_t wire_size;
    int32_t is_text;
    int32_t halved;             /* a half without its other half: the text is no UTF-8 */
} tape_fressian_span_t;

typedef struct tape_fressian_item {
    tape_fressian_type_t type;
    int32_t code;               /* the first byte of the value */
    int64_t integer;
    int64_t count;
    double number;
    tape_fressian_span_t text, ns;
    const unsigned char *wire;  /* the value's bytes in the input; of a list or map, its head */
    size_t wire_size;
} tape_fressian_item_t;

/* All members are private. */
typedef struct tape_fressian_reader {
    const unsigned char *base, *p, *end, *start;
    uint64_t again;
    int32_t error, depth;
    uint32_t entries, structs;
    struct { int64_t left; int32_t kind, odd; } open[TAPE_FRESSIAN_DEPTH];
    size_t entry[TAPE_FRESSIAN_ENTRIES];
    uint32_t components[TAPE_FRESSIAN_STRUCTS];
} tape_fressian_reader_t;

/* Begins to read `size` bytes, which must stay and not change while items of them are used. */
TAPE_API void tape_fressian_read_from(tape_fressian_reader_t *r, const void *data, size_t size);

/* The next item: a value, the beginning or the end of a list or map, or DONE.
 *
 * Never reads beyond the input, whatever it holds, and takes time in proportion to it.
 * TAPE_ECORRUPT for bytes that are no Fressian. TAPE_EUNSUPPORTED for nesting deeper than
 * TAPE_FRESSIAN_DEPTH, a reference to a cached value beyond TAPE_FRESSIAN_ENTRIES, a struct whose
 * tag is no string or says something else than its components, the length of a string by way of
 * the cache, and references that stand for more than 64 times the input. A reference to a cached
 * list, map or other collection comes as OTHER. Two equal keys in a map are not looked for, nor
 * what is inside of an OTHER. */
TAPE_API int tape_fressian_next(tape_fressian_reader_t *r, tape_fressian_item_t *item);

/* Steps over what is left of the innermost list or map, and its end. TAPE_ESTATE outside of any. */
TAPE_API int tape_fressian_skip(tape_fressian_reader_t *r);

/* Copies a text as UTF-8, or a byte string, of span->size bytes; no NUL is added. TAPE_ETOOBIG when
 * `capacity` is smaller, TAPE_EINVAL for a text with half a character (span->halved). */
TAPE_API int tape_fressian_copy(const tape_fressian_span_t *span, void *buffer, size_t capacity);

/* Whether a text or byte string has exactly these bytes; 1 or 0. */
TAPE_API int tape_fressian_equals(const tape_fressian_span_t *span, const void *bytes, size_t size);

#ifdef __cplusplus
}
#endif

#endif
