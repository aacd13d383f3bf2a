/* census.c - first and last message, counting, describing cycle files, and what lies at a time.
 *
 * A cycle's count is its last sequence plus one, which the write position or the index gives
 * without a walk over the messages (format.md 6.4).
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/platform.h"
#include "file/cycle_chain.h"
#include "file/cycle_times.h"
#include "queue/queue.h"
#include "read/tailer.h"

static int describe(const tape_queue_t *q, tape__cycle_store_t *s, tape_cycle_info_t *out)
{
    tape__window_t window = {0};
    tape__chain_end_t end;
    int rc = tape__cycle_chain_find_end(s, &window, &end);
    tape__window_close(&window);
    if (rc != TAPE_OK) return rc;
    bool finished = tape__word_kind(end.end.word) == TAPE__WORD_EOF;
    out->first_index = tape__index(q->site.settings.roll_cycle, s->cycle, 0);
    out->count = end.end.sequence;
    out->state = finished ? TAPE_CYCLE_FINISHED : TAPE_CYCLE_OPEN;
    out->data_format = s->aligned;
    return TAPE_OK;
}

static int measure_disk(const tape__file_t *file, tape_cycle_info_t *out)
{
    tape__stat_t st;
    int rc = tape__stat_fd(file->fd, &st);
    if (rc < 0) return tape__fail_errno(-rc, file->path, "looking at a cycle file");
    out->compressed = file->unpacker.call != NULL;
    out->bytes = (int64_t)(out->compressed ? file->size : st.size);
    out->bytes_on_disk = (int64_t)st.allocated;
    return TAPE_OK;
}

/* What is in the file of `cycle`, which must exist. */
static int look(tape_queue_t *q, int64_t cycle, tape_cycle_info_t *out)
{
    char path[TAPE__PATH_SIZE];
    tape__cycle_store_t store;
    tape__stat_t st;
    memset(out, 0, sizeof *out);
    out->cycle = cycle;
    if (!tape__listing_path(&q->site.listing, cycle, path, sizeof path))
        return tape__fail(TAPE_EINVAL, q->site.path, -1, "cycle %" PRId64 " has no file name",
                          cycle);
    int rc = tape__shelf_open(&q->site.shelf, cycle, &store);
    if (rc == TAPE__NOT_READY) {
        int failed = tape__stat_path(path, &st);
        if (failed < 0) return tape__fail_errno(-failed, path, "looking at a cycle file");
        out->first_index = tape__index(q->site.settings.roll_cycle, cycle, 0);
        out->state = TAPE_CYCLE_HALF_MADE;
        out->bytes = (int64_t)st.size;
        out->bytes_on_disk = (int64_t)st.allocated;
        return TAPE_OK;
    }
    if (rc != TAPE_OK) return rc;
    rc = measure_disk(&store.file, out);
    if (rc == TAPE_OK) rc = describe(q, &store, out);
    tape__cycle_store_close(&store);
    return rc;
}

int tape_queue_cycle_info(tape_queue_t *q, int64_t cycle, tape_cycle_info_t *out)
{
    if (!out) return tape__fail(TAPE_EINVAL, NULL, -1, "no place for the facts");
    int rc = tape__queue_enter(q);
    if (rc != TAPE_OK) return rc;
    rc = look(q, cycle, out);
    tape__queue_leave(q);
    return rc;
}

int64_t tape_queue_cycle_from(tape_queue_t *q, int64_t cycle)
{
    int64_t found;
    int rc = tape__queue_enter(q);
    if (rc != TAPE_OK) return rc;
    rc = tape__shelf_above(&q->site.shelf, cycle, NULL, &found);
    tape__queue_leave(q);
    if (rc == TAPE_OK && found == TAPE__NO_CYCLE)
        return tape__fail(TAPE_ENOINDEX, q->site.path, -1, "no cycle from %" PRId64 " on", cycle);
    return rc == TAPE_OK ? found : rc;
}

int64_t tape_queue_cycle_of_name(tape_queue_t *q, const char *name)
{
    int64_t cycle;
    if (!q || !name ||
        !tape__roll_cycle_parse(q->site.settings.roll_cycle, q->site.listing.epoch_ms, name,
                                &cycle))
        return tape__fail(TAPE_EINVAL, name, -1, "not the name of a cycle file of this queue");
    return cycle;
}

/* How many messages there are between two indexes. */
typedef struct {
    tape__shelf_t *shelf;
    int64_t cycle_a, sequence_a, cycle_b, sequence_b;
    int64_t count;
} counting_t;

/* Adds what the file of the cycle, if there is one, has between the two indexes. */
static int count_cycle(void *user, int64_t cycle)
{
    counting_t *c = user;
    tape__extent_t extent;
    int rc = tape__shelf_measure(c->shelf, cycle, &extent);
    if (rc < 0) return rc;
    int64_t from = cycle == c->cycle_a ? c->sequence_a : 0, to = extent.count;
    if (cycle == c->cycle_b && c->sequence_b < to) to = c->sequence_b;
    if (to > from) c->count += to - from;
    return TAPE_OK;
}

int64_t tape_queue_count(tape_queue_t *q, int64_t a, int64_t b)
{
    int rc = tape__queue_enter(q);
    if (rc != TAPE_OK) return rc;
    const tape_roll_cycle_t *r = q->site.settings.roll_cycle;
    counting_t c = {.shelf = &q->site.shelf};
    if (a < 0 || b < 0) {
        rc = tape__fail(TAPE_EINVAL, q->site.path, -1, "an index is not negative");
    } else if (a < b) {
        c.cycle_a = tape__index_cycle(r, a);
        c.sequence_a = tape__index_sequence(r, a);
        c.cycle_b = tape__index_cycle(r, b);
        c.sequence_b = tape__index_sequence(r, b);
        rc = tape__shelf_each(c.shelf, c.cycle_a, c.cycle_b + 1, count_cycle, &c);
    }
    tape__queue_leave(q);
    return rc == TAPE_OK ? c.count : rc;
}

