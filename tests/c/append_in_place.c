/* Description: tape_appender_reserve(), publish(), abandon(): what is published is read, cut or
 * whole, with and without a frame, also as the first message of a new file; while it is made
 * everybody of this process is told TAPE_EBUSY; what is abandoned leaves nothing. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "helpers.h"

static uint8_t pattern[70000];

static void read_one(tape_tailer_t *t, int64_t index, size_t size)
{
    tape_excerpt_t e;
    CHECK_EQ(tape_tailer_next(t, &e), 1);
    CHECK_EQ(e.index, index);
    CHECK_EQ(e.size, size);
    CHECK(memcmp(e.data, pattern, size) == 0);
}

static int64_t make(tape_appender_t *a, size_t reserved, size_t size)
{
    void *buffer;
    CHECK_OK(tape_appender_reserve(a, reserved, &buffer));
    memset(buffer, 0xEE, reserved);
    memcpy(buffer, pattern, size);
    int64_t index = tape_appender_publish(a, size);
    CHECK_OK(index);
    CHECK_EQ(tape_appender_last_index(a), index);
    return index;
}

/* Sizes around each length of the frame, cut across them. */
static void sizes(tape_queue_t *q, uint32_t framing, int64_t *ms)
{
    static const size_t some[] = {0,   1,   3,   4,     5,     253,   254,
                                  255, 256, 300, 65533, 65534, 65535, 66000};
    enum { N = sizeof some / sizeof *some };
    tape_appender_options_t o = {.struct_size = sizeof o, .framing = framing};
    tape_appender_t *a, *other;
    tape_tailer_t *t;
    tape_excerpt_t e;
    CHECK_OK(tape_appender_open(q, &o, &a));
    CHECK_OK(tape_appender_open(q, &o, &other));
    CHECK_OK(tape_tailer_open(q, NULL, &t));
    CHECK_OK(tape_tailer_seek_end(t));
    for (int i = 0; i < N; i++)
        for (int k = 0; k <= i; k++) {
            if ((i + k) % 13 == 12) *ms += 86400000; /* the first message of a new file */
            int64_t index = make(a, some[i], some[k]);
            if (framing == TAPE_FRAMING_BYTES) read_one(t, index, some[k]);
            else CHECK_EQ(tape_tailer_next(t, &e), 1);
            int64_t next = tape_appender_write(other, pattern, 9);
            CHECK_EQ(next, index + 1);
            CHECK_EQ(tape_tailer_next(t, &e), 1);
            CHECK_EQ(e.index, next);
            CHECK_EQ(e.size, 9);
        }
    CHECK_OK(tape_tailer_close(t));
    CHECK_OK(tape_appender_close(other));
    CHECK_OK(tape_appender_close(a));
}

static void *others_are_told(void *queue)
{
    tape_appender_t *a;
    CHECK_OK(tape_appender_open(queue, NULL, &a));
    CHECK_EQ(tape_appender_write(a, "x", 1), TAPE_EBUSY);
    CHECK_EQ(tape_appender_try_write(a, "x", 1), TAPE_EAGAIN);
    CHECK_OK(tape_appender_close(a));
    return NULL;
}

static void nobody_hangs(tape_queue_t *q, const char *directory, const tape_queue_options_t *o)
{
    tape_appender_t *a, *other;
    tape_queue_t *again;
    void *buffer, *more;
    size_t written;
    tape_span_t span = {"x", 1};
    pthread_t thread;
    CHECK_OK(tape_appender_open(q, NULL, &a));
    CHECK_OK(tape_appender_open(q, NULL, &other));
    CHECK_OK(tape_appender_write(a, "before", 6));
    int64_t last = tape_queue_last_index(q);
    CHECK_OK(tape_appender_reserve(a, 100, &buffer));
    CHECK_EQ(tape_appender_write(a, "x", 1), TAPE_EBUSY);
    CHECK_EQ(tape_appender_write(other, "x", 1), TAPE_EBUSY);
    CHECK_EQ(tape_appender_write_expect(other, "x", 1, 5), TAPE_EBUSY);
    CHECK_EQ(tape_appender_write_many(other, &span, 1, &written), TAPE_EBUSY);
    CHECK_EQ(tape_appender_reserve(other, 1, &more), TAPE_EBUSY);
    CHECK_EQ(tape_appender_reserve(a, 1, &more), TAPE_ESTATE);
    CHECK(more == NULL);
    CHECK_EQ(tape_appender_publish(a, 101), TAPE_EINVAL); /* it is still reserved */
    CHECK_EQ(tape_appender_publish(other, 1), TAPE_ESTATE);
    CHECK_EQ(tape_queue_last_index(q), last); /* readers see nothing of it */
    CHECK_OK(tape_queue_open(directory, o, &again)); /* another handle on the same queue */
    CHECK_EQ(pthread_create(&thread, NULL, others_are_told, again), 0);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    CHECK_EQ(tape_queue_close(again), TAPE_OK);
    CHECK_OK(tape_appender_abandon(a));
    CHECK_EQ(tape_appender_abandon(a), TAPE_ESTATE);
    CHECK_EQ(tape_appender_publish(a, 0), TAPE_ESTATE);
    CHECK_EQ(tape_appender_write(other, "after", 5), last + 1);
    CHECK_OK(tape_appender_reserve(a, 100, &buffer));
    memset(buffer, 'z', 100);
    CHECK_OK(tape_appender_close(a)); /* abandons */
    CHECK_EQ(tape_appender_write(other, "after", 5), last + 2);
    CHECK_EQ(tape_queue_last_index(q), last + 2);
    CHECK_OK(tape_appender_close(other));
}

