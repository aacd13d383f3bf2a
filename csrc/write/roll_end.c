/* roll_end.c - the end of the cycle that is written: found, repaired, caught up with (8.5). */
#include "base/atomics.h"
#include "base/error.h"
#include "file/cycle_chain.h"
#include "file/excerpt.h"
#include "file/excerpt_index.h"
#include "write/recovery.h"
#include "write/roll.h"

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
    int rc = tape__roll_make_ready(w, tape__excerpt_index_page_size(&w->store) + 16);
    if (rc != TAPE_OK) return rc;
    return tape__excerpt_index_add_page(&w->store, &w->window, page, &w->next.position);
}

static int add_in_current(tape__writer_t *w, tape__cycle_store_t *s, const tape__cursor_t *message)
{
    int rc = tape__excerpt_index_needs_page(s, message->sequence);
    if (rc == 1) rc = add_missing_page(w, message->sequence);
    return rc == TAPE_OK ? tape__excerpt_index_add(s, message->sequence, message->position) : rc;
}

static int index_the_current(tape__writer_t *w)
{
    return tape__roll_index_the_rest(w, &w->store, w->next, add_in_current);
}

static bool index_is_behind(tape__writer_t *w)
{
    return tape__excerpt_index_next(&w->store) < w->next.sequence &&
           !tape__excerpt_index_full(&w->store, w->next.sequence - 1);
}

/* Applies the row that fits the current cycle's end. TAPE_OK, TAPE__ROLL_WAIT or a code. */
static int repair_end(tape__writer_t *w, const tape__chain_end_t *end)
{
    bool pair_right = end->last_position == end->pair_position &&
                      (end->pair_matches || end->pair_position == 0 || !w->store.has_pair);
    tape__facts_t facts = {
        .older = false,
        .file = TAPE__FILE_READY,
        .end = tape__word_kind(w->next.word),
        .pair = pair_right ? TAPE__PAIR_RIGHT : TAPE__PAIR_WRONG,
        .index = index_is_behind(w) ? TAPE__INDEX_BEHIND : TAPE__INDEX_RIGHT,
    };
    tape__decision_t d = tape__recovery_decide(&facts);
    int rc = TAPE_OK;
    if (d.actions & TAPE__DO_WAIT) return TAPE__ROLL_WAIT;
    if (d.actions & TAPE__DO_CLEAR) {
        if (!tape__excerpt_clear(tape__window_at(&w->window, w->next.position), w->next.word))
            return tape__fail(TAPE_ETAKEN, w->store.file.path, (int64_t)w->next.position,
                              "%s: another writer is at work", w->store.file.path);
        w->next.word = 0;
    }
    if (d.actions & TAPE__DO_SET_PAIR)
        tape__cycle_store_set_pair(&w->store, end->last_position, w->next.sequence - 1);
    if (d.actions & TAPE__DO_INDEX) rc = index_the_current(w);
    if (d.actions) COUNT64(counters, &w->repairs, 1);
    return rc;
}

int tape__roll_find_the_end(tape__writer_t *w)
{
    tape__chain_end_t end;
    int rc = tape__cycle_store_find_certain_end(&w->store, &w->window, &end);
    if (rc != TAPE_OK) return tape__while(rc, "while looking for the end, to write there");
    w->next = end.end;
    w->ready_to = 0;
    rc = repair_end(w, &end);
    w->doubtful = rc < 0; /* half repaired: once more before the next message */
    return rc;
}

int tape__roll_catch_up(tape__writer_t *w)
{
    int64_t before = w->next.sequence;
    const uint8_t *base = w->window.base;
    for (;;) {
        int rc = tape__cycle_store_observe(&w->store, &w->window, &w->next, TAPE__WRITER_WINDOW);
        if (rc != TAPE_OK) return rc;
        tape__word_kind_t kind = tape__word_kind(w->next.word);
        if (kind == TAPE__WORD_FREE) break;
        if (kind == TAPE__WORD_EOF) return TAPE__ROLL_WAIT;
        if (kind == TAPE__WORD_INCOMPLETE) return tape__roll_find_the_end(w); /* of a dead writer */
        tape__cycle_store_step(&w->store, &w->next);
        /* Others wrote a great deal: jump by the write position. */
        if (w->next.sequence - before > 64) {
            tape__chain_end_t end;
            rc = tape__cycle_store_find_end(&w->store, &w->window, &end);
            if (rc != TAPE_OK) return rc;
            w->next = end.end;
            before = INT64_MAX - 64;
        }
    }
    if (w->window.base != base) w->ready_to = 0; /* other addresses: to be faulted in again */
    int rc = index_is_behind(w) ? index_the_current(w) : TAPE_OK;
    if (rc < 0) w->doubtful = true;
    return rc;
}
