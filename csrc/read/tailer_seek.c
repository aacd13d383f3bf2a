/* tailer_seek.c - to a given message (format.md 12.2).
 *
 * In the cycle in hand a tailer without a bound on what it maps looks through `wide`, one window
 * over the whole file: address space costs nothing, and seeking to and fro maps nothing any more.
 * Reading then goes on through a part of it, and behind that through windows of its own, so that
 * only what was sought stays resident.
 */
#include "base/error.h"
#include "base/platform.h"
#include "file/excerpt_index.h"
#include "read/tailer.h"

/* How long it is believed that nobody deleted the file in hand, unless the listing tells. */
#define BELIEVED_MS 50

/* So much of a message is at hand when it is read. */
enum { MESSAGE_NEAR = 64 };

/* ---- in the cycle in hand ---- */

/* Whether the cursor stands at the message, or where it will be. */
static bool is_reached(int sought)
{
    return sought == TAPE__SOUGHT_THERE || sought == TAPE__SOUGHT_NEXT;
}

/* The window to seek through. A part of `wide` is given up: it may be mapped anew. */
static tape__window_t *window_to_seek(tape_tailer_t *t)
{
    if (t->bounded || t->store.file.unpacker.call) return &t->window;
    if (t->window.borrowed) tape__window_close(&t->window);
    if (t->wide.base && t->wide.start == 0) return &t->wide;
    tape__window_close(&t->wide);
    int rc = tape__window_cover(&t->wide, &t->store.file, 0, 4, UINT64_MAX);
    return rc == TAPE_OK ? &t->wide : &t->window;
}

/* To a message that was passed before: it is there, and nobody need wait for its memory yet. */
static int seek_known(const tape__window_t *w, uint64_t position, int64_t sequence,
                      tape__cursor_t *c)
{
    *c = (tape__cursor_t){position, sequence, 0};
    if (tape__window_has(w, position, MESSAGE_NEAR)) {
        __builtin_prefetch(tape__window_at(w, position));
        __builtin_prefetch(tape__window_at(w, position + MESSAGE_NEAR));
    }
    return TAPE__SOUGHT_THERE;
}

static int seek_in_hand(tape_tailer_t *t, int64_t sequence, tape__cursor_t *c)
{
    if (t->store.aligned) tape__places_want(&t->places, tape__excerpt_index_next(&t->store));
    tape__window_t *w = window_to_seek(t);
    const uint64_t known = tape__places_at(&t->places, sequence);
    int rc = known ? seek_known(w, known, sequence, c)
                   : tape__tailer_look_in(t, &t->store, w, sequence, c);
    if (is_reached(rc) && w == &t->wide && tape__window_has(w, c->position, 4)) {
        tape__window_close(&t->window);
        t->window = tape__window_part(w, c->position, t->window_size);
    }
    return rc;
}

/* Whether somebody deleted the file in hand, as far as it is time to ask. */
static bool is_deleted_by_now(tape_tailer_t *t)
{
    const int64_t now = tape__now_coarse_ms();
    const uint64_t listing = tape__listing_pulse(&t->site->listing);
    if (t->believed_until_ms - now > 0 && t->believed_until_ms - now <= BELIEVED_MS &&
        listing == t->believed_listing)
        return false;
    /* Where it is not known, the file is opened by its name. */
    if (tape__tailer_is_deleted(t) != TAPE__NO) return true;
    t->believed_until_ms = now + BELIEVED_MS;
    t->believed_listing = listing;
    return false;
}

int tape__tailer_move(tape_tailer_t *t, int64_t cycle, int64_t sequence)
{
    tape__cursor_t c;
    /* What was deleted is read to its end, but an index is that of a message in the queue. */
    if (t->open && t->store.cycle == cycle && !is_deleted_by_now(t)) {
        int rc = seek_in_hand(t, sequence, &c);
        if (is_reached(rc)) t->at = c;
        return rc;
    }
    tape__cycle_store_t store;
    tape__window_t window = {0};
    int rc = tape__tailer_open_file(t->site, cycle, &store);
    if (rc != TAPE__YES) return rc == TAPE__NO ? TAPE__SOUGHT_BEYOND : rc;
    rc = tape__tailer_look_in(t, &store, &window, sequence, &c);
    if (is_reached(rc)) {
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
    if (!t->backward) return TAPE_OK;
    int64_t sequence = t->at.sequence; /* backward nothing else counts */
    int rc = tape__tailer_look_in(t, &t->store, w, sequence < 0 ? 0 : sequence, out);
    return rc < 0 ? rc : TAPE_OK;
}

/* Forward the next message is the one that would have been next backward, as in Java: before the
 * first of a cycle that is the last of an earlier one, if there is any. */
int tape__tailer_turn_forward(tape_tailer_t *t)
{
    if (!t->open) return TAPE_OK;
    tape__cursor_t c;
    if (t->at.sequence < 0) {
        int found = tape__tailer_find_backward(t);
        if (found == TAPE_EGAP) t->gap.untold = true; /* by the next read */
        else if (found < 0) return found;
        t->last_call.gave = TAPE__GAVE_NOTHING;
    }
    int64_t sequence = t->at.sequence < 0 ? 0 : t->at.sequence;
    int rc = tape__tailer_look_in(t, &t->store, &t->window, sequence, &c);
    if (rc < 0) return rc;
    t->at = c;
    return TAPE_OK;
}
