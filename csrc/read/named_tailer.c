/* named_tailer.c - positions that survive restarts, shared with Java (format.md 12.5).
 *
 *     index.<id>   the index of the next read; 0 when nothing is stored
 *
 * The word is a plain 64-bit cell without an owner: two tailers with one name would each move it.
 * So a name is marked as in use for this host, by a kernel lock on a byte of the side file and,
 * within the process, by a list; Java knows neither and must be kept apart by its users, as in Java
 * itself. Names that begin with "replicated:" belong to Java's replication: they are read, never
 * changed.
 */
#define _POSIX_C_SOURCE 200809L
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/error.h"
#include "base/platform.h"
#include "file/cycle_chain.h"
#include "file/tailer_names.h"
#include "read/tailer.h"

enum { LOOK_EVERY_MS = 100, KEY_SIZE = 512 };

static bool is_replicated(const char *id) { return strncasecmp(id, "replicated:", 11) == 0; }

/* FNV-1a over the name in lower case: Java's keys ignore case. */
static uint64_t hash_of(const char *id)
{
    uint64_t hash = UINT64_C(0xCBF29CE484222325);
    for (; *id; id++) {
        unsigned char c = (unsigned char)*id;
        if (c >= 'A' && c <= 'Z') c = (unsigned char)(c + 32);
        hash = (hash ^ c) * UINT64_C(0x100000001B3);
    }
    return hash;
}

/* For tailers without a name, and those that store nothing: nobody takes it from them. */
static const uint64_t no_thefts;

/* The process has its slot in the side file since the queue was opened, if it can have one. */
static int mark_in_use(tape_tailer_t *t, bool steal)
{
    tape__site_t *site = t->site;
    tape__name_claim_t got;
    int rc = tape__name_claim(site->entry, site->path, t->name.hash, t, steal, &got);
    if (rc == TAPE_ENOMEM) return tape__fail(TAPE_ENOMEM, site->path, -1, "out of memory");
    if (rc == TAPE_OK) {
        t->name.thefts = got.thefts;
        t->name.seen = got.seen;
        t->name.marked = true;
        return TAPE_OK;
    }
    char who[64] = "";
    if (got.holder == tape__pid()) snprintf(who, sizeof who, " in this process");
    else if (got.holder) snprintf(who, sizeof who, " in process %" PRId64, got.holder);
    return tape__fail(TAPE_EBUSY, site->path, -1, "a live tailer%s has the name \"%s\"", who,
                      t->name.id);
}

void tape__tailer_be_nameless(tape_tailer_t *t) { t->name = (tape__name_t){.thefts = &no_thefts}; }

void tape__tailer_unbind(tape_tailer_t *t)
{
    tape__site_t *site = t->site;
    if (t->name.marked && site->generation == tape__process_generation())
        tape__name_give(site->entry, t->name.hash, t);
    tape__free(t->name.id);
    tape__tailer_be_nameless(t);
}

static int find_cell(tape_tailer_t *t)
{
    tape__site_t *site = t->site;
    char key[KEY_SIZE];
    snprintf(key, sizeof key, "index.%s", t->name.id);
    if (site->has_table) t->name.cell = tape__table_store_cell(&site->table, key);
    if (t->name.cell) return TAPE_OK;
    if (site->read_only || is_replicated(t->name.id))
        return tape__fail(TAPE_EREADONLY, site->path, -1,
                          "%s has no tailer named \"%s\", and none can be made", site->path,
                          t->name.id);
    t->name.cell = tape__table_store_make_cell(&site->table, key, 0);
    return t->name.cell ? TAPE_OK : tape__error_code();
}

/* The cycle of the stored position has no file that can be used: stands before the next one that
 * has. When all are older, the position lies in the future (or all later ones were deleted): it
 * then waits behind the last message, where nothing is read twice. */
static int go_around_the_gap(tape_tailer_t *t, int64_t stored, int64_t cycle)
{
    int rc;
    for (int64_t next;; cycle = next + 1) { /* one may be half-made, or deleted meanwhile */
        rc = tape__shelf_above(&t->site->shelf, cycle, NULL, &next);
        if (rc != TAPE_OK) return rc;
        if (next == TAPE__NO_CYCLE) break;
        rc = tape__tailer_open_cycle(t, next);
        if (rc < 0) return rc;
        if (rc == TAPE__NO) continue;
        t->gap = (tape__gap_t){stored, tape__tailer_next_index(t), t->tell_gaps, true};
        return TAPE_OK;
    }
    tape__chain_end_t end;
    rc = tape__tailer_move_to_end(t, &end);
    return rc < 0 ? rc : TAPE_OK;
}

/* The position is further than the messages of its cycle: what was read there is gone (the page of
 * the position reached the disk before a power cut, those of the messages did not; or an older copy
 * was put back). Java would wait for that number and pass over what is written meanwhile. */
