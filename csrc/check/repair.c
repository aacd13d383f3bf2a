/* repair.c - mending a queue: each file into the result, or in its own place. */
#include "check/repair.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/platform_check.h"
#include "base/sync_point.h"
#include "check/mend.h"
#include "format/file_names.h"

enum { TEXT_SIZE = 300 };

static int64_t wrongs(const tape__findings_t *f)
{
    return f->report.damage + f->report.unfinished;
}

static int keep_first(void *user, const tape_finding_t *finding)
{
    if (finding->level > TAPE_NOTE)
        snprintf(user, TEXT_SIZE, "%s at 0x%" PRIx64 ": %s", finding->kind,
                 (uint64_t)finding->offset, finding->text);
    return finding->level > TAPE_NOTE;
}

/* Checks a file at rest without telling anybody: whether it is sound. `why`: what it is not. */
static bool is_sound(const char *path, const tape__cycle_facts_t *facts, int64_t *count, char *why)
{
    tape__findings_t *quiet = tape__alloc(sizeof *quiet);
    why[0] = 0;
    if (!quiet) return false;
    quiet->options.finding = keep_first;
    quiet->options.finding_user = why;
    (void)tape__cycle_check_file(quiet, path, facts, count, NULL);
    const bool sound = wrongs(quiet) == 0;
    tape__free(quiet);
    return sound;
}

/* Whether there is any byte in a file that could not be used. */
static bool holds_bytes(const char *path)
{
    tape__file_bytes_t b;
    if (tape__file_bytes_open(&b, path, false) < 0) return false;
    const bool any = tape__file_bytes_nonzero(&b, 4, b.size) < b.size;
    tape__file_bytes_close(&b);
    return any;
}

/* What is at `path` is a copy of `shown`, and becomes sound. Whether anything can be had of
 * it, so that it is one of the result: an answer. */
static int make_sound(tape__repair_t *r, const char *path, const char *shown,
                      const tape__cycle_facts_t *facts, int64_t *count)
{
    char why[TEXT_SIZE];
    if (is_sound(path, facts, count, why)) return TAPE__YES;
    int rc = tape__mend_file(r->f, path, shown, facts, count);
    if (rc == TAPE_ENOTFOUND) {
        r->f->report.dropped_files += holds_bytes(path);
        tape__findings_add(r->f, TAPE__FOUND_MENDED, TAPE_NOTE, -1, -1,
                           "nothing can be had of the file; it is left out");
        return TAPE__NO;
    }
    if (rc != TAPE_OK) return rc;
    if (is_sound(path, facts, count, why)) return TAPE__YES;
    return tape__fail(TAPE_EINTERNAL, shown, -1, "%s: the mended file is not sound: %s", shown,
                      why);
}

static int keep_cycle(tape__repair_t *r, int64_t cycle, int64_t count)
{
    r->cycles[r->count++] = (tape__mended_cycle_t){cycle, count};
    r->f->report.messages += count;
    return TAPE_OK;
}

/* In place, a file of which nothing can be had goes out of the way. */
static int set_aside(const char *path)
{
    char aside[TAPE__PATH_SIZE];
    snprintf(aside, sizeof aside, "%.1100s-%" PRId64 TAPE__DISCARD_SUFFIX, path, tape__now_ms());
    int rc = tape__rename(path, aside);
    SYNC_POINT(repair_set_aside);
    return rc < 0 ? tape__fail_errno(-rc, path, "moving the file aside") : TAPE_OK;
}

static int mend_in_place(tape__repair_t *r, int64_t cycle, const char *path,
                         const tape__cycle_facts_t *facts)
{
    char temporary[TAPE__PATH_SIZE];
    int64_t count = 0;
    tape__repair_temporary(r, temporary, sizeof temporary);
    int rc = tape__repair_copy(r, path, temporary);
    SYNC_POINT(repair_copied);
    if (rc == TAPE_OK && !r->f->stopped) rc = make_sound(r, temporary, path, facts, &count);
    SYNC_POINT(repair_mended);
    if (rc == TAPE__YES && !r->f->stopped) {
        rc = tape__repair_replace(r, temporary, path);
        return rc == TAPE_OK ? keep_cycle(r, cycle, count) : rc;
    }
    (void)tape__unlink(temporary);
    if (rc == TAPE__NO && !r->f->stopped) return set_aside(path);
    return rc < 0 ? rc : TAPE_OK;
}

