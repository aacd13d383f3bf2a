/* table_store.c - see table_store.h; the bytes are those of format.md 5. */
#define _POSIX_C_SOURCE 200809L
#include "file/table_store.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/atomics.h"
#include "base/bytes.h"
#include "base/error.h"
#include "base/platform.h"
#include "base/sync_point.h"
#include "format/file_names.h"
#include "format/header_word.h"
#include "format/roll_cycle.h"
#include "format/wire.h"

enum {
    ENTRIES_END = 64 * 1024, /* Java adds none that begins later (format.md 5.2) */
    KEY_MAX = 512,
    BODY_REST = 64,  /* of an entry but for its key: codes, padding, the cell */
    CELL_SIZE = 8,
    ZERO_BEHIND = 8, /* zeroed behind a new entry */
    READ_AT_ONCE = 4096
};
#define CREATION_TIMEOUT_NS INT64_C(10000000000)
#define ABANDONED_AFTER_NS INT64_C(500000000)

/* ---- the chain of entries ---- */

static int bad_entry(const tape__table_store_t *t, uint64_t at, const char *what)
{
    return tape__fail(TAPE_ECORRUPT, t->file.path, (int64_t)at,
                      "%s at offset %" PRIu64 ": %s in the table store", t->file.path, at, what);
}

/* One entry of the chain. */
typedef struct {
    tape__text_t key;
    uint64_t *cell; /* NULL: not an entry that we know how to read */
    size_t rest;    /* bytes behind the cell */
} entry_t;

/* What stands at a place of the chain. */
typedef enum { ENTRY, END_OF_ENTRIES, CHAIN_IS_DAMAGED } chain_t;

/* Reads the entry at *at, if there is one, and steps over it. */
static chain_t next_entry(tape__table_store_t *t, uint64_t *at, entry_t *e)
{
    e->cell = NULL;
    if (!tape__window_has(&t->window, *at, 4)) return CHAIN_IS_DAMAGED;
    uint32_t word = OBSERVE32(table_entry, tape__window_u32(&t->window, *at));
    if (word == 0) return END_OF_ENTRIES;
    uint64_t length = tape__word_length(word), cell;
    if (length == 0 || !tape__window_has(&t->window, *at, 4 + length))
        return CHAIN_IS_DAMAGED;
    tape__wire_t w = {tape__window_at(&t->window, *at + 4), (size_t)length, 0, *at + 4};
    if (tape__word_kind(word) == TAPE__WORD_DATA && tape__wire_name(&w, &e->key) &&
        tape__wire_bound(&w, &cell))
        e->cell = tape__window_u64(&t->window, cell);
    e->rest = w.size - w.at;
    *at = tape__word_next(*at, (uint32_t)length, true);
    return ENTRY;
}

/* Whether an entry stands behind the zero word at `at`, complete and with another one following: a
 * word was lost. A writer that died over its entry leaves one at most, with nothing behind it. */
static bool entry_is_hidden(const tape__table_store_t *t, uint64_t at)
{
    uint64_t rest = tape__min_u64(t->window.size, TAPE__TABLE_SIZE), cell;
    if (at + TAPE__WORD_SIZE + CELL_SIZE > rest) return false;
    tape__wire_t w = {tape__window_at(&t->window, at + 4), (size_t)(rest - at - 4), 0, at + 4};
    tape__text_t key;
    if (!tape__wire_name(&w, &key) || key.length == 0 || !tape__wire_bound(&w, &cell)) return false;
    const uint64_t behind = cell + CELL_SIZE; /* where the next entry's header word stands */
    return behind + TAPE__WORD_SIZE <= rest &&
           tape__get_u32(tape__window_at(&t->window, behind)) != 0;
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
    chain_t here;
    if (t->file.size < ENTRIES_END)
        return bad_entry(t, t->file.size, "the file is cut off; it has 64 KiB or more");
    while ((here = next_entry(t, &at, &e)) == ENTRY) {
        if (!e.cell || e.rest >= 8)
            return bad_entry(t, last, "an entry that is not a key and a number");
        last = at;
    }
    if (here == CHAIN_IS_DAMAGED && being_added(t, at)) return TAPE_OK;
    if (here == CHAIN_IS_DAMAGED) return bad_entry(t, at, "an entry with a length beyond the end");
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
                             tape__min_u64(t->file.size, TAPE__TABLE_SIZE), TAPE__TABLE_SIZE);
    if (*rc != TAPE_OK) return AWAIT_SIZE;
    *word = OBSERVE32(table_entry, tape__window_u32(&t->window, 0));
    return *word == 0 || *word == TAPE__NOT_COMPLETE ? AWAIT_HEADER : READY;
}

/* Whether its creator, who holds a lock on the file (5.3), is still there: an answer. Without one,
 * an unfinished file is an abandoned one. */
static int creator_at_work(tape__table_store_t *t)
{
    int rc = tape__range_state(t->file.fd, 0, 0);
    if (rc < 0) return tape__fail_errno(-rc, t->file.path, "asking who is creating the file");
    return tape__answer(rc == TAPE__RANGE_LOCKED);
}

/* Of one without a complete header: zeros, or what a creator had begun (then the word tells). With
 * the word lost and entries there it is damaged, and not to be filled anew. By calls: what is a
 * hole stays one. */
