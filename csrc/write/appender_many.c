/* appender_many.c - many messages under one lock. */
#include "base/error.h"
#include "write/appender.h"

static int check_all(const tape_appender_t *a, const tape_span_t *spans, size_t count)
{
    const size_t small = a->writer->body_max - TAPE__FRAME_MAX;
    for (size_t i = 0; i < count; i++) {
        if (spans[i].data && spans[i].size <= small && i > 0) continue;
        int rc = tape__appender_check(a, spans[i].data, spans[i].size);
        if (rc != TAPE_OK) return rc;
    }
    return TAPE_OK;
}

int64_t tape_appender_write_many(tape_appender_t *a, const tape_span_t *spans, size_t count,
                                 size_t *written)
{
    if (!a || !spans || !written || count == 0)
        return tape__fail(TAPE_EINVAL, NULL, -1, "no appender, no messages, or no place for their "
                          "number");
    *written = 0;
    int rc = check_all(a, spans, count);
    if (rc == TAPE_OK && a->durable) rc = tape__durable_check(a->durable);
    if (rc != TAPE_OK) return rc;
    tape__job_t job = {.spans = spans, .count = count, .size = spans[0].size};
    tape__appender_frame(a, spans[0].data, spans[0].size, &job.m);
    rc = tape__appender_work(a, &job, tape__write_lock_try(&a->writer->lock));
    if (rc != TAPE_OK) return rc;
    *written = job.done;
    return tape__appender_acknowledge(a, job.index, job.index + (int64_t)job.done - 1,
                                      job.unsynced, &job.held_up);
}
