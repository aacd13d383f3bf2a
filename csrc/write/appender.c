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
#include "format/wire.h"
#include "write/appender.h"
#include "write/index_write.h"
#include "write/pair_write.h"
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

enum { ROBBED_MAX = 100 }; /* so often a message is begun anew */

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

static bool is_clean(const tape__writer_t *w, uint64_t at)
{
    return tape__excerpt_observe(tape__window_at(&w->window, at), w->store.aligned) == 0;
}

/* The slow half of make_room(), and that for an index page behind the message, with the word behind
 * that. */
static int make_more_room(tape__writer_t *w, uint64_t behind, bool wants_page)
{
    uint64_t end = behind;
    if (wants_page)
        end = tape__next_position(behind, tape__index_write_page_length(&w->store, behind),
                                  w->store.aligned);
    const uint64_t need = end + 8 - w->next.position;
    int rc = TAPE_OK;
    if (end + 8 > w->ready_to || !tape__window_has(&w->window, w->next.position, need))
        rc = tape__roll_make_ready(w, need);
    if (rc == TAPE_OK && !is_clean(w, behind)) rc = tape__roll_make_clean(w, behind);
    if (rc == TAPE_OK && wants_page && !is_clean(w, end)) rc = tape__roll_make_clean(w, end);
    return rc;
}

/* Room for the message and for the word behind it, at `behind`, which must be 0 before the message
 * is published (2.2). */
static inline int make_room(tape__writer_t *w, uint64_t behind, bool wants_page)
{
    const uint64_t position = w->next.position;
    if (!wants_page && behind + 8 <= w->ready_to &&
        tape__window_has(&w->window, position, behind + 8 - position) && is_clean(w, behind))
        return TAPE_OK;
    return make_more_room(w, behind, wants_page);
}

/* All that can take long or fail, before anything can be seen. */
static int prepare(tape__writer_t *w, uint64_t behind, bool *wants_page)
{
    int64_t sequence = w->next.sequence;
    *wants_page = false;
    if (sequence >= w->site->settings.roll_cycle->max_messages) return cycle_full(w);
    if (tape__excerpt_index_wants(&w->store, sequence)) {
        if (tape__excerpt_index_full(&w->store, sequence)) return cycle_full(w);
        int rc = tape__index_write_needs_page(&w->store, sequence);
        *wants_page = rc == 1;
        if (rc == 0) rc = tape__index_write_check_free(&w->store, sequence);
        if (rc < 0) return rc;
    }
    return make_room(w, behind, *wants_page);
}

/* The message is published; the entry may be missing for a while without harm (6.2): the next
 * append looks at the end again and fills it in. */
static void index_message(tape__writer_t *w, uint64_t position, int64_t sequence, bool wants_page)
{
    int rc = TAPE_OK;
    if (wants_page) {
        int64_t page = sequence / w->store.index_spacing / w->store.index_count;
        rc = tape__index_write_add_page(&w->store, &w->window, &w->lock, page, &w->next.position);
    }
    if (rc == TAPE_OK) rc = tape__index_write_add(&w->store, sequence, position);
    if (rc != TAPE_OK) w->doubtful = true;
}

static int taken(tape__writer_t *w)
{
    w->doubtful = true;
    return tape__fail(TAPE_ETAKEN, w->store.file.path, (int64_t)w->next.position,
                      "%s at offset %" PRIu64 ": the lock was broken while a message was written, "
                      "again and again", w->store.file.path, w->next.position);
}

/* Reserve, copy, publish: nothing here can block, allocate or fault; nothing is stored but in the
 * room that was reserved, and into words by CLAIM. So whoever breaks our lock, at any instruction,
 * writes behind us or before us, and loses nothing (excerpt.h). */
static int put(tape__writer_t *w, const tape__message_t *m, uint64_t behind, bool wants_page)
{
    const uint64_t position = w->next.position;
    const int64_t sequence = w->next.sequence;
    const uint32_t length = (uint32_t)(m->frame_size + m->size);
    uint8_t *header = tape__window_at(&w->window, position);
    if (!tape__excerpt_reserve(header, length)) return taken(w);
    /* A JVM that broke our lock before may be writing here, with the header word still 0. */
    if (!tape__write_lock_is_ours(&w->lock)) {
        tape__excerpt_abandon(header, length);
        return taken(w);
    }
    SYNC_POINT(header_reserved);
    tape__excerpt_fill(header, w->store.aligned, m->frame, m->frame_size, m->data, m->size);
    SYNC_POINT(body_written);
    if (!tape__excerpt_publish(header, length, 0)) return taken(w);
    SYNC_POINT(published);
    tape__pair_raise(&w->store, position, sequence);
    SYNC_POINT(pair_set);
    w->next.position = behind;
    w->next.sequence = sequence + 1;
    if (tape__excerpt_index_wants(&w->store, sequence)) {
        index_message(w, position, sequence, wants_page);
        SYNC_POINT(indexed);
    }
    return TAPE_OK;
}

