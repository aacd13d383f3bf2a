/* Description: calls on a tailer that only tell leave it as it is: what was read before them can
 * still be taken back, also when another thread tells meanwhile; and they refuse NULL. */
#include <pthread.h>

#include "base/atomics.h"
#include "helpers.h"

enum { ROUNDS = 20000 };

static uint32_t done;

static void tell(tape_tailer_t *t)
{
    tape_tailer_info_t info;
    int64_t a, b;
    CHECK_OK(tape_tailer_info(t, &info));
    CHECK_OK(tape_tailer_index(t));
    CHECK_OK(tape_tailer_direction(t));
    CHECK_OK(tape_tailer_committed(t));
    CHECK_OK(tape_tailer_last_read(t));
    CHECK_EQ(tape_tailer_gap(t, &a, &b), 0);
}

static void one_thread(tape_tailer_t *t)
{
    tape_excerpt_t e, again;
    uint8_t buffer[64];
    int64_t ends[2], indexes[2];
    uint32_t framings[2];
    tape_batch_t batch = {buffer, sizeof buffer, ends, indexes, framings, 2};
    CHECK_EQ(tape_tailer_next(t, &e), 1);
    tell(t);
    CHECK_OK(tape_tailer_unread(t));
    CHECK_EQ(tape_tailer_next(t, &again), 1);
    CHECK_EQ(again.index, e.index);
    CHECK_OK(tape_tailer_seek_start(t));
    CHECK_EQ(tape_tailer_next_many(t, &batch), 2);
    tell(t);
    CHECK_OK(tape_tailer_unread_many(t, 0));
    CHECK_EQ(tape_tailer_gap(t, NULL, ends), TAPE_EINVAL);
    CHECK_EQ(tape_tailer_gap(t, ends, NULL), TAPE_EINVAL);
    CHECK_EQ(tape_tailer_gap(NULL, ends, ends), TAPE_EINVAL);
    CHECK_EQ(tape_tailer_info(t, NULL), TAPE_EINVAL);
    CHECK_EQ(tape_tailer_info(NULL, NULL), TAPE_EINVAL);
}

static void *watch(void *tailer)
{
    while (!OBSERVE32(test, &done)) {
        int64_t index = tape_tailer_last_read(tailer);
        CHECK(index >= 0 || index == TAPE_EBUSY || index == TAPE_ENOINDEX);
    }
    return NULL;
}

/* What the other thread does is told by TAPE_EBUSY at most. */
static int until_free(int (*call)(tape_tailer_t *), tape_tailer_t *t)
{
    int rc;
    while ((rc = call(t)) == TAPE_EBUSY) {}
    return rc;
}

static tape_excerpt_t seen;
static int next(tape_tailer_t *t) { return tape_tailer_next(t, &seen); }

static void two_threads(tape_tailer_t *t)
{
    pthread_t other;
    CHECK_EQ(pthread_create(&other, NULL, watch, t), 0);
    for (int i = 0; i < ROUNDS; i++) {
        CHECK_EQ(until_free(next, t), 1);
        CHECK_OK(until_free(tape_tailer_unread, t));
        CHECK_EQ(until_free(tape_tailer_unread, t), TAPE_ESTATE);
    }
    PUBLISH32(test, &done, 1);
    pthread_join(other, NULL);
}

int main(void)
{
    tape_queue_options_t o = t_options("FAST_DAILY", NULL);
    t_writer_t w = t_open_writer(t_directory(), &o);
    tape_tailer_options_t named = {.struct_size = sizeof named, .id = "n"};
    tape_tailer_t *t;
    for (int i = 0; i < 3; i++) CHECK_OK(tape_appender_write(w.appender, "message", 7));
    CHECK_OK(tape_tailer_open(w.queue, &named, &t));
    one_thread(t);
    two_threads(t);
    CHECK_OK(tape_tailer_close(t));
    t_close_writer(w);
    return 0;
}
