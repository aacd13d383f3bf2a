/* tailer.c - reading: forward from anywhere, across cycles; seeking (format.md 9.5, 12).
 *
 * A tailer maps cycle files read-only and takes no lock: it cannot harm a queue.
 *
 *     tailer     at 0 or NOT_COMPLETE: nothing yet     at END_OF_DATA: the next cycle that exists
 *
 * Without END_OF_DATA it stays, even if newer cycles exist: a late writer may still append here.
 */
#define _POSIX_C_SOURCE 200809L
#include <inttypes.h>
#include <string.h>

#include "atomics.h"
#include "bytes.h"
#include "error.h"
#include "excerpt_index.h"
#include "platform.h"
#include "tailer.h"
#include "wire.h"

#define WINDOW_DEFAULT (INT64_C(16) << 20)
#define WINDOW_LEAST (INT64_C(64) << 10)
enum { ID_MAX = 256 };
#define LOOK_EVERY_NS INT64_C(50000000) /* at the directory, where the listing words do not help */

tape_tailer_t **tape__tailer_link(tape_tailer_t *t) { return &t->next_sibling; }

int64_t tape__tailer_index(const tape_tailer_t *t)
{
    return tape__index(t->queue->settings.roll_cycle, t->store.cycle, t->at.sequence);
}

static void leave_cycle(tape_tailer_t *t)
{
    if (!t->open) return;
    tape__window_close(&t->window);
    tape__cycle_store_close(&t->store);
    t->open = false;
    t->trail.count = 0;
}

/* ---- one thread at a time ---- */

/* order[busy]: what the last thread left in the tailer is seen by the next one. */
int tape__tailer_enter(tape_tailer_t *t)
{
    if (!t) return tape__fail(TAPE_EINVAL, NULL, -1, "no tailer");
    int rc = tape__queue_check(t->queue);
    if (rc != TAPE_OK) return rc;
    if (!CLAIM32(busy, &t->busy, 0, 1)) {
        rc = tape__queue_check(t->queue); /* it may be tape_queue_shutdown() that is using it */
        if (rc != TAPE_OK) return rc;
        return tape__fail(TAPE_EBUSY, t->queue->path, -1, "another thread is using this tailer");
    }
    t->can_unread = false;
    if (!t->shut) {
        t->delivered = false;
        return TAPE_OK;
    }
    (void)CLAIM32(busy, &t->busy, 1, 0);
    return tape__fail(TAPE_ECLOSED, t->queue->path, -1, "the tailer was closed");
}

void tape__tailer_leave(tape_tailer_t *t) { (void)CLAIM32(busy, &t->busy, 1, 0); }

int tape__tailer_shut(tape_tailer_t *t)
{
    if (!CLAIM32(busy, &t->busy, 0, 1))
        return tape__fail(TAPE_EBUSY, t->queue->path, -1, "another thread is using this tailer");
    t->shut = true;
    tape__tailer_unbind(t);
    if (!t->delivered) leave_cycle(t); /* else when the tailer is closed */
    tape__tailer_leave(t);
    return TAPE_OK;
}

/* ---- opening and closing ---- */

int tape_tailer_open(tape_queue_t *queue, const tape_tailer_options_t *options, tape_tailer_t **out)
{
    if (!queue || !out) return tape__fail(TAPE_EINVAL, NULL, -1, "no queue, or no place for it");
    *out = NULL;
    int64_t window = WINDOW_DEFAULT;
    bool documents = false;
    if (options) {
        if (options->struct_size < sizeof *options || options->window_size < 0)
            return tape__fail(TAPE_EINVAL, queue->path, -1, "struct_size or window_size");
        if (options->id && strlen(options->id) > ID_MAX)
            return tape__fail(TAPE_EINVAL, queue->path, -1, "a name of more than %d bytes", ID_MAX);
        if (options->window_size) window = options->window_size;
        documents = (options->flags & TAPE_TAILER_DOCUMENTS) != 0;
    }
    int rc = tape__queue_enter(queue);
    if (rc != TAPE_OK) return rc;
    tape_tailer_t *t = tape__alloc(sizeof *t);
    if (t) {
        t->queue = queue;
        t->window_size = (uint64_t)(window < WINDOW_LEAST ? WINDOW_LEAST : window);
        t->documents = documents;
        t->last_read = TAPE_ENOINDEX;
        t->name.gap_from = -1;
        if (options && options->id)
            rc = tape__tailer_bind(t, options->id, (options->flags & TAPE_TAILER_STEAL) != 0);
        if (rc == TAPE_OK) {
            tape__queue_add_child(queue, t);
            *out = t;
        } else {
            leave_cycle(t);
            tape__free(t);
        }
    } else {
        rc = tape__fail(TAPE_ENOMEM, queue->path, -1, "out of memory");
    }
    tape__queue_leave(queue);
    return rc;
}

