/* table_header.c - the settings in the header of metadata.cq4t (format.md 5.1). */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "file/table_store.h"
#include "format/header_word.h"
#include "format/roll_cycle.h"
#include "format/wire.h"

enum { HEADER_MAX = 65536 };

static int bad_header(const tape__table_store_t *t, uint64_t at, const char *what)
{
    return tape__fail(TAPE_ECORRUPT, t->file.path, (int64_t)at,
                      "%s at offset %" PRIu64 ": %s in the header of the table store", t->file.path,
                      at, what);
}

/* "21:00" or "21:00:30"; -1 when it is no time. */
static int64_t time_of_day_ms(tape__text_t text)
{
    unsigned hour = 0, minute = 0, second = 0;
    char copy[32] = "";
    memcpy(copy, text.text, text.length < sizeof copy ? text.length : sizeof copy - 1);
    if (sscanf(copy, "%2u:%2u:%2u", &hour, &minute, &second) < 2) return -1;
    if (hour > 23 || minute > 59 || second > 59) return -1;
    return (int64_t)((hour * 60 + minute) * 60 + second) * 1000;
}

typedef struct {
    int64_t length_ms, epoch_ms, roll_time_ms;
    tape__text_t format, zone;
    bool has_format, has_zone;
} roll_t;

static bool read_roll(tape__wire_t *w, roll_t *roll)
{
    tape__text_t type, name, text;
    tape__wire_t in;
    if (!tape__wire_type(w, &type) || !tape__wire_block(w, &in)) return false;
    while (!tape__wire_at_end(&in)) {
        bool ok;
        if (!tape__wire_name(&in, &name)) return false;
        if (tape__wire_is(name, "length")) {
            ok = tape__wire_int(&in, &roll->length_ms);
        } else if (tape__wire_is(name, "format")) {
            ok = roll->has_format = tape__wire_text(&in, &roll->format);
        } else if (tape__wire_is(name, "epoch")) {
            ok = tape__wire_int(&in, &roll->epoch_ms);
        } else if (tape__wire_is(name, "rollTime")) {
            ok = tape__wire_text(&in, &text);
            if (ok) roll->roll_time_ms = time_of_day_ms(text);
        } else if (tape__wire_is(name, "rollTimeZone")) {
            ok = roll->has_zone = tape__wire_text(&in, &roll->zone);
        } else {
            ok = tape__wire_skip_value(&in);
        }
        if (!ok) return false;
    }
    return true;
}

static int apply_roll(tape__table_store_t *t, const roll_t *roll)
{
    if (!roll->has_format) return bad_header(t, 4, "no file name pattern");
    const tape_roll_cycle_t *r =
        tape__roll_cycle_by_pattern((const char *)roll->format.text, roll->format.length);
    if (!r)
        return tape__fail(TAPE_EUNSUPPORTED, t->file.path, -1,
                          "%s: the file name pattern \"%.*s\" is none of the 28 built-in ones",
                          t->file.path, (int)roll->format.length, (const char *)roll->format.text);
    if (roll->length_ms != r->length_ms)
        return tape__fail(TAPE_EUNSUPPORTED, t->file.path, -1,
                          "%s: cycles of %" PRId64 " ms with the pattern of %s", t->file.path,
                          roll->length_ms, r->name);
    bool other_zone = roll->has_zone && !tape__wire_is(roll->zone, "UTC") &&
                      !tape__wire_is(roll->zone, "Z");
    t->settings.other_roll_time = roll->roll_time_ms != 0 || other_zone;
    if (roll->epoch_ms < -TAPE__EPOCH_MAX || roll->epoch_ms > TAPE__EPOCH_MAX)
        return bad_header(t, 4, "an epoch of more than 10000 years");
    t->settings.roll_cycle = r;
    t->settings.epoch_ms = roll->epoch_ms;
    if (roll->epoch_ms == 0 && roll->roll_time_ms > 0 && roll->has_zone)
        t->settings.epoch_ms = roll->roll_time_ms; /* format.md 1.7 */
    return TAPE_OK;
}

static int read_metadata(tape__table_store_t *t, tape__wire_t *w)
{
    tape__text_t type, name;
    tape__wire_t in;
    roll_t roll = {.epoch_ms = 0};
    int64_t source = 0, interval = -1;
    bool seen_roll = false;
    if (!tape__wire_type(w, &type) || !tape__wire_block(w, &in))
        return bad_header(t, w->origin + w->at, "no block of settings");
    while (!tape__wire_at_end(&in)) {
        bool ok;
        if (!tape__wire_name(&in, &name)) return bad_header(t, in.origin + in.at, "no field");
        if (tape__wire_is(name, "roll")) {
            ok = seen_roll = read_roll(&in, &roll);
        } else if (tape__wire_is(name, "sourceId")) {
            ok = tape__wire_int(&in, &source);
        } else if (tape__wire_is(name, "deltaCheckpointInterval")) {
            ok = tape__wire_int(&in, &interval);
        } else { /* whatever comes */
            ok = tape__wire_skip_value(&in);
        }
        if (!ok) return bad_header(t, in.origin + in.at, "an unreadable value");
    }
    if (!seen_roll) return bad_header(t, in.origin, "no roll settings");
    t->settings.source_id = (int32_t)source;
    t->settings.delta_checkpoint_interval = (int32_t)interval;
    return apply_roll(t, &roll);
}

int tape__table_header_read(tape__table_store_t *t, uint32_t word)
{
    uint64_t length = tape__word_length(word);
    if (tape__word_kind(word) != TAPE__WORD_META || length > HEADER_MAX)
        return bad_header(t, 0, "no metadata document");
    if (4 + length > t->file.size || !tape__window_has(&t->window, 0, 4 + length))
        return bad_header(t, 0, "a length beyond the end of the file");
    tape__wire_t w = {tape__window_at(&t->window, 4), (size_t)length, 0, 4}, in;
    tape__text_t name, type, text;
    if (!tape__wire_name(&w, &name) || !tape__wire_is(name, "header") ||
        !tape__wire_type(&w, &type) || !tape__wire_block(&w, &in))
        return bad_header(t, 4 + w.at, "no \"header\"");
    if (!tape__wire_is(type, "STStore")) return bad_header(t, 4, "a type that is not STStore");
    int rc = TAPE_ECORRUPT;
    bool seen = false;
    while (!tape__wire_at_end(&in)) {
        if (!tape__wire_name(&in, &name)) return bad_header(t, in.origin + in.at, "no field");
        if (tape__wire_is(name, "wireType")) {
            if (!tape__wire_type(&in, &type) || !tape__wire_text(&in, &text))
                return bad_header(t, in.origin + in.at, "no wire type");
            if (!tape__wire_is(text, "BINARY_LIGHT"))
                return tape__fail(TAPE_EUNSUPPORTED, t->file.path, (int64_t)(in.origin + in.at),
                                  "%s: wire type %.*s; only BINARY_LIGHT is supported",
                                  t->file.path, (int)text.length, (const char *)text.text);
        } else if (tape__wire_is(name, "metadata")) {
            rc = read_metadata(t, &in);
            if (rc != TAPE_OK) return rc;
            seen = true;
        } else if (!tape__wire_skip_value(&in)) {
            return bad_header(t, in.origin + in.at, "an unreadable value");
        }
    }
    if (!seen) return bad_header(t, 4, "no settings");
    t->first_entry = tape__word_next(0, (uint32_t)length, true);
    return TAPE_OK;
}
