/* tokens.c - one step of the reader. No recursion: what is open stands in a bounded stack. */

#include "fressian/tokens.h"

#include <string.h>

#include "base/error.h"
#include "fressian/codes.h"
#include "fressian/spans.h"

#define UNKNOWN_LEFT (-1)       /* until FD */
#define OPEN_LEFT (-2)          /* until FD or the end of the input */

int tape__tokens_fail(tape_fressian_reader_t *r, int code, const unsigned char *at,
                      const char *why)
{
    r->error = tape__fail(code, NULL, at - r->base, "Fressian: %s", why);
    return r->error;
}

static int corrupt(tape_fressian_reader_t *r, const unsigned char *at, const char *why)
{
    return tape__tokens_fail(r, TAPE_ECORRUPT, at, why);
}

/* -- the caches: an entry is the offset of its value, which is read again when referred to */

static void remember(tape_fressian_reader_t *r, const unsigned char *value)
{
    if (r->entries < TAPE_FRESSIAN_ENTRIES)
        r->entry[r->entries] = (size_t)(value - r->base);
    r->entries += r->entries < UINT32_MAX;
}

/* The code of a reference at *p, which moves behind it: 1 and its entry, 0 when it is none. */
static int reference(const unsigned char **p, const unsigned char *end, int64_t *entry)
{
    if (*p >= end)
        return 0;
    if (**p >= C_PRIORITY_CACHE_PACKED && **p < C_STRUCT_CACHE_PACKED) {
        *entry = *(*p)++ - C_PRIORITY_CACHE_PACKED;
        return 1;
    }
    const unsigned char *number = *p + 1;
    if (**p != C_GET_PRIORITY_CACHE || !tape__spans_number(&number, end, entry))
        return 0;
    *p = number;
    return 1;
}

/* What references stand for is read again each time, which a hostile input could ask for without
 * end: 64 times the input is enough for any name that somebody shares. */
static int spend(tape_fressian_reader_t *r, int64_t bytes, const unsigned char *at)
{
    r->again += (uint64_t)bytes;
    if (r->again <= 64 * (uint64_t)(r->end - r->base) + 65536)
        return TAPE_OK;
    return tape__tokens_fail(r, TAPE_EUNSUPPORTED, at, "references to what is too long");
}

/* Where the value of an entry begins; NULL after a failure at `at`. A value may be a reference
 * itself, but only to an earlier entry, so this ends. */
static const unsigned char *entry_value(tape_fressian_reader_t *r, int64_t entry,
                                        const unsigned char *at)
{
    for (int64_t before = (int64_t)UINT32_MAX + 1;;) {
        if (entry < 0 || entry >= before || entry >= r->entries) {
            corrupt(r, at, "a reference to a cached value that is not there yet");
            return NULL;
        }
        if (entry >= TAPE_FRESSIAN_ENTRIES) {
            tape__tokens_fail(r, TAPE_EUNSUPPORTED, at,
                              "a reference to a cached value beyond TAPE_FRESSIAN_ENTRIES");
            return NULL;
        }
        const unsigned char *p = r->base + r->entry[entry], *begin = p;
        while (p < r->end && *p == C_PUT_PRIORITY_CACHE)
            p++;
        if (spend(r, p - begin + 1, at))
            return NULL;
        if (p >= r->end) {
            corrupt(r, at, "the input ends inside a value");
            return NULL;
        }
        before = entry;
        if (!reference(&p, r->end, &entry))
            return p;
    }
}

static void reset(tape_fressian_reader_t *r)
{
    r->entries = r->structs = 0;
}

/* -- parts of values */

/* A count or another integer: in its own form, or by way of the cache. */
static int take_number(tape_fressian_reader_t *r, int64_t *value)
{
    const unsigned char *at = r->p;
    while (r->p < r->end && *r->p == C_PUT_PRIORITY_CACHE)
        remember(r, ++r->p);
    int64_t entry;
    if (reference(&r->p, r->end, &entry)) {
        const unsigned char *p = entry_value(r, entry, at);
        if (!p)
            return r->error;
        if (tape__spans_number(&p, r->end, value))
            return TAPE_OK;
    } else if (tape__spans_number(&r->p, r->end, value)) {
        return TAPE_OK;
    }
    return corrupt(r, at, "an integer was expected");
}

