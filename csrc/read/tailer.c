/* tailer.c - what callers of a tailer call; see tailer.h for the files that make up its verbs. */
#define _POSIX_C_SOURCE 200809L
#include <inttypes.h>
#include <string.h>

#include "read/tailer.h"
#include "base/atomics.h"
#include "base/error.h"
#include "file/tailer_names.h"
#include "base/platform.h"

/* ---- one thread at a time ---- */

/* The first step of a call that is inside. */
static int begin(tape_tailer_t *t)
{
    if (t->watch) t->hooks->disturb(t); /* before anything that who waits for it looks at, too */
    t->call_before = t->last_call;
    t->last_call = (tape__last_call_t){TAPE__GAVE_NOTHING, 0};
    t->quick = false;
    t->nothing_until_ms = 0;
    if (!t->shut) {
        t->delivered = false;
        return TAPE_OK;
    }
    tape__tailer_leave(t);
    return tape__fail(TAPE_ECLOSED, t->site->path, -1, "the tailer was closed");
}

/* order[busy]: what the last thread left in the tailer is seen by the next one. */
int tape__tailer_enter_to_tell(tape_tailer_t *t)
{
    if (!t) return tape__fail(TAPE_EINVAL, NULL, -1, "no tailer");
    int rc = tape__site_check(t->site);
    if (rc != TAPE_OK) return rc;
    if (!TAKE32(busy, &t->busy, 0, 1)) {
        rc = tape__site_check(t->site); /* it may be tape__site_shut() that is using it */
        if (rc != TAPE_OK) return rc;
        return tape__fail(TAPE_EBUSY, t->site->path, -1, "another thread is using this tailer");
    }
    return begin(t);
}

/* Cold: the count of thefts has moved. */
static int check_name(tape_tailer_t *t)
{
    if (!t->name.taken)
        t->name.taken = tape__name_was_taken(t->name.thefts, t->name.hash, &t->name.seen);
    if (!t->name.taken) return TAPE_OK;
    return tape__fail(TAPE_EBUSY, t->site->path, -1,
                      "the name \"%s\" was taken over by another tailer", t->name.id);
}

/* From inside: a tailer whose name was taken over neither reads nor stores. Leaves it then. */
static int begin_to_read(tape_tailer_t *t)
{
    if (tape__tailer_has_its_name(t)) return TAPE_OK;
    int rc = check_name(t);
    if (rc != TAPE_OK) tape__tailer_leave_unchanged(t);
    return rc;
}

int tape__tailer_enter(tape_tailer_t *t)
{
    int rc = tape__tailer_enter_to_tell(t);
    return rc == TAPE_OK ? begin_to_read(t) : rc;
}

void tape__tailer_leave_unchanged(tape_tailer_t *t)
{
    t->last_call = t->call_before;
    tape__tailer_leave(t);
}

/* ---- reading ---- */

static void fill_excerpt(tape_tailer_t *t, tape_excerpt_t *out)
{
    out->framing = tape__tailer_body(t, &out->data, &out->size);
    out->metadata = tape__word_kind(t->at.word) == TAPE__WORD_META;
    out->index = tape__tailer_next_index(t);
    t->delivered = true;
}

static int no_place(void)
{
    return tape__fail(TAPE_EINVAL, NULL, -1, "no place for the message");
}

int tape_tailer_peek(tape_tailer_t *t, tape_excerpt_t *out)
{
    int rc = out ? tape__tailer_enter(t) : no_place();
    if (rc != TAPE_OK) return rc;
    rc = tape__tailer_find(t);
    if (rc == TAPE__YES) fill_excerpt(t, out);
    else if (t->watch && rc == TAPE__NO) t->hooks->nothing(t);
    tape__tailer_leave(t);
    return tape__answer_given(rc);
}

/* At the end of a call that leaves the tailer in a cycle: whether the next one may go by the lane.
 * Files of data format 0 are left out, and numbers for which an index has no room. */
static void allow_quick(tape_tailer_t *t)
{
    const tape_roll_cycle_t *r = t->site->settings.roll_cycle;
    t->quick_base = tape__index(r, t->store.cycle, 0);
    t->quick_below = INT64_C(1) << r->shift;
    t->quick = !t->backward && !t->metadata && t->store.aligned;
}

