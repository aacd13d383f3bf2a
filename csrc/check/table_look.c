/* table_look.c - see table_look.h; the bytes are those of format.md 5. */
#define _POSIX_C_SOURCE 200809L
#include "check/table_look.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/bytes.h"
#include "base/error.h"
#include "format/header_word.h"

enum { ENTRY_MIN = 16, SIZE_OF_OLD = 64 * 1024 };

int tape__table_look_read(tape__table_look_t *t, const char *path)
{
    tape__stat_t st;
    memset(t, 0, sizeof *t);
    int fd = tape__open_file(path, TAPE__RDONLY);
    if (fd < 0) return fd;
    t->bytes = tape__alloc(TAPE__TABLE_SIZE);
    t->entries = tape__alloc(sizeof *t->entries * (TAPE__TABLE_SIZE / ENTRY_MIN));
    int rc = t->bytes && t->entries ? tape__stat_fd(fd, &st) : -ENOMEM;
    if (rc == 0) {
        int64_t got = tape__file_read(fd, 0, t->bytes, TAPE__TABLE_SIZE);
        if (got < 0) rc = (int)got;
        t->size = st.size;
    }
    tape__close_file(fd);
    if (rc < 0) tape__table_look_free(t);
    snprintf(t->store.file.path, sizeof t->store.file.path, "%s", path);
    return rc;
}

void tape__table_look_free(tape__table_look_t *t)
{
    tape__free(t->bytes);
    tape__free(t->entries);
    t->bytes = NULL;
    t->entries = NULL;
}

static uint64_t readable(const tape__table_look_t *t)
{
    return tape__min_u64(t->size, TAPE__TABLE_SIZE);
}

static void read_header(tape__table_look_t *t, tape__findings_t *f)
{
    tape_error_facts_t facts;
    t->store.window = (tape__window_t){t->bytes, 0, readable(t), true};
    t->store.file.size = t->size;
    const uint32_t word = tape__get_u32(t->bytes);
    int rc = tape__table_header_read(&t->store, word);
    t->store.window.base = NULL;
    t->header_is_sound = rc == TAPE_OK;
    if (rc == TAPE_OK || !f) return;
    tape_error_last(&facts);
    if (word == 0 || word == TAPE__NOT_COMPLETE)
        tape__findings_add(f, TAPE__FOUND_TABLE_HEADER, TAPE_DAMAGE, 0, -1,
                           "the header was never made to its end");
    else
        tape__findings_add(f, TAPE__FOUND_TABLE_HEADER, TAPE_DAMAGE, facts.position, -1, "%s",
                           facts.message);
}

bool tape__table_look_entry(const tape__table_look_t *t, uint64_t at, tape__table_entry_t *e,
                            uint64_t *next)
{
    const uint64_t end = readable(t);
    if (at + TAPE__WORD_SIZE > end) return false;
    const uint32_t word = tape__get_u32(t->bytes + at), length = tape__word_length(word);
    if (tape__word_kind(word) != TAPE__WORD_DATA || at + TAPE__WORD_SIZE + length > end)
        return false;
    tape__wire_t w = {t->bytes + at + 4, length, 0, at + 4};
    if (!tape__wire_name(&w, &e->key) || e->key.length == 0 || !tape__wire_bound(&w, &e->at))
        return false;
    if (w.size - w.at >= 8) return false;
    e->value = tape__get_u64(t->bytes + e->at);
    *next = tape__word_next(at, length, true);
    return true;
}

/* Whether the end of the chain is one: no entry may follow. */
static void check_end(tape__table_look_t *t, tape__findings_t *f)
{
    const uint64_t end = readable(t);
    uint64_t at = t->end + TAPE__WORD_SIZE;
    if (at < end) at += tape__zeros(t->bytes + at, (size_t)(end - at));
    if (at >= end) return;
    tape__table_entry_t e;
    uint64_t next;
    for (uint64_t p = tape__align_down(at, 4) - 4; p + 8 < end && p < at + 1024; p += 4)
        if (p > t->end && tape__table_look_entry(t, p, &e, &next)) t->chain_is_sound = false;
    if (!f) return;
    if (!t->chain_is_sound)
        tape__findings_add(f, TAPE__FOUND_TABLE_ENTRY, TAPE_DAMAGE, (int64_t)t->end, -1,
                           "the chain ends here, but entries follow");
    else
        tape__findings_add(f, TAPE__FOUND_TABLE_TAIL, TAPE_UNFINISHED, (int64_t)at, -1,
                           "bytes behind the last entry: a process died while it added one");
}

