/* roll_newer.c - files of cycles that are newer than the clock's: whether one outranks it (9.6).
 *
 * Messages never go into an older cycle than others that readers may have seen: where a newer one
 * has messages, because a clock went back or another machine's is ahead, it is the one to be
 * written. A newer file without any is none of our business: a JVM's pretoucher makes it early, or
 * somebody died over it; JVMs go on in the clock's cycle, and so do we.
 */
#include "base/platform.h"
#include "write/roll.h"

/* Whether there is a message, and what stands at the end of what was walked. */
static int look_into(tape__cycle_store_t *s, tape__facts_t *facts)
{
    tape__window_t w = {0};
    tape__cursor_t c = {s->first_document, 0, 0};
    int rc;
    facts->file = TAPE__FILE_READY;
    while ((rc = tape__cycle_store_observe(s, &w, &c, TAPE__BLOCK)) == TAPE_OK &&
           tape__word_kind(c.word) == TAPE__WORD_META)
        tape__cycle_store_step(s, &c);
    tape__word_kind_t kind = tape__word_kind(c.word);
    if (kind == TAPE__WORD_DATA) facts->messages = TAPE__MESSAGES_SOME;
    if (kind == TAPE__WORD_EOF) facts->end = TAPE__END_MARK;
    tape__window_close(&w);
    return rc;
}

/* Whether the table says to write there. */
static int outranks(tape__writer_t *w, int64_t cycle, tape__own_state_t own, bool *does)
{
    char path[TAPE__PATH_SIZE];
    tape__cycle_store_t store;
    tape__facts_t facts = {.age = TAPE__AGE_NEWER, .own = own};
    unsigned actions;
    *does = false;
    if (!tape__listing_path(&w->site->listing, cycle, path, sizeof path)) return TAPE_OK;
    int rc = tape__cycle_store_open(&store, path, cycle, false);
    if (rc == TAPE_OK) {
        rc = look_into(&store, &facts);
        tape__cycle_store_close(&store);
    } else if (rc == TAPE_ENOTFOUND || rc == TAPE__NOT_READY) {
        facts.file = rc == TAPE_ENOTFOUND ? TAPE__FILE_MISSING : TAPE__FILE_HALF_MADE;
        rc = TAPE_OK;
    }
    if (rc == TAPE_OK) rc = tape__roll_decide(w, cycle, &facts, &actions);
    if (rc == TAPE_OK) *does = (actions & TAPE__DO_GO_THERE) != 0;
    return rc;
}

/* From the newest down. */
int tape__roll_newest(tape__writer_t *w, int64_t cycle, int64_t *newest)
{
    int64_t at;
    *newest = cycle;
    bool does = false;
    tape__neighbours_t *keep = NULL;
    int rc = tape__listing_ends(&w->site->listing, NULL, &at);
    while (rc == TAPE_OK && at != TAPE__NO_CYCLE && at > cycle) {
        rc = outranks(w, at, TAPE__OWN_GOES_ON, &does);
        if (rc != TAPE_OK || does) break;
        rc = tape__listing_below(&w->site->listing, at - 1, &keep, &at);
    }
    tape__free(keep);
    if (rc == TAPE_OK && does) *newest = at;
    return rc;
}

/* From the clock's up: the next one that can be used at all. */
static int next_ready(tape__writer_t *w, int64_t cycle, int64_t *chosen)
{
    int64_t at = cycle;
    bool does = false;
    tape__neighbours_t *keep = NULL;
    int rc = TAPE_OK;
    while (rc == TAPE_OK && at != TAPE__NO_CYCLE && !does) {
        rc = tape__listing_above(&w->site->listing, at + 1, &keep, &at);
        if (rc == TAPE_OK && at != TAPE__NO_CYCLE) rc = outranks(w, at, TAPE__OWN_ENDED, &does);
    }
    tape__free(keep);
    if (rc == TAPE_OK && does) *chosen = at;
    return rc;
}

int tape__roll_choose(tape__writer_t *w, int64_t cycle, tape__own_state_t own, int64_t *chosen)
{
    *chosen = cycle;
    /* Where we have written, there are messages. */
    if (w->open && w->store.cycle > cycle) *chosen = w->store.cycle;
    else if (w->sealed_below != TAPE__NO_CYCLE && w->sealed_below > cycle)
        *chosen = w->sealed_below;
    if (own == TAPE__OWN_ENDED) {
        int64_t from = *chosen;
        int rc = tape__roll_newest(w, from, chosen);
        return rc == TAPE_OK && *chosen == from ? next_ready(w, from, chosen) : rc;
    }
    /* Once a look: what is known not to count need not be opened for every message. */
    if (w->sealed_below != TAPE__NO_CYCLE) {
        int64_t highest = tape__listing_highest_word(&w->site->listing);
        if (highest <= *chosen || w->newer_seen == tape__listing_pulse(&w->site->listing))
            return TAPE_OK;
    }
    int rc = tape__roll_newest(w, *chosen, chosen);
    if (rc == TAPE_OK) w->newer_seen = tape__listing_pulse(&w->site->listing);
    return rc;
}
