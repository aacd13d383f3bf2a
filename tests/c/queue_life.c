/* Description: the life of a queue's handles: closing with children, releasing in any order, using
 * what was closed, shutting down while threads write and read. */
#include <pthread.h>

#include "base/atomics.h"
#include "helpers.h"
#include "queue_check.h"

/* All three handles, and a message that was written and delivered. */
static t_writer_t open_and_deliver(const char *directory, tape_tailer_t **t, tape_excerpt_t *e)
{
    tape_queue_options_t o = t_options(NULL, NULL);
    t_writer_t w = t_open_writer(directory, &o);
    CHECK_OK(tape_tailer_open(w.queue, NULL, t));
    CHECK_OK(tape_appender_write(w.appender, "x", 1));
    CHECK_EQ(tape_tailer_next(*t, e), 1);
    return w;
}

static void close_with_children(void)
{
    const char *directory = t_directory();
    tape_tailer_t *t;
    tape_excerpt_t e;
    tape_queue_info_t info;
    t_writer_t w = open_and_deliver(directory, &t, &e);
    CHECK_EQ(tape_queue_close(w.queue), TAPE_EBUSY);
    CHECK_OK(tape_appender_write(w.appender, "y", 1)); /* that was refused, so all goes on */
    CHECK_OK(tape_tailer_shutdown(t));
    CHECK_EQ(e.data[0], 'x'); /* what was delivered stays until the tailer is closed */
    CHECK_EQ(tape_tailer_next(t, &e), TAPE_ECLOSED);
    CHECK_EQ(tape_queue_close(w.queue), TAPE_EBUSY); /* its memory is still the caller's */
    CHECK_OK(tape_queue_shutdown(w.queue));
    CHECK_OK(tape_queue_shutdown(w.queue));
    CHECK_EQ(t_descriptors(directory), 2); /* that, and the slot until the handle goes */
    CHECK(t_mappings(directory) <= 2);     /* the header and the window of the delivered message */
    CHECK_EQ(tape_appender_write(w.appender, "z", 1), TAPE_ECLOSED);
    CHECK_EQ(tape_tailer_seek_start(t), TAPE_ECLOSED);
    CHECK_EQ(tape_queue_first_index(w.queue), TAPE_ECLOSED);
    tape_appender_t *late;
    CHECK_EQ(tape_appender_open(w.queue, NULL, &late), TAPE_ECLOSED);
    CHECK(late == NULL);
    CHECK_OK(tape_queue_info(w.queue, &info));
    CHECK_EQ(info.closed, 1);
    CHECK_OK(tape_tailer_close(t));
    t_close_writer(w);
    CHECK_OK(tape_queue_close(NULL));
    CHECK_OK(tape_appender_close(NULL));
    CHECK_OK(tape_tailer_close(NULL));
    CHECK_EQ(t_descriptors(directory), 0);
    CHECK_EQ(t_check_queue(directory, T_WHOLE).messages, 2);
}

/* Finalizers run in any order: all six of queue, appender, tailer; ASan watches the memory. */
static void any_order(void)
{
    static const char *const orders[] = {"qat", "qta", "aqt", "atq", "tqa", "taq"};
    const char *directory = t_directory();
    for (int i = 0; i < 6; i++) {
        tape_tailer_t *t;
        tape_excerpt_t e;
        t_writer_t w = open_and_deliver(directory, &t, &e);
        for (const char *p = orders[i]; *p; p++) {
            if (*p == 'q') tape_queue_release(w.queue);
            if (*p == 'a') CHECK_OK(tape_appender_close(w.appender));
            if (*p == 't') CHECK_OK(tape_tailer_close(t));
        }
        CHECK_EQ(t_descriptors(directory), 0);
        CHECK_EQ(t_mappings(directory), 0);
    }
}

static void *write_until_closed(void *appender)
{
    for (;;) {
        int64_t rc = tape_appender_write(appender, "some message", 12);
        if (rc == TAPE_ECLOSED) return NULL;
        CHECK_OK(rc);
    }
}

static void *read_until_closed(void *tailer)
{
    tape_excerpt_t e;
    for (;;) {
        int rc = tape_tailer_next(tailer, &e);
        if (rc == TAPE_ECLOSED) return NULL;
        CHECK_OK(rc);
        if (rc == 0 && tape_tailer_seek_start(tailer) == TAPE_ECLOSED) return NULL;
    }
}