static void follow(tape__table_look_t *t, tape__findings_t *f)
{
    uint64_t next = 0;
    t->end = t->store.first_entry;
    t->chain_is_sound = true;
    while (tape__table_look_entry(t, t->end, &t->entries[t->count], &next)) {
        t->count++;
        t->end = next;
    }
    const uint32_t word = t->end + 4 <= readable(t) ? tape__get_u32(t->bytes + t->end) : 0;
    if (word == TAPE__NOT_COMPLETE) {
        if (f) tape__findings_add(f, TAPE__FOUND_TABLE_TAIL, TAPE_UNFINISHED, (int64_t)t->end, -1,
                                  "an entry that was not added to its end");
        return;
    }
    if (word != 0) {
        t->chain_is_sound = false;
        if (f) tape__findings_add(f, TAPE__FOUND_TABLE_ENTRY, TAPE_DAMAGE, (int64_t)t->end, -1,
                                  "an entry that is not a key and a number (word 0x%08x)", word);
        return;
    }
    check_end(t, f);
}

static bool is_key(const tape__text_t key, const char *name)
{
    return key.length == strlen(name) &&
           strncasecmp((const char *)key.text, name, key.length) == 0;
}

/* An opener adds the missing ones with the values of a new queue. */
static void check_keys(const tape__table_look_t *t, tape__findings_t *f)
{
    static const char *const needed[] = {TAPE__KEY_HIGHEST, TAPE__KEY_LOWEST, TAPE__KEY_MOD_COUNT,
                                         TAPE__KEY_WRITE_LOCK};
    for (size_t n = 0; n < sizeof needed / sizeof *needed && t->chain_is_sound; n++)
        if (!tape__table_look_find(t, needed[n]))
            tape__findings_add(f, TAPE__FOUND_TABLE_KEY, TAPE_DAMAGE, (int64_t)t->end, -1,
                               "there is no entry %s", needed[n]);
    for (int i = 0; i < t->count; i++)
        for (int k = 0; k < i; k++)
            if (t->entries[k].key.length == t->entries[i].key.length &&
                strncasecmp((const char *)t->entries[k].key.text,
                            (const char *)t->entries[i].key.text, t->entries[i].key.length) == 0) {
                tape__findings_add(f, TAPE__FOUND_TABLE_KEY, TAPE_DAMAGE,
                                   (int64_t)t->entries[i].at, -1, "the entry %.*s is there twice",
                                   (int)t->entries[i].key.length,
                                   (const char *)t->entries[i].key.text);
                break;
            }
}

void tape__table_look_parse(tape__table_look_t *t, tape__findings_t *f)
{
    t->count = 0;
    read_header(t, f);
    if (!t->header_is_sound) return;
    follow(t, f);
    if (!f) return;
    if (t->size < SIZE_OF_OLD) {
        t->chain_is_sound = false;
        tape__findings_add(f, TAPE__FOUND_TABLE_ENTRY, TAPE_DAMAGE, (int64_t)t->size, -1,
                           "the file is cut off: it has 64 KiB or more");
    } else if (t->size != TAPE__TABLE_SIZE && t->size != SIZE_OF_OLD) {
        tape__findings_add(f, TAPE__FOUND_TABLE_SIZE, TAPE_NOTE, (int64_t)t->size, -1,
                           "%" PRIu64 " bytes, where Java makes 131072", t->size);
    }
    check_keys(t, f);
}

const tape__table_entry_t *tape__table_look_find(const tape__table_look_t *t, const char *key)
{
    for (int i = 0; i < t->count; i++)
        if (is_key(t->entries[i].key, key)) return &t->entries[i];
    return NULL;
}

static bool ends_in(tape__text_t key, const char *end)
{
    const size_t n = strlen(end);
    return key.length >= n &&
           strncasecmp((const char *)key.text + key.length - n, end, n) == 0;
}

tape__text_t tape__table_look_tailer(const tape__table_entry_t *e)
{
    static const char prefix[] = "index.";
    const size_t n = sizeof prefix - 1;
    if (e->key.length <= n || strncasecmp((const char *)e->key.text, prefix, n) != 0 ||
        ends_in(e->key, ".version") || ends_in(e->key, ".lock"))
        return (tape__text_t){NULL, 0};
    return (tape__text_t){e->key.text + n, e->key.length - n};
}

bool tape__table_look_is_lock(const tape__table_entry_t *e)
{
    return is_key(e->key, TAPE__KEY_WRITE_LOCK) || is_key(e->key, TAPE__KEY_APPEND_LOCK) ||
           is_key(e->key, "chronicle.queue.lock") ||
           (ends_in(e->key, ".lock") && e->key.length > 6 &&
            strncasecmp((const char *)e->key.text, "index.replicated:", 17) == 0);
}