/* A count of things of at least one byte each. */
static int take_count(tape_fressian_reader_t *r, int64_t *count)
{
    const unsigned char *at = r->p;
    if (take_number(r, count))
        return r->error;
    if (*count < 0 || *count > r->end - r->p || *count > COUNT_MAX)
        return corrupt(r, at, "more elements than the input has bytes");
    return TAPE_OK;
}

static int is_string(unsigned code)
{
    return code >= C_STRING_PACKED && code <= C_STRING;
}

static int wrong_span(tape_fressian_reader_t *r, const unsigned char *at, const char *why)
{
    int code = why == tape__spans_cached_length ? TAPE_EUNSUPPORTED : TAPE_ECORRUPT;
    return tape__tokens_fail(r, code, at, why);
}

enum part { PART_NAME, PART_NAMESPACE, PART_TAG };

/* The name or namespace of a keyword, or the tag of a struct, at *p. While it is read again for a
 * reference (`again`), what it puts into the cache is there already. */
static int take_name(tape_fressian_reader_t *r, const unsigned char **p, int again,
                     enum part part, tape_fressian_span_t *span)
{
    const unsigned char *at = *p;
    int64_t entry;
    while (*p < r->end && *(*p) == C_PUT_PRIORITY_CACHE) {
        ++*p;
        if (!again)
            remember(r, *p);
    }
    *span = (tape_fressian_span_t){0};
    span->is_text = 1;
    const unsigned char *text = *p;
    if (part == PART_NAMESPACE && text < r->end && *text == C_NULL) {
        ++*p;
        return TAPE_OK;
    }
    int referred = reference(p, r->end, &entry);
    if (referred && !(text = entry_value(r, entry, at)))
        return r->error;
    if (text >= r->end || !is_string(*text))
        return part == PART_TAG
                   ? tape__tokens_fail(r, TAPE_EUNSUPPORTED, at, "a struct whose tag is no string")
                   : corrupt(r, at, "a name that is no string");
    const char *why = tape__spans_take(referred ? &text : p, r->end, span);
    if (why)
        return wrong_span(r, referred ? at : *p, why);
    return referred || again ? spend(r, (int64_t)span->wire_size, at) : TAPE_OK;
}

static int take_keyword(tape_fressian_reader_t *r, const unsigned char **p, int again,
                        tape_fressian_item_t *item)
{
    ++*p;
    item->type = TAPE_FRESSIAN_KEYWORD;
    return take_name(r, p, again, PART_NAMESPACE, &item->ns) ||
                   take_name(r, p, again, PART_NAME, &item->text)
               ? r->error
               : TAPE_OK;
}

static uint64_t big_endian(const unsigned char *p, int size)
{
    uint64_t n = 0;
    for (int i = 0; i < size; i++)
        n = n << 8 | p[i];
    return n;
}

/* A double or a float behind its code. */
static int take_double(tape_fressian_reader_t *r, const unsigned char **p,
                       tape_fressian_item_t *item)
{
    int size = **p == C_DOUBLE ? 8 : 4;
    if (r->end - *p <= size)
        return corrupt(r, *p, "the input ends inside a number");
    uint64_t bits = big_endian(*p + 1, size);
    uint32_t narrow = (uint32_t)bits;
    float single;
    memcpy(&single, &narrow, sizeof single);
    if (size == 8)
        memcpy(&item->number, &bits, sizeof item->number);
    else
        item->number = (double)single;
    *p += size + 1;
    return TAPE_OK;
}

/* -- values without parts: 1 taken, 0 it is another, below 0 failed */

