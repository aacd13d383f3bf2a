/* table_store.c - see table_store.h; the bytes are those of format.md 5. */
#define _POSIX_C_SOURCE 200809L
#include "table_store.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "atomics.h"
#include "bytes.h"
#include "error.h"
#include "header_word.h"
#include "platform.h"
#include "roll_cycle.h"
#include "wire.h"

enum {
    TABLE_SIZE = 128 * 1024,
    ENTRIES_END = 64 * 1024, /* Java adds none that begins later (format.md 5.2) */
    HEADER_MAX = 65536,
    KEY_MAX = 512
};
#define LOCK_BYTE UINT64_C(0x7FFFFFFFFFFFFFFE)
#define EPOCH_MAX INT64_C(315569520000000) /* 10000 years: arithmetic with it cannot overflow */
#define CREATION_TIMEOUT_NS INT64_C(10000000000)
#define ABANDONED_AFTER_NS INT64_C(500000000)

/* ---- the byte lock (format.md 5.3) ---- */

static int lock_table(tape__table_store_t *t)
{
    int64_t start = tape__monotonic_ns();
    for (int64_t k = 1;; k++) {
        int rc = tape__lock_range(t->file.fd, LOCK_BYTE, 1, true);
        if (rc == 0) return TAPE_OK;
        if (rc != -EAGAIN) return tape__fail_errno(-rc, t->file.path, "locking the table store");
        if (tape__monotonic_ns() - start > CREATION_TIMEOUT_NS)
            return tape__fail(TAPE_ETIMEOUT, t->file.path, -1,
                              "%s: another process has locked the table store for 10 s",
                              t->file.path);
        tape__sleep_ns((k * k < 250 ? k * k : 250) * 1000000);
    }
}

static void unlock_table(tape__table_store_t *t) { tape__unlock_range(t->file.fd, LOCK_BYTE, 1); }

/* ---- reading the header ---- */

static int bad_header(const tape__table_store_t *t, uint64_t at, const char *what)
{
    return tape__fail(TAPE_ECORRUPT, t->file.path, (int64_t)at,
                      "%s at offset %" PRIu64 ": %s in the header of the table store", t->file.path,
                      at, what);
}

