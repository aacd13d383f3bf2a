/* appender_place.c - a message made where it will stand.
 *
 *     reserve    takes the lock and reserves the room; the frame is written
 *     publish    cuts what was not used, and publishes
 *     abandon    gives the room back
 *
 * The lock is held from the first to the last, so the process entry says that it is (process.h):
 * whoever in this process would wait for it, the maker itself perhaps, is told TAPE_EBUSY.
 */
#include <string.h>

#include "base/error.h"
#include "base/platform.h"
#include "write/appender.h"

int tape__appender_shut(tape__child_t *child)
{
    const tape_appender_t *a = (const tape_appender_t *)child;
    if (!a->place.held) return TAPE_OK;
    return tape__fail(TAPE_EBUSY, a->writer->site->path, -1,
                      "%s: a message is being made in place: publish or abandon it first",
                      a->writer->site->path);
}

static void release(tape_appender_t *a)
{
    tape__appender_let_go(a);
    SYNC_POINT(before_release);
    (void)tape__write_lock_release(&a->writer->lock);
}

static int stage(tape__place_t *p)
{
    p->buffer = tape__alloc(p->size ? p->size : 1);
    return p->buffer ? TAPE_OK : tape__fail(TAPE_ENOMEM, NULL, -1, "out of memory");
}

/* The lock is held and there is room. */
static int occupy(tape_appender_t *a, const uint8_t *frame)
{
    tape__place_t *p = &a->place;
    p->header = tape__put_reserve(a->writer, p->length);
    if (!p->header) return tape__put_taken(a->writer);
    memcpy(p->header + 4, frame, p->frame_size);
    p->buffer = p->header + 4 + p->frame_size;
    return TAPE_OK;
}

int tape_appender_reserve(tape_appender_t *a, size_t size, void **buffer)
{
    if (!a || !buffer)
        return tape__fail(TAPE_EINVAL, NULL, -1, "no appender, or no place for the buffer");
    *buffer = NULL;
    int rc = tape__appender_check(a, "", size);
    if (rc == TAPE_OK && a->durable) rc = tape__durable_check(a->durable);
    if (rc != TAPE_OK) return rc;
    if (a->place.held)
        return tape__fail(TAPE_ESTATE, a->writer->site->path, -1,
                          "a message is being made in place already");
    tape__message_t m;
    tape__appender_frame(a, "", size, &m);
    const uint64_t length = m.frame_size + m.size;
    tape__job_t job = {.in_place = true, .length = length};
    rc = tape__appender_work(a, &job, tape__write_lock_try(&a->writer->lock));
    if (rc != TAPE_OK) return rc;
    a->place = (tape__place_t){.held = true, .staged = job.staged, .wants_page = job.wants_page,
                               .size = size, .frame_size = m.frame_size,
                               .length = (uint32_t)length, .held_up = job.held_up};
    tape__process_set_in_place(a->writer->lock.entry, true);
    rc = job.staged ? stage(&a->place) : occupy(a, m.frame);
    if (rc != TAPE_OK) release(a);
    else *buffer = a->place.buffer;
    return rc;
}

/* TAPE_OK when there is one. In a forked child the room and the lock are the parent's: nothing of
 * them is touched. */
static int check_reserved(const tape_appender_t *a)
{
    if (!a->place.held)
        return tape__fail(TAPE_ESTATE, NULL, -1, "no message is being made in place");
    return a->writer->site->generation == tape__process_generation()
               ? TAPE_OK : tape__site_check(a->writer->site);
}

/* Cuts the document to `size` bytes of message: what was reserved and is not used becomes zero, in
 * room that is still ours, before others may write there. False: our lock was broken. */
static bool cut(tape_appender_t *a, size_t size)
{
    tape__place_t *p = &a->place;
    uint8_t *body = p->header + 4;
    uint32_t length = (uint32_t)(p->frame_size + size);
    tape__wire_shrink_frame(body, p->frame_size, size);
    if (length == 0) body[length++] = tape__empty_body[0];
    const uint64_t end = tape__word_next(0, p->length, a->writer->store.aligned) - 4;
    memset(body + length, 0, (size_t)end - length);
    if (length == p->length) return true;
    const uint32_t before = p->length;
    p->length = length;
    return tape__excerpt_resize(p->header, before, length);
}

static int64_t publish_in_file(tape_appender_t *a, size_t size)
{
    tape__place_t *p = &a->place;
    tape__writer_t *w = a->writer;
    const uint64_t position = w->next.position;
    const int64_t index =
        tape__index(w->site->settings.roll_cycle, w->store.cycle, w->next.sequence);
    int64_t rc = index;
    int unsynced = TAPE_OK;
    if (cut(a, size) &&
        tape__put_publish(w, p->header, p->length, tape__put_behind(w, p->length))) {
        tape__put_lead(w, position, p->wants_page);
        tape__appender_count(a, index, 1, size);
        if (a->durable) unsynced = tape__durable_note_in_hand(a->durable, w);
    } else {
        rc = tape__put_taken(w);
    }
    release(a);
    return rc < 0 ? rc : tape__appender_acknowledge(a, index, index, unsynced, &p->held_up);
}

/* The lock is held: the work goes on as if it had just been taken. */
static int64_t publish_staged(tape_appender_t *a, size_t size)
{
    uint8_t *memory = a->place.buffer;
    tape__job_t job = {.size = size, .count = 1, .held_up = a->place.held_up};
    tape__appender_frame(a, memory, size, &job.m);
    tape__appender_let_go(a);
    int rc = tape__appender_work(a, &job, true);
    tape__free(memory);
    return rc < 0 ? rc : tape__appender_acknowledge(a, job.index, job.index, job.unsynced,
                                                    &job.held_up);
}

int64_t tape_appender_publish(tape_appender_t *a, size_t size)
{
    if (!a) return tape__fail(TAPE_EINVAL, NULL, -1, "no appender");
    int rc = check_reserved(a);
    if (rc != TAPE_OK) return rc;
    if (size > a->place.size)
        return tape__fail(TAPE_EINVAL, a->writer->site->path, -1,
                          "%zu bytes are to be published and %zu are reserved", size,
                          a->place.size);
    return a->place.staged ? publish_staged(a, size) : publish_in_file(a, size);
}

int tape_appender_abandon(tape_appender_t *a)
{
    if (!a) return tape__fail(TAPE_EINVAL, NULL, -1, "no appender");
    int rc = check_reserved(a);
    if (rc != TAPE_OK) return rc;
    tape__place_t *p = &a->place;
    if (p->staged) {
        tape__free(p->buffer);
    } else { /* when the lock was broken the room is a metadata document by now, and stays */
        memset(p->header + 4, 0, p->length);
        if (!tape__excerpt_abandon(p->header, p->length)) a->writer->doubtful = true;
    }
    release(a);
    return TAPE_OK;
}
