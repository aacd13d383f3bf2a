/* tailer_copy.c - a cycle file whose place was taken by another one: a copy, or another history.
 *
 * Who mirrors a queue (rsync, cp and mv) renames a new file over the old one each time. The old one
 * is still mapped, so the two can be compared: it is a copy when the message before the tailer's
 * place stands in both at the same position with the same bytes. Messages bear no numbers of their
 * own, so equal bytes at an equal position are all the proof there can be.
 */
#include <string.h>

#include "read/tailer.h"

/* A file and the window through which it is looked at. */
typedef struct {
    tape__cycle_store_t *store;
    tape__window_t window;
    tape__cursor_t at;
} side_t;

/* Whether there is a message `sequence`; stands there, with it whole in the window: an answer. */
static int find(tape_tailer_t *t, side_t *s, int64_t sequence)
{
    int rc = tape__tailer_look_in(t, s->store, &s->window, sequence, &s->at);
    return rc < 0 ? rc : tape__answer(rc == TAPE__SOUGHT_THERE);
}

/* Damage in either is no copy, and told by reading. */
static int find_in_both(tape_tailer_t *t, side_t *old, side_t *new, int64_t sequence)
{
    int rc = find(t, old, sequence);
    if (rc == TAPE__YES) rc = find(t, new, sequence);
    return rc == TAPE_ECORRUPT ? TAPE__NO : rc;
}

static bool equal(const side_t *old, const side_t *new)
{
    return old->at.position == new->at.position && old->at.word == new->at.word &&
           memcmp(tape__window_at(&old->window, old->at.position + 4),
                  tape__window_at(&new->window, new->at.position + 4),
                  tape__word_length(old->at.word)) == 0;
}

/* Whether both have the same message `sequence`; new->at is behind it then: an answer. */
static int compare(tape_tailer_t *t, side_t *old, side_t *new, int64_t sequence)
{
    int rc = find_in_both(t, old, new, sequence);
    if (rc != TAPE__YES) return rc;
    if (!equal(old, new)) return TAPE__NO;
    tape__cycle_store_step(new->store, &new->at);
    return TAPE__YES;
}

int tape__tailer_enter_copy(tape_tailer_t *t)
{
    const int64_t sequence = t->at.sequence;
    tape__cycle_store_t store;
    if (sequence == 0) return TAPE__NO; /* nothing was read here: it begins in the new one */
    int rc = tape__tailer_open_file(t->site, t->store.cycle, &store);
    if (rc != TAPE__YES) return rc;
    side_t old = {&t->store, {0}, {0, 0, 0}}, new = {&store, {0}, {0, 0, 0}};
    rc = compare(t, &old, &new, sequence - 1);
    tape__window_close(&old.window);
    tape__window_close(&new.window);
    if (rc == TAPE__YES) {
        tape__tailer_enter_cycle(t, &store);
        t->at = new.at;
    } else {
        tape__cycle_store_close(&store);
    }
    return rc;
}
