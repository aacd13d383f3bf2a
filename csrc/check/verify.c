/* verify.c - checking a queue: what its files say of each other. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "check/queue_look.h"

enum { LOOKS = 5, PAUSE_NS = 2000000 };

/* ---- what the table store says of the files ---- */

static bool word_fits(const tape__queue_look_t *q, const char *key, int64_t wanted, int64_t unset)
{
    const tape__table_entry_t *e = tape__table_look_find(&q->table, key);
    if (!e) return true; /* told where keys are looked for */
    if (q->count == 0)
        return e->value == TAPE__MIN64 || (int64_t)e->value == unset;
    return (int64_t)e->value == wanted;
}

static bool listing_fits(const tape__queue_look_t *q)
{
    const int64_t first = q->count ? q->cycles[0] : 0;
    const int64_t last = q->count ? q->cycles[q->count - 1] : 0;
    return word_fits(q, TAPE__KEY_LOWEST, first, INT32_MAX) &&
           word_fits(q, TAPE__KEY_HIGHEST, last, INT32_MIN);
}

/* A word that names fewer cycles than there are is what somebody leaves who dies while he makes,
 * removes or brings back a file; whoever reads the directory next, or takes his lock over, mends
 * it. */
static void tell_word(tape__findings_t *f, const tape__queue_look_t *q, const char *key,
                      int64_t wanted, int64_t unset)
{
    const tape__table_entry_t *e = tape__table_look_find(&q->table, key);
    if (!e || word_fits(q, key, wanted, unset)) return;
    const bool weekly = strcmp(q->roll_cycle->name, "WEEKLY") == 0; /* Java writes nonsense (1.8) */
    const int64_t named = (int64_t)e->value;
    const bool fewer = named >= 0 && (unset == INT32_MAX ? named > wanted : named < wanted);
    if (q->count)
        tape__findings_add(f, TAPE__FOUND_LISTING,
                           weekly  ? TAPE_NOTE
                           : fewer ? TAPE_UNFINISHED
                                   : TAPE_DAMAGE,
                           (int64_t)e->at, -1, "%s is %" PRId64 ", the files say %" PRId64, key,
                           named, wanted);
    else
        tape__findings_add(f, TAPE__FOUND_LISTING, TAPE_NOTE, (int64_t)e->at, -1,
                           "%s is %" PRId64 ", and there is no cycle file", key, named);
}

static void check_listing(tape__findings_t *f, tape__queue_look_t *q)
{
    const tape__cycle_facts_t facts = tape__queue_look_facts(q, 0, false);
    for (int look = 0; look < LOOKS && !listing_fits(q); look++) {
        tape__sleep_ns(PAUSE_NS);
        if (tape__queue_look_again(q) != TAPE_OK) return;
    }
    tape__findings_begin_file(f, q->table_path);
    if (listing_fits(q)) return;
    if (tape__cycle_check_lock_lives(&facts)) {
        tape__findings_add(f, TAPE__FOUND_IN_FLIGHT, TAPE_NOTE, -1, -1,
                           "a writer is at work, and the listing is behind the files");
        return;
    }
    tell_word(f, q, TAPE__KEY_LOWEST, q->count ? q->cycles[0] : 0, INT32_MAX);
    tell_word(f, q, TAPE__KEY_HIGHEST, q->count ? q->cycles[q->count - 1] : 0, INT32_MIN);
}

static void check_locks(tape__findings_t *f, const tape__queue_look_t *q)
{
    for (int i = 0; i < q->table.count; i++) {
        const tape__table_entry_t *e = &q->table.entries[i];
        if (!tape__table_look_is_lock(e) || e->value == TAPE__LOCK_FREE) continue;
        const int64_t holder = tape__table_keys_holder(e->value);
        const bool lives = tape__process_alive(holder);
        tape__findings_add(f, lives ? TAPE__FOUND_IN_FLIGHT : TAPE__FOUND_LOCK,
                           lives ? TAPE_NOTE : TAPE_UNFINISHED, (int64_t)e->at, -1,
                           "%.*s is held by process %" PRId64 ", which %s", (int)e->key.length,
                           (const char *)e->key.text, holder, lives ? "lives" : "is dead");
    }
}

/* The word says that all cycles below it have END_OF_DATA. It is above the newest one where a
 * writer ended that, and died or gave up before it made the next: then it is true. */
static void check_normalised(tape__findings_t *f, const tape__queue_look_t *q, bool newest_ended)
{
    const tape__table_entry_t *e = tape__table_look_find(&q->table, "normalisedEOFsTo");
    if (!e || q->count == 0 || (int64_t)e->value <= q->cycles[q->count - 1]) return;
    tape__findings_add(f, TAPE__FOUND_NORMALISED, newest_ended ? TAPE_NOTE : TAPE_DAMAGE,
                       (int64_t)e->at, -1,
                       "normalisedEOFsTo is %" PRId64 ", above the newest cycle %" PRId64 "%s",
                       (int64_t)e->value, q->cycles[q->count - 1],
                       newest_ended ? ", which is finished" : "");
}