int tape_tailer_shutdown(tape_tailer_t *t)
{
    return t ? tape__tailer_shut(t) : tape__fail(TAPE_EINVAL, NULL, -1, "no tailer");
}

int tape_tailer_close(tape_tailer_t *t)
{
    if (!t) return TAPE_OK;
    int rc = t->shut ? TAPE_OK : tape__tailer_shut(t);
    if (rc != TAPE_OK) return rc;
    leave_cycle(t);
    tape__free(t->trail.positions);
    tape_queue_t *q = t->queue;
    tape__queue_remove_child(q, t);
    tape__free(t);
    return TAPE_OK;
}

/* ---- moving between cycles ---- */

/* Opens a cycle; 1 done, 0 when there is no such file (yet, or any more), or a code. */
static int open_cycle(const tape_queue_t *q, int64_t cycle, tape__cycle_store_t *store)
{
    char path[1024];
    if (!tape__listing_path(&q->listing, cycle, path, sizeof path)) return 0;
    int rc = tape__cycle_store_open(store, path, cycle, false);
    if (rc == TAPE_OK) return 1;
    return rc == TAPE__NOT_READY || rc == TAPE_ENOTFOUND ? 0 : rc;
}

static void enter_cycle(tape_tailer_t *t, const tape__cycle_store_t *store)
{
    leave_cycle(t);
    t->store = *store;
    t->window = (tape__window_t){0};
    t->open = true;
    t->at = (tape__cursor_t){t->store.first_document, 0, 0};
    t->looked_ns = 0; /* at this cycle's end the directory is looked at at once */
}

int tape__tailer_open_cycle(tape_tailer_t *t, int64_t cycle)
{
    tape__cycle_store_t store;
    int rc = open_cycle(t->queue, cycle, &store);
    if (rc == 1) enter_cycle(t, &store);
    return rc;
}

/* The directory is read at most every LOOK_EVERY_NS by one waiting tailer. */
static bool may_look(tape_tailer_t *t)
{
    int64_t now = tape__monotonic_ns();
    if (t->looked_ns && now - t->looked_ns < LOOK_EVERY_NS) return false;
    t->looked_ns = now;
    return true;
}

/* The first existing cycle at or above `from`. 1 found, 0 none, or a code. */
static int find_cycle(tape_tailer_t *t, int64_t from, int64_t *cycle)
{
    tape__listing_t *l = &t->queue->listing;
    int64_t highest = tape__listing_highest_word(l);
    if (tape__listing_exists(l, from)) {
        *cycle = from;
        return 1;
    }
    /* Cycles are made in rising order, so when the highest is visible all below it are, too. */
    if (!(highest != TAPE__NO_CYCLE && highest >= from) && !may_look(t)) return 0;
    int rc = tape__listing_above(l, from, cycle);
    if (rc != TAPE_OK) return rc;
    return *cycle != TAPE__NO_CYCLE;
}

static int first_cycle(tape_tailer_t *t, int64_t *cycle)
{
    tape__listing_t *l = &t->queue->listing;
    int64_t lowest = tape__listing_lowest_word(l), highest = tape__listing_highest_word(l);
    if (lowest == TAPE__NO_CYCLE && highest == TAPE__NO_CYCLE && !may_look(t)) return 0;
    int rc = tape__listing_ends(l, cycle, NULL);
    if (rc != TAPE_OK) return rc;
    return *cycle != TAPE__NO_CYCLE;
}

/* Puts a tailer without a cycle before the first message. 1, 0 when there is none, or a code. */
static int stand_at_start(tape_tailer_t *t)
{
    int64_t cycle;
    if (t->open) return 1;
    int rc = first_cycle(t, &cycle);
    return rc == 1 ? tape__tailer_open_cycle(t, cycle) : rc;
}

/* ---- a file that somebody deleted ---- */

/* Whether the file has no name any more, so that nobody will write to it. Asked for at most every
 * LOOK_EVERY_NS, by a tailer that waits at its end. */