static int stand_at_end(tape_tailer_t *t, int64_t stored)
{
    tape__chain_end_t end;
    int rc = tape__cycle_chain_find_end(&t->store, &t->window, &end);
    if (rc != TAPE_OK) return rc;
    t->at = end.end;
    if (tape__word_kind(end.end.word) != TAPE__WORD_EOF) /* else it goes on with the next cycle */
        t->gap = (tape__gap_t){stored, tape__tailer_next_index(t), t->tell_gaps, true};
    return TAPE_OK;
}

static int go_to_stored(tape_tailer_t *t)
{
    const tape_roll_cycle_t *r = t->site->settings.roll_cycle;
    int64_t stored = tape__table_store_value(t->name.cell);
    if (stored <= 0) return TAPE_OK; /* nothing, or nonsense: from the start, as Java */
    int64_t cycle = tape__index_cycle(r, stored), sequence = tape__index_sequence(r, stored);
    int rc = tape__tailer_move(t, cycle, sequence);
    if (rc < 0) return rc;
    if (rc != TAPE__SOUGHT_BEYOND) return TAPE_OK;
    rc = tape__tailer_open_cycle(t, cycle);
    if (rc == TAPE__NO) return go_around_the_gap(t, stored, cycle);
    return rc == TAPE__YES ? stand_at_end(t, stored) : rc;
}

int tape__tailer_bind(tape_tailer_t *t, const char *id, bool steal)
{
    t->name.id = tape__alloc(strlen(id) + 1);
    if (!t->name.id) return tape__fail(TAPE_ENOMEM, t->site->path, -1, "out of memory");
    memcpy(t->name.id, id, strlen(id) + 1);
    t->name.hash = hash_of(id);
    int rc = find_cell(t);
    if (rc == TAPE_OK && !t->site->read_only) rc = mark_in_use(t, steal);
    if (rc == TAPE_OK) rc = go_to_stored(t);
    if (rc != TAPE_OK) tape__tailer_unbind(t);
    return rc;
}

static int nameless(const tape_tailer_t *t)
{
    return tape__fail(TAPE_ESTATE, t->site->path, -1, "the tailer has no name");
}

/* A position in a table store that nobody else will ever open is not stored. Asked when others
 * moved the listing, and ten times a second at most. */
static int check_table(tape_tailer_t *t)
{
    const int64_t now = tape__now_coarse_ms();
    const uint64_t pulse = tape__listing_pulse(&t->site->listing);
    tape__name_t *n = &t->name;
    if (pulse == n->pulse && now >= n->looked_ms && now < n->looked_ms + LOOK_EVERY_MS)
        return TAPE_OK;
    const tape__file_t *file = &t->site->table.file;
    int named = tape__mapping_has_its_name(file);
    if (named == TAPE__NO)
        return tape__fail(TAPE_ENOTFOUND, file->path, -1,
                          "%s was deleted or replaced while the queue was open; close the queue "
                          "and open it again", file->path);
    if (named == TAPE__YES) {
        n->looked_ms = now;
        n->pulse = pulse;
    }
    return named < 0 ? named : TAPE_OK;
}

#define NOTHING_YET INT64_C(-1) /* it stood nowhere so far */

static int store(tape_tailer_t *t, int64_t index)
{
    if (!t->name.cell) return nameless(t);
    if (t->site->read_only || is_replicated(t->name.id))
        return tape__fail(TAPE_EREADONLY, t->site->path, -1,
                          "the position of \"%s\" is only read here", t->name.id);
    int rc = check_table(t);
    if (rc == TAPE_OK && index != NOTHING_YET) tape__table_store_set(t->name.cell, index);
    return rc;
}

int tape_tailer_commit(tape_tailer_t *t)
{
    int rc = tape__tailer_enter(t);
    if (rc != TAPE_OK) return rc;
    rc = store(t, t->open ? tape__tailer_next_index(t) : NOTHING_YET);
    tape__tailer_leave_unchanged(t); /* what was read can still be taken back */
    return rc;
}

int tape_tailer_commit_at(tape_tailer_t *t, int64_t index)
{
    int rc = tape__tailer_enter(t);
    if (rc != TAPE_OK) return rc;
    rc = index < 0 ? tape__fail(TAPE_EINVAL, t->site->path, -1, "index %" PRId64 " is negative",
                                index)
                   : store(t, index);
    tape__tailer_leave_unchanged(t);
    return rc;
}

int64_t tape_tailer_committed(tape_tailer_t *t)
{
    int64_t result = tape__tailer_enter_to_tell(t);
    if (result != TAPE_OK) return result;
    if (!t->name.cell) result = nameless(t);
    else result = tape__table_store_value(t->name.cell);
    if (t->name.cell && result < 0) result = 0; /* nonsense counts as nothing, as in Java */
    tape__tailer_leave_unchanged(t);
    return result;
}
