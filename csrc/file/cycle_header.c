/* cycle_header.c - the first document of a cycle file (format.md 4.1, 4.2). Java's FIELDLESS_BINARY
 * leaves the names of its fields out: they stand in the order in which Java writes them. */
#include "base/error.h"
#include "file/cycle_store.h"
#include "format/wire.h"

/* Built-in roll cycles have up to 48; this keeps sequences far from 2^63. */
enum { SHIFT_MAX = 56 };

typedef struct {
    bool pair, indexing, version_4;
    int64_t data_format;
} header_t;

static bool has_names(const tape__wire_t *w)
{
    tape__wire_t again = *w;
    tape__text_t name;
    return tape__wire_name(&again, &name);
}

static bool read_indexing_by_place(tape__cycle_store_t *s, tape__wire_t *in)
{
    return tape__wire_int(in, &s->index_count) && tape__wire_int(in, &s->index_spacing) &&
           tape__wire_bound(in, &s->index2index_at) && tape__wire_bound(in, &s->last_index_at);
}

static bool read_indexing(tape__cycle_store_t *s, tape__wire_t *w)
{
    tape__text_t type, name;
    tape__wire_t in;
    if (!tape__wire_type(w, &type) || !tape__wire_block(w, &in)) return false;
    if (!has_names(&in)) return read_indexing_by_place(s, &in);
    while (!tape__wire_at_end(&in)) {
        bool ok;
        if (!tape__wire_name(&in, &name)) return false;
        if (tape__wire_is(name, "indexCount")) {
            ok = tape__wire_int(&in, &s->index_count);
        } else if (tape__wire_is(name, "indexSpacing")) {
            ok = tape__wire_int(&in, &s->index_spacing);
        } else if (tape__wire_is(name, "index2Index")) {
            ok = tape__wire_bound(&in, &s->index2index_at);
        } else if (tape__wire_is(name, "lastIndex")) {
            ok = tape__wire_bound(&in, &s->last_index_at);
        } else {
            ok = tape__wire_skip_value(&in);
        }
        if (!ok) return false;
    }
    return true;
}

static bool read_write_position(tape__cycle_store_t *s, tape__wire_t *w)
{
    tape__wire_array_t pair;
    tape__wire_t again = *w;
    if (tape__wire_array(&again, &pair)) {
        if (pair.capacity != 2) return false;
        *w = again;
        s->has_pair = true;
        s->write_position_at = pair.position;
        return true;
    }
    s->has_pair = false; /* before 4.6.48 */
    return tape__wire_bound(w, &s->write_position_at);
}

static bool read_fields_by_place(tape__cycle_store_t *s, tape__wire_t *in, header_t *h)
{
    h->pair = read_write_position(s, in);
    h->indexing = h->pair && read_indexing(s, in);
    return h->indexing && (tape__wire_at_end(in) || tape__wire_int(in, &h->data_format));
}

static bool read_fields(tape__cycle_store_t *s, tape__wire_t *in, header_t *h)
{
    tape__text_t name;
    if (!has_names(in)) return read_fields_by_place(s, in, h);
    while (!tape__wire_at_end(in)) {
        bool ok;
        if (!tape__wire_name(in, &name)) return false;
        if (tape__wire_is(name, "writePosition")) {
            ok = h->pair = read_write_position(s, in);
        } else if (tape__wire_is(name, "indexing")) {
            ok = h->indexing = read_indexing(s, in);
        } else if (tape__wire_is(name, "dataFormat")) {
            ok = tape__wire_int(in, &h->data_format);
        } else {
            if (tape__wire_is(name, "roll") || tape__wire_is(name, "wireType")) h->version_4 = true;
            ok = tape__wire_skip_value(in);
        }
        if (!ok) return false;
    }
    return true;
}

static int check_header(tape__cycle_store_t *s, const header_t *h)
{
    if (h->version_4)
        return tape__fail(TAPE_EUNSUPPORTED, s->file.path, 0,
                          "%s: a cycle file of Chronicle Queue 4", s->file.path);
    if (!h->pair || !h->indexing || !s->index2index_at || !s->last_index_at)
        return tape__cycle_store_bad(s, 4, "the header lacks writePosition or indexing");
    bool powers = s->index_count > 0 && s->index_spacing > 0 &&
                  (s->index_count & (s->index_count - 1)) == 0 &&
                  (s->index_spacing & (s->index_spacing - 1)) == 0;
    if (!powers || s->index_count > 1 << 20 || s->index_spacing > 1 << 30)
        return tape__cycle_store_bad(s, 4, "impossible indexCount or indexSpacing");
    s->aligned = h->data_format == 1; /* larger values are taken as 0 by Java (2.2) */
    s->sequence_shift = tape__pair_shift(s->index_count, s->index_spacing);
    if (s->sequence_shift > SHIFT_MAX)
        return tape__cycle_store_bad(s, 4, "an index for more messages than have a number");
    return TAPE_OK;
}

int tape__cycle_store_parse(tape__cycle_store_t *s, const uint8_t *body, uint32_t length)
{
    tape__wire_t w = {body, length, 0, 4}, in;
    tape__text_t name, type;
    header_t h = {.data_format = 0};
    if (!tape__wire_name(&w, &name) || !tape__wire_is(name, "header") ||
        !tape__wire_type(&w, &type) || !tape__wire_is(type, "SCQStore") ||
        !tape__wire_block(&w, &in))
        return tape__cycle_store_bad(s, 4, "the header is not that of a cycle file");
    if (!read_fields(s, &in, &h))
        return tape__cycle_store_bad(s, in.origin + in.at, "the header is damaged");
    int rc = check_header(s, &h);
    s->first_document = tape__word_next(0, length, s->aligned);
    return rc;
}