int tape_queue_table_word(tape_queue_t *q, size_t n, char *key, size_t size, int64_t *value)
{
    if (!key || !value) return tape__fail(TAPE_EINVAL, NULL, -1, "no place for key or value");
    int rc = tape__queue_enter(q);
    if (rc != TAPE_OK) return rc;
    const uint64_t *cell =
        q->site.has_table ? tape__table_store_entry(&q->site.table, n, key, size) : NULL;
    if (cell) *value = tape__table_store_value(cell);
    tape__queue_leave(q);
    return cell != NULL;
}

/* ---- first and last, by a tailer of their own ---- */

static int no_message(const tape_queue_t *q)
{
    return tape__fail(TAPE_ENOINDEX, q->site.path, -1, "%s holds no message", q->site.path);
}

int64_t tape_queue_first_index(tape_queue_t *q)
{
    int rc = tape__queue_enter(q);
    if (rc != TAPE_OK) return rc;
    tape_tailer_t t = {.site = &q->site, .window_size = TAPE__TAILER_WINDOW_LEAST};
    rc = tape__tailer_find_forward(&t);
    int64_t index = rc;
    if (rc == TAPE__YES)
        index = tape__index(q->site.settings.roll_cycle, t.store.cycle, t.at.sequence);
    tape__tailer_end(&t);
    tape__queue_leave(q);
    if (rc == TAPE__NO) return no_message(q);
    return index;
}

int64_t tape_queue_last_index(tape_queue_t *q)
{
    int rc = tape__queue_enter(q);
    if (rc != TAPE_OK) return rc;
    tape_tailer_t t = {.site = &q->site, .window_size = TAPE__TAILER_WINDOW_LEAST};
    tape__chain_end_t end = {.last_position = 0};
    int64_t index = TAPE_ENOINDEX;
    rc = tape__tailer_move_to_end(&t, &end);
    while (rc == TAPE__YES && t.at.sequence == 0) { /* an empty cycle: look into the one before */
        rc = tape__tailer_open_last(&t, t.store.cycle);
        if (rc == TAPE__YES) {
            int code = tape__cycle_chain_find_end(&t.store, &t.window, &end);
            if (code != TAPE_OK) rc = code;
            else t.at = end.end;
        }
    }
    if (rc == TAPE__YES)
        index = tape__index(q->site.settings.roll_cycle, t.store.cycle, t.at.sequence - 1);
    tape__tailer_end(&t);
    tape__queue_leave(q);
    if (rc == TAPE__NO) return no_message(q);
    return rc < 0 ? rc : index;
}

/* ---- by time ---- */

#define TIME_MAX_MS (INT64_C(1) << 62)

/* The notes of a cycle, as far as they are about the messages that it has. An answer. */
static int stretch_of(tape_queue_t *q, int64_t cycle, int64_t ms, tape__stretch_t *out)
{
    char path[TAPE__PATH_SIZE];
    tape__extent_t extent;
    *out = (tape__stretch_t){0, -1};
    if (!tape__listing_path(&q->site.listing, cycle, path, sizeof path)) return TAPE__NO;
    tape__cycle_times_find(path, cycle, ms, out);
    if (out->first == 0) return TAPE__YES;
    int rc = tape__shelf_measure(&q->site.shelf, cycle, &extent);
    if (rc == TAPE__YES && out->first > extent.count) *out = (tape__stretch_t){0, -1};
    return rc;
}

static int bounds_of(tape_queue_t *q, int64_t ms, int64_t *earliest, int64_t *latest)
{
    const tape_roll_cycle_t *r = q->site.settings.roll_cycle;
    const int64_t most = INT64_MAX >> r->shift;
    int64_t shown = tape__roll_cycle_at_ms(r, q->site.listing.epoch_ms, ms), cycle;
    if (shown < 0) shown = 0;
    if (shown > most) shown = most;
    *earliest = *latest = tape__index(r, shown, 0);
    int rc = tape__shelf_above(&q->site.shelf, shown, NULL, &cycle);
    if (rc != TAPE_OK || cycle == TAPE__NO_CYCLE) return rc;
    *earliest = *latest = tape__index(r, cycle, 0);
    if (cycle != shown) return TAPE_OK;
    tape__stretch_t stretch;
    rc = stretch_of(q, cycle, ms, &stretch);
    if (rc < 0) return rc;
    *earliest = tape__index(r, cycle, stretch.first);
    *latest = stretch.limit >= 0 ? tape__index(r, cycle, stretch.limit)
              : cycle < most     ? tape__index(r, cycle + 1, 0)
                                 : INT64_MAX;
    return TAPE_OK;
}

int tape_queue_time_bounds(tape_queue_t *q, int64_t ms, int64_t *earliest, int64_t *latest)
{
    if (!earliest || !latest)
        return tape__fail(TAPE_EINVAL, NULL, -1, "no place for the indexes");
    if (ms < -TIME_MAX_MS || ms > TIME_MAX_MS)
        return tape__fail(TAPE_EINVAL, NULL, -1, "a time beyond 2^62 ms");
    int rc = tape__queue_enter(q);
    if (rc != TAPE_OK) return rc;
    rc = bounds_of(q, ms, earliest, latest);
    tape__queue_leave(q);
    return rc;
}