static bool file_is_gone(tape_tailer_t *t)
{
    tape__stat_t st;
    return may_look(t) && tape__stat_fd(t->store.file.fd, &st) == 0 && st.links == 0;
}

/* Goes on to the next cycle, as at an END_OF_DATA; a new file of the same cycle is another one. */
static int leave_deleted_file(tape_tailer_t *t)
{
    int64_t cycle;
    int rc = tape__listing_above(&t->queue->listing, t->store.cycle, &cycle);
    if (rc != TAPE_OK || cycle == TAPE__NO_CYCLE) return rc;
    rc = tape__tailer_open_cycle(t, cycle);
    if (rc == 1) t->name.not_before = 0;
    return rc;
}

/* ---- reading ---- */

static void fill_excerpt(tape_tailer_t *t, tape_excerpt_t *out)
{
    const uint8_t *body = tape__window_at(&t->window, t->at.position + 4);
    size_t size = tape__word_length(t->at.word), offset = 0, length = size;
    bool framed = !t->documents && tape__wire_unframe(body, size, &offset, &length);
    out->data = framed ? body + offset : body;
    out->size = framed ? length : size;
    out->framing = framed ? TAPE_FRAMING_BYTES : TAPE_FRAMING_DOCUMENT;
    out->reserved = 0;
    t->delivered = true;
    out->index = tape__tailer_index(t);
}

/* Walks to the next message without passing it. 1, 0 or a code. */
static int find_message(tape_tailer_t *t)
{
    int rc = stand_at_start(t);
    while (rc == 1) {
        int64_t cycle;
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
            tape__cycle_store_step(&t->store, &t->at);
            break;
        case TAPE__WORD_EOF:
            rc = find_cycle(t, t->store.cycle + 1, &cycle);
            if (rc == 1) rc = tape__tailer_open_cycle(t, cycle);
            if (rc == 1) t->name.not_before = 0;
            break;
        default:
            if (!file_is_gone(t)) return 0;
            rc = leave_deleted_file(t);
        }
    }
    return rc;
}

/* ---- seeking ---- */

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

/* ---- backward ---- */

/* Walks to message `sequence` and keeps where it and those shortly before it are. 1 found, 0 when
 * there is none (*end: how many messages there are), or a code. */
