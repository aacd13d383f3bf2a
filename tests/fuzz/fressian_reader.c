/* fressian_reader.c - Description: any bytes for libtape's Fressian reader; what is read and can be
 * written is the same when it is read again. */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "tape_fressian.h"

enum { ROOM = 1 << 16, MOST_PER_BYTE = 70 };

typedef struct {
    uint64_t hash;
    int64_t items;
    tape_fressian_writer_t *writer; /* NULL: only looked at */
    bool writable;                  /* all of it so far */
} walk_t;

static void mix(walk_t *w, const void *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        w->hash = (w->hash ^ ((const uint8_t *)bytes)[i]) * UINT64_C(0x100000001B3);
}

/* The text in an allocation of its exact size, which the caller frees; NULL: not to be had. */
static char *copied(const tape_fressian_span_t *span)
{
    char *text = malloc(span->size ? span->size : 1);
    if (!text) return NULL;
    if (span->size) FUZZ_SURE(tape_fressian_copy(span, text, span->size - 1) < 0);
    const int rc = tape_fressian_copy(span, text, span->size);
    FUZZ_SURE(rc == TAPE_OK || (rc == TAPE_EINVAL && span->halved));
    if (rc == TAPE_OK) {
        FUZZ_SURE(tape_fressian_equals(span, text, span->size) == 1);
        if (span->size == 0) return text;
        text[0] ^= 1;
        FUZZ_SURE(tape_fressian_equals(span, text, span->size) == 0);
        text[0] ^= 1;
        return text;
    }
    free(text);
    return NULL;
}

static void put_text(walk_t *w, const tape_fressian_item_t *item)
{
    char *text = copied(&item->text), *ns = item->ns.wire ? copied(&item->ns) : NULL;
    tape_fressian_writer_t *out = w->writer;
    int rc = TAPE_EINVAL;
    if (text) mix(w, text, item->text.size);
    if (ns) mix(w, ns, item->ns.size);
    if (text && out && item->type == TAPE_FRESSIAN_STRING)
        rc = tape_fressian_put_string(out, text, item->text.size);
    else if (text && out && item->type == TAPE_FRESSIAN_BYTES)
        rc = tape_fressian_put_bytes(out, text, item->text.size);
    else if (text && out && (ns || !item->ns.wire) && !memchr(text, 0, item->text.size) &&
             !(ns && memchr(ns, 0, item->ns.size))) {
        char *name = strndup(text, item->text.size);
        char *space = ns ? strndup(ns, item->ns.size) : NULL;
        if (name && !ns == !space) rc = tape_fressian_put_keyword(out, space, name);
        free(name), free(space);
    }
    w->writable &= rc == TAPE_OK;
    free(text), free(ns);
}

static void put(walk_t *w, const tape_fressian_item_t *item)
{
    tape_fressian_writer_t *out = w->writer;
    const int type = (int)item->type;
    int rc = TAPE_OK;
    mix(w, &type, sizeof type);
    switch (item->type) {
    case TAPE_FRESSIAN_NIL: rc = out ? tape_fressian_put_nil(out) : 0; break;
    case TAPE_FRESSIAN_BOOL:
    case TAPE_FRESSIAN_INT:
        mix(w, &item->integer, sizeof item->integer);
        if (!out) break;
        rc = item->type == TAPE_FRESSIAN_INT ? tape_fressian_put_int(out, item->integer)
                                             : tape_fressian_put_bool(out, (int)item->integer);
        break;
    case TAPE_FRESSIAN_DOUBLE:
        if (item->number != 0 && item->number == item->number)
            mix(w, &item->number, sizeof item->number);
        rc = out ? tape_fressian_put_double(out, item->number) : 0;
        break;
    case TAPE_FRESSIAN_STRING:
    case TAPE_FRESSIAN_BYTES:
    case TAPE_FRESSIAN_KEYWORD: put_text(w, item); break;
    case TAPE_FRESSIAN_LIST: rc = out ? tape_fressian_put_list(out, item->count) : 0; break;
    case TAPE_FRESSIAN_MAP: rc = out ? tape_fressian_put_map(out, item->count) : 0; break;
    case TAPE_FRESSIAN_END: break; /* counted ones end by themselves: see walk() */
    default: rc = TAPE_EINVAL;
    }
    w->writable &= rc == TAPE_OK;
}

