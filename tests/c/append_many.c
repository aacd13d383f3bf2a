/* Description: tape_appender_write_many(): contiguous indexes under one lock, in one cycle, the
 * same bytes as one by one, across index pages, blocks and a roll; beside other writers; misuse
 * and a failure in the middle tell how many were written. */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/platform.h"
#include "helpers.h"
#include "queue_check.h"

extern void (*tape__sync_point_hook)(const char *name);

enum { ROOM = 2000, THREADS = 3, ROUNDS = 40 };

static char bytes[ROOM][64];
static tape_span_t spans[ROOM];

/* Message n: its number, and some more bytes; each 100th is empty. */
static size_t size_of(int64_t n) { return n % 100 == 99 ? 0 : 8 + (size_t)(n % 50); }

static void fill(int64_t from, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        int64_t n = from + (int64_t)i;
        memset(bytes[i], (int)(n & 0x7F), sizeof bytes[i]);
        memcpy(bytes[i], &n, sizeof n);
        spans[i] = (tape_span_t){size_of(n) ? bytes[i] : NULL, size_of(n)};
    }
}

static void read_all(tape_queue_t *q, const int64_t *indexes, int64_t count)
{
    tape_tailer_t *t;
    tape_excerpt_t e;
    CHECK_OK(tape_tailer_open(q, NULL, &t));
    for (int64_t n = 0; n < count; n++) {
        int64_t found = n;
        CHECK_EQ(tape_tailer_next(t, &e), 1);
        CHECK_EQ(e.index, indexes[n]);
        CHECK_EQ(e.size, size_of(n));
        if (e.size) memcpy(&found, e.data, sizeof found);
        CHECK_EQ(found, n);
        CHECK_EQ(tape_tailer_seek(t, indexes[n]), 1);
        CHECK_EQ(tape_tailer_next(t, &e), 1);
    }
    CHECK_EQ(tape_tailer_next(t, &e), 0);
    CHECK_OK(tape_tailer_close(t));
}

static void batches_are_contiguous(uint32_t framing)
{
    int64_t ms = 1000, *indexes = malloc(60000 * sizeof *indexes), total = 0;
    tape_queue_options_t o = t_options("TEST4_SECONDLY", &ms);
    const char *directory = t_directory();
    t_writer_t w = t_open_writer(directory, &o);
    tape_appender_t *a;
    tape_appender_options_t ao = {.struct_size = sizeof ao, .framing = framing};
    CHECK_OK(tape_appender_open(w.queue, &ao, &a));
    for (int round = 0; round < ROUNDS; round++) {
        size_t count = 1 + (size_t)rand() % (round % 4 == 0 ? 5 : 900), written = 77;
        if (round % 5 == 4) ms += 1000;
        fill(total, count);
        int64_t first = tape_appender_write_many(a, spans, count, &written);
        CHECK_OK(first);
        CHECK_EQ(written, count);
        for (size_t i = 0; i < count; i++) indexes[total++] = first + (int64_t)i;
        CHECK_EQ(tape_appender_last_index(a), indexes[total - 1]);
        CHECK_EQ(tape_queue_last_index(w.queue), indexes[total - 1]);
    }
    tape_appender_info_t info;
    CHECK_OK(tape_appender_info(a, &info));
    CHECK_EQ(info.messages, total);
    if (framing == TAPE_FRAMING_BYTES) read_all(w.queue, indexes, total);
    CHECK_OK(tape_appender_close(a));
    t_close_writer(w);
    free(indexes);
}

static void misuse_writes_nothing(void)
{
    int64_t ms = 1000;
    tape_queue_options_t o = t_options("TEST4_SECONDLY", &ms);
    t_writer_t w = t_open_writer(t_directory(), &o);
    size_t written = 7;
    fill(0, 4);
    CHECK_EQ(tape_appender_write_many(NULL, spans, 1, &written), TAPE_EINVAL);
    CHECK_EQ(tape_appender_write_many(w.appender, NULL, 1, &written), TAPE_EINVAL);
    CHECK_EQ(tape_appender_write_many(w.appender, spans, 0, &written), TAPE_EINVAL);
    CHECK_EQ(tape_appender_write_many(w.appender, spans, 1, NULL), TAPE_EINVAL);
    spans[3] = (tape_span_t){NULL, 5};
    CHECK_EQ(tape_appender_write_many(w.appender, spans, 4, &written), TAPE_EINVAL);
    spans[3] = (tape_span_t){bytes[3], (size_t)1 << 40};
    CHECK_EQ(tape_appender_write_many(w.appender, spans, 4, &written), TAPE_ETOOBIG);
    CHECK_EQ(written, 0);
    CHECK_EQ(tape_queue_last_index(w.queue), TAPE_ENOINDEX);
    t_close_writer(w);
}