static int walk_trail(tape_tailer_t *t, int64_t sequence, int64_t *end)
{
    tape__cursor_t c;
    if (!t->trail.positions) {
        t->trail.positions = tape__alloc(TAPE__TRAIL_MAX * sizeof *t->trail.positions);
        if (!t->trail.positions)
            return tape__fail(TAPE_ENOMEM, t->queue->path, -1, "out of memory");
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

/* The newest cycle below the one in hand. 1 entered, 0 none, or a code. */
static int enter_earlier_cycle(tape_tailer_t *t)
{
    int64_t below = t->store.cycle;
    for (;;) {
        int64_t cycle;
        int rc = tape__listing_below(&t->queue->listing, below - 1, &cycle);
        if (rc != TAPE_OK || cycle == TAPE__NO_CYCLE) return rc;
        rc = tape__tailer_open_cycle(t, cycle);
        if (rc != 0) return rc;
        below = cycle;
    }
}

/* Behind the last message of the cycle just entered: as the write position tells, whose numbers are
 * Java's; if that is damaged, as far as the index leads. */
static void stand_at_last(tape_tailer_t *t)
{
    tape__chain_end_t end;
    bool known = tape__cycle_store_find_end(&t->store, &t->window, &end) == TAPE_OK;
    t->at.sequence = known ? end.end.sequence - 1 : INT64_MAX;
}

/* Stands on the message that is next backward: at->sequence, or the nearest before it. 1, 0 or a
 * code. Beyond the start the sequence is -1, and index() the number before the first one. */
static int find_message_before(tape_tailer_t *t)
{
    int rc = stand_at_start(t);
    while (rc == 1) {
        int64_t sequence = t->at.sequence, end = 0;
        const tape__trail_t *trail = &t->trail;
        if (sequence < 0) {
            rc = enter_earlier_cycle(t);
            if (rc == 1) stand_at_last(t);
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

/* Where a forward read goes on after reading backward. */
static int turn_forward(tape_tailer_t *t)
{
    if (!t->open) return TAPE_OK;
    tape__cursor_t c;
    int64_t sequence = t->at.sequence < 0 ? 0 : t->at.sequence;
    int rc = seek_in(t, &t->store, &t->window, sequence, &c);
    if (rc < -1) return rc;
    t->at = c;
    return TAPE_OK;
}

int tape_tailer_set_direction(tape_tailer_t *t, int direction)
{
    int rc = tape__tailer_enter(t);
    if (rc != TAPE_OK) return rc;
    if (direction != TAPE_FORWARD && direction != TAPE_BACKWARD)
        rc = tape__fail(TAPE_EINVAL, t->queue->path, -1, "%d is no direction", direction);
    else if (t->backward && direction == TAPE_FORWARD)
        rc = turn_forward(t);
    if (rc == TAPE_OK) t->backward = direction == TAPE_BACKWARD;
    tape__tailer_leave(t);
    return rc;
}

int tape_tailer_direction(tape_tailer_t *t)
{
    int rc = tape__tailer_enter(t);
    if (rc != TAPE_OK) return rc;
    rc = t->backward ? TAPE_BACKWARD : TAPE_FORWARD;
    tape__tailer_leave(t);
    return rc;
}

/* ---- what callers call ---- */

static int find_next(tape_tailer_t *t)
{
    return t->backward ? find_message_before(t) : find_message(t);
}

static void step_over(tape_tailer_t *t)
{
    if (t->backward) t->at.sequence--;
    else tape__cycle_store_step(&t->store, &t->at);
}

static int no_place(void)
{
    return tape__fail(TAPE_EINVAL, NULL, -1, "no place for the message");
}

int tape_tailer_peek(tape_tailer_t *t, tape_excerpt_t *out)
{
    int rc = out ? tape__tailer_enter(t) : no_place();
    if (rc != TAPE_OK) return rc;
    rc = find_next(t);
    if (rc == 1) fill_excerpt(t, out);
    tape__tailer_leave(t);
    return rc;
}

int tape_tailer_next(tape_tailer_t *t, tape_excerpt_t *out)
{
    int rc = out ? tape__tailer_enter(t) : no_place();
    if (rc != TAPE_OK) return rc;
    rc = find_next(t);
    if (rc == 1) {
        fill_excerpt(t, out);
        t->before = t->at;
        t->before_last_read = t->last_read;
        t->can_unread = true;
        t->last_read = out->index;
        step_over(t);
    }
    tape__tailer_leave(t);
    return rc;
}

int tape_tailer_unread(tape_tailer_t *t)
{
    bool can = t && t->can_unread; /* enter() forgets it */
    int rc = tape__tailer_enter(t);
    if (rc != TAPE_OK) return rc;
    if (can) {
        t->at = t->before;
        t->last_read = t->before_last_read;
    } else {
        rc = tape__fail(TAPE_ESTATE, t->queue->path, -1, "nothing was read that could be unread");
    }
    tape__tailer_leave(t);
    return rc;
}

int64_t tape_tailer_index(tape_tailer_t *t)
{
    int64_t index = tape__tailer_enter(t);
    if (index != TAPE_OK) return index;
    int rc = stand_at_start(t);
    index = rc < 0 ? rc : 0;
    if (rc == 1) index = tape__tailer_index(t);
    tape__tailer_leave(t);
    return index;
}

int64_t tape_tailer_last_read(tape_tailer_t *t)
{
    bool can = t && t->can_unread;
    int64_t index = tape__tailer_enter(t);
    if (index != TAPE_OK) return index;
    index = t->last_read;
    t->can_unread = can; /* looking changes nothing */
    tape__tailer_leave(t);
    return index;
}

/* ---- moving ---- */

int tape__tailer_move(tape_tailer_t *t, int64_t cycle, int64_t sequence)
{
    tape__cursor_t c;
    if (t->open && t->store.cycle == cycle) {
        int rc = seek_in(t, &t->store, &t->window, sequence, &c);
        if (rc == 0 || rc == 1) t->at = c;
        return rc;
    }
    tape__cycle_store_t store;
    tape__window_t window = {0};
    int rc = open_cycle(t->queue, cycle, &store);
    if (rc != 1) return rc == 0 ? -1 : rc;
    rc = seek_in(t, &store, &window, sequence, &c);
    if (rc == 0 || rc == 1) {
        enter_cycle(t, &store);
        t->window = window;
        t->at = c;
        return rc;
    }
    tape__window_close(&window);
    tape__cycle_store_close(&store);
    return rc;
}

int tape_tailer_seek(tape_tailer_t *t, int64_t index)
{
    int rc = tape__tailer_enter(t);
    if (rc != TAPE_OK) return rc;
    const tape_roll_cycle_t *r = t->queue->settings.roll_cycle;
    if (index < 0)
        rc = tape__fail(TAPE_EINVAL, t->queue->path, -1, "index %" PRId64 " is negative", index);
    else
        rc = tape__tailer_move(t, tape__index_cycle(r, index), tape__index_sequence(r, index));
    t->name.not_before = 0;
    if (rc == -1) rc = 0;
    tape__tailer_leave(t);
    return rc;
}

int tape_tailer_seek_start(tape_tailer_t *t)
{
    int rc = tape__tailer_enter(t);
    if (rc != TAPE_OK) return rc;
    leave_cycle(t);
    t->name.not_before = 0;
    t->looked_ns = 0;
    rc = stand_at_start(t);
    tape__tailer_leave(t);
    return rc < 0 ? rc : TAPE_OK;
}

/* The newest cycle below `below` whose file can be used. 1, 0 or a code. */
static int open_last(tape_tailer_t *t, int64_t below)
{
    for (;;) {
        int64_t cycle;
        int rc = below > INT32_MAX ? tape__listing_ends(&t->queue->listing, NULL, &cycle)
                                   : tape__listing_below(&t->queue->listing, below - 1, &cycle);
        if (rc != TAPE_OK || cycle == TAPE__NO_CYCLE) return rc;
        rc = tape__tailer_open_cycle(t, cycle);
        if (rc != 0) return rc;
        below = cycle; /* half-made: the end is in the one before it */
    }
}

static int seek_end(tape_tailer_t *t, tape__chain_end_t *end)
{
    int rc = open_last(t, INT64_C(1) + INT32_MAX);
    if (rc != 1) return rc;
    rc = tape__cycle_store_find_end(&t->store, &t->window, end);
    if (rc != TAPE_OK) return rc;
    t->at = end->end;
    if (t->backward) t->at.sequence--; /* the next one backward is the last message */
    return 1;
}

int tape_tailer_seek_end(tape_tailer_t *t)
{
    tape__chain_end_t end;
    int rc = tape__tailer_enter(t);
    if (rc != TAPE_OK) return rc;
    t->name.not_before = 0;
    rc = seek_end(t, &end);
    tape__tailer_leave(t);
    return rc < 0 ? rc : TAPE_OK;
}

int tape__tailer_move_to_end(tape_tailer_t *t)
{
    tape__chain_end_t end;
    return seek_end(t, &end);
}

/* ---- first and last, by a tailer of their own ---- */

int64_t tape_queue_first_index(tape_queue_t *q)
{
    int rc = tape__queue_enter(q);
    if (rc != TAPE_OK) return rc;
    tape_tailer_t t = {.queue = q, .window_size = WINDOW_LEAST};
    rc = find_message(&t);
    int64_t index = rc;
    if (rc == 1) index = tape__index(q->settings.roll_cycle, t.store.cycle, t.at.sequence);
    leave_cycle(&t);
    tape__queue_leave(q);
    if (rc == 0) return tape__fail(TAPE_ENOINDEX, q->path, -1, "%s holds no message", q->path);
    return index;
}

int64_t tape_queue_last_index(tape_queue_t *q)
{
    int rc = tape__queue_enter(q);
    if (rc != TAPE_OK) return rc;
    tape_tailer_t t = {.queue = q, .window_size = WINDOW_LEAST};
    tape__chain_end_t end = {.last_position = 0};
    int64_t index = TAPE_ENOINDEX;
    rc = seek_end(&t, &end);
    while (rc == 1 && t.at.sequence == 0) { /* an empty cycle: look into the one before */
        rc = open_last(&t, t.store.cycle);
        if (rc == 1) {
            int code = tape__cycle_store_find_end(&t.store, &t.window, &end);
            if (code != TAPE_OK) rc = code;
            else t.at = end.end;
        }
    }
    if (rc == 1) index = tape__index(q->settings.roll_cycle, t.store.cycle, t.at.sequence - 1);
    leave_cycle(&t);
    tape__queue_leave(q);
    if (rc == 0) return tape__fail(TAPE_ENOINDEX, q->path, -1, "%s holds no message", q->path);
    return rc < 0 ? rc : index;
}
