/* tailer_batch.c - many messages in one call, copied.
 *
 * For callers to whom a call costs more than a message. A batch never leaves the cycle that its
 * first message is in: so it can be taken back although that file may be deleted meanwhile.
 */
#include <inttypes.h>
#include <string.h>

#include "base/error.h"
#include "read/tailer.h"

static int check(const tape_tailer_t *t, const tape_batch_t *b)
{
    bool complete = b && b->buffer && b->ends && b->indexes && b->framings && b->count > 0;
    return t && complete ? TAPE_OK : tape__fail(TAPE_EINVAL, NULL, -1, "no tailer, or no room");
}

/* Copies the message in hand behind `used` bytes; false when it does not fit. */
static bool copy(const tape_tailer_t *t, const tape_batch_t *b, size_t n, size_t *used)
{
    const uint8_t *data;
    size_t size;
    uint32_t framing = tape__tailer_body(t, &data, &size);
    if (size > b->size - *used) return false;
    memcpy(b->buffer + *used, data, size);
    *used += size;
    b->ends[n] = (int64_t)*used;
    b->indexes[n] = tape__tailer_next_index(t);
    b->framings[n] = framing;
    return true;
}

static int64_t read_many(tape_tailer_t *t, const tape_batch_t *b)
{
    size_t n = 0, used = 0;
    int rc = tape__tailer_find_message(t);
    t->before = t->at;
    while (rc == TAPE__YES && copy(t, b, n, &used)) {
        t->last_read = b->indexes[n++];
        tape__tailer_step(t);
        if (n == b->count) break;
        rc = tape__tailer_find_in_cycle(t);
    }
    if (n > 0) return (int64_t)n; /* a failure behind the first message comes again */
    if (rc != TAPE__YES) return tape__answer_given(rc);
    return tape__fail(TAPE_ETOOBIG, t->store.file.path, (int64_t)t->at.position,
                      "message 0x%" PRIx64 " does not fit into a buffer of %zu bytes",
                      tape__tailer_next_index(t), b->size);
}

int64_t tape_tailer_next_many(tape_tailer_t *t, const tape_batch_t *batch)
{
    int64_t result = check(t, batch);
    if (result == TAPE_OK) result = tape__tailer_enter(t);
    if (result != TAPE_OK) return result;
    t->before_last_read = t->last_read;
    result = read_many(t, batch);
    if (t->watch && result == 0) t->hooks->nothing(t);
    if (result > 0) t->last_call = (tape__last_call_t){TAPE__GAVE_MANY, result};
    tape__tailer_leave(t);
    return result;
}

/* To the message that was number `keep` of the batch, in the cycle that is still in hand. Forward
 * by walking on from the first one: a damaged index might lead elsewhere. */
static int move_back(tape_tailer_t *t, int64_t keep)
{
    if (t->backward) {
        t->at.sequence = t->before.sequence - keep;
        return TAPE_OK;
    }
    t->at = t->before;
    while (keep-- > 0) {
        int rc = tape__tailer_find_in_cycle(t);
        if (rc < 0) return rc;
        tape__tailer_step(t);
    }
    return TAPE_OK;
}

int tape_tailer_unread_many(tape_tailer_t *t, size_t keep)
{
    int rc = tape__tailer_enter(t);
    if (rc != TAPE_OK) return rc;
    const int64_t batch = t->call_before.many;
    int64_t first = t->last_read + (t->backward ? batch - 1 : 1 - batch);
    if (batch == 0 || keep > (size_t)batch)
        rc = tape__fail(TAPE_ESTATE, t->site->path, -1, "no batch of that many was just read");
    else
        rc = move_back(t, (int64_t)keep);
    if (rc == TAPE_OK && keep > 0)
        t->last_read = first + (t->backward ? 1 - (int64_t)keep : (int64_t)keep - 1);
    if (rc == TAPE_OK && keep == 0) t->last_read = t->before_last_read;
    tape__tailer_leave(t);
    return rc;
}