/* No more room after a while: so many are told as can be read, and the next call says why. */
static void a_failure_in_the_middle_is_told(void)
{
    int64_t ms = 1000;
    static char large[20000];
    tape_queue_options_t o = t_options("TEST4_SECONDLY", &ms);
    t_writer_t w = t_open_writer(t_directory(), &o);
    size_t written;
    CHECK_OK(tape_appender_write(w.appender, "x", 1));
    for (int i = 0; i < 100; i++) spans[i] = (tape_span_t){large, sizeof large};
    tape__fault_arm(TAPE__OP_TRUNCATE, 2, ENOSPC, true);
    int64_t first = tape_appender_write_many(w.appender, spans, 100, &written);
    CHECK_OK(first);
    CHECK(written > 0 && written < 100);
    CHECK_EQ(tape_appender_write_many(w.appender, spans, 100 - written, &written), TAPE_ENOSPC);
    CHECK_EQ(written, 0);
    tape__fault_arm(TAPE__OP_TRUNCATE, 0, 0, false);
    int64_t last = tape_queue_last_index(w.queue);
    CHECK_EQ(last, tape_appender_last_index(w.appender));
    CHECK_EQ(tape_appender_write_many(w.appender, spans, 3, &written), last + 1);
    CHECK_EQ(written, 3);
    t_close_writer(w);
}

/* The file that was made for the first message is gone at once: the rest was not written, and the
 * reason is of this call, not of an older one. */
static const char *gone_in;
static void remove_the_file(const char *name)
{
    char command[1200];
    if (strcmp(name, "cycle_file_linked") != 0) return;
    snprintf(command, sizeof command, "rm '%s'/*.cq4", gone_in);
    CHECK_EQ(system(command), 0);
}

static void a_new_file_that_is_gone_is_told(void)
{
    int64_t ms = 1000;
    tape_error_facts_t facts;
    tape_queue_options_t o = t_options("TEST4_SECONDLY", &ms);
    gone_in = t_directory();
    t_writer_t w = t_open_writer(gone_in, &o);
    size_t written;
    fill(0, 10);
    CHECK_EQ(tape_appender_write_many(w.appender, spans, 0, &written), TAPE_EINVAL);
    tape__sync_point_hook = remove_the_file;
    CHECK_OK(tape_appender_write_many(w.appender, spans, 10, &written));
    tape__sync_point_hook = NULL;
    CHECK_EQ(written, 1);
    tape_error_last(&facts);
    CHECK_EQ(facts.code, TAPE_ETAKEN);
    CHECK_OK(tape_appender_write_many(w.appender, spans + 1, 9, &written));
    CHECK_EQ(written, 9);
    t_close_writer(w);
}

static void *write_batches(void *argument)
{
    t_writer_t *w = argument;
    size_t written;
    for (int i = 0; i < 60; i++) {
        static _Thread_local char text[] = "from a thread";
        tape_span_t some[64];
        for (int k = 0; k < 64; k++) some[k] = (tape_span_t){text, sizeof text - 1};
        int64_t first = tape_appender_write_many(w->appender, some, 1 + (size_t)i, &written);
        CHECK_OK(first);
        CHECK_EQ(written, 1 + (size_t)i);
        CHECK_OK(tape_appender_write(w->appender, text, sizeof text - 1));
    }
    return NULL;
}

static void threads_and_batches(void)
{
    tape_queue_options_t o = t_options("FAST_DAILY", NULL);
    t_writer_t w = t_open_writer(t_directory(), &o);
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        CHECK_EQ(pthread_create(&threads[i], NULL, write_batches, &w), 0);
    for (int i = 0; i < THREADS; i++) CHECK_EQ(pthread_join(threads[i], NULL), 0);
    const int64_t first = tape_queue_first_index(w.queue);
    CHECK_EQ(tape_queue_last_index(w.queue) - first + 1, THREADS * (60 * 61 / 2 + 60));
    t_close_writer(w);
}

int main(int argc, char **argv)
{
    unsigned seed = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 0) : (unsigned)t_now_ns();
    fprintf(stderr, "seed %u\n", seed);
    srand(seed);
    batches_are_contiguous(TAPE_FRAMING_BYTES);
    batches_are_contiguous(TAPE_FRAMING_DOCUMENT);
    misuse_writes_nothing();
    a_failure_in_the_middle_is_told();
    a_new_file_that_is_gone_is_told();
    threads_and_batches();
    return 0;
}