static int bad_entry(const tape__table_store_t *t, uint64_t at, const char *what)
{
    return tape__fail(TAPE_ECORRUPT, t->file.path, (int64_t)at,
                      "%s at offset %" PRIu64 ": %s in the table store", t->file.path, at, what);
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
        if (tape__text_is(name, "length")) {
            ok = tape__wire_int(&in, &roll->length_ms);
        } else if (tape__text_is(name, "format")) {
            ok = roll->has_format = tape__wire_text(&in, &roll->format);
        } else if (tape__text_is(name, "epoch")) {
            ok = tape__wire_int(&in, &roll->epoch_ms);
        } else if (tape__text_is(name, "rollTime")) {
            ok = tape__wire_text(&in, &text);
            if (ok) roll->roll_time_ms = time_of_day_ms(text);
        } else if (tape__text_is(name, "rollTimeZone")) {
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
        tape__roll_cycle_with_pattern((const char *)roll->format.text, roll->format.length);
    if (!r)
        return tape__fail(TAPE_EUNSUPPORTED, t->file.path, -1,
                          "%s: the file name pattern \"%.*s\" is none of the 28 built-in ones",
                          t->file.path, (int)roll->format.length, (const char *)roll->format.text);
    if (roll->length_ms != r->length_ms)
        return tape__fail(TAPE_EUNSUPPORTED, t->file.path, -1,
                          "%s: cycles of %" PRId64 " ms with the pattern of %s", t->file.path,
                          roll->length_ms, r->name);
    bool other_zone = roll->has_zone && !tape__text_is(roll->zone, "UTC") &&
                      !tape__text_is(roll->zone, "Z");
    t->settings.other_roll_time = roll->roll_time_ms != 0 || other_zone;
    if (roll->epoch_ms < -EPOCH_MAX || roll->epoch_ms > EPOCH_MAX)
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
    int64_t source = 0;
    bool seen_roll = false;
    if (!tape__wire_type(w, &type) || !tape__wire_block(w, &in))
        return bad_header(t, w->origin + w->at, "no block of settings");
    while (!tape__wire_at_end(&in)) {
        bool ok;
        if (!tape__wire_name(&in, &name)) return bad_header(t, in.origin + in.at, "no field");
        if (tape__text_is(name, "roll")) {
            ok = seen_roll = read_roll(&in, &roll);
        } else if (tape__text_is(name, "sourceId")) {
            ok = tape__wire_int(&in, &source);
        } else { /* deltaCheckpointInterval, which 5.27 leaves out, and whatever comes */
            ok = tape__wire_skip_value(&in);
        }
        if (!ok) return bad_header(t, in.origin + in.at, "an unreadable value");
    }
    if (!seen_roll) return bad_header(t, in.origin, "no roll settings");
    t->settings.source_id = (int32_t)source;
    return apply_roll(t, &roll);
}

static int read_header(tape__table_store_t *t, uint32_t word)
{
    uint64_t length = tape__word_length(word);
    if (tape__word_kind(word) != TAPE__WORD_META || length > HEADER_MAX)
        return bad_header(t, 0, "no metadata document");
    if (4 + length > t->file.size || !tape__window_has(&t->window, 0, 4 + length))
        return bad_header(t, 0, "a length beyond the end of the file");
    tape__wire_t w = {tape__window_at(&t->window, 4), (size_t)length, 0, 4}, in;
    tape__text_t name, type, text;
    if (!tape__wire_name(&w, &name) || !tape__text_is(name, "header") ||
        !tape__wire_type(&w, &type) || !tape__wire_block(&w, &in))
        return bad_header(t, 4 + w.at, "no \"header\"");
    if (!tape__text_is(type, "STStore")) return bad_header(t, 4, "a type that is not STStore");
    int rc = TAPE_ECORRUPT;
    bool seen = false;
    while (!tape__wire_at_end(&in)) {
        if (!tape__wire_name(&in, &name)) return bad_header(t, in.origin + in.at, "no field");
        if (tape__text_is(name, "wireType")) {
            if (!tape__wire_type(&in, &type) || !tape__wire_text(&in, &text))
                return bad_header(t, in.origin + in.at, "no wire type");
            if (!tape__text_is(text, "BINARY_LIGHT"))
                return tape__fail(TAPE_EUNSUPPORTED, t->file.path, (int64_t)(in.origin + in.at),
                                  "%s: wire type %.*s; only BINARY_LIGHT is supported",
                                  t->file.path, (int)text.length, (const char *)text.text);
        } else if (tape__text_is(name, "metadata")) {
            rc = read_metadata(t, &in);
            if (rc != TAPE_OK) return rc;
            seen = true;
        } else if (!tape__wire_skip_value(&in)) {
            return bad_header(t, in.origin + in.at, "an unreadable value");
        }
    }
    if (!seen) return bad_header(t, 4, "no settings");
    t->first_entry = tape__next_position(0, (uint32_t)length, true);
    return TAPE_OK;
}

/* ---- the chain of entries ---- */

/* One entry of the chain. */
typedef struct {
    tape__text_t key;
    uint64_t *cell; /* NULL: not an entry that we know how to read */
    size_t rest;    /* bytes behind the cell */
} entry_t;

/* Reads the entry at *at and steps over it. 1, 0 at the zero word, -1 when the chain is damaged. */
static int next_entry(tape__table_store_t *t, uint64_t *at, entry_t *e)
{
    e->cell = NULL;
    if (!tape__window_has(&t->window, *at, 4)) return -1;
    uint32_t word = OBSERVE32(table_entry, tape__window_u32(&t->window, *at));
    if (word == 0) return 0;
    uint64_t length = tape__word_length(word), cell;
    if (length == 0 || !tape__window_has(&t->window, *at, 4 + length)) return -1;
    tape__wire_t w = {tape__window_at(&t->window, *at + 4), (size_t)length, 0, *at + 4};
    if (tape__word_kind(word) == TAPE__WORD_DATA && tape__wire_name(&w, &e->key) &&
        tape__wire_bound(&w, &cell))
        e->cell = tape__window_u64(&t->window, cell);
    e->rest = w.size - w.at;
    *at = tape__next_position(*at, (uint32_t)length, true);
    return 1;
}

/* Whether an entry stands behind the zero word at `at`, complete and with another one following: a
 * word was lost. A writer that died over its entry leaves one at most, with nothing behind it. */
static bool entry_is_hidden(const tape__table_store_t *t, uint64_t at)
{
    uint64_t rest = tape__min_u64(t->window.size, TABLE_SIZE), cell;
    if (at + 8 > rest) return false;
    tape__wire_t w = {tape__window_at(&t->window, at + 4), (size_t)(rest - at - 4), 0, at + 4};
    tape__text_t key;
    if (!tape__wire_name(&w, &key) || key.length == 0 || !tape__wire_bound(&w, &cell)) return false;
    return cell + 12 <= rest && tape__get_u32(tape__window_at(&t->window, cell + 8)) != 0;
}

static bool being_added(const tape__table_store_t *t, uint64_t at)
{
    return tape__window_has(&t->window, at, 4) &&
           OBSERVE32(table_entry, tape__window_u32(&t->window, at)) == TAPE__NOT_COMPLETE;
}

/* A key that cannot be read, or one that is lost, would be added again with the value of a new
 * queue, and two processes would then lock different words. */
static int check_entries(tape__table_store_t *t)
{
    uint64_t at = t->first_entry, last = at;
    entry_t e;
    int rc;
    if (t->file.size < ENTRIES_END)
        return bad_entry(t, t->file.size, "the file is cut off; it has 64 KiB or more");
    while ((rc = next_entry(t, &at, &e)) == 1) {
        if (!e.cell || e.rest >= 8)
            return bad_entry(t, last, "an entry that is not a key and a number");
        last = at;
    }
    if (rc < 0 && being_added(t, at)) return TAPE_OK;
    if (rc < 0) return bad_entry(t, at, "an entry with a length beyond the end");
    if (entry_is_hidden(t, at)) return bad_entry(t, at, "the chain ends, but entries follow");
    return TAPE_OK;
}

/* ---- opening: another process may be anywhere between creating the file and its last key ---- */

typedef enum { AWAIT_SIZE, AWAIT_HEADER, READY } birth_t;

static birth_t birth_state(tape__table_store_t *t, uint32_t *word, int *rc)
{
    *rc = tape__mapping_refresh(&t->file);
    if (*rc != TAPE_OK) return AWAIT_SIZE;
    if (t->file.size < 8) return AWAIT_SIZE;
    *rc = tape__window_cover(&t->window, &t->file, 0,
                             tape__min_u64(t->file.size, TABLE_SIZE), TABLE_SIZE);
    if (*rc != TAPE_OK) return AWAIT_SIZE;
    *word = OBSERVE32(table_entry, tape__window_u32(&t->window, 0));
    return *word == 0 || *word == TAPE__NOT_COMPLETE ? AWAIT_HEADER : READY;
}

/* A creator holds a lock on the file (5.3); without one, an unfinished file is an abandoned one. */
static bool creator_at_work(tape__table_store_t *t)
{
    return tape__range_is_locked(t->file.fd, 0, 0) > 0;
}

static int await_birth(tape__table_store_t *t, uint32_t *word)
{
    int64_t start = tape__monotonic_ns(), active = start;
    for (;;) {
        int rc = TAPE_OK;
        birth_t state = birth_state(t, word, &rc);
        if (rc < 0) return rc;
        if (state == READY) return TAPE_OK;
        int64_t now = tape__monotonic_ns();
        if (t->file.writable && creator_at_work(t)) active = now;
        if (now - active > ABANDONED_AFTER_NS)
            return tape__fail(TAPE_ECORRUPT, t->file.path, 0,
                              state == AWAIT_SIZE
                                  ? "%s: empty or cut off: the table store has no header"
                                  : "%s: the header of the table store was never finished",
                              t->file.path);
        if (now - start > CREATION_TIMEOUT_NS)
            return tape__fail(TAPE_ETIMEOUT, t->file.path, 0,
                              "%s: another process has been creating it for 10 s", t->file.path);
        tape__sleep_ns(2000000);
    }
}

/* Files from before 5.20.110 have 64 KiB; Java enlarges them on opening, and so do we, under the
 * lock on the whole file that every enlarging process takes (11.2). */
static int enlarge(tape__table_store_t *t)
{
    if (!t->file.writable || t->file.size >= TABLE_SIZE) return TAPE_OK;
    int rc, rounds = 0;
    while ((rc = tape__lock_range(t->file.fd, 0, 0, true)) == -EAGAIN && rounds++ < 10000)
        tape__sleep_ns(1000000);
    if (rc < 0) return tape__fail_errno(-rc, t->file.path, "locking the table store");
    rc = tape__mapping_refresh(&t->file);
    if (rc == TAPE_OK && t->file.size < TABLE_SIZE) {
        int failed = tape__file_truncate(t->file.fd, TABLE_SIZE);
        if (failed < 0) rc = tape__fail_errno(-failed, t->file.path, "enlarging the table store");
    }
    tape__unlock_range(t->file.fd, 0, 0);
    if (rc != TAPE_OK) return rc;
    tape__window_close(&t->window);
    return tape__window_cover(&t->window, &t->file, 0, TABLE_SIZE, TABLE_SIZE);
}

int tape__table_store_open(tape__table_store_t *table, const char *directory, bool writable)
{
    char path[sizeof table->file.path];
    memset(table, 0, sizeof *table);
    snprintf(path, sizeof path, "%s/" TAPE__TABLE_NAME, directory);
    int rc = tape__mapping_open(&table->file, path, writable);
    if (rc != TAPE_OK) return rc;
    uint32_t word = 0;
    rc = await_birth(table, &word);
    if (rc == TAPE_OK) rc = read_header(table, word);
    if (rc == TAPE_OK) rc = check_entries(table);
    if (rc == TAPE_OK) rc = enlarge(table);
    if (rc != TAPE_OK) tape__table_store_close(table);
    return rc;
}

void tape__table_store_close(tape__table_store_t *table)
{
    tape__window_close(&table->window);
    tape__mapping_close(&table->file);
}

/* ---- cells ---- */

/* What tape__table_store_cell() found out on its way. */
typedef struct {
    uint64_t *cell;
    uint64_t end; /* position of the zero word; 0 when the chain is damaged */
} search_t;

static search_t search(tape__table_store_t *t, const char *key)
{
    search_t s = {NULL, 0};
    uint64_t at = t->first_entry;
    const size_t length = strlen(key);
    entry_t e;
    int rc;
    while ((rc = next_entry(t, &at, &e)) == 1) {
        if (!e.cell || e.key.length != length) continue;
        if (strncasecmp((const char *)e.key.text, key, length) != 0) continue;
        s.cell = e.cell;
        return s;
    }
    if (rc == 0) s.end = at;
    return s;
}

int64_t tape__table_store_value(const uint64_t *cell)
{
    return (int64_t)OBSERVE64(tailer_position, cell);
}

uint64_t *tape__table_store_entry(tape__table_store_t *table, size_t n, char *key, size_t size)
{
    uint64_t at = table->first_entry;
    entry_t e;
    while (next_entry(table, &at, &e) == 1) {
        if (!e.cell || n-- > 0) continue;
        snprintf(key, size, "%.*s", (int)e.key.length, (const char *)e.key.text);
        return e.cell;
    }
    return NULL;
}

uint64_t *tape__table_store_cell(tape__table_store_t *table, const char *key)
{
    return search(table, key).cell;
}

/* One entry's body, at file offset `origin`; returns its length. */
static size_t put_entry(uint8_t *body, size_t capacity, uint64_t origin, const char *key,
                        uint64_t value, uint64_t *cell)
{
    tape__wire_out_t o = {body, capacity, 0, origin, false};
    tape__wire_put_event(&o, key);
    *cell = tape__wire_put_bound(&o, (int64_t)value);
    return o.overflow ? 0 : o.at;
}

static uint64_t *add_entry(tape__table_store_t *t, const char *key, uint64_t initial)
{
    for (;;) { /* Java may add `normalisedEOFsTo` without the byte lock: then the CLAIM fails */
        search_t s = search(t, key);
        if (s.cell) return s.cell;
        uint8_t body[KEY_MAX + 64];
        uint64_t cell;
        size_t length = put_entry(body, sizeof body, s.end + 4, key, initial, &cell);
        if (s.end == 0) {
            tape__fail(TAPE_ECORRUPT, t->file.path, -1, "%s: the chain of entries has no end",
                       t->file.path);
            return NULL;
        }
        if (length == 0 || s.end >= ENTRIES_END ||
            !tape__window_has(&t->window, s.end, 4 + length + 8)) {
            tape__fail(TAPE_EIO, t->file.path, (int64_t)s.end, "%s: the table store is full",
                       t->file.path);
            return NULL;
        }
        memcpy(tape__window_at(&t->window, s.end + 4), body, length);
        /* The next word may hold what a process left that died over a longer entry. */
        memset(tape__window_at(&t->window, s.end + 4 + length), 0, 8);
        /* order[table_entry]: key and value before the header word */
        if (CLAIM32(table_entry, tape__window_u32(&t->window, s.end), 0, (uint32_t)length))
            return tape__window_u64(&t->window, cell);
    }
}

uint64_t *tape__table_store_make_cell(tape__table_store_t *table, const char *key,
                                      uint64_t initial)
{
    search_t s = search(table, key);
    if (s.cell) return s.cell;
    if (strlen(key) > KEY_MAX) {
        tape__fail(TAPE_EINVAL, table->file.path, -1, "a key of more than %d bytes", KEY_MAX);
        return NULL;
    }
    if (lock_table(table) != TAPE_OK) return NULL;
    uint64_t *cell = add_entry(table, key, initial);
    unlock_table(table);
    return cell;
}

/* ---- creating ---- */

static size_t put_header(uint8_t *file, size_t capacity, const tape__settings_t *s)
{
    tape__wire_out_t o = {file + 4, capacity - 4, 0, 4, false};
    tape__wire_put_event(&o, "header");
    tape__wire_put_type(&o, "STStore");
    size_t store = tape__wire_begin_block(&o);
    tape__wire_put_field(&o, "wireType");
    tape__wire_put_type(&o, "WireType");
    tape__wire_put_text(&o, "BINARY_LIGHT");
    tape__wire_put_field(&o, "metadata");
    tape__wire_put_type(&o, "SCQMeta");
    size_t meta = tape__wire_begin_block(&o);
    tape__wire_put_field(&o, "roll");
    tape__wire_put_type(&o, "SCQSRoll");
    size_t roll = tape__wire_begin_block(&o);
    tape__wire_put_field(&o, "length");
    tape__wire_put_int(&o, s->roll_cycle->length_ms);
    tape__wire_put_field(&o, "format");
    tape__wire_put_text(&o, s->roll_cycle->pattern);
    tape__wire_put_field(&o, "epoch");
    tape__wire_put_int(&o, s->epoch_ms);
    tape__wire_end_block(&o, roll);
    /* 5.26 and older refuse to append without this field; 5.27 ignores it (format.md 5.1). */
    tape__wire_put_field(&o, "deltaCheckpointInterval");
    tape__wire_put_int(&o, 64);
    tape__wire_put_field(&o, "sourceId");
    tape__wire_put_int(&o, s->source_id);
    tape__wire_end_block(&o, meta);
    tape__wire_pad(&o, 4, 0);
    tape__wire_end_block(&o, store);
    tape__put_u32(file, TAPE__META_DATA | (uint32_t)o.at);
    return (size_t)tape__next_position(0, (uint32_t)o.at, true);
}

static void fill_table(uint8_t *file, size_t capacity, const tape__settings_t *settings,
                       int64_t lowest, int64_t highest)
{
    bool any = lowest <= highest;
    const struct {
        const char *key;
        uint64_t value;
    } cells[] = {
        {"listing.highestCycle", (uint64_t)(any ? highest : INT32_MIN)},
        {"listing.lowestCycle", (uint64_t)(any ? lowest : INT32_MAX)},
        {"listing.modCount", 0},
        {"chronicle.write.lock", TAPE__MIN64},
        {"chronicle.append.lock", TAPE__MIN64},
        {"chronicle.lastIndexReplicated", (uint64_t)-1},
        {"chronicle.lastAcknowledgedIndexReplicated", (uint64_t)-1},
        {"chronicle.lastIndexMSynced", (uint64_t)-1},
    };
    size_t at = put_header(file, capacity, settings);
    for (size_t i = 0; i < sizeof cells / sizeof *cells; i++) {
        uint64_t cell;
        size_t length = put_entry(file + at + 4, capacity - at - 4, at + 4, cells[i].key,
                                  cells[i].value, &cell);
        tape__put_u32(file + at, (uint32_t)length);
        at = (size_t)tape__next_position(at, (uint32_t)length, true);
    }
}

int tape__table_store_create(const char *directory, const tape__settings_t *settings,
                             int64_t lowest, int64_t highest)
{
    char path[1024], temporary[1024];
    snprintf(path, sizeof path, "%s/" TAPE__TABLE_NAME, directory);
    /* Several threads may be at it, too: the clock makes the name their own. */
    snprintf(temporary, sizeof temporary, "%s/.tape-%" PRId64 "-%" PRIx64 ".tmp", directory,
             tape__pid(), (uint64_t)tape__monotonic_ns());
    int fd = tape__open_file(temporary, TAPE__CREATE_NEW);
    if (fd < 0) return tape__fail_errno(-fd, temporary, "creating the table store");
    uint8_t *file = NULL;
    const char *doing = "making room for the table store";
    int rc = tape__file_truncate(fd, TABLE_SIZE);
    if (rc == 0) {
        rc = tape__file_reserve(fd, 0, TABLE_SIZE);
        if (rc == -EOPNOTSUPP || rc == -EINVAL || rc == -ENOSYS) rc = 0;
    }
    if (rc == 0) {
        doing = "mapping the table store";
        rc = tape__map(fd, 0, TABLE_SIZE, true, &file);
    }
    if (rc == 0) {
        fill_table(file, TABLE_SIZE, settings, lowest, highest);
        doing = "linking the table store into place";
        rc = tape__link(temporary, path);
        if (rc == -EEXIST) rc = 0;
    }
    tape__unmap(file, TABLE_SIZE);
    tape__close_file(fd);
    tape__unlink(temporary);
    return rc == 0 ? TAPE_OK : tape__fail_errno(-rc, path, doing);
}
