/* tailer_walk.c - to the next message, forward or backward, and to a given one (format.md 12). */
#include "file/cycle_chain.h"
#include "read/tailer.h"

#include <inttypes.h>

#include "base/error.h"
#include "base/platform.h"
#include "base/sync_point.h"
#include "file/excerpt_index.h"

/* ---- forward ---- */

/* The tailer stands behind the gap already. */
static int tell_gap(tape_tailer_t *t)
{
    t->gap.untold = false;
    t->last_call.gave = TAPE__GAVE_GAP;
    tape__fail(TAPE_EGAP, t->site->path, -1,
               t->gap.to > t->gap.from
                   ? "%s: messages 0x%" PRIx64 " up to 0x%" PRIx64 ", which were yet to be read, "
                     "are gone: their files were deleted"
                   : "%s: the file where message 0x%" PRIx64 " would have been next was deleted; "
                     "a new one begins at 0x%" PRIx64, t->site->path, t->gap.from, t->gap.to);
    tape__error_index(t->gap.from);
    return TAPE_EGAP;
}

int tape__tailer_find_forward(tape_tailer_t *t)
{
    if (t->gap.untold) return tell_gap(t);
    int rc = tape__tailer_stand_at_start(t);
    while (rc == 1) {
        int code = tape__cycle_store_observe(&t->store, &t->window, &t->at, t->window_size);
        if (code != TAPE_OK) {
            tape__error_index(tape__tailer_index(t));
            return code;
        }
        switch (tape__word_kind(t->at.word)) {
        case TAPE__WORD_DATA:
            if (t->at.sequence >= t->name.not_before) return 1;
            tape__cycle_store_step(&t->store, &t->at); /* a stored position ahead of the queue */
            break;
        case TAPE__WORD_META:
            if (t->metadata && t->at.sequence >= t->name.not_before) return 1;
            tape__cycle_store_step(&t->store, &t->at);
            break;
        case TAPE__WORD_EOF:
            rc = tape__tailer_enter_later(t);
            if (t->gap.untold) return tell_gap(t);
            break;
        default:
            SYNC_POINT(tailer_at_end);
            rc = tape__tailer_leave_deleted(t);
            if (t->gap.untold) return tell_gap(t);
        }
    }
    return rc;
}

int tape__tailer_find_in_cycle(tape_tailer_t *t)
{
    if (t->backward) return t->at.sequence < 0 ? 0 : tape__tailer_find_backward(t);
    for (;;) {
        int rc = tape__cycle_store_observe(&t->store, &t->window, &t->at, t->window_size);
        if (rc != TAPE_OK) return rc;
        tape__word_kind_t kind = tape__word_kind(t->at.word);
        if (kind == TAPE__WORD_DATA) return 1;
        if (kind != TAPE__WORD_META) return 0;
        tape__cycle_store_step(&t->store, &t->at);
    }
}

/* ---- to a given message ---- */

/* A place at or before `sequence` from which the walk is short: an index entry, or where we are. */
static int nearest(tape_tailer_t *t, tape__cycle_store_t *s, int64_t sequence, tape__cursor_t *c)
{
    int rc = tape__excerpt_index_find(s, sequence, c);
    if (rc != TAPE_OK) return rc;
    bool here = s == &t->store && !t->backward;
    if (here && t->at.sequence <= sequence && t->at.sequence > c->sequence) *c = t->at;
    return TAPE_OK;
}

/* Walks to message `sequence`: 1 found, 0 it would be the next one to come, -1 it is further away,
 * or a code. */
static int walk_to(tape__cycle_store_t *s, tape__window_t *w, uint64_t prefer, int64_t sequence,
                   tape__cursor_t *c)
{
    for (;;) {
        int rc = tape__cycle_store_observe(s, w, c, prefer);
        if (rc != TAPE_OK) return rc;
        tape__word_kind_t kind = tape__word_kind(c->word);
        if (kind != TAPE__WORD_DATA && kind != TAPE__WORD_META)
            return c->sequence == sequence ? 0 : -1;
        if (kind == TAPE__WORD_DATA && c->sequence == sequence) return 1;
        tape__cycle_store_step(s, c);
    }
}

static int seek_in(tape_tailer_t *t, tape__cycle_store_t *s, tape__window_t *w, int64_t sequence,
                   tape__cursor_t *c)
{
    int rc = nearest(t, s, sequence, c);
    return rc == TAPE_OK ? walk_to(s, w, t->window_size, sequence, c) : rc;
}

