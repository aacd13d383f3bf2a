/* wire.c - Description: any bytes, as values of the wire, as a chain of documents, as a frame, and
 * as the name of a file. All in memory, in an allocation of their exact size. */
#include <stdlib.h>
#include <string.h>

#include "format/header_word.h"
#include "format/roll_cycle.h"
#include "format/wire.h"
#include "fuzz.h"

enum { DEEPEST = 4, LONGEST_NAME = 63 };

static void within(const tape__wire_t *w, tape__text_t t)
{
    FUZZ_SURE(t.text >= w->base && t.text + t.length <= w->base + w->size);
}

/* What is read as an integer is a value that can be stepped over, and the same when written. */
static void integer(const tape__wire_t *from, const tape__wire_t *stepped, bool can_step)
{
    tape__wire_t w = *from;
    int64_t value, again;
    uint8_t out[16];
    if (!tape__wire_int(&w, &value)) return;
    FUZZ_SURE(can_step && w.at == stepped->at);
    tape__wire_out_t o = {out, sizeof out, 0, 0, false};
    tape__wire_put_int(&o, value);
    tape__wire_t back = {out, o.at, 0, 0};
    FUZZ_SURE(!o.overflow && tape__wire_int(&back, &again));
    FUZZ_SURE(again == value && back.at == o.at);
}

static void others(const tape__wire_t *from, const tape__wire_t *stepped, bool can_step)
{
    tape__wire_t w = *from;
    tape__text_t text;
    tape__wire_array_t array;
    uint64_t at;
    if (tape__wire_text(&w, &text)) {
        within(&w, text);
        FUZZ_SURE(can_step && w.at == stepped->at);
    }
    w = *from;
    if (tape__wire_name(&w, &text)) within(&w, text);
    w = *from;
    if (tape__wire_type(&w, &text)) within(&w, text);
    w = *from;
    if (tape__wire_bound(&w, &at)) {
        FUZZ_SURE(at % 8 == 0 && at >= w.origin && at + 8 <= w.origin + w.size);
        FUZZ_SURE(can_step && w.at == stepped->at);
    }
    w = *from;
    if (tape__wire_array(&w, &array)) {
        FUZZ_SURE(array.position >= w.origin && array.position - w.origin <= w.size);
        FUZZ_SURE(array.capacity <= (w.origin + w.size - array.position) / 8);
    }
}

/* Each value, and the inside of each block. */
static void values(tape__wire_t w, int depth)
{
    while (!tape__wire_at_end(&w)) {
        const size_t before = w.at;
        tape__wire_t stepped = w, block = w, inside;
        const bool can = tape__wire_skip_value(&stepped);
        FUZZ_SURE(stepped.at <= w.size);
        integer(&w, &stepped, can);
        others(&w, &stepped, can);
        if (tape__wire_block(&block, &inside)) {
            FUZZ_SURE(inside.base >= w.base && inside.base + inside.size <= w.base + w.size);
            if (depth < DEEPEST) values(inside, depth + 1);
        }
        w.at = can ? stepped.at : before + 1;
        FUZZ_SURE(w.at > before);
    }
}

static void documents(const uint8_t *data, size_t size, bool aligned)
{
    for (uint64_t at = 0; at + 4 <= size;) {
        const uint32_t word = tape__get_u32(data + at);
        const tape__word_kind_t kind = tape__word_kind(word);
        FUZZ_SURE(tape__word_is_message(word) == (kind == TAPE__WORD_DATA));
        FUZZ_SURE(tape__word_is_document(word) ==
                  (kind == TAPE__WORD_DATA || kind == TAPE__WORD_META));
        const uint64_t next = tape__word_next(at, tape__word_length(word), aligned);
        FUZZ_SURE(next >= at + 4 + tape__word_length(word) && (!aligned || next % 4 == 0));
        at = next;
    }
}

static void frames(const uint8_t *data, size_t size)
{
    size_t offset, length, offset_2, length_2;
    if (tape__wire_unframe(data, size, &offset, &length)) {
        FUZZ_SURE(offset <= size && length <= size - offset);
        FUZZ_SURE(tape__wire_unframe_any(data, size, &offset_2, &length_2));
        FUZZ_SURE(offset == offset_2 && length == length_2);
    }
    uint8_t *framed = malloc(size + TAPE__FRAME_MAX);
    if (!framed) return;
    const size_t frame = tape__wire_frame(framed, size);
    FUZZ_SURE(frame == tape__wire_frame_size(size));
    if (size) memcpy(framed + frame, data, size);
    FUZZ_SURE(tape__wire_unframe(framed, frame + size, &offset, &length));
    FUZZ_SURE(offset == frame && length == size);
    free(framed);
}

/* A name that is a cycle's is the one that the cycle gets. */
static void names(const uint8_t *data, size_t size)
{
    char name[LONGEST_NAME + 5], spelled[TAPE__NAME_MAX + 16];
    const size_t length = size < LONGEST_NAME ? size : LONGEST_NAME;
    int64_t cycle;
    if (length) memcpy(name, data, length);
    name[length] = '\0';
    tape_roll_cycle_named(name);
    tape__roll_cycle_by_pattern(name, strlen(name));
    if (!tape__roll_cycle_suffix(name)) strcat(name, ".cq4");
    for (size_t i = 0; tape_roll_cycle_at(i); i++) {
        const tape_roll_cycle_t *r = tape_roll_cycle_at(i);
        const int64_t epoch = tape__roll_cycle_epoch(r, 0);
        if (!tape__roll_cycle_parse(r, epoch, name, &cycle)) continue;
        FUZZ_SURE(tape__roll_cycle_spell(r, epoch, cycle, spelled, sizeof spelled));
        FUZZ_SURE(strcmp(name, spelled) == 0);
        FUZZ_SURE(tape__roll_cycle_by_file_name(name) != NULL);
    }
}

static void one(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size ? size : 1);
    if (!copy) return;
    if (size) memcpy(copy, data, size);
    for (uint64_t origin = 0; origin < 8; origin += 7)
        values((tape__wire_t){copy, size, 0, origin}, 0);
    documents(copy, size, false);
    documents(copy, size, true);
    frames(copy, size);
    names(copy, size);
    free(copy);
}

const fuzz_target_t wire_target = {"wire", NULL, one};
