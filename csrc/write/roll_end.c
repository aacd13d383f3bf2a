/* roll_end.c - the end of the cycle that is written: found, repaired, caught up with (8.5). */
#include <inttypes.h>

#include "base/atomics.h"
#include "base/error.h"
#include "base/sync_point.h"
#include "file/cycle_chain.h"
#include "file/excerpt.h"
#include "write/cycle_end.h"
#include "write/index_write.h"
#include "write/pair_write.h"
#include "write/roll.h"

/* Messages of others that are passed one by one, before it is asked where the end is. */
enum { WALKED_MAX = 64 };

int tape__roll_index_the_rest(tape__writer_t *w, tape__cycle_store_t *s, tape__cursor_t end,
                              tape__add_entry_t *add)
{
    tape__window_t window = {0};
    tape__cursor_t c;
    int64_t from = tape__excerpt_index_next(s);
    int rc = tape__excerpt_index_find(s, &window, from, &c);
    while (rc == TAPE_OK && c.position < end.position && c.sequence < end.sequence) {
        rc = tape__cycle_store_observe(s, &window, &c, TAPE__WRITER_WINDOW);
        tape__word_kind_t kind = tape__word_kind(c.word);
        if (rc != TAPE_OK || (kind != TAPE__WORD_DATA && kind != TAPE__WORD_META)) break;
        if (kind == TAPE__WORD_DATA && c.sequence >= from &&
            tape__excerpt_index_wants(s, c.sequence)) {
            rc = add(w, s, &c);
            if (rc != TAPE_OK) break;
        }
        tape__cycle_store_step(s, &c);
    }
    tape__window_close(&window);
    return rc;
}

static int add_missing_page(tape__writer_t *w, int64_t sequence)
{
    int64_t page = sequence / w->store.index_spacing / w->store.index_count;
    uint32_t length = tape__index_write_page_length(&w->store, w->next.position);
    uint64_t behind = tape__word_next(w->next.position, length, w->store.aligned);
    int rc = tape__roll_make_ready(w, behind + TAPE__END_ROOM - w->next.position);
    if (rc == TAPE_OK &&
        tape__excerpt_observe(tape__window_at(&w->window, behind), w->store.aligned) != 0)
        rc = tape__roll_make_clean(w, behind);
    if (rc != TAPE_OK) return rc;
    return tape__index_write_add_page(&w->store, &w->window, &w->lock, page, &w->next.position);
}

static int add_in_current(tape__writer_t *w, tape__cycle_store_t *s, const tape__cursor_t *message)
{
    int rc = tape__index_write_needs_page(s, message->sequence);
    if (rc == TAPE__YES) rc = add_missing_page(w, message->sequence);
    return rc < 0 ? rc : tape__index_write_add(s, message->sequence, message->position);
}

static int index_the_current(tape__writer_t *w)
{
    return tape__roll_index_the_rest(w, &w->store, w->next, add_in_current);
}

static bool index_is_behind(const tape__writer_t *w)
{
    return tape__excerpt_index_next(&w->store) < w->next.sequence &&
           !tape__excerpt_index_full(&w->store, w->next.sequence - 1);
}

int tape__roll_decide(const tape__writer_t *w, int64_t cycle, const tape__facts_t *facts,
                      unsigned *actions)
{
    tape__decision_t d = tape__recovery_decide(facts);
    *actions = d.actions;
    if (d.row) return TAPE_OK;
    return tape__fail(TAPE_EINTERNAL, w->site->path, -1,
                      "%s: no row of the recovery table for cycle %" PRId64
                      ": age %d, file %d, end %d, pair %d, index %d", w->site->path, cycle,
                      (int)facts->age, (int)facts->file, (int)facts->end, (int)facts->pair,
                      (int)facts->index);
}

static int taken(const tape__writer_t *w)
{
    return tape__fail(TAPE_ETAKEN, w->store.file.path, (int64_t)w->next.position,
                      "%s at offset %" PRIu64 ": another writer is at work", w->store.file.path,
                      w->next.position);
}

static tape__facts_t facts_of_the_end(const tape__writer_t *w, const tape__chain_end_t *end)
{
    bool pair_right = end->last_position == end->pair_position &&
                      (end->pair_matches || end->pair_position == 0 || !w->store.has_pair);
    return (tape__facts_t){
        .age = TAPE__AGE_CURRENT,
        .file = TAPE__FILE_READY,
        .end = tape__cycle_end_state(&w->store, &w->next),
        .messages = w->next.sequence > 0 ? TAPE__MESSAGES_SOME : TAPE__MESSAGES_NONE,
        .pair = pair_right ? TAPE__PAIR_RIGHT : TAPE__PAIR_WRONG,
        .index = index_is_behind(w) ? TAPE__INDEX_BEHIND : TAPE__INDEX_RIGHT,
    };
}