int tape__tailer_move(tape_tailer_t *t, int64_t cycle, int64_t sequence)
{
    tape__cursor_t c;
    /* What was deleted is read to its end, but an index is that of a message in the queue. */
    if (t->open && t->store.cycle == cycle && !tape__tailer_is_deleted(t)) {
        int rc = seek_in(t, &t->store, &t->window, sequence, &c);
        if (rc == 0 || rc == 1) t->at = c;
        return rc;
    }
    tape__cycle_store_t store;
    tape__window_t window = {0};
    int rc = tape__tailer_open_file(t->site, cycle, &store);
    if (rc != 1) return rc == 0 ? -1 : rc;
    rc = seek_in(t, &store, &window, sequence, &c);
    if (rc == 0 || rc == 1) {
        tape__tailer_enter_cycle(t, &store);
        t->window = window;
        t->at = c;
        return rc;
    }
    tape__window_close(&window);
    tape__cycle_store_close(&store);
    return rc;
}

int tape__tailer_place(tape_tailer_t *t, tape__window_t *w, tape__cursor_t *out)
{
    *out = t->at;
    if (out->position < t->store.first_document) out->position = t->store.first_document;
    if (!t->backward && t->at.sequence >= t->name.not_before) return TAPE_OK;
    /* Backward only the sequence counts; and who waits for a message further on has not walked. */
    int64_t sequence = t->at.sequence;
    if (t->name.not_before > sequence) sequence = t->name.not_before;
    int rc = seek_in(t, &t->store, w, sequence < 0 ? 0 : sequence, out);
    return rc < -1 ? rc : TAPE_OK;
}

int tape__tailer_seek_end(tape_tailer_t *t, tape__chain_end_t *end)
{
    int rc = tape__tailer_open_last(t, INT64_C(1) + INT32_MAX);
    if (rc != 1) return rc;
    rc = tape__cycle_store_find_end(&t->store, &t->window, end);
    if (rc != TAPE_OK) return rc;
    t->at = end->end;
    if (t->backward) t->at.sequence--; /* the next one backward is the last message */
    return 1;
}

/* ---- backward ---- */

/* Walks to message `sequence` and keeps where it and those shortly before it are. 1 found, 0 when
 * there is none (*end: how many messages there are), or a code. */
static int walk_trail(tape_tailer_t *t, int64_t sequence, int64_t *end)
{
    tape__cursor_t c;
    if (!t->trail.positions) {
        t->trail.positions = tape__alloc(TAPE__TRAIL_MAX * sizeof *t->trail.positions);
        if (!t->trail.positions)
            return tape__fail(TAPE_ENOMEM, t->site->path, -1, "out of memory");
    }
    t->trail.count = 0;
    int rc = tape__excerpt_index_find(&t->store, sequence, &c);
    while (rc == TAPE_OK) {
        rc = tape__cycle_store_observe(&t->store, &t->window, &c, t->window_size);
        if (rc != TAPE_OK) break;
        tape__word_kind_t kind = tape__word_kind(c.word);
        if (kind == TAPE__WORD_DATA) {
            if (t->trail.count == TAPE__TRAIL_MAX) t->trail.count = 0; /* keep the latest stretch */
            if (t->trail.count == 0) t->trail.first = c.sequence;
            t->trail.positions[t->trail.count++] = c.position;
            if (c.sequence == sequence) return 1;
        } else if (kind != TAPE__WORD_META) {
            *end = c.sequence;
            return 0;
        }
        tape__cycle_store_step(&t->store, &c);
    }
    return rc;
}

int tape__tailer_find_backward(tape_tailer_t *t)
{
    if (t->gap.untold) return tell_gap(t);
    int rc = tape__tailer_stand_at_start(t);
    while (rc == 1) {
        int64_t sequence = t->at.sequence, end = 0;
        const tape__trail_t *trail = &t->trail;
        if (sequence < 0) {
            rc = tape__tailer_enter_earlier(t);
            if (t->gap.untold) return tell_gap(t);
            continue;
        }
        if (sequence >= trail->first && sequence < trail->first + trail->count) {
            t->at.position = trail->positions[sequence - trail->first];
            rc = tape__cycle_store_observe(&t->store, &t->window, &t->at, t->window_size);
            return rc == TAPE_OK ? 1 : rc;
        }
        rc = walk_trail(t, sequence, &end);
        if (rc == 0) { /* behind the last message */
            t->at.sequence = end - 1;
            rc = 1;
        }
    }
    return rc;
}

int tape__tailer_turn_forward(tape_tailer_t *t)
{
    if (!t->open) return TAPE_OK;
    tape__cursor_t c;
    int64_t sequence = t->at.sequence < 0 ? 0 : t->at.sequence;
    int rc = seek_in(t, &t->store, &t->window, sequence, &c);
    if (rc < -1) return rc;
    t->at = c;
    return TAPE_OK;
}
