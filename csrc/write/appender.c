/* appender.c - writing one message (format.md 8.5). */
#include <inttypes.h>
#include <string.h>

#include "base/atomics.h"
#include "base/bytes.h"
#include "base/error.h"
#include "base/options.h"
#include "base/platform.h"
#include "base/sync_point.h"
#include "file/excerpt.h"
#include "file/excerpt_index.h"
#include "format/wire.h"
#include "write/appender.h"
#include "write/roll.h"

struct tape_appender {
    tape__child_t child; /* with nothing to shut: the writer's state is the queue's */
    tape__writer_t *writer;
    uint32_t framing;
    int64_t last_index; /* TAPE_ENOINDEX before the first */
    int64_t messages, bytes;
};

/* A document cannot be empty: Java puts one byte of padding instead (2.4). */
static const uint8_t empty_body[] = {0x8F};

static int writable(const tape__site_t *site)
{
    const char *table = site->table.file.path;
    if (site->read_only)
        return tape__fail(TAPE_EREADONLY, site->path, -1, "%s was opened read-only", site->path);
    if (site->settings.other_roll_time)
        return tape__fail(TAPE_EUNSUPPORTED, table, -1,
                          "%s: rolls at another time than midnight in UTC; such a queue is only "
                          "read", table);
    return TAPE_OK;
}

int tape__appender_open(tape__writer_t *w, const tape_appender_options_t *options,
                        tape_appender_t **out)
{
    tape__site_t *site = w->site;
    tape_appender_options_t o;
    int rc = tape__options_copy(&o, sizeof o, options, site->path);
    if (rc == TAPE_OK && o.framing > TAPE_FRAMING_DOCUMENT)
        rc = tape__fail(TAPE_EINVAL, site->path, -1, "%u is no framing", o.framing);
    if (rc == TAPE_OK) rc = tape__site_enter(site);
    if (rc != TAPE_OK) return rc;
    rc = writable(site);
    tape_appender_t *a = rc == TAPE_OK ? tape__alloc(sizeof *a) : NULL;
    if (a) {
        a->writer = w;
        a->framing = o.framing;
        a->last_index = TAPE_ENOINDEX;
        tape__site_add_child(site, &a->child);
        *out = a;
    } else if (rc == TAPE_OK) {
        rc = tape__fail(TAPE_ENOMEM, site->path, -1, "out of memory");
    }
    tape__site_leave(site);
    return rc;
}

int tape_appender_close(tape_appender_t *a)
{
    if (!a) return TAPE_OK;
    tape__site_remove_child(a->writer->site, &a->child);
    tape__free(a);
    return TAPE_OK;
}

int64_t tape_appender_last_index(tape_appender_t *a)
{
    if (!a) return tape__fail(TAPE_EINVAL, NULL, -1, "no appender");
    return (int64_t)PEEK64(last_index, (uint64_t *)&a->last_index);
}

int tape_appender_info(tape_appender_t *a, tape_appender_info_t *out)
{
    if (!a || !out) return tape__fail(TAPE_EINVAL, NULL, -1, "no appender, or no place for facts");
    out->last_index = (int64_t)PEEK64(last_index, (uint64_t *)&a->last_index);
    out->messages = PEEK64(counters, &a->messages);
    out->bytes = PEEK64(counters, &a->bytes);
    return TAPE_OK;
}

/* ---- with the write lock held ---- */

static void count(tape_appender_t *a, int64_t index, size_t size)
{
    PUBLISH64(last_index, (uint64_t *)&a->last_index, (uint64_t)index);
    COUNT64(counters, &a->messages, 1);
    COUNT64(counters, &a->bytes, (int64_t)size);
}

static int cycle_full(const tape__writer_t *w)
{
    return tape__fail(TAPE_ECYCLEFULL, w->store.file.path, -1,
                      "%s: cycle %" PRId64 " holds %" PRId64 " messages, as many as %s can number",
                      w->store.file.path, w->store.cycle, w->next.sequence,
                      w->site->settings.roll_cycle->name);
}

/* All that can take long or fail, before anything can be seen. */
static int prepare(tape__writer_t *w, uint64_t length, bool *wants_page)
{
    int64_t sequence = w->next.sequence;
    uint64_t need = 4 + length + 12;
    *wants_page = false;
    if (sequence >= w->site->settings.roll_cycle->max_messages ||
        (tape__excerpt_index_wants(&w->store, sequence) &&
         tape__excerpt_index_full(&w->store, sequence)))
        return cycle_full(w);
    if (tape__excerpt_index_wants(&w->store, sequence)) {
        int rc = tape__excerpt_index_needs_page(&w->store, sequence);
        *wants_page = rc == 1;
        if (rc == 1) need += tape__excerpt_index_page_size(&w->store) + 16;
        else if (rc == 0) rc = tape__excerpt_index_check_free(&w->store, sequence);
        if (rc < 0) return rc;
    }
    if (w->next.position + need <= w->ready_to &&
        tape__window_has(&w->window, w->next.position, need))
        return TAPE_OK;
    return tape__roll_make_ready(w, need);
}

/* The message is published; the entry may be missing for a while without harm (6.2): the next
 * append looks at the end again and fills it in. */
static void index_message(tape__writer_t *w, uint64_t position, int64_t sequence, bool wants_page)
{
    int rc = TAPE_OK;
    if (wants_page) {
        int64_t page = sequence / w->store.index_spacing / w->store.index_count;
        rc = tape__excerpt_index_add_page(&w->store, &w->window, page, &w->next.position);
    }
    if (rc == TAPE_OK) rc = tape__excerpt_index_add(&w->store, sequence, position);
    if (rc != TAPE_OK) w->doubtful = true;
}