/* ---- named tailers: `positions` are the entries as read before any file ---- */

static void check_tailer(tape__findings_t *f, const tape__queue_look_t *q,
                         const tape__table_entry_t *e, const int64_t *counts)
{
    const tape__text_t name = tape__table_look_tailer(e);
    const int64_t index = (int64_t)e->value;
    if (name.length == 0 || index == 0) return;
    const int64_t cycle = tape__index_cycle(q->roll_cycle, index);
    const int64_t sequence = tape__index_sequence(q->roll_cycle, index);
    size_t n = 0;
    while (n < q->count && q->cycles[n] != cycle) n++;
    if (n == q->count) {
        const bool above = q->count && cycle > q->cycles[q->count - 1];
        tape__findings_add(f, TAPE__FOUND_TAILER, above || index < 0 ? TAPE_DAMAGE : TAPE_NOTE,
                           (int64_t)e->at, index, "tailer %.*s stands at 0x%" PRIx64
                           ", in a cycle without a file", (int)name.length,
                           (const char *)name.text, (uint64_t)index);
    } else if (sequence > counts[n]) {
        tape__findings_add(f, TAPE__FOUND_TAILER, TAPE_DAMAGE, (int64_t)e->at, index,
                           "tailer %.*s stands at message %" PRId64 " of a cycle with %" PRId64
                           ": what is written until then would be skipped", (int)name.length,
                           (const char *)name.text, sequence, counts[n]);
    }
}

/* ---- the whole ---- */

static int64_t size_of(const char *path)
{
    tape__stat_t st;
    if (tape__stat_path(path, &st) < 0) return 0;
    return (int64_t)(st.size < st.allocated ? st.size : st.allocated);
}

/* *newest_ended: whether the last one is finished. */
static void check_cycles(tape__findings_t *f, const tape__queue_look_t *q, int64_t *counts,
                         bool *newest_ended)
{
    char path[TAPE__PATH_SIZE];
    for (size_t n = 0; n < q->count; n++) {
        tape__queue_look_path(q, q->cycles[n], path, sizeof path);
        f->total += size_of(path);
    }
    int64_t before = 0;
    for (size_t n = 0; n < q->count && !f->stopped; n++) {
        const tape__cycle_facts_t facts = tape__queue_look_facts(q, q->cycles[n], false);
        tape__queue_look_path(q, q->cycles[n], path, sizeof path);
        before += size_of(path);
        (void)tape__cycle_check_file(f, path, &facts, &counts[n], newest_ended);
        if (before > f->done) tape__findings_progress(f, before - f->done);
    }
}

static int verify(tape__findings_t *f, tape__queue_look_t *q)
{
    const size_t size = (q->count ? q->count : 1) * sizeof(int64_t);
    int64_t *counts = tape__alloc(size);
    bool newest_ended = false;
    if (!counts) return tape__fail(TAPE_ENOMEM, q->path, -1, "out of memory");
    check_cycles(f, q, counts, &newest_ended);
    if (q->has_table && q->table.header_is_sound && !f->stopped) {
        tape__findings_begin_file(f, q->table_path);
        for (int i = 0; i < q->table.count && !f->stopped; i++)
            check_tailer(f, q, &q->table.entries[i], counts);
        check_locks(f, q);
        check_listing(f, q); /* last: it may read the directory again */
        check_normalised(f, q, newest_ended);
    } else if (!q->has_table && q->count && !q->listing_4 && f->report.messages > 0) {
        tape__findings_begin_file(f, q->table_path);
        tape__findings_add(f, TAPE__FOUND_NO_TABLE, TAPE_DAMAGE, -1, -1,
                           "the table store is missing: with it settings, locks and the positions "
                           "of named tailers");
    }
    tape__free(counts);
    return TAPE_OK;
}

int tape_verify(const char *path, const tape_check_options_t *options, tape_check_report_t *report)
{
    tape__findings_t *f = tape__alloc(sizeof *f + sizeof(tape__queue_look_t));
    if (!f) return tape__fail(TAPE_ENOMEM, path, -1, "out of memory");
    tape__queue_look_t *q = (tape__queue_look_t *)(void *)(f + 1);
    int rc = tape__queue_look_begin(f, path, options);
    if (rc == TAPE_OK && f->options.flags)
        rc = tape__fail(TAPE_EINVAL, path, -1, "a flag that checking does not know");
    if (rc == TAPE_OK) {
        rc = tape__queue_look_open(q, path, f);
        if (rc == TAPE_OK) {
            rc = verify(f, q);
            tape__queue_look_close(q);
        }
    }
    if (report) *report = f->report;
    if (rc == TAPE_OK && f->stopped) rc = 1;
    tape__free(f);
    return rc;
}
