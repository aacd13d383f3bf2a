/* repair_table.c - the table store of the result. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "check/repair.h"
#include "format/file_names.h"
#include "format/header_word.h"

enum { KEY_MAX = 512, FULL_AT = 64 * 1024 };

typedef struct {
    tape__repair_t *r;
    uint8_t *bytes;
    uint64_t at;
    bool full;
} build_t;

/* ---- what can be had of the old one ---- */

static bool is_printable(tape__text_t key)
{
    for (size_t n = 0; n < key.length; n++)
        if (key.text[n] < 0x20 || key.text[n] == 0x7F) return false;
    return key.length > 0 && key.length < KEY_MAX;
}

/* An entry at `at` by what stands behind its header word, which may be anything. */
static bool find_entry(const tape__table_look_t *t, uint64_t at, tape__table_entry_t *e,
                       uint64_t *next)
{
    const uint64_t end = tape__min_u64(t->size, TAPE__TABLE_SIZE);
    if (at + 16 > end || t->bytes[at + 4] != 0xB9) return false;
    tape__wire_t w = {t->bytes + at + 4, (size_t)(end - at - 4), 0, at + 4};
    if (!tape__wire_name(&w, &e->key) || !is_printable(e->key) || !tape__wire_bound(&w, &e->at))
        return false;
    e->value = tape__get_u64(t->bytes + e->at);
    *next = e->at + 8;
    return true;
}

/* Where the header ends: before the first entry, though its length may lead over some. 0: anew. */
static uint64_t end_of_header(const tape__table_look_t *t)
{
    tape__table_entry_t e;
    uint64_t next;
    if (!t->header_is_sound) return 0;
    for (uint64_t at = 4; at < t->store.first_entry; at += 4)
        if (find_entry(t, at, &e, &next)) return at;
    return t->store.first_entry < FULL_AT / 2 ? t->store.first_entry : 0;
}

static void salvage(tape__table_look_t *t)
{
    const uint64_t end = tape__min_u64(t->size, TAPE__TABLE_SIZE);
    uint64_t next;
    int count = 0;
    const uint64_t header = end_of_header(t), word = 4;
    for (uint64_t at = header ? header : 4; at + 16 <= end;) {
        if (find_entry(t, at, &t->entries[count], &next)) {
            count++;
            at = next;
        } else {
            at += word; /* whose name, a word behind, does not begin with a zero */
            if (at + word < end)
                at += tape__align_down(tape__zeros(t->bytes + at + word, end - at - word), word);
        }
    }
    t->count = count;
}

/* ---- the new one ---- */

static void put(build_t *b, tape__text_t key, uint64_t value)
{
    char name[KEY_MAX + 1];
    uint64_t cell;
    snprintf(name, sizeof name, "%.*s", (int)key.length, (const char *)key.text);
    if (b->at >= FULL_AT) {
        b->full = true;
        return;
    }
    const size_t length = tape__table_build_entry(
        b->bytes + b->at + 4, TAPE__TABLE_SIZE - (size_t)b->at - 4, b->at + 4, name, value, &cell);
    tape__put_u32(b->bytes + b->at, (uint32_t)length);
    b->at = tape__word_next(b->at, (uint32_t)length, true);
}

static void tell(build_t *b, const tape__table_entry_t *e, const char *what, uint64_t value)
{
    tape__findings_add(b->r->f, TAPE__FOUND_MENDED, TAPE_NOTE, (int64_t)e->at, -1,
                       "%.*s %s 0x%" PRIx64 " instead of 0x%" PRIx64, (int)e->key.length,
                       (const char *)e->key.text, what, value, e->value);
}

/* A tailer that stood above the end of its cycle, or of all, stands at that end; where no cycle is
 * left, one that stood nowhere stands at the start. */
static uint64_t position(build_t *b, const tape__table_entry_t *e)
{
    const tape__repair_t *r = b->r;
    const tape_roll_cycle_t *roll = r->q.roll_cycle;
    const int64_t index = (int64_t)e->value, cycle = tape__index_cycle(roll, index);
    if (r->count == 0 && index < 0) {
        tell(b, e, "stands at", 0);
        return 0;
    }
    if (index == 0 || r->count == 0) return e->value;
    const tape__mended_cycle_t *last = &r->cycles[r->count - 1];
    uint64_t value = e->value;
    if (index < 0 || cycle > last->cycle)
        value = (uint64_t)tape__index(roll, last->cycle, last->count);
    for (size_t n = 0; n < r->count; n++)
        if (r->cycles[n].cycle == cycle &&
            tape__index_sequence(roll, index) > r->cycles[n].count)
            value = (uint64_t)tape__index(roll, cycle, r->cycles[n].count);
    if (value != e->value) tell(b, e, "stands at", value);
    return value;
}

static bool is(const tape__table_entry_t *e, const char *key)
{
    const tape__table_look_t one = {.entries = (tape__table_entry_t *)e, .count = 1};
    return tape__table_look_find(&one, key) != NULL;
}

static uint64_t value_of(build_t *b, const tape__table_entry_t *e)
{
    const tape__repair_t *r = b->r;
    const uint64_t last = r->count ? (uint64_t)r->cycles[r->count - 1].cycle : 0;
    uint64_t value = e->value;
    if (tape__table_look_is_lock(e)) value = TAPE__LOCK_FREE;
    else if (is(e, TAPE__KEY_LOWEST))
        value = (uint64_t)(r->count ? r->cycles[0].cycle : INT32_MAX);
    else if (is(e, TAPE__KEY_HIGHEST)) value = r->count ? last : (uint64_t)INT32_MIN;
    else if (is(e, "normalisedEOFsTo") && r->count && (int64_t)value > (int64_t)last) value = last;
    else if (tape__table_look_tailer(e).length) return position(b, e);
    if (value != e->value && r->count) tell(b, e, "is", value);
    return value;
}