static int take_leaf(tape_fressian_reader_t *r, const unsigned char **p, int again,
                     tape_fressian_item_t *item)
{
    unsigned code = **p;
    const char *why;
    if (code < 0x80 || code == C_INT || code == C_INT_MINUS_1) {
        item->type = TAPE_FRESSIAN_INT;
        return tape__spans_number(p, r->end, &item->integer)
                   ? 1
                   : corrupt(r, *p, "the input ends inside a number");
    }
    if (is_string(code) || (code >= C_BYTES_PACKED && code <= C_BYTES)) {
        item->type = is_string(code) ? TAPE_FRESSIAN_STRING : TAPE_FRESSIAN_BYTES;
        why = tape__spans_take(p, r->end, &item->text);
        return why ? wrong_span(r, *p, why) : 1;
    }
    if (code == C_KEY) {
        int rc = take_keyword(r, p, again, item);
        return rc ? rc : 1;
    }
    item->type = TAPE_FRESSIAN_DOUBLE;
    if (code == C_DOUBLE || code == C_FLOAT) {
        int rc = take_double(r, p, item);
        return rc ? rc : 1;
    }
    if (code == C_DOUBLE_0 || code == C_DOUBLE_1) {
        item->number = code - C_DOUBLE_0;
    } else if (code == C_TRUE || code == C_FALSE) {
        item->type = TAPE_FRESSIAN_BOOL;
        item->integer = code == C_TRUE;
    } else if (code == C_NULL) {
        item->type = TAPE_FRESSIAN_NIL;
    } else {
        return 0;
    }
    ++*p;
    return 1;
}

/* -- values with parts */

static int open_parts(tape_fressian_reader_t *r, int kind, int64_t left)
{
    if (r->depth == TAPE_FRESSIAN_DEPTH)
        return tape__tokens_fail(r, TAPE_EUNSUPPORTED, r->p,
                                 "nested deeper than TAPE_FRESSIAN_DEPTH");
    r->open[r->depth].left = left;
    r->open[r->depth].kind = kind;
    r->open[r->depth++].odd = 0;
    return TAPE_OK;
}

/* The list whose code stands at r->p. */
static int take_list(tape_fressian_reader_t *r, int kind, tape_fressian_item_t *item)
{
    const unsigned char *at = r->p;
    unsigned code = *r->p++;
    int64_t count = (int64_t)code - C_LIST_PACKED;
    if (code == C_LIST && take_count(r, &count))
        return r->error;
    if (code < C_LIST && count > r->end - r->p)
        return corrupt(r, at, "more elements than the input has bytes");
    if (code > C_LIST)
        count = code == C_BEGIN_OPEN_LIST ? OPEN_LEFT : UNKNOWN_LEFT;
    if (kind == TAPE__OPEN_MAP && count > 0 && count % 2)
        return corrupt(r, at, "a map of an odd number of elements");
    if (kind != TAPE__OPEN_OTHER) {
        item->type = kind == TAPE__OPEN_MAP ? TAPE_FRESSIAN_MAP : TAPE_FRESSIAN_LIST;
        item->count = count < 0 ? -1 : kind == TAPE__OPEN_MAP ? count / 2 : count;
    }
    return open_parts(r, kind, count);
}

static int is_list(const tape_fressian_reader_t *r)
{
    return r->p < r->end && *r->p >= C_LIST_PACKED && *r->p <= C_BEGIN_OPEN_LIST;
}

/* Tags that say by themselves how many components follow: -1 is a type with a code of its own,
 * which no writer makes a struct. */
static const struct {
    const char *tag;
    int64_t count;
} known_tags[] = {
    {"char", 1}, {"byte", 1}, {"ratio", 2}, {"record", 2}, {"long[]", -1}, {"double[]", -1},
    {"boolean[]", -1}, {"int[]", -1}, {"float[]", -1}, {"Object[]", -1}, {"map", -1},
    {"set", -1}, {"uuid", -1}, {"regex", -1}, {"uri", -1}, {"bigint", -1}, {"bigdec", -1},
    {"inst", -1}, {"sym", -1}, {"key", -1},
};

static int take_struct_type(tape_fressian_reader_t *r, const unsigned char *at)
{
    tape_fressian_span_t tag;
    int64_t count;
    const unsigned char *tag_at = r->p;
    if (take_name(r, &r->p, 0, PART_TAG, &tag) || take_number(r, &count))
        return r->error;
    for (size_t i = 0; i < sizeof known_tags / sizeof *known_tags; i++)
        if (known_tags[i].count != count &&
            tape_fressian_equals(&tag, known_tags[i].tag, strlen(known_tags[i].tag)))
            return tape__tokens_fail(r, TAPE_EUNSUPPORTED, tag_at,
                                     "a struct whose tag does not go with its components");
    if (count < 0 || count > r->end - r->p || count > COUNT_MAX)
        return corrupt(r, at, "more components than the input has bytes");
    if (r->structs < TAPE_FRESSIAN_STRUCTS)
        r->components[r->structs] = (uint32_t)count;
    r->structs += r->structs < UINT32_MAX;
    return open_parts(r, TAPE__OPEN_OTHER, count);
}