static void *ask_until_closed(void *queue)
{
    for (tape_queue_info_t info;;) {
        CHECK_OK(tape_queue_info(queue, &info));
        if (info.closed || tape_queue_last_index(queue) == TAPE_ECLOSED) return NULL;
    }
}

static void shutdown_at_work(void)
{
    const char *directory = t_directory();
    for (int round = 0; round < 20; round++) {
        tape_queue_t *q;
        tape_appender_t *a[2];
        tape_tailer_t *t[2];
        pthread_t threads[5];
        tape_queue_options_t o = t_options(NULL, NULL);
        CHECK_OK(tape_queue_open(directory, &o, &q));
        for (int i = 0; i < 2; i++) {
            CHECK_OK(tape_appender_open(q, NULL, &a[i]));
            CHECK_OK(tape_tailer_open(q, NULL, &t[i]));
            pthread_create(&threads[i], NULL, write_until_closed, a[i]);
            pthread_create(&threads[2 + i], NULL, read_until_closed, t[i]);
        }
        pthread_create(&threads[4], NULL, ask_until_closed, q);
        usleep(3000 + 500 * (unsigned)round);
        CHECK_OK(tape_queue_shutdown(q));
        for (int i = 0; i < 5; i++) pthread_join(threads[i], NULL);
        for (int i = 0; i < 2; i++) {
            CHECK_OK(tape_appender_close(a[i]));
            CHECK_OK(tape_tailer_close(t[i]));
        }
        CHECK_OK(tape_queue_close(q));
        CHECK_EQ(t_descriptors(directory), 0);
        CHECK_EQ(t_mappings(directory), 0);
    }
    t_check_queue(directory, T_WHOLE);
}

static void bad_arguments(void)
{
    tape_queue_t *q;
    tape_appender_t *a;
    tape_tailer_t *t;
    tape_queue_options_t o = {0};
    const char *directory = t_directory();
    CHECK_EQ(tape_queue_open(NULL, NULL, &q), TAPE_EINVAL);
    CHECK_EQ(tape_queue_open("", NULL, &q), TAPE_EINVAL);
    CHECK_EQ(tape_queue_open(directory, NULL, NULL), TAPE_EINVAL);
    CHECK_EQ(tape_queue_open(directory, &o, &q), TAPE_EINVAL); /* no struct_size */
    o.struct_size = sizeof o;
    o.roll_cycle = "MONTHLY";
    CHECK_EQ(tape_queue_open(directory, &o, &q), TAPE_EINVAL);
    o.roll_cycle = NULL;
    o.block_size = -1;
    CHECK_EQ(tape_queue_open(directory, &o, &q), TAPE_EINVAL);
    o.block_size = 0;
    o.flags = TAPE_OPEN_EXISTING;
    CHECK_EQ(tape_queue_open(directory, &o, &q), TAPE_ENOTFOUND);
    CHECK_EQ(tape_queue_open(t_path(directory, "a/b/c"), &o, &q), TAPE_ENOTFOUND);
    CHECK(q == NULL);
    CHECK_EQ(tape_appender_open(NULL, NULL, &a), TAPE_EINVAL);
    CHECK_EQ(tape_tailer_open(NULL, NULL, &t), TAPE_EINVAL);
    CHECK_EQ(tape_appender_write(NULL, "x", 1), TAPE_EINVAL);
    o.flags = 0;
    CHECK_OK(tape_queue_open(directory, &o, &q));
    CHECK_OK(tape_queue_close(q));
    o.flags = TAPE_READ_ONLY;
    CHECK_OK(tape_queue_open(directory, &o, &q));
    CHECK_EQ(tape_appender_open(q, NULL, &a), TAPE_EREADONLY);
    CHECK_OK(tape_queue_close(q));
    o.flags = TAPE_STRICT;
    o.roll_cycle = "HOURLY";
    CHECK_EQ(tape_queue_open(directory, &o, &q), TAPE_EMISMATCH);
}

int main(void)
{
    bad_arguments();
    close_with_children();
    any_order();
    shutdown_at_work();
    return 0;
}