static bool is_there_before(const tape__table_look_t *t, int n)
{
    const tape__text_t key = t->entries[n].key;
    char name[KEY_MAX + 1];
    snprintf(name, sizeof name, "%.*s", (int)key.length, (const char *)key.text);
    return tape__table_look_find(t, name) != &t->entries[n];
}

/* What every opener needs, where it was not among what could be had. */
static void add_needed(build_t *b, const tape__table_look_t *t)
{
    static const struct {
        const char *key;
        uint64_t value;
    } needed[] = {{TAPE__KEY_HIGHEST, 0}, {TAPE__KEY_LOWEST, 0}, {TAPE__KEY_MOD_COUNT, 0},
                  {TAPE__KEY_WRITE_LOCK, TAPE__LOCK_FREE},
                  {TAPE__KEY_APPEND_LOCK, TAPE__LOCK_FREE},
                  {"chronicle.lastIndexReplicated", (uint64_t)-1},
                  {"chronicle.lastAcknowledgedIndexReplicated", (uint64_t)-1},
                  {"chronicle.lastIndexMSynced", (uint64_t)-1}};
    for (size_t n = 0; n < sizeof needed / sizeof *needed; n++) {
        if (tape__table_look_find(t, needed[n].key)) continue;
        const char *key = needed[n].key;
        tape__table_entry_t e = {{(const uint8_t *)key, strlen(key)}, 0, needed[n].value};
        uint64_t value = needed[n].value;
        if (n < 2) {
            const bool any = b->r->count > 0;
            value = (uint64_t)(n == 0 ? any ? b->r->cycles[b->r->count - 1].cycle : INT32_MIN
                                      : any ? b->r->cycles[0].cycle : INT32_MAX);
        }
        put(b, e.key, value);
    }
}

static uint64_t put_header(build_t *b, tape__table_look_t *t, tape__settings_t *fresh)
{
    const uint64_t end = b->r->q.has_table ? end_of_header(t) : 0;
    if (end) {
        memcpy(b->bytes, t->bytes, (size_t)end);
        if (end != t->store.first_entry)
            tape__put_u32(b->bytes, TAPE__META_DATA | (uint32_t)(end - TAPE__WORD_SIZE));
        return end;
    }
    tape__findings_add(b->r->f, TAPE__FOUND_MENDED, TAPE_NOTE, 0, -1,
                       "the settings were made anew, from the names of the files: %s, epoch 0",
                       fresh->roll_cycle->name);
    return tape__table_build_header(b->bytes, TAPE__TABLE_SIZE, fresh);
}

static void build(build_t *b)
{
    tape__repair_t *r = b->r;
    tape__table_look_t *t = &r->q.table, none = {.entries = NULL};
    tape__settings_t fresh = {.roll_cycle = r->q.roll_cycle};
    tape__findings_begin_file(r->f, r->q.table_path);
    b->at = put_header(b, t, &fresh);
    if (r->q.has_table) salvage(t);
    else t = &none;
    for (int n = 0; n < t->count; n++)
        if (!is_there_before(t, n)) put(b, t->entries[n].key, value_of(b, &t->entries[n]));
    add_needed(b, t);
    if (b->full)
        tape__findings_add(r->f, TAPE__FOUND_MENDED, TAPE_NOTE, -1, -1,
                           "there was no room for all names");
}

static int write_new(const char *path, const uint8_t *bytes)
{
    int fd = tape__open_file(path, TAPE__CREATE_NEW);
    int rc = fd < 0 ? fd : tape__file_write(fd, 0, bytes, TAPE__TABLE_SIZE);
    if (rc == 0) rc = tape__file_sync(fd);
    if (fd >= 0) tape__close_file(fd);
    return rc < 0 ? tape__fail_errno(-rc, path, "writing the table store") : TAPE_OK;
}

int tape__repair_table(tape__repair_t *r)
{
    char path[TAPE__PATH_SIZE], temporary[TAPE__PATH_SIZE];
    build_t b = {.r = r};
    snprintf(path, sizeof path, "%.900s/" TAPE__TABLE_NAME, r->into);
    tape__repair_temporary(r, temporary, sizeof temporary);
    b.bytes = tape__alloc(TAPE__TABLE_SIZE);
    if (!b.bytes) return tape__fail(TAPE_ENOMEM, path, -1, "out of memory");
    build(&b);
    int rc = TAPE_OK;
    if (!r->in_place) {
        rc = write_new(path, b.bytes);
    } else if (!r->q.has_table || r->q.table.size < FULL_AT ||
               memcmp(b.bytes, r->q.table.bytes,
                      (size_t)tape__min_u64(r->q.table.size, TAPE__TABLE_SIZE)) != 0) {
        rc = write_new(temporary, b.bytes);
        if (rc == TAPE_OK) rc = tape__repair_replace(r, temporary, path);
        if (rc == TAPE_OK) r->f->report.mended_files++;
        r->table_replaced = rc == TAPE_OK;
    }
    tape__free(b.bytes);
    return rc;
}