/* What the table says about the end of the current cycle. *again: it is to be looked for anew. */
static int repair_end(tape__writer_t *w, const tape__chain_end_t *end, tape__step_t *step,
                      bool *again)
{
    tape__facts_t facts = facts_of_the_end(w, end);
    unsigned actions;
    int rc = tape__roll_decide(w, w->store.cycle, &facts, &actions);
    if (rc != TAPE_OK) return rc;
    if (actions & TAPE__DO_WAIT) {
        *step = TAPE__STEP_WAIT;
        return TAPE_OK;
    }
    *again = (actions & (TAPE__DO_GIVE_UP | TAPE__DO_CLEAR)) != 0;
    if (actions & TAPE__DO_GIVE_UP) rc = tape__cycle_end_give_up(&w->store, &w->next);
    if ((actions & TAPE__DO_CLEAR) &&
        !tape__excerpt_clear(tape__window_at(&w->window, w->next.position), w->next.word))
        rc = taken(w);
    if (actions & TAPE__DO_CLEAR) SYNC_POINT(word_cleared);
    if ((actions & TAPE__DO_SET_PAIR) &&
        !tape__pair_mend(&w->store, end->pair_position, end->last_position, w->next.sequence - 1))
        rc = taken(w);
    if (actions & TAPE__DO_SET_PAIR) SYNC_POINT(pair_mended);
    if (rc == TAPE_OK && (actions & TAPE__DO_INDEX)) rc = index_the_current(w);
    if (actions && rc == TAPE_OK) COUNT64(counters, &w->repairs, 1);
    return rc;
}

/* A damaged file is not ended before its time: a JVM that writes there would fail with each message
 * until the next cycle. So who writes is told of both ways on. */
static void tell_the_way_out(const tape__writer_t *w, int rc)
{
    if (rc != TAPE_ECORRUPT) tape__while(rc, "while looking for the end, to write there");
    else
        tape__while(rc, "while looking for the end, to write there; messages go on in the next "
                        "cycle, or when all have closed the queue and this has mended it:\n"
                        "    tape repair --in-place '%s'", w->site->path);
}

int tape__roll_find_the_end(tape__writer_t *w, tape__step_t *step)
{
    int rc = TAPE_OK;
    for (bool again = true; again && rc == TAPE_OK;) {
        tape__chain_end_t end;
        rc = tape__cycle_end_find(&w->store, &w->window, &end);
        if (rc != TAPE_OK) {
            tell_the_way_out(w, rc);
            break;
        }
        again = false;
        w->next = end.end;
        tape__writer_set_ready(w, 0);
        rc = repair_end(w, &end, step, &again);
    }
    w->doubtful = rc < 0; /* half repaired: once more before the next message */
    return rc;
}

/* So many, before the write position is asked. Where it is no proof it is verified from the last
 * index entry on, which is no nearer than we are until we have passed as many as it is apart. */
static int64_t walked_max(const tape__writer_t *w)
{
    const int64_t spacing = w->store.index_spacing;
    if (tape__pair_is_proof(w->store.sequence_shift, w->next.position)) return WALKED_MAX;
    return spacing > WALKED_MAX ? spacing : WALKED_MAX;
}

int tape__roll_catch_up(tape__writer_t *w, tape__step_t *step)
{
    int64_t before = w->next.sequence;
    const int64_t most = walked_max(w);
    const uint8_t *base = w->window.base;
    for (;;) {
        int rc = tape__cycle_store_observe(&w->store, &w->window, &w->next, TAPE__WRITER_WINDOW);
        if (rc != TAPE_OK) return rc;
        tape__end_state_t end = tape__cycle_end_state(&w->store, &w->next);
        if (end == TAPE__END_FREE) break;
        if (end != TAPE__END_COMPLETE) return tape__roll_find_the_end(w, step); /* asks the table */
        tape__cycle_store_step(&w->store, &w->next);
        /* Others wrote a great deal: jump by the write position. */
        if (w->next.sequence - before > most) {
            tape__chain_end_t found;
            rc = tape__cycle_chain_find_end(&w->store, &w->window, &found);
            if (rc != TAPE_OK) return rc;
            w->next = found.end;
            before = INT64_MAX - most;
        }
    }
    /* At other addresses all is to be faulted in again. */
    tape__writer_set_ready(w, w->window.base == base ? w->ready_to : 0);
    int rc = index_is_behind(w) ? index_the_current(w) : TAPE_OK;
    if (rc < 0) w->doubtful = true;
    return rc;
}