/* TAPE_OK and the index, or *step is TAPE__STEP_WAIT; or a code. */
static int write_locked(tape__writer_t *w, const tape__message_t *m, int64_t *index,
                        tape__step_t *step)
{
    *step = TAPE__STEP_READY;
    if (PEEK64(append_lock, w->append_lock) != TAPE__MIN64)
        return tape__fail(TAPE_EAPPENDLOCK, w->site->path, -1,
                          "%s: chronicle.append.lock is held by process %" PRIu64, w->site->path,
                          PEEK64(append_lock, w->append_lock) & 0xFFFFFFFF);
    int rc = TAPE_OK;
    if (!tape__roll_is_current(w)) {
        rc = tape__roll_to_now(w, m, step);
        if (rc == TAPE_OK && *step == TAPE__STEP_WRITTEN) {
            int64_t cycle = w->sealed_below; /* the cycle just entered, also if opening it failed */
            *index = tape__index(w->site->settings.roll_cycle, cycle, 0);
        }
        if (rc != TAPE_OK || *step != TAPE__STEP_READY) return rc;
    }
    if (w->next.word != 0 || !tape__window_has(&w->window, w->next.position, 4) ||
        !is_clean(w, w->next.position)) {
        rc = tape__roll_catch_up(w, step);
        if (rc != TAPE_OK || *step != TAPE__STEP_READY) return rc;
    }
    const uint64_t behind = tape__next_position(
        w->next.position, (uint32_t)(m->frame_size + m->size), w->store.aligned);
    bool wants_page;
    rc = prepare(w, behind, &wants_page);
    if (rc != TAPE_OK) return rc;
    SYNC_POINT(prepared);
    const int64_t sequence = w->next.sequence;
    rc = put(w, m, behind, wants_page);
    if (rc == TAPE_OK) *index = tape__index(w->site->settings.roll_cycle, w->store.cycle, sequence);
    return rc;
}

/* Lets the clock move on: the cycle was ended although our clock is still in it (9.7). */
static int await_clock(const tape__writer_t *w, int64_t *started)
{
    int64_t now = tape__monotonic_ns();
    if (*started == 0) *started = now;
    if (w->lock.timeout_ns >= 0 && now - *started > w->lock.timeout_ns)
        return tape__fail(TAPE_ECLOCK, w->site->path, -1,
                          "%s: cycle %" PRId64 " is finished and the clock does not leave it",
                          w->site->path, w->store.cycle);
    tape__sleep_ns(1000000);
    return TAPE_OK;
}

static int64_t write_message(tape_appender_t *a, const tape__message_t *m, size_t size)
{
    tape__writer_t *w = a->writer;
    int64_t started = 0, index = TAPE_EINTERNAL;
    for (int robbed = 0;;) {
        tape__step_t step;
        int rc = tape__write_lock_acquire(&w->lock);
        if (rc < 0) return rc;
        SYNC_POINT(lock_taken);
        if (rc == TAPE__LOCK_TAKEN_OVER) { /* anything may have been left half done */
            w->doubtful = true;
            w->sealed_below = TAPE__NO_CYCLE;
        }
        rc = write_locked(w, m, &index, &step);
        if (rc == TAPE_OK && step != TAPE__STEP_WAIT) count(a, index, size);
        SYNC_POINT(before_release);
        if (step == TAPE__STEP_WAIT) w->doubtful = true; /* a newer file may come */
        bool ours = tape__write_lock_release(&w->lock);
        if (rc == TAPE_OK && step != TAPE__STEP_WAIT) return index;
        /* Whatever was found without the lock is no news of the file; nothing was written. */
        if (rc < 0 && (rc == TAPE_ETAKEN || !ours) && ++robbed < ROBBED_MAX) continue;
        if (rc < 0) return rc;
        rc = await_clock(w, &started);
        if (rc < 0) return rc;
    }
}

int64_t tape_appender_write(tape_appender_t *a, const void *data, size_t size)
{
    if (!a || (!data && size > 0))
        return tape__fail(TAPE_EINVAL, NULL, -1, "no appender or no data");
    tape__writer_t *w = a->writer;
    if (!tape__site_is_usable(w->site)) return tape__site_check(w->site);
    uint64_t limit = w->body_max;
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