static void misuse(tape_appender_t *a)
{
    void *buffer;
    CHECK_EQ(tape_appender_reserve(NULL, 1, &buffer), TAPE_EINVAL);
    CHECK_EQ(tape_appender_reserve(a, 1, NULL), TAPE_EINVAL);
    CHECK_EQ(tape_appender_reserve(a, (size_t)1 << 40, &buffer), TAPE_ETOOBIG);
    CHECK_EQ(tape_appender_publish(NULL, 1), TAPE_EINVAL);
    CHECK_EQ(tape_appender_abandon(NULL), TAPE_EINVAL);
    CHECK_EQ(tape_appender_publish(a, 0), TAPE_ESTATE);
    CHECK_EQ(tape_appender_abandon(a), TAPE_ESTATE);
}

/* A queue that is shut down meanwhile says that it cannot be yet, and can be afterwards. */
static void shutdown_waits_for_it(void)
{
    int64_t ms = 1000;
    tape_queue_options_t o = t_options("FAST_DAILY", &ms);
    void *buffer;
    for (int staged = 0; staged < 2; staged++) {
        t_writer_t w = t_open_writer(t_directory(), &o);
        if (!staged) CHECK_OK(tape_appender_write(w.appender, "x", 1));
        CHECK_OK(tape_appender_reserve(w.appender, 10, &buffer));
        CHECK_EQ(tape_queue_shutdown(w.queue), TAPE_EBUSY);
        memset(buffer, 'y', 10);
        CHECK_OK(tape_appender_abandon(w.appender));
        CHECK_OK(tape_queue_shutdown(w.queue));
        CHECK_EQ(tape_appender_reserve(w.appender, 10, &buffer), TAPE_ECLOSED);
        t_close_writer(w);
    }
}

/* What is reserved, and the lock, are the parent's: the child gives back its copies alone. */
static void a_forked_child_touches_nothing(void)
{
    for (int staged = 0; staged < 2; staged++) {
        int64_t ms = 1000;
        tape_queue_options_t o = t_options("TEST4_SECONDLY", &ms);
        t_writer_t w = t_open_writer(t_directory(), &o);
        void *buffer;
        if (!staged) CHECK_OK(tape_appender_write(w.appender, "before", 6));
        CHECK_OK(tape_appender_reserve(w.appender, 300, &buffer));
        memcpy(buffer, pattern, 300);
        pid_t child = fork();
        if (child == 0) {
            CHECK_EQ(tape_appender_publish(w.appender, 300), TAPE_EFORKED);
            CHECK_EQ(tape_appender_publish(w.appender, 301), TAPE_EFORKED);
            CHECK_EQ(tape_appender_abandon(w.appender), TAPE_EFORKED);
            CHECK_EQ(tape_appender_reserve(w.appender, 1, &buffer), TAPE_EFORKED);
            CHECK_EQ(tape_appender_write(w.appender, "x", 1), TAPE_EFORKED);
            CHECK_EQ(tape_appender_try_write(w.appender, "x", 1), TAPE_EFORKED);
            CHECK_OK(tape_appender_close(w.appender));
            tape_queue_release(w.queue);
            exit(7); /* and what runs at exit */
        }
        CHECK_EQ(t_wait(child), 7);
        CHECK(memcmp(buffer, pattern, 300) == 0);
        int64_t index = tape_appender_publish(w.appender, 300);
        CHECK_EQ(tape_queue_last_index(w.queue), index);
        CHECK_EQ(tape_appender_write(w.appender, "after", 5), index + 1);
        t_close_writer(w);
    }
}

int main(void)
{
    int64_t ms = 1000;
    tape_queue_options_t o = t_options("FAST_DAILY", &ms);
    const char *directory = t_directory();
    o.block_size = 1 << 20;
    for (size_t i = 0; i < sizeof pattern; i++) pattern[i] = (uint8_t)(i * 7 + 1);
    t_writer_t w = t_open_writer(directory, &o);
    sizes(w.queue, TAPE_FRAMING_BYTES, &ms);
    sizes(w.queue, TAPE_FRAMING_DOCUMENT, &ms);
    nobody_hangs(w.queue, directory, &o);
    misuse(w.appender);
    t_close_writer(w);
    shutdown_waits_for_it();
    a_forked_child_touches_nothing();
    return 0;
}