static int never_filled(const tape__table_store_t *t)
{
    uint8_t some[READ_AT_ONCE];
    uint64_t at = 0;
    for (int64_t n = sizeof some; n == sizeof some; at += (uint64_t)n) {
        n = tape__file_read(t->file.fd, at, some, sizeof some);
        if (n < 0) return tape__fail_errno((int)-n, t->file.path, "reading the table store");
        if (at == 0 && n >= 4 && tape__get_u32(some) == TAPE__NOT_COMPLETE) break;
        for (int64_t i = 0; i < n; i++)
            if (some[i] != 0)
                return tape__fail(TAPE_ECORRUPT, t->file.path, 0,
                                  "%s: the table store has no header, but bytes at offset %" PRIu64,
                                  t->file.path, at + (uint64_t)i);
    }
    return TAPE__NEVER_FILLED;
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
        int at_work = t->file.writable ? creator_at_work(t) : TAPE__NO;
        if (at_work < 0) return at_work;
        if (at_work == TAPE__YES) active = now;
        if (now - active > ABANDONED_AFTER_NS) return never_filled(t);
        if (now - start > CREATION_TIMEOUT_NS)
            return tape__fail(TAPE_ETIMEOUT, t->file.path, 0,
                              "%s: another process has been creating it for 10 s", t->file.path);
        tape__sleep_ns(2000000);
    }
}

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
    chain_t here;
    while ((here = next_entry(t, &at, &e)) == ENTRY) {
        if (!e.cell || e.key.length != length) continue;
        if (strncasecmp((const char *)e.key.text, key, length) != 0) continue;
        s.cell = e.cell;
        return s;
    }
    if (here == END_OF_ENTRIES) s.end = at;
    return s;
}

/* Files from before 5.20.110 have 64 KiB. Java enlarges them on opening; here only one that is
 * nearly full, since no new name begins behind 64 KiB anyway. */
enum { ENLARGE_BELOW = 8 * 1024 }; /* bytes left */

static int enlarge(tape__table_store_t *t)
{
    if (!t->file.writable || t->file.size >= TAPE__TABLE_SIZE) return TAPE_OK;
    if (search(t, "").end + ENLARGE_BELOW < t->file.size) return TAPE_OK;
    int rc = tape__mapping_enlarge(&t->file, TAPE__TABLE_SIZE);
    if (rc != TAPE_OK) return rc;
    tape__window_close(&t->window);
    return tape__window_cover(&t->window, &t->file, 0, TAPE__TABLE_SIZE, TAPE__TABLE_SIZE);
}

/* The words that are changed in place, in a copy whose zeros were made holes. */
static int reserve_entries(tape__table_store_t *t)
{
    const uint64_t end = tape__max_u64(search(t, "").end, t->first_entry);
    return tape__mapping_reserve(&t->file, &t->window, 0, end);
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
    if (rc == TAPE_OK) rc = tape__table_header_read(table, word);
    if (rc == TAPE_OK) rc = check_entries(table);
    if (rc == TAPE_OK) rc = enlarge(table);
    if (rc == TAPE_OK && writable) rc = reserve_entries(table);
    if (rc != TAPE_OK) tape__table_store_close(table);
    return rc;
}

void tape__table_store_close(tape__table_store_t *table)
{
    tape__window_close(&table->window);
    tape__mapping_close(&table->file);
}

/* ---- cells ---- */

int64_t tape__table_store_value(const uint64_t *cell)
{
    return (int64_t)OBSERVE64(tailer_position, cell);
}

void tape__table_store_set(uint64_t *cell, int64_t value)
{
    /* order[tailer_position]: what it points past was published before. */
    PUBLISH64(tailer_position, cell, (uint64_t)value);
}

uint64_t *tape__table_store_entry(tape__table_store_t *table, size_t n, char *key, size_t size)
{
    uint64_t at = table->first_entry;
    entry_t e;
    while (next_entry(table, &at, &e) == ENTRY) {
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

static uint64_t *add_entry(tape__table_store_t *t, const char *key, uint64_t initial)
{
    for (;;) { /* Java may add `normalisedEOFsTo` without the byte lock: then the CLAIM fails */
        search_t s = search(t, key);
        if (s.cell) return s.cell;
        uint8_t body[KEY_MAX + BODY_REST];
        uint64_t cell;
        size_t length = tape__table_build_entry(body, sizeof body, s.end + 4, key, initial, &cell);
        if (s.end == 0) {
            tape__fail(TAPE_ECORRUPT, t->file.path, -1, "%s: the chain of entries has no end",
                       t->file.path);
            return NULL;
        }
        if (length == 0 || s.end >= ENTRIES_END ||
            !tape__window_has(&t->window, s.end, TAPE__WORD_SIZE + length + ZERO_BEHIND)) {
            tape__fail(TAPE_EIO, t->file.path, (int64_t)s.end,
                       "%s: the table store is full, and names are never removed from it: use a "
                       "tailer's name again instead of a new one for each run, or begin a new "
                       "queue", t->file.path);
            return NULL;
        }
        /* Java leaves most of the file a hole. */
        if (tape__mapping_reserve(&t->file, &t->window, s.end,
                                  TAPE__WORD_SIZE + length + ZERO_BEHIND) < 0)
            return NULL;
        memcpy(tape__window_at(&t->window, s.end + 4), body, length);
        /* The next word may hold what a process left that died over a longer entry. */
        memset(tape__window_at(&t->window, s.end + 4 + length), 0, ZERO_BEHIND);
        SYNC_POINT(key_written);
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
    if (tape__table_lock(&table->file) != TAPE_OK) return NULL;
    uint64_t *cell = add_entry(table, key, initial);
    SYNC_POINT(key_added);
    tape__table_lock_release(&table->file);
    return cell;
}
