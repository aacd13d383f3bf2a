/* cycle_look.c - see cycle_look.h. */
#include "check/cycle_look.h"

#include <stdio.h>
#include <string.h>

#include "base/platform.h"
#include "file/excerpt_index.h"
#include "format/wire.h"
#include "write/cycle_build.h"

int tape__cycle_look_open(tape__cycle_look_t *l, const char *path, bool writable)
{
    memset(l, 0, sizeof *l);
    l->in.fd = -1;
    snprintf(l->store.file.path, sizeof l->store.file.path, "%s", path);
    return tape__file_bytes_open(&l->in, path, writable);
}

void tape__cycle_look_close(tape__cycle_look_t *l) { tape__file_bytes_close(&l->in); }

int tape__cycle_look_header(tape__cycle_look_t *l)
{
    const uint32_t word = tape__file_bytes_u32(&l->in, 0), length = tape__word_length(word);
    if (l->in.size < TAPE__WORD_SIZE || word == 0 || word == TAPE__NOT_COMPLETE)
        return TAPE__NOT_READY;
    if (tape__word_kind(word) != TAPE__WORD_META || length > TAPE__CYCLE_HEADER_MAX)
        return tape__fail(TAPE_ECORRUPT, l->store.file.path, 0,
                          "the word 0x%08x does not begin a cycle file", word);
    if (TAPE__WORD_SIZE + (uint64_t)length > l->in.size)
        return tape__fail(TAPE_ECORRUPT, l->store.file.path, 0,
                          "a header of %u bytes reaches beyond the file's end", length);
    return tape__cycle_store_parse(&l->store, tape__file_bytes_at(&l->in, 4, length), length);
}

static void keep(uint8_t *bytes, const uint8_t *old, uint64_t at, size_t size)
{
    memcpy(bytes + at, old + at, size);
}

uint64_t tape__cycle_look_compare(tape__cycle_look_t *l, const tape_roll_cycle_t *roll_cycle,
                                  bool readable, uint8_t *out, uint32_t *size)
{
    uint8_t own[TAPE__CYCLE_LOOK_HEADER];
    uint8_t *bytes = out ? out : own;
    tape__cycle_places_t p;
    tape_roll_cycle_t r = *roll_cycle;
    memset(bytes, 0, TAPE__CYCLE_LOOK_HEADER);
    if (readable) {
        r.index_count = (int32_t)l->store.index_count;
        r.index_spacing = (int32_t)l->store.index_spacing;
    }
    *size = 0;
    if (!tape__cycle_build_header(bytes, TAPE__CYCLE_LOOK_HEADER, &r, &p)) return 0;
    const uint8_t *old = tape__file_bytes_at(&l->in, 0, TAPE__CYCLE_LOOK_HEADER);
    const uint32_t word = tape__get_u32(bytes);
    if (word != tape__get_u32(old) && readable) return 0; /* of another release */
    keep(bytes, old, p.pair, TAPE__PAIR_SIZE);
    keep(bytes, old, p.index2index, 8);
    keep(bytes, old, p.last_index, 8);
    *size = TAPE__WORD_SIZE + tape__word_length(word);
    for (uint32_t n = 0; n < *size; n++)
        if (bytes[n] != old[n]) return n ? n : 1;
    return 0;
}

const char *tape__cycle_look_array(tape__cycle_look_t *l, tape__index_array_t *a, const char *name,
                                   uint64_t position)
{
    const uint64_t most = tape__excerpt_index_bound(l->store.index_count);
    tape__text_t found;
    tape__wire_array_t array;
    if (!a->body) a->body = tape__alloc((size_t)most);
    if (!a->body) return "no memory to read it";
    a->position = 0;
    if (position < l->store.first_document || position >= l->in.size)
        return "its position is outside of the file";
    if (l->store.aligned && position % 4 != 0) return "its position is not a multiple of 4";
    const uint32_t word = tape__file_bytes_u32(&l->in, position);
    a->length = tape__word_length(word);
    if (tape__word_kind(word) != TAPE__WORD_META) return "no metadata document is there";
    if (a->length > most) return "the document there is too long";
    if (position + 4 + a->length > l->in.size) return "it reaches beyond the file's end";
    const int64_t got = tape__file_read(l->in.fd, position + 4, a->body, a->length);
    if (got < 0 && l->in.failure == 0) l->in.failure = (int)-got;
    if (got != (int64_t)a->length) return "it cannot be read";
    tape__wire_t w = {a->body, a->length, 0, position + 4};
    if (!tape__wire_name(&w, &found) || !tape__wire_is(found, name) ||
        !tape__wire_array(&w, &array))
        return "the document there is another one";
    if (array.capacity != (uint64_t)l->store.index_count)
        return "it has another capacity than indexCount";
    a->capacity = (int64_t)array.capacity;
    a->used = array.used;
    a->first = array.position;
    a->entries = (uint32_t)(array.position - position - 4);
    a->position = position;
    return NULL;
}

int tape__cycle_look_kind(tape__cycle_look_t *l, uint64_t position, uint32_t length)
{
    const uint32_t n = length < 24 ? length : 24;
    tape__wire_t w = {tape__file_bytes_at(&l->in, position + 4, n), n, 0, position + 4};
    tape__text_t name;
    if (!tape__wire_name(&w, &name)) return 0;
    return tape__wire_is(name, "index") ? 1 : tape__wire_is(name, "index2index") ? 2 : 0;
}

uint64_t tape__cycle_look_framed(tape__cycle_look_t *l, uint64_t at)
{
    const uint8_t *p = tape__file_bytes_at(&l->in, at, TAPE__FRAME_MAX);
    if (p[0] != 0xC0) return 0;
    if (p[1] == 0x80 && p[2] > 0 && p[3] == 0x8A) return 3 + (uint64_t)p[2];
    if (p[1] == 0x81 && tape__get_u16(p + 2) > 0 && p[4] == 0x8A)
        return 4 + (uint64_t)tape__get_u16(p + 2);
    if (p[1] == 0x82 && tape__get_u32(p + 2) > 0 && p[6] == 0x8A)
        return 6 + (uint64_t)tape__get_u32(p + 2);
    return 0;
}

uint64_t tape__cycle_look_arrayed(tape__cycle_look_t *l, uint64_t at)
{
    /* Up to the array's code within bytes that are here; then as if all entries were. */
    enum { HEAD = TAPE__ARRAY_HEAD_MAX, COUNTS = 32, CODE = 0x8D };
    tape__wire_t w = {tape__file_bytes_at(&l->in, at, HEAD + COUNTS), HEAD, 0, at};
    tape__text_t name;
    tape__wire_array_t array;
    if (!tape__wire_name(&w, &name)) return 0;
    if (!tape__wire_is(name, "index") && !tape__wire_is(name, "index2index")) return 0;
    tape__wire_skip_padding(&w);
    if (w.at >= HEAD || w.base[w.at] != CODE) return 0;
    w.size = (size_t)tape__excerpt_index_bound(l->store.index_count);
    if (!tape__wire_array(&w, &array)) return 0;
    return array.capacity == (uint64_t)l->store.index_count ? w.at : 0;
}