static int mend_copy(tape__repair_t *r, int64_t cycle, const char *path,
                     const tape__cycle_facts_t *facts)
{
    char target[TAPE__PATH_SIZE];
    int64_t count = 0;
    snprintf(target, sizeof target, "%.900s%s", r->into, strrchr(path, '/'));
    int rc = tape__repair_copy(r, path, target);
    if (rc == TAPE_OK && !r->f->stopped) rc = make_sound(r, target, path, facts, &count);
    if (rc == TAPE__YES) return keep_cycle(r, cycle, count);
    (void)tape__unlink(target);
    return rc < 0 ? rc : TAPE_OK;
}

static int64_t size_of(const char *path)
{
    tape__stat_t st;
    if (tape__stat_path(path, &st) < 0) return 0;
    return (int64_t)(st.size < st.allocated ? st.size : st.allocated);
}

/* Of each file half of the work is to check it, half to copy it. */
static void told_to(tape__findings_t *f, int64_t done)
{
    tape__findings_progress(f, done > f->done ? done - f->done : 0);
}

/* They were kept from the newest down. */
static void sort_cycles(tape__repair_t *r)
{
    for (size_t n = 0; n < r->count / 2; n++) {
        const tape__mended_cycle_t kept = r->cycles[n];
        r->cycles[n] = r->cycles[r->count - 1 - n];
        r->cycles[r->count - 1 - n] = kept;
    }
}

/* From the newest down: the first one of which anything can be had is not ended, so that messages
 * can be written while the clock is in it. */
static int mend_cycles(tape__repair_t *r)
{
    int64_t done = 0;
    char path[TAPE__PATH_SIZE];
    int64_t count;
    int rc = TAPE_OK;
    for (size_t n = 0; n < r->q.count; n++) {
        tape__queue_look_path(&r->q, r->q.cycles[n], path, sizeof path);
        r->f->total += 2 * size_of(path);
    }
    for (size_t n = r->q.count; n-- > 0 && rc == TAPE_OK && !r->f->stopped;) {
        const int64_t cycle = r->q.cycles[n], before = r->f->report.messages;
        const int64_t wrong = wrongs(r->f);
        tape__cycle_facts_t facts = tape__queue_look_facts(&r->q, cycle, true);
        facts.newest = r->count == 0;
        tape__queue_look_path(&r->q, cycle, path, sizeof path);
        if (!tape__cycle_check_file(r->f, path, &facts, &count, NULL))
            continue; /* deleted meanwhile */
        r->f->report.messages = before;
        done += size_of(path);
        told_to(r->f, done);
        if (r->f->stopped) break;
        if (!r->in_place) rc = mend_copy(r, cycle, path, &facts);
        else if (wrongs(r->f) > wrong) rc = mend_in_place(r, cycle, path, &facts);
        else rc = keep_cycle(r, cycle, count);
        done += size_of(path);
        if (rc == TAPE_OK && !r->f->stopped) told_to(r->f, done);
    }
    sort_cycles(r);
    return rc;
}

/* ---- compressed cycles go with the copy ---- */

static int copy_compressed(void *user, const char *name)
{
    tape__repair_t *r = user;
    char from[TAPE__PATH_SIZE], to[TAPE__PATH_SIZE];
    const char *end = strrchr(name, '.');
    const size_t plain = end ? (size_t)(end - name) : 0, suffix = sizeof TAPE__CYCLE_SUFFIX - 1;
    if (!end || (strcmp(end, ".gz") != 0 && strcmp(end, ".zst") != 0)) return 0;
    if (plain < suffix || memcmp(end - suffix, TAPE__CYCLE_SUFFIX, suffix) != 0) return 0;
    snprintf(from, sizeof from, "%.900s/%.255s", r->q.path, name);
    snprintf(to, sizeof to, "%.900s/%.255s", r->into, name);
    return tape__repair_copy(r, from, to) == TAPE_OK ? 0 : 1;
}

/* ---- the whole ---- */

