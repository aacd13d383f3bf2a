/* tailer_walk.c - to the next message, forward or backward (format.md 12). */
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
                     "are gone: their files were deleted, or a power cut left zeros in "
                     "them"
                   : "%s: the file where message 0x%" PRIx64 " would have been next is another "
                     "one, or lost its end; reading goes on at 0x%" PRIx64,
               t->site->path, t->gap.from, t->gap.to);
    tape__error_index(t->gap.from);
    return TAPE_EGAP;
}

int tape__tailer_find_forward(tape_tailer_t *t)
{
    if (t->gap.untold) return tell_gap(t);
    int rc = tape__tailer_stand_at_start(t);
    while (rc == TAPE__YES) {
        int code = tape__cycle_store_observe(&t->store, &t->window, &t->at, t->window_size);
        if (code != TAPE_OK) {
            tape__error_index(tape__tailer_next_index(t));
            return code;
        }
        switch (tape__word_kind(t->at.word)) {
        case TAPE__WORD_DATA:
            return TAPE__YES;
        case TAPE__WORD_META:
            if (t->metadata) return TAPE__YES;
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
    if (t->backward) return t->at.sequence < 0 ? TAPE__NO : tape__tailer_find_backward(t);
    for (;;) {
        int rc = tape__cycle_store_observe(&t->store, &t->window, &t->at, t->window_size);
        if (rc != TAPE_OK) return rc;
        tape__word_kind_t kind = tape__word_kind(t->at.word);
        if (kind == TAPE__WORD_DATA) return TAPE__YES;
        if (kind != TAPE__WORD_META) return TAPE__NO;
        tape__cycle_store_step(&t->store, &t->at);
    }
}

int tape__tailer_move_to_end(tape_tailer_t *t, tape__chain_end_t *end)
{
    int rc = tape__tailer_open_last(t, INT64_C(1) + INT32_MAX);
    if (rc != TAPE__YES) return rc;
    rc = tape__cycle_chain_find_end(&t->store, &t->window, end);
    if (rc != TAPE_OK) return rc;
    t->at = end->end;
    if (t->backward) t->at.sequence--; /* the next one backward is the last message */
    return TAPE__YES;
}

/* ---- backward ---- */

/* Walks on to message `sequence` and keeps where it and those shortly before it are. Whether there
 * is one (else the cursor is where it ended): an answer. */
static int walk_trail_from(tape_tailer_t *t, int64_t sequence, tape__cursor_t *c)
{
    t->trail.count = 0;
    for (;;) {
        int rc = tape__cycle_store_observe(&t->store, &t->window, c, t->window_size);
        if (rc != TAPE_OK) return rc;
        if (!tape__word_is_document(c->word)) return TAPE__NO;
        if (tape__word_is_message(c->word)) {
            if (t->trail.count == TAPE__TRAIL_MAX) t->trail.count = 0; /* keep the latest stretch */
            if (t->trail.count == 0) t->trail.first = c->sequence;
            t->trail.positions[t->trail.count++] = c->position;
            if (c->sequence == sequence) return TAPE__YES;
        }
        tape__cycle_store_step(&t->store, c);
    }
}

/* The same from the nearest entry of the index; from the first message when that led astray. */
static int walk_trail(tape_tailer_t *t, int64_t sequence, int64_t *end)
{
    tape__cursor_t c;
    if (!t->trail.positions) {
        t->trail.positions = tape__alloc(TAPE__TRAIL_MAX * sizeof *t->trail.positions);
        if (!t->trail.positions)
            return tape__fail(TAPE_ENOMEM, t->site->path, -1, "out of memory");
    }
    int rc = tape__excerpt_index_find(&t->store, &t->window, sequence, &c);
    if (rc != TAPE_OK) return rc;
    const tape__cursor_t from = c;
    rc = walk_trail_from(t, sequence, &c);
    const int astray = rc == TAPE__YES ? TAPE__NO
        : tape__cycle_chain_led_astray(&t->store, &t->window, &from, rc, &c);
    if (astray < 0) return astray;
    if (astray == TAPE__YES) {
        c = (tape__cursor_t){t->store.first_document, 0, 0};
        rc = walk_trail_from(t, sequence, &c);
    }
    *end = c.sequence;
    return rc;
}

int tape__tailer_find_backward(tape_tailer_t *t)
{
    if (t->gap.untold) return tell_gap(t);
    int rc = tape__tailer_stand_at_start(t);
    while (rc == TAPE__YES) {
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
            return rc == TAPE_OK ? TAPE__YES : rc;
        }
        rc = walk_trail(t, sequence, &end);
        if (rc == TAPE__NO) { /* behind the last message */
            t->at.sequence = end - 1;
            rc = TAPE__YES;
        }
    }
    return rc;
}