/* Reserve, copy, publish: nothing here can block, allocate or fault. */
static int put(tape__writer_t *w, const tape__message_t *m, bool wants_page)
{
    const uint64_t position = w->next.position;
    const int64_t sequence = w->next.sequence;
    const uint32_t length = (uint32_t)(m->frame_size + m->size);
    uint8_t *header = tape__window_at(&w->window, position);
    if (!tape__excerpt_reserve(header, length)) {
        w->doubtful = true;
        return TAPE__ROLL_WAIT; /* our lock was broken: look again, under a new one */
    }
    SYNC_POINT(header_reserved);
    tape__excerpt_fill(header, m->frame, m->frame_size, m->data, m->size);
    SYNC_POINT(body_written);
    if (!tape__excerpt_publish(header, length, 0)) {
        w->doubtful = true;
        return tape__fail(TAPE_ETAKEN, w->store.file.path, (int64_t)position,
                          "%s at offset %" PRIu64 ": the slot was taken by another writer",
                          w->store.file.path, position);
    }
    SYNC_POINT(published);
    tape__cycle_store_set_pair(&w->store, position, sequence);
    SYNC_POINT(pair_set);
    w->next.position = tape__next_position(position, length, w->store.aligned);
    w->next.sequence = sequence + 1;
    if (tape__excerpt_index_wants(&w->store, sequence)) {
        index_message(w, position, sequence, wants_page);
        SYNC_POINT(indexed);
    }
    return TAPE_OK;
}

/* The index, TAPE__ROLL_WAIT as a code of its own below, or an error. */
static int write_locked(tape__writer_t *w, const tape__message_t *m, int64_t *index)
{
    if (PEEK64(append_lock, w->append_lock) != TAPE__MIN64)
        return tape__fail(TAPE_EAPPENDLOCK, w->site->path, -1,
                          "%s: chronicle.append.lock is held by process %" PRIu64, w->site->path,
                          PEEK64(append_lock, w->append_lock) & 0xFFFFFFFF);
    int rc = TAPE_OK;
    if (!tape__roll_is_current(w)) {
        rc = tape__roll_to_now(w, m);
        if (rc == TAPE__ROLL_WRITTEN) {
            int64_t cycle = w->sealed_below; /* the cycle just entered, also if opening it failed */
            *index = tape__index(w->site->settings.roll_cycle, cycle, 0);
            return TAPE_OK;
        }
        if (rc != TAPE_OK) return rc;
    }
    if (w->next.word != 0 || !tape__window_has(&w->window, w->next.position, 4) ||
        tape__excerpt_observe(tape__window_at(&w->window, w->next.position),
                              w->store.aligned) != 0) {
        rc = tape__roll_catch_up(w);
        if (rc != TAPE_OK) return rc;
    }
    bool wants_page;
    rc = prepare(w, m->frame_size + m->size, &wants_page);
    if (rc != TAPE_OK) return rc;
    SYNC_POINT(prepared);
    const int64_t sequence = w->next.sequence;
    rc = put(w, m, wants_page);
    if (rc == TAPE_OK) *index = tape__index(w->site->settings.roll_cycle, w->store.cycle, sequence);
    return rc;
}

static int64_t write_message(tape_appender_t *a, const tape__message_t *m, size_t size)
{
    tape__writer_t *w = a->writer;
    int64_t started = 0, index = TAPE_EINTERNAL;
    for (;;) {
        int rc = tape__write_lock_acquire(&w->lock);
        if (rc < 0) return rc;
        SYNC_POINT(lock_taken);
        if (rc == TAPE__LOCK_TAKEN_OVER) { /* anything may have been left half done */
            w->doubtful = true;
            w->sealed_below = TAPE__NO_CYCLE;
        }
        rc = write_locked(w, m, &index);
        if (rc == TAPE_OK) count(a, index, size);
        SYNC_POINT(before_release);
        if (!tape__write_lock_release(&w->lock)) w->doubtful = true;
        if (rc != TAPE__ROLL_WAIT) return rc == TAPE_OK ? index : rc;
        /* The cycle was ended although our clock is still in it (9.7): let the clock move on. */
        int64_t now = tape__monotonic_ns();
        if (started == 0) started = now;
        if (w->lock.timeout_ns >= 0 && now - started > w->lock.timeout_ns)
            return tape__fail(TAPE_ECLOCK, w->site->path, -1,
                              "%s: cycle %" PRId64 " is finished and the clock does not leave it",
                              w->site->path, w->store.cycle);
        tape__sleep_ns(1000000);
    }
}

int64_t tape_appender_write(tape_appender_t *a, const void *data, size_t size)
{
    if (!a || (!data && size > 0))
        return tape__fail(TAPE_EINVAL, NULL, -1, "no appender or no data");
    tape__writer_t *w = a->writer;
    int rc = tape__site_check(w->site);
    if (rc != TAPE_OK) return rc;
    uint64_t limit = tape__writer_body_max(w);
    tape__message_t m = {.data = size ? data : "", .size = size}; /* memcpy() wants no NULL */
    if (size <= limit && a->framing == TAPE_FRAMING_BYTES) {
        m.frame_size = tape__wire_frame(m.frame, size);
    } else if (size == 0) {
        m.data = empty_body;
        m.size = sizeof empty_body;
    }
    if (size > limit || m.frame_size + m.size > limit)
        return tape__fail(TAPE_ETOOBIG, w->site->path, -1,
                          "%s: a message of %zu bytes; with a block size of %" PRId64
                          " bytes a document holds %" PRIu64, w->site->path, size, w->block_size,
                          limit);
    return write_message(a, &m, size);
}