static int take_struct(tape_fressian_reader_t *r, const unsigned char *at, unsigned code)
{
    int64_t entry = (int64_t)code - C_STRUCT_CACHE_PACKED;
    if (code == C_STRUCT && take_number(r, &entry))
        return r->error;
    if (entry < 0 || entry >= r->structs)
        return corrupt(r, at, "a struct whose type is not there yet");
    if (entry >= TAPE_FRESSIAN_STRUCTS)
        return tape__tokens_fail(r, TAPE_EUNSUPPORTED, at,
                                 "a struct whose type is beyond TAPE_FRESSIAN_STRUCTS");
    if (r->components[entry] > r->end - r->p)
        return corrupt(r, at, "more components than the input has bytes");
    return open_parts(r, TAPE__OPEN_OTHER, r->components[entry]);
}

/* What is only stepped over; its code is behind us, its parts are opened. */
static int take_other(tape_fressian_reader_t *r, const unsigned char *at, unsigned code)
{
    int64_t count;
    switch (code) {
    case C_LONG_ARRAY:
    case C_DOUBLE_ARRAY:
    case C_BOOLEAN_ARRAY:
    case C_INT_ARRAY:
    case C_FLOAT_ARRAY:
    case C_OBJECT_ARRAY:
        return take_count(r, &count) ? r->error : open_parts(r, TAPE__OPEN_OTHER, count);
    case C_MAP:                         /* whose list comes by way of the cache */
    case C_SET:
    case C_UUID:
    case C_REGEX:
    case C_URI:
    case C_BIGINT:
    case C_INST: return open_parts(r, TAPE__OPEN_OTHER, 1);
    case C_BIGDEC:
    case C_SYM: return open_parts(r, TAPE__OPEN_OTHER, 2);
    case C_STRUCT_TYPE: return take_struct_type(r, at);
    default:
        if ((code >= C_STRUCT_CACHE_PACKED && code < C_LONG_ARRAY) || code == C_STRUCT)
            return take_struct(r, at, code);
        return corrupt(r, at, "a code without a meaning here");
    }
}

/* -- the step */

/* A whole value is behind us: one less is left of what is open. */
static void count_value(tape_fressian_reader_t *r)
{
    if (!r->depth)
        return;
    int top = r->depth - 1;
    r->open[top].odd ^= 1;
    if (r->open[top].left > 0)
        r->open[top].left--;
}

/* Whether what is open ends here; then it is closed. Below 0 after a failure. */
static int take_end(tape_fressian_reader_t *r)
{
    int top = r->depth - 1;
    int64_t left = r->open[top].left;
    if (left > 0)
        return 0;
    if (left < 0) {
        int marked = r->p < r->end && *r->p == C_END_COLLECTION;
        if (!marked && !(left == OPEN_LEFT && r->p >= r->end))
            return 0;
        if (r->open[top].kind == TAPE__OPEN_MAP && r->open[top].odd)
            return corrupt(r, r->p, "a map of an odd number of elements");
        r->p += marked;
    }
    r->depth--;
    count_value(r);
    return 1;
}

static uint32_t adler32(const unsigned char *p, const unsigned char *end)
{
    uint32_t a = 1, b = 0;
    for (; p < end; p++) {
        a = (a + *p) % 65521;
        b = (b + a) % 65521;
    }
    return b << 16 | a;
}

/* A footer says how many bytes are before it, and their sum. It stands between whole values. */
static int take_footer(tape_fressian_reader_t *r)
{
    const unsigned char *at = r->p;
    if (r->depth && !(r->depth == 1 && r->open[0].left == OPEN_LEFT &&
                      r->open[0].kind == TAPE__OPEN_LIST))
        return corrupt(r, at, "a footer inside a value");
    if (r->end - at < 12 || big_endian(at, 4) != 0xCFCFCFCF)
        return corrupt(r, at, "a footer that is none");
    if (big_endian(at + 4, 4) != (uint32_t)(at - r->start))
        return corrupt(r, at, "a footer with another length");
    if (big_endian(at + 8, 4) != adler32(r->start, at + 8))
        return corrupt(r, at, "a footer with another checksum");
    r->p = r->start = at + 12;
    reset(r);
    return TAPE_OK;
}