static int begin_in_place(tape__repair_t *r)
{
    char temporary[TAPE__PATH_SIZE];
    snprintf(r->into, sizeof r->into, "%s", r->q.path);
    int rc = tape__repair_keep_others_out(r);
    if (rc != TAPE_OK) return rc;
    tape__repair_temporary(r, temporary, sizeof temporary);
    (void)tape__unlink(temporary); /* of one that died */
    return TAPE_OK;
}

static int begin_copy(tape__repair_t *r, const char *into)
{
    if (!into || !*into || strlen(into) > TAPE__PATH_SIZE - 300)
        return tape__fail(TAPE_EINVAL, into, -1, "no directory for the copy");
    snprintf(r->into, sizeof r->into, "%s", into);
    int rc = tape__mkdir(into);
    if (rc == -EEXIST)
        return tape__fail(TAPE_EINVAL, into, -1, "%s exists: the copy wants a new directory", into);
    return rc < 0 ? tape__fail_errno(-rc, into, "making the directory of the copy") : TAPE_OK;
}

/* One file of Chronicle Queue 4 is enough: nothing here can write it. */
static int refuse_version_4(const tape__repair_t *r)
{
    char path[TAPE__PATH_SIZE];
    for (size_t n = 0; n < r->q.count; n++) {
        tape__cycle_look_t look;
        tape__queue_look_path(&r->q, r->q.cycles[n], path, sizeof path);
        if (tape__cycle_look_open(&look, path, false) < 0) continue;
        const int rc = tape__cycle_look_header(&look);
        tape__cycle_look_close(&look);
        if (rc == TAPE_EUNSUPPORTED) return rc;
    }
    return TAPE_OK;
}

static int repair(tape__repair_t *r, const char *into)
{
    tape__findings_t *f = r->f;
    int rc = refuse_version_4(r);
    if (rc != TAPE_OK) return rc;
    f->report.nothing = !r->q.roll_cycle;
    if (!r->q.roll_cycle) return TAPE_OK;
    rc = r->in_place ? begin_in_place(r) : begin_copy(r, into);
    r->cycles = tape__alloc((r->q.count + 1) * sizeof *r->cycles);
    if (rc == TAPE_OK && !r->cycles) rc = tape__fail(TAPE_ENOMEM, into, -1, "out of memory");
    if (rc == TAPE_OK) rc = mend_cycles(r);
    if (rc == TAPE_OK && !f->stopped && !r->in_place) {
        rc = tape__list_directory(r->q.path, copy_compressed, r);
        rc = rc == 0 ? TAPE_OK : rc < 0 ? tape__fail_errno(-rc, r->q.path, "listing the directory")
                                        : tape__error_code();
    }
    if (rc == TAPE_OK && !f->stopped) rc = tape__repair_table(r);
    if (rc == TAPE_OK && !f->stopped) rc = tape__repair_sync_directory(r->into);
    if (f->report.dropped_files && f->report.messages == 0) f->report.nothing = 1;
    return rc;
}

int tape_repair(const char *path, const char *into, const tape_check_options_t *options,
                tape_check_report_t *report)
{
    tape__findings_t *f = tape__alloc(sizeof *f);
    tape__repair_t *r = tape__alloc(sizeof *r);
    int rc = TAPE_OK;
    if (!f || !r) rc = tape__fail(TAPE_ENOMEM, path, -1, "out of memory");
    if (rc == TAPE_OK) rc = tape__queue_look_begin(f, path, options);
    if (rc == TAPE_OK && (f->options.flags & ~(uint32_t)TAPE_IN_PLACE))
        rc = tape__fail(TAPE_EINVAL, path, -1, "a flag that mending does not know");
    if (rc == TAPE_OK) {
        r->f = f;
        r->lease = -1;
        r->in_place = (f->options.flags & TAPE_IN_PLACE) != 0;
        rc = tape__queue_look_open(&r->q, path, f);
        if (rc == TAPE_OK) {
            rc = repair(r, into);
            const int let = tape__repair_let_others_in(r);
            if (rc == TAPE_OK) rc = let;
            tape__queue_look_close(&r->q);
        }
    }
    if (report && f) *report = f->report;
    if (rc == TAPE_OK && f->stopped) rc = 1;
    if (r) tape__free(r->cycles);
    tape__free(r);
    tape__free(f);
    return rc;
}