static int next_by_all_rules(tape_tailer_t *t, tape_excerpt_t *out)
{
    int rc = tape__tailer_find(t);
    if (rc == TAPE__YES) {
        fill_excerpt(t, out);
        t->before = t->at;
        t->before_last_read = t->last_read;
        t->last_call.gave = TAPE__GAVE_MESSAGE;
        if (!out->metadata) t->last_read = out->index;
        tape__tailer_step(t);
        allow_quick(t);
    } else if (rc == TAPE__NO) {
        if (t->watch) t->hooks->nothing(t);
        else if (t->open && t->nothing_until_ms) allow_quick(t);
    }
    tape__tailer_leave(t);
    return tape__answer_given(rc);
}

/* Nothing to read, and a moment ago there was nothing else to be done about it. */
static inline bool nothing_yet(tape_tailer_t *t, uint32_t word)
{
    const tape__word_kind_t kind = tape__word_kind(word);
    if (t->watch || (kind != TAPE__WORD_FREE && kind != TAPE__WORD_INCOMPLETE)) return false;
    const int64_t now = tape__now_coarse_ms();
    if (now < t->nothing_from_ms || now >= t->nothing_until_ms) return false;
    t->last_call = (tape__last_call_t){TAPE__GAVE_NOTHING, 0};
    t->delivered = false;
    return true;
}

/* LANE_LEFT: nothing has changed, and all rules are asked. */
typedef enum { LANE_LEFT, LANE_NOTHING, LANE_MESSAGE } lane_t;

/* The lane: a message that is whole in the window that is mapped, or none yet. It asks for nothing
 * that only other calls on this tailer change: they end with `quick` false. */
static inline lane_t next_quickly(tape_tailer_t *t, tape_excerpt_t *out)
{
    const uint64_t offset = t->at.position - t->window.start;
    if (offset + 4 > t->window.size || t->at.sequence >= t->quick_below) return LANE_LEFT;
    const uint8_t *header = t->window.base + offset;
    /* order[publish]: as tape__excerpt_observe(), whose file holds the verbs of writers, too. */
    const uint32_t word = OBSERVE32(publish, (const uint32_t *)(const void *)header);
    const uint32_t length = tape__word_length(word);
    if (!tape__word_is_message(word)) return nothing_yet(t, word) ? LANE_NOTHING : LANE_LEFT;
    if (offset + 4 + length > t->window.size) return LANE_LEFT;
    t->at.word = word;
    t->before = t->at;
    t->before_last_read = t->last_read;
    t->last_read = t->quick_base + t->at.sequence++;
    t->at.position = tape__word_next(t->at.position, length, true);
    t->last_call.gave = TAPE__GAVE_MESSAGE;
    t->delivered = true;
    out->framing = tape__tailer_unframe(t, header + 4, length, &out->data, &out->size);
    out->index = t->last_read;
    out->metadata = 0;
    return LANE_MESSAGE;
}

int tape_tailer_next(tape_tailer_t *t, tape_excerpt_t *out)
{
    if (!t || !out || !tape__site_is_usable(t->site) || !TAKE32(busy, &t->busy, 0, 1)) {
        int rc = out ? tape__tailer_enter(t) : no_place(); /* tells what is wrong */
        return rc == TAPE_OK ? next_by_all_rules(t, out) : rc;
    }
    if (t->quick && tape__tailer_has_its_name(t)) {
        const lane_t got = next_quickly(t, out);
        if (got != LANE_LEFT) {
            tape__tailer_leave(t);
            return got == LANE_MESSAGE;
        }
    }
    int rc = begin(t);
    if (rc == TAPE_OK) rc = begin_to_read(t);
    return rc == TAPE_OK ? next_by_all_rules(t, out) : rc;
}

int tape_tailer_unread(tape_tailer_t *t)
{
    int rc = tape__tailer_enter(t);
    if (rc != TAPE_OK) return rc;
    const tape__last_call_t last = t->call_before;
    if (last.gave == TAPE__GAVE_MESSAGE) {
        t->at = t->before;
        t->last_read = t->before_last_read;
    } else if (last.gave == TAPE__GAVE_GAP) {
        t->gap.untold = t->gap.unasked = true;
    } else {
        rc = tape__fail(TAPE_ESTATE, t->site->path, -1, "nothing was read that could be unread");
    }
    tape__tailer_leave(t);
    return rc;
}

int64_t tape_tailer_index(tape_tailer_t *t)
{
    int64_t index = tape__tailer_enter_to_tell(t);
    if (index != TAPE_OK) return index;
    int rc = tape__tailer_stand_at_start(t);
    index = rc < 0 ? rc : 0;
    if (rc == TAPE__YES) index = tape__tailer_next_index(t);
    tape__tailer_leave_unchanged(t);
    return index;
}