/* Steps over resets, footers and puts in front of a value; DONE when the input ends instead. */
static int take_prefixes(tape_fressian_reader_t *r, tape_fressian_item_t *item)
{
    int putting = 0;
    for (;;) {
        if (r->p >= r->end) {
            if (r->depth || putting)
                return corrupt(r, r->p, "the input ends inside a value");
            item->type = TAPE_FRESSIAN_DONE;
            return TAPE_OK;
        }
        item->wire = r->p;
        if (*r->p == C_PUT_PRIORITY_CACHE) {
            remember(r, ++r->p);
            putting = 1;
        } else if ((*r->p == C_RESET_CACHES || *r->p == C_FOOTER) && putting) {
            return corrupt(r, r->p, "the caches are emptied inside a value that is being cached");
        } else if (*r->p == C_RESET_CACHES) {
            r->p++;
            reset(r);
        } else if (*r->p == C_FOOTER) {
            if (take_footer(r))
                return r->error;
            if (r->depth && r->p >= r->end)
                return TAPE_OK;         /* the open list around it ends with the input */
        } else {
            return TAPE_OK;
        }
    }
}

/* A reference: the leaf that it stands for, or OTHER for what has parts. */
static int take_reference(tape_fressian_reader_t *r, tape_fressian_item_t *item)
{
    int64_t entry;
    const unsigned char *at = r->p;
    if (!reference(&r->p, r->end, &entry)) {
        r->p++;                         /* a get whose number is no plain one */
        if (take_number(r, &entry))
            return r->error;
    }
    const unsigned char *value = entry_value(r, entry, at);
    if (!value)
        return r->error;
    const unsigned char *begin = value;
    int rc = take_leaf(r, &value, 1, item);
    if (rc == 0)
        item->type = TAPE_FRESSIAN_OTHER;
    return rc < 0 ? rc : spend(r, value - begin, at);
}

/* A value that is there, its prefixes behind us. */
static int take_value(tape_fressian_reader_t *r, tape_fressian_item_t *item)
{
    unsigned code = *r->p;
    const unsigned char *at = r->p;
    int parts = r->depth, rc;
    item->code = (int32_t)code;
    if ((code >= C_PRIORITY_CACHE_PACKED && code < C_STRUCT_CACHE_PACKED) ||
        code == C_GET_PRIORITY_CACHE) {
        rc = take_reference(r, item);
    } else if (is_list(r)) {
        rc = take_list(r, TAPE__OPEN_LIST, item);
    } else {
        rc = take_leaf(r, &r->p, 0, item);
        if (rc == 0) {
            item->type = TAPE_FRESSIAN_OTHER;
            r->p++;
            rc = code == C_MAP && is_list(r) ? take_list(r, TAPE__OPEN_MAP, item)
                                             : take_other(r, at, code);
        }
        rc = rc > 0 ? TAPE_OK : rc;
    }
    if (rc)
        return rc;
    item->wire_size = (size_t)(r->p - item->wire);
    if (r->depth == parts)
        count_value(r);                 /* of one with parts its end is counted */
    return TAPE_OK;
}

int tape__tokens_next(tape_fressian_reader_t *r, tape_fressian_item_t *item)
{
    *item = (tape_fressian_item_t){.type = TAPE_FRESSIAN_END, .wire = r->p};
    if (r->error)
        return r->error;
    for (;;) {
        int ended = r->depth ? take_end(r) : 0;
        if (ended)
            return ended < 0 ? ended : TAPE_OK;
        const unsigned char *before = r->p;
        if (take_prefixes(r, item))
            return r->error;
        if (item->type == TAPE_FRESSIAN_DONE)
            return TAPE_OK;
        if (r->p == before || r->p < r->end)
            break;
    }
    if (r->depth && r->open[r->depth - 1].left < 0 && *r->p == C_END_COLLECTION)
        return take_end(r) < 0 ? r->error : TAPE_OK;    /* a reset stood in front of the end */
    return take_value(r, item);
}
