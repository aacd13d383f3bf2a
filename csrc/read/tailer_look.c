/* tailer_look.c - where a message is in one file, whoever asks: who seeks, reads backward, or
 * compares a copy (format.md 12.2).
 *
 * From a place before it that is known - an index entry, one that was passed earlier, or where the
 * tailer stands - over the messages between.
 */
#include "file/cycle_chain.h"
#include "file/excerpt_index.h"
#include "read/tailer.h"

/* Over complete documents that lie whole in the window, up to message `sequence`, without a call;
 * the places passed are kept. Whatever else there is is left to walk_to(). */
static void walk_in_window(const tape__window_t *w, int64_t sequence, tape__cursor_t *c,
                           tape__places_t *places)
{
    const uint8_t *base = w->base;
    uint64_t at = c->position - w->start;
    int64_t here = c->sequence;
    if (c->position < w->start) return;
    while (here < sequence && at + 4 <= w->size) {
        /* order[publish]: only the lengths of complete documents are walked by. */
        const uint32_t word = OBSERVE32(publish, (const uint32_t *)(const void *)(base + at));
        if (at + 4 + tape__word_length(word) > w->size) break;
        if (tape__word_is_message(word)) {
            if (places && tape__places_wants(places, here))
                tape__places_note(places, here, w->start + at);
            here++;
        } else if (tape__word_kind(word) != TAPE__WORD_META) {
            break;
        }
        at = tape__word_next(at, tape__word_length(word), true);
    }
    c->position = w->start + at;
    c->sequence = here;
}

/* Walks to message `sequence`: a tape__sought_t, or a code. */
static int walk_to(tape_tailer_t *t, tape__cycle_store_t *s, tape__window_t *w, int64_t sequence,
                   tape__cursor_t *c)
{
    tape__places_t *places = s == &t->store && t->places.slots ? &t->places : NULL;
    for (;;) {
        if (s->aligned) walk_in_window(w, sequence, c, places);
        int rc = tape__cycle_store_observe(s, w, c, t->window_size);
        if (rc != TAPE_OK) return rc;
        if (!tape__word_is_document(c->word))
            return c->sequence == sequence ? TAPE__SOUGHT_NEXT : TAPE__SOUGHT_BEYOND;
        if (tape__word_is_message(c->word) && c->sequence == sequence) return TAPE__SOUGHT_THERE;
        tape__cycle_store_step(s, c);
    }
}

/* A place at or before `sequence` from which the walk is short: a place passed before, an index
 * entry, or where we are. */
static int nearest(tape_tailer_t *t, tape__cycle_store_t *s, tape__window_t *w, int64_t sequence,
                   tape__cursor_t *c)
{
    const bool in_hand = s == &t->store;
    *c = (tape__cursor_t){0, 0, 0};
    if (!in_hand || !tape__places_before(&t->places, sequence, sequence - s->index_spacing,
                                         &c->sequence, &c->position)) {
        int rc = tape__excerpt_index_find(s, w, sequence, c);
        if (rc != TAPE_OK) return rc;
    }
    if (in_hand && !t->backward && t->at.sequence <= sequence && t->at.sequence > c->sequence)
        *c = t->at;
    return TAPE_OK;
}

/* As walk_to(), from the nearest place. When there is no such message, a damaged entry of the index
 * may have led astray: unless the end proves that it was counted right, all are counted. */
int tape__tailer_look_in(tape_tailer_t *t, tape__cycle_store_t *s, tape__window_t *w,
                         int64_t sequence, tape__cursor_t *c)
{
    int rc = nearest(t, s, w, sequence, c);
    if (rc != TAPE_OK) return rc;
    const tape__cursor_t from = *c;
    rc = walk_to(t, s, w, sequence, c);
    if (rc == TAPE__SOUGHT_THERE) return rc;
    const int astray = tape__cycle_chain_led_astray(s, w, &from, rc, c);
    if (astray != TAPE__YES) return astray < 0 ? astray : rc;
    if (s == &t->store) tape__places_forget(&t->places);
    *c = (tape__cursor_t){s->first_document, 0, 0};
    return walk_to(t, s, w, sequence, c);
}
