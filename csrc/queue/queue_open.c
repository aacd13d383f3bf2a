/* queue_open.c - opening a queue: what is wished, and which wing opens it. */
#define _POSIX_C_SOURCE 200809L
#include <inttypes.h>
#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/options.h"
#include "base/platform.h"
#include "queue/queue.h"
#include "write/durable.h"

#define BLOCK_MAX (INT64_C(1) << 40)
#define SLOW_APPEND_DEFAULT_NS INT64_C(100000000)

static int check_options(const char *path, const tape_queue_options_t *given,
                         tape_queue_options_t *o, const tape_roll_cycle_t **wish)
{
    int rc = tape__options_copy(o, sizeof *o, given, path);
    if (rc != TAPE_OK) return rc;
    *wish = NULL;
    if (!path || !*path) return tape__fail(TAPE_EINVAL, path, -1, "the path is empty");
    if (o->roll_cycle && !(*wish = tape_roll_cycle_named(o->roll_cycle)))
        return tape__fail(TAPE_EINVAL, path, -1, "\"%s\" is no roll cycle; there are 28, from "
                          "FIVE_MINUTELY to TEST8_DAILY", o->roll_cycle);
    if (o->block_size < 0 || o->block_size > BLOCK_MAX)
        return tape__fail(TAPE_EINVAL, path, -1, "block_size is out of range (1 to 2^40 bytes)");
    if (o->epoch_ms < -TAPE__EPOCH_MAX || o->epoch_ms > TAPE__EPOCH_MAX)
        return tape__fail(TAPE_EINVAL, path, -1, "an epoch of more than 10000 years");
    if (o->source_id < 0) return tape__fail(TAPE_EINVAL, path, -1, "source_id is negative");
    if (o->lock_timeout_ns < -1 || o->stale_after_ns < 0 || o->slow_append_ns < 0)
        return tape__fail(TAPE_EINVAL, path, -1, "a negative time");
    return tape__durable_check_options(o->durability, o->sync_interval_ns, path);
}

static int compare_settings(tape_queue_t *q, const tape_queue_options_t *o,
                            const tape_roll_cycle_t *wish)
{
    const tape__settings_t *s = &q->site.settings;
    if (wish && wish != s->roll_cycle) q->mismatch |= TAPE_MISMATCH_ROLL_CYCLE;
    if ((o->epoch_ms || (o->flags & TAPE_EPOCH_GIVEN)) && o->epoch_ms != s->epoch_ms)
        q->mismatch |= TAPE_MISMATCH_EPOCH;
    if ((o->source_id || (o->flags & TAPE_SOURCE_ID_GIVEN)) && o->source_id != s->source_id)
        q->mismatch |= TAPE_MISMATCH_SOURCE_ID;
    if (q->mismatch == 0 || !(o->flags & TAPE_STRICT)) return TAPE_OK;
    return tape__fail(TAPE_EMISMATCH, q->site.path, -1,
                      "%s has roll cycle %s, epoch %" PRId64 " ms and source id %d", q->site.path,
                      s->roll_cycle->name, s->epoch_ms, s->source_id);
}

static int open_files(tape_queue_t *q, const tape_queue_options_t *o, const tape_roll_cycle_t *wish)
{
    if (o->flags & TAPE_READ_ONLY)
        return tape__site_open_to_read(&q->site, (o->flags & TAPE_UNSAFE_FILESYSTEM) != 0);
    return tape__writer_open_files(&q->writer, o, wish);
}

/* Readers look at the writers' lock, too: tape_queue_info() tells who holds it. */
static int bind_words(tape_queue_t *q, const tape_queue_options_t *o)
{
    if (!q->site.read_only) return tape__writer_bind(&q->writer, o);
    if (q->site.has_table)
        q->writer.lock.word = tape__table_store_cell(&q->site.table, TAPE__KEY_WRITE_LOCK);
    return TAPE_OK;
}

int tape_queue_open(const char *path, const tape_queue_options_t *options, tape_queue_t **out)
{
    tape_queue_options_t o;
    const tape_roll_cycle_t *wish = NULL;
    if (!out) return tape__fail(TAPE_EINVAL, path, -1, "no place for the handle");
    *out = NULL;
    int rc = check_options(path, options, &o, &wish);
    if (rc != TAPE_OK) return rc;
    tape_queue_t *q = tape__alloc(sizeof *q);
    if (!q) return tape__fail(TAPE_ENOMEM, path, -1, "out of memory");
    tape__site_begin(&q->site, tape__queue_destroy);
    tape__writer_begin(&q->writer, &q->site);
    q->site.clock = o.clock;
    q->site.clock_user = o.clock_user;
    q->site.shelf.unpacker = (tape__unpacker_t){o.unpack, o.unpack_user};
    rc = tape__site_set_path(&q->site, path);
    if (rc == TAPE_OK) rc = open_files(q, &o, wish);
    if (rc == TAPE_OK) rc = compare_settings(q, &o, wish);
    if (rc == TAPE_OK) rc = bind_words(q, &o);
    if (rc != TAPE_OK) {
        tape__queue_destroy(&q->site);
        return rc;
    }
    tape__writer_set_block_size(&q->writer, o.block_size, q->site.settings.roll_cycle);
    tape__listing_begin(&q->site.listing);
    q->writer.durability = o.durability ? o.durability : TAPE_DURABILITY_OS;
    q->writer.sync_interval_ns = o.sync_interval_ns;
    q->writer.slow_append = o.slow_append;
    q->writer.slow_append_user = o.slow_append_user;
    q->writer.slow_append_ns = o.slow_append_ns ? o.slow_append_ns : SLOW_APPEND_DEFAULT_NS;
    q->writer.newest_at_opening = tape__listing_highest_word(&q->site.listing);
    if (!q->site.read_only) tape__writer_mend(&q->writer);
    *out = q;
    return TAPE_OK;
}
