/* tailer_info.c - where a tailer stands, and how far behind the end of the queue. */
#include "base/error.h"
#include "base/platform.h"
#include "file/cycle_chain.h"
#include "read/tailer.h"

typedef struct {
    tape__extent_t extent; /* from the tailer's place to the end of the queue */
    int64_t cycle;         /* of the first message in it; TAPE__NO_CYCLE: there is none */
    tape__word_kind_t end; /* of the tailer's own cycle */
} behind_t;

static void add(behind_t *b, int64_t cycle, int64_t count, uint64_t bytes)
{
    if (count <= 0) return;
    b->extent.count += count;
    b->extent.bytes += bytes;
    if (b->cycle == TAPE__NO_CYCLE || b->cycle > cycle) b->cycle = cycle;
}

static int measure_own_cycle(tape_tailer_t *t, behind_t *b)
{
    tape__window_t window = {0};
    tape__chain_end_t end;
    tape__cursor_t here;
    int rc = tape__tailer_place(t, &window, &here);
    if (rc == TAPE_OK) rc = tape__cycle_chain_find_end(&t->store, &window, &end);
    tape__window_close(&window);
    if (rc != TAPE_OK) return rc;
    b->end = tape__word_kind(end.end.word);
    if (end.end.position > here.position)
        add(b, t->store.cycle, end.end.sequence - here.sequence,
            end.end.position - here.position);
    return TAPE_OK;
}

typedef struct {
    tape__shelf_t *shelf;
    behind_t *b;
} measuring_t;

static int measure_cycle(void *user, int64_t cycle)
{
    const measuring_t *m = user;
    tape__extent_t extent;
    int rc = tape__shelf_measure(m->shelf, cycle, &extent);
    if (rc == TAPE__YES) add(m->b, cycle, extent.count, extent.bytes);
    return rc < 0 ? rc : TAPE_OK;
}

static int measure(tape_tailer_t *t, behind_t *b)
{
    tape__shelf_t *shelf = &t->site->shelf;
    measuring_t m = {shelf, b};
    int64_t next, last = TAPE__NO_CYCLE;
    int rc = measure_own_cycle(t, b);
    if (rc == TAPE_OK) rc = tape__shelf_above(shelf, t->store.cycle + 1, NULL, &next);
    if (rc != TAPE_OK || next == TAPE__NO_CYCLE) return rc;
    rc = tape__shelf_ends(shelf, NULL, &last);
    return rc == TAPE_OK ? tape__shelf_each(shelf, next, last + 1, measure_cycle, &m) : rc;
}

static int32_t state_of(const tape_tailer_t *t, const behind_t *b)
{
    if (!t->open) return TAPE_UNINITIALISED;
    if (t->backward && t->at.sequence < 0) return TAPE_BEYOND_START_OF_CYCLE;
    if (b->extent.count > 0) return TAPE_FOUND_IN_CYCLE;
    return b->end == TAPE__WORD_EOF ? TAPE_END_OF_CYCLE : TAPE_FOUND_IN_CYCLE;
}

/* Messages bear no time; what is known is when their cycle was over. */
static int64_t age_ms(const tape__site_t *site, int64_t cycle)
{
    const tape_roll_cycle_t *r = site->settings.roll_cycle;
    if (cycle == TAPE__NO_CYCLE) return 0;
    int64_t ended = tape__roll_cycle_start_ms(r, site->listing.epoch_ms, cycle) + r->length_ms;
    int64_t now = tape__site_clock_ms(site);
    return now > ended ? now - ended : 0;
}

static int fill(tape_tailer_t *t, tape_tailer_info_t *out)
{
    behind_t b = {{0, 0}, TAPE__NO_CYCLE, TAPE__WORD_FREE};
    int rc = tape__tailer_stand_at_start(t);
    if (rc == TAPE__YES) rc = measure(t, &b);
    if (rc < 0) return rc;
    out->index = t->open ? tape__tailer_next_index(t) : 0;
    out->last_read = t->last_read;
    out->committed = -1;
    if (t->name.cell) out->committed = tape__table_store_value(t->name.cell);
    if (t->name.cell && out->committed < 0) out->committed = 0; /* nonsense counts as nothing */
    out->lag_messages = b.extent.count;
    out->lag_bytes = (int64_t)b.extent.bytes;
    out->lag_ms = age_ms(t->site, b.cycle);
    out->direction = t->backward ? TAPE_BACKWARD : TAPE_FORWARD;
    out->state = state_of(t, &b);
    return TAPE_OK;
}

int tape_tailer_info(tape_tailer_t *t, tape_tailer_info_t *out)
{
    if (!out) return tape__fail(TAPE_EINVAL, NULL, -1, "no place for the facts");
    int rc = tape__tailer_enter_to_tell(t);
    if (rc != TAPE_OK) return rc;
    rc = fill(t, out);
    tape__tailer_leave_unchanged(t);
    return rc;
}