static void in_input(const uint8_t *data, size_t size, const unsigned char *p, size_t length)
{
    FUZZ_SURE(!p || (p >= data && p <= data + size && length <= (size_t)(data + size - p)));
}

/* All items; whether the input ended as it should. */
static bool walk(walk_t *w, const uint8_t *data, size_t size)
{
    bool open[TAPE_FRESSIAN_DEPTH + 1] = {false};
    int depth = 0, rc;
    tape_fressian_reader_t r;
    tape_fressian_item_t item;
    tape_fressian_read_from(&r, data, size);
    while ((rc = tape_fressian_next(&r, &item)) == TAPE_OK && item.type != TAPE_FRESSIAN_DONE) {
        if (++w->items > MOST_PER_BYTE * ((int64_t)size + 10)) fuzz_found("an endless message");
        in_input(data, size, item.wire, item.wire_size);
        in_input(data, size, item.text.wire, item.text.wire_size);
        in_input(data, size, item.ns.wire, item.ns.wire_size);
        in_input(data, size, (const unsigned char *)item.text.data, item.text.size);
        put(w, &item);
        if (item.type == TAPE_FRESSIAN_LIST || item.type == TAPE_FRESSIAN_MAP) {
            FUZZ_SURE(depth < TAPE_FRESSIAN_DEPTH);
            open[depth++] = item.count < 0;
        }
        if (item.type == TAPE_FRESSIAN_END) {
            FUZZ_SURE(depth > 0);
            if (open[--depth] && w->writer)
                w->writable &= tape_fressian_put_end(w->writer) == TAPE_OK;
        }
    }
    FUZZ_SURE(rc == TAPE_OK || rc == TAPE_ECORRUPT || rc == TAPE_EUNSUPPORTED);
    FUZZ_SURE(rc == TAPE_OK || tape_fressian_next(&r, &item) == rc);
    FUZZ_SURE(rc != TAPE_OK || depth == 0);
    return rc == TAPE_OK;
}

/* Steps over what stands in the lists and maps, at every third of them. */
static void skip(const uint8_t *data, size_t size)
{
    tape_fressian_reader_t r;
    tape_fressian_item_t item;
    int64_t items = 0;
    tape_fressian_read_from(&r, data, size);
    while (tape_fressian_next(&r, &item) == TAPE_OK && item.type != TAPE_FRESSIAN_DONE) {
        if (++items > MOST_PER_BYTE * ((int64_t)size + 10)) fuzz_found("an endless message");
        const bool head = item.type == TAPE_FRESSIAN_LIST || item.type == TAPE_FRESSIAN_MAP;
        if (head && items % 3 == 1) tape_fressian_skip(&r);
    }
}

static void one(const uint8_t *data, size_t size)
{
    static unsigned char room[ROOM];
    tape_fressian_writer_t out;
    walk_t first = {1, 0, &out, true}, again = {1, 0, NULL, true};
    size_t written;
    uint8_t *copy = malloc(size ? size : 1);
    if (!copy) return;
    if (size) memcpy(copy, data, size);
    tape_fressian_write_to(&out, room, sizeof room);
    if (walk(&first, copy, size) && first.writable &&
        tape_fressian_finish(&out, &written) == TAPE_OK) {
        FUZZ_SURE(walk(&again, room, written));
        if (first.hash != again.hash) fuzz_found("what was written is not what was read");
    }
    skip(copy, size);
    free(copy);
}

const fuzz_target_t fressian_target = {"fressian", NULL, one};