int64_t tape_tailer_last_read(tape_tailer_t *t)
{
    int64_t index = tape__tailer_enter_to_tell(t);
    if (index != TAPE_OK) return index;
    index = t->last_read;
    tape__tailer_leave_unchanged(t);
    return index;
}

/* ---- moving ---- */

/* It stands somewhere else now, as its caller wished: it passes no gap. */
static void forget_gap(tape_tailer_t *t)
{
    t->gap = (tape__gap_t){0, 0, false, false};
}

/* Ends a call that sought a message. */
static TAPE__INLINE int end_seeking(tape_tailer_t *t, int rc)
{
    if (rc == TAPE__SOUGHT_THERE || rc == TAPE__SOUGHT_NEXT) {
        forget_gap(t);
        allow_quick(t);
    }
    if (rc >= 0) rc = rc == TAPE__SOUGHT_THERE;
    tape__tailer_leave(t);
    return rc;
}

int tape_tailer_seek(tape_tailer_t *t, int64_t index)
{
    int rc = tape__tailer_enter(t);
    if (rc != TAPE_OK) return rc;
    const tape_roll_cycle_t *r = t->site->settings.roll_cycle;
    if (index < 0)
        rc = tape__fail(TAPE_EINVAL, t->site->path, -1, "index %" PRId64 " is negative", index);
    else
        rc = tape__tailer_move(t, tape__index_cycle(r, index), tape__index_sequence(r, index));
    return end_seeking(t, rc);
}

int tape_tailer_seek_time(tape_tailer_t *t, int64_t ms)
{
    int rc = tape__tailer_enter(t);
    if (rc != TAPE_OK) return rc;
    rc = tape__tailer_move_to_time(t, ms);
    if (rc != TAPE__SOUGHT_NEXT) return end_seeking(t, rc);
    if (t->open) forget_gap(t); /* else there is no message at all */
    tape__tailer_leave(t);
    return 0;
}

int tape_tailer_seek_start(tape_tailer_t *t)
{
    int rc = tape__tailer_enter(t);
    if (rc != TAPE_OK) return rc;
    tape__tailer_leave_cycle(t);
    forget_gap(t);
    t->looked_ns = 0;
    rc = tape__tailer_stand_at_start(t);
    tape__tailer_leave(t);
    return rc < 0 ? rc : TAPE_OK;
}

int tape_tailer_seek_end(tape_tailer_t *t)
{
    tape__chain_end_t end;
    int rc = tape__tailer_enter(t);
    if (rc != TAPE_OK) return rc;
    rc = tape__tailer_move_to_end(t, &end);
    if (rc == TAPE__YES) forget_gap(t);
    tape__tailer_leave(t);
    return rc < 0 ? rc : TAPE_OK;
}

/* ---- direction ---- */

int tape_tailer_set_direction(tape_tailer_t *t, int direction)
{
    int rc = tape__tailer_enter(t);
    if (rc != TAPE_OK) return rc;
    if (direction != TAPE_FORWARD && direction != TAPE_BACKWARD)
        rc = tape__fail(TAPE_EINVAL, t->site->path, -1, "%d is no direction", direction);
    else if (t->backward && direction == TAPE_FORWARD)
        rc = tape__tailer_turn_forward(t);
    if (rc == TAPE_OK) t->backward = direction == TAPE_BACKWARD;
    tape__tailer_leave(t);
    return rc;
}

int tape_tailer_direction(tape_tailer_t *t)
{
    int rc = tape__tailer_enter_to_tell(t);
    if (rc != TAPE_OK) return rc;
    rc = t->backward ? TAPE_BACKWARD : TAPE_FORWARD;
    tape__tailer_leave_unchanged(t);
    return rc;
}

/* ---- gaps ---- */

int tape_tailer_gap(tape_tailer_t *t, int64_t *first_gone, int64_t *next)
{
    int rc = first_gone && next ? tape__tailer_enter_to_tell(t)
                                : tape__fail(TAPE_EINVAL, NULL, -1, "no place for the gap");
    if (rc != TAPE_OK) return rc;
    if (t->gap.unasked) {
        *first_gone = t->gap.from;
        *next = t->gap.to;
        t->gap.unasked = false;
        rc = 1;
    }
    tape__tailer_leave_unchanged(t);
    return rc;
}
