/* queue.c - calls on a queue, closing it, and what can be asked of it. */
#include "queue/queue.h"

#include <inttypes.h>
#include <string.h>

#include "base/atomics.h"
#include "base/error.h"
#include "base/platform.h"
#include "write/durable.h"
#include "write/times_write.h"

const char *tape_version(void) { return "0.1.0"; }

/* ---- calls on the queue itself ---- */

int tape__queue_enter(tape_queue_t *q)
{
    return q ? tape__site_enter(&q->site) : tape__fail(TAPE_EINVAL, NULL, -1, "no queue");
}

void tape__queue_leave(tape_queue_t *q) { tape__site_leave(&q->site); }

/* ---- closing, from above: first the children, then the wing, then the site ---- */

#define GUARD_SLICE_NS INT64_C(20000000)

void tape__queue_destroy(tape__site_t *site)
{
    tape_queue_t *q = (tape_queue_t *)site;
    tape__writer_close(&q->writer);
    tape__site_end(site);
    tape__free(q);
}

/* False while a message is made in place, which its maker, perhaps the caller, must finish. */
static bool guard_wing(const tape_queue_t *q, tape__process_entry_t *entry)
{
    bool contended;
    while (!tape__process_guard(entry, GUARD_SLICE_NS, &contended))
        if (tape__process_is_in_place(entry)) {
            tape__fail(TAPE_EBUSY, q->site.path, -1,
                       "%s: a message is being made in place: publish or abandon it first",
                       q->site.path);
            return false;
        }
    return true;
}

/* If nobody writes just now: closing waits for nobody. */
static void note_the_end(tape_queue_t *q)
{
    tape__writer_t *w = &q->writer;
    if (q->site.read_only || !tape__write_lock_try(&w->lock)) return;
    tape__times_write_end(w, -1);
    (void)tape__write_lock_release(&w->lock);
}

int tape_queue_shutdown(tape_queue_t *q)
{
    int rc;
    if (!q) return tape__fail(TAPE_EINVAL, NULL, -1, "no queue");
    if (!tape__site_shut(&q->site, &rc)) return TAPE_OK;
    note_the_end(q);
    /* Without children nobody can be inside the wing of writers any more. */
    tape__process_entry_t *entry = tape__site_children(&q->site) > 0 ? q->site.entry : NULL;
    if (entry && !guard_wing(q, entry)) return TAPE_EBUSY;
    if (rc == TAPE_OK) {
        tape__writer_close(&q->writer);
        tape__site_close(&q->site);
    }
    if (entry) tape__process_unguard(entry);
    return rc == TAPE_OK ? tape__durable_finish_queue(&q->site) : rc;
}

int tape_queue_close(tape_queue_t *q)
{
    if (!q) return TAPE_OK;
    int children = tape__site_children(&q->site);
    if (children > 0)
        return tape__fail(TAPE_EBUSY, q->site.path, -1,
                          "%d appenders or tailers of the queue are open", children);
    int rc = tape_queue_shutdown(q);
    if (rc != TAPE_EBUSY) tape__queue_destroy(&q->site);
    return rc;
}

void tape_queue_release(tape_queue_t *q)
{
    if (!q) return;
    tape_queue_shutdown(q);
    tape__site_release(&q->site);
}

/* ---- questions ---- */

int tape_queue_cycle_name(tape_queue_t *q, int64_t cycle, char *buffer, size_t size)
{
    char name[TAPE__NAME_MAX];
    if (!q || !buffer) return tape__fail(TAPE_EINVAL, NULL, -1, "no queue or no buffer");
    if (!tape__roll_cycle_spell(q->site.settings.roll_cycle, q->site.listing.epoch_ms, cycle, name,
                                sizeof name) ||
        strlen(name) >= size)
        return tape__fail(TAPE_EINVAL, q->site.path, -1, "cycle %" PRId64 " has no file name",
                          cycle);
    strcpy(buffer, name);
    return TAPE_OK;
}

static int64_t or_none(int64_t cycle) { return cycle == TAPE__NO_CYCLE ? -1 : cycle; }

static int64_t holder_of(const tape_queue_t *q)
{
    if (!q->site.has_table || !q->writer.lock.word) return 0;
    return tape__table_keys_holder(OBSERVE64(write_lock, q->writer.lock.word));
}

int tape_queue_refresh(tape_queue_t *q)
{
    int rc = tape__queue_enter(q);
    if (rc != TAPE_OK) return rc;
    rc = tape__listing_refresh(&q->site.listing);
    if (!q->site.read_only) tape__writer_let_go(&q->writer);
    tape__site_let_go(&q->site);
    tape__queue_leave(q);
    return rc;
}

int tape_queue_info(tape_queue_t *q, tape_queue_info_t *out)
{
    if (!q || !out) return tape__fail(TAPE_EINVAL, NULL, -1, "no queue or no place for the facts");
    memset(out, 0, sizeof *out);
    int rc = tape__queue_enter(q); /* a closed queue still answers what needs no file */
    if (rc == TAPE_EFORKED) return rc;
    out->closed = rc != TAPE_OK;
    out->roll_cycle = q->site.settings.roll_cycle;
    out->path = q->site.path;
    out->epoch_ms = q->site.settings.epoch_ms;
    out->block_size = q->writer.block_size;
    out->lowest_cycle = out->highest_cycle = -1;
    out->source_id = q->site.settings.source_id;
    out->delta_checkpoint_interval = q->site.settings.delta_checkpoint_interval;
    out->read_only = q->site.read_only;
    out->mismatch = q->mismatch;
    out->durability = (int32_t)q->writer.durability;
    out->sync_interval_ns = q->writer.sync_interval_ns;
    out->lock_acquired = PEEK64(counters, &q->writer.lock.acquired);
    out->lock_contended = PEEK64(counters, &q->writer.lock.contended);
    out->lock_broken = PEEK64(counters, &q->writer.lock.broken);
    out->lock_lost = PEEK64(counters, &q->writer.lock.lost);
    out->repairs = PEEK64(counters, &q->writer.repairs);
    out->rolls = PEEK64(counters, &q->writer.rolls);
    out->clock_went_back = PEEK64(counters, &q->writer.clock_went_back);
    out->files_lost = PEEK64(counters, &q->writer.files_lost);
    if (rc != TAPE_OK) return TAPE_OK;
    int64_t first = TAPE__NO_CYCLE, last = TAPE__NO_CYCLE;
    rc = tape__listing_ends(&q->site.listing, &first, &last);
    out->lowest_cycle = or_none(first);
    out->highest_cycle = or_none(last);
    out->listing_mod_count = (int64_t)tape__listing_pulse(&q->site.listing);
    out->lock_holder_pid = holder_of(q);
    tape__durable_show(&q->site, out);
    tape__queue_leave(q);
    return rc;
}
