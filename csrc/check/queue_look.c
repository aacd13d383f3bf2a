/* queue_look.c - see queue_look.h. */
#define _POSIX_C_SOURCE 200809L
#include "check/queue_look.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/options.h"
#include "file/roll_guess.h"
#include "format/file_names.h"

int tape__queue_look_begin(tape__findings_t *f, const char *path,
                           const tape_check_options_t *given)
{
    memset(f, 0, sizeof *f);
    if (!path || !*path) return tape__fail(TAPE_EINVAL, path, -1, "the path is empty");
    if (strlen(path) > TAPE__PATH_SIZE - 300)
        return tape__fail(TAPE_EINVAL, path, -1, "the path is too long");
    return tape__options_copy(&f->options, sizeof f->options, given, path);
}

/* ---- names ---- */

static bool ends_in(const char *name, const char *end)
{
    const size_t n = strlen(name), m = strlen(end);
    return n >= m && strcmp(name + n - m, end) == 0;
}

/* What is beside a queue's files and says nothing. */
static bool is_quiet(const char *name)
{
    return strcmp(name, TAPE__TABLE_NAME) == 0 || strncmp(name, "tape.", 5) == 0 ||
           ends_in(name, TAPE__CYCLE_SUFFIX TAPE__TIMES_SUFFIX);
}

static int add_cycle(tape__queue_look_t *q, int64_t cycle)
{
    if (q->count == q->room) {
        const size_t room = q->room ? q->room * 2 : 64;
        int64_t *more = tape__alloc(room * sizeof *more);
        if (!more) return -ENOMEM;
        if (q->count) memcpy(more, q->cycles, q->count * sizeof *more);
        tape__free(q->cycles);
        q->cycles = more;
        q->room = room;
    }
    q->cycles[q->count++] = cycle;
    return 0;
}

static void tell_name(tape__queue_look_t *q, const char *name)
{
    char path[TAPE__PATH_SIZE];
    if (!q->f || is_quiet(name) || strcmp(name, TAPE__LISTING_4_NAME) == 0) return;
    snprintf(path, sizeof path, "%.900s/%.255s", q->path, name);
    tape__findings_begin_file(q->f, path);
    if (tape__roll_cycle_suffix(name))
        tape__findings_add(q->f, TAPE__FOUND_FOREIGN_NAME, TAPE_DAMAGE, -1, -1,
                           "not the name of a cycle of this queue");
    else if (ends_in(name, TAPE__CYCLE_SUFFIX ".gz") || ends_in(name, TAPE__CYCLE_SUFFIX ".zst"))
        tape__findings_add(q->f, TAPE__FOUND_COMPRESSED, TAPE_NOTE, -1, -1,
                           "a compressed cycle, which is not looked into");
    else if (strstr(name, TAPE__CYCLE_SUFFIX "-") || ends_in(name, ".precreated") ||
             strncmp(name, TAPE__TEMPORARY_PREFIX, sizeof TAPE__TEMPORARY_PREFIX - 1) == 0)
        tape__findings_add(q->f, TAPE__FOUND_LEFTOVER, TAPE_NOTE, -1, -1,
                           "set aside, made early, or left by a process that died");
    else
        tape__findings_add(q->f, TAPE__FOUND_FOREIGN_FILE, TAPE_NOTE, -1, -1,
                           "no file of a queue; it is left alone");
}

static int look_at_name(void *user, const char *name)
{
    tape__queue_look_t *q = user;
    int64_t cycle;
    if (strcmp(name, TAPE__LISTING_4_NAME) == 0) q->listing_4 = true;
    if (tape__roll_cycle_suffix(name)) q->any_file = true;
    if (q->roll_cycle && tape__roll_cycle_parse(q->roll_cycle, q->epoch_ms, name, &cycle))
        return add_cycle(q, cycle);
    tell_name(q, name);
    return 0;
}

static int by_number(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

/* ---- reading ---- */

static int read_table(tape__queue_look_t *q)
{
    int rc = tape__table_look_read(&q->table, q->table_path);
    q->has_table = rc == 0;
    if (rc == -ENOENT || rc == -ENOTDIR) return TAPE_OK;
    if (rc < 0) return tape__fail_errno(-rc, q->table_path, "reading the table store");
    if (q->f) {
        tape__findings_begin_file(q->f, q->table_path);
        q->f->report.files++;
    }
    tape__table_look_parse(&q->table, q->f);
    return TAPE_OK;
}

static int read_names(tape__queue_look_t *q)
{
    const tape__settings_t *s = &q->table.store.settings;
    q->roll_cycle = NULL;
    q->epoch_ms = 0;
    q->count = 0;
    if (q->has_table && q->table.header_is_sound) {
        q->roll_cycle = s->roll_cycle;
        q->epoch_ms = tape__roll_cycle_epoch(s->roll_cycle, s->epoch_ms);
    } else {
        int rc = tape__roll_guess(q->path, &q->roll_cycle, NULL, 0);
        if (rc != TAPE_OK) return rc;
        if (q->roll_cycle) q->epoch_ms = tape__roll_cycle_epoch(q->roll_cycle, 0);
    }
    int rc = tape__list_directory(q->path, look_at_name, q);
    if (rc < 0) return tape__fail_errno(-rc, q->path, "listing the directory");
    if (q->count) qsort(q->cycles, q->count, sizeof *q->cycles, by_number);
    return TAPE_OK;
}

int tape__queue_look_again(tape__queue_look_t *q)
{
    /* The words first: a file is linked before they name it. */
    tape__table_look_free(&q->table);
    int rc = read_table(q);
    return rc == TAPE_OK ? read_names(q) : rc;
}

int tape__queue_look_open(tape__queue_look_t *q, const char *path, tape__findings_t *f)
{
    memset(q, 0, sizeof *q);
    snprintf(q->path, sizeof q->path, "%s", path);
    snprintf(q->table_path, sizeof q->table_path, "%.900s/" TAPE__TABLE_NAME, path);
    q->f = f;
    int rc = tape__queue_look_again(q);
    q->f = NULL;
    if (rc == TAPE_OK && !q->has_table && !q->any_file)
        rc = tape__fail(TAPE_ENOTFOUND, path, -1, "%s is a directory without a queue", path);
    if (rc != TAPE_OK) tape__queue_look_close(q);
    return rc;
}

void tape__queue_look_close(tape__queue_look_t *q)
{
    tape__table_look_free(&q->table);
    tape__free(q->cycles);
    q->cycles = NULL;
}

void tape__queue_look_path(const tape__queue_look_t *q, int64_t cycle, char *out, size_t size)
{
    char name[TAPE__NAME_MAX] = "";
    tape__roll_cycle_spell(q->roll_cycle, q->epoch_ms, cycle, name, sizeof name);
    snprintf(out, size, "%.900s/%s", q->path, name);
}

tape__cycle_facts_t tape__queue_look_facts(const tape__queue_look_t *q, int64_t cycle, bool at_rest)
{
    const tape__table_entry_t *lock =
        q->has_table ? tape__table_look_find(&q->table, TAPE__KEY_WRITE_LOCK) : NULL;
    return (tape__cycle_facts_t){q->roll_cycle, cycle,
                                 q->count > 0 && cycle == q->cycles[q->count - 1], at_rest,
                                 q->table_path, lock ? lock->at : 0};
}
