/* Description: writer threads, some with appenders of their own and some sharing one, and tailer
 * threads on one queue: 200,000 messages, each once, each writer's in order, the same indexes at
 * all tailers. */
#include <pthread.h>

#include "helpers.h"
#include "queue_check.h"

#if defined(__SANITIZE_THREAD__)
enum { WRITERS = 5, READERS = 2, EACH = 8000 };
#elif defined(__SANITIZE_ADDRESS__)
enum { WRITERS = 5, READERS = 2, EACH = 20000 };
#else
enum { WRITERS = 5, READERS = 2, EACH = 40000 };
#endif
enum { TOTAL = WRITERS * EACH };

typedef struct {
    int writer, number;
    uint8_t filler[56];
} message_t;

static tape_queue_t *queue;
static tape_appender_t *shared;
static int64_t indexes[READERS][TOTAL];

static void *write_all(void *argument)
{
    int writer = (int)(intptr_t)argument;
    tape_appender_t *a = shared;
    if (writer < 3) CHECK_OK(tape_appender_open(queue, NULL, &a));
    int64_t before = -1;
    for (int n = 0; n < EACH; n++) {
        message_t m = {.writer = writer, .number = n};
        size_t size = sizeof(int) * 2 + (size_t)n % sizeof m.filler;
        memset(m.filler, writer + n, sizeof m.filler);
        int64_t index = tape_appender_write(a, &m, size);
        CHECK_OK(index);
        CHECK(index > before);
        before = index;
    }
    if (writer < 3) CHECK_OK(tape_appender_close(a));
    return NULL;
}

static void *read_all(void *argument)
{
    int64_t *seen = argument;
    int next[WRITERS] = {0};
    tape_tailer_t *t;
    tape_excerpt_t e;
    CHECK_OK(tape_tailer_open(queue, NULL, &t));
    for (int n = 0; n < TOTAL;) {
        int rc = tape_tailer_next(t, &e);
        CHECK_OK(rc);
        if (rc == 0) continue;
        message_t m;
        memcpy(&m, e.data, e.size);
        CHECK(m.writer >= 0 && m.writer < WRITERS);
        CHECK_EQ(m.number, next[m.writer]++);
        CHECK_EQ(e.size, sizeof(int) * 2 + (size_t)m.number % sizeof m.filler);
        for (size_t i = 0; i < e.size - sizeof(int) * 2; i++)
            CHECK_EQ(m.filler[i], (uint8_t)(m.writer + m.number));
        seen[n++] = e.index;
    }
    CHECK_EQ(tape_tailer_next(t, &e), 0);
    CHECK_OK(tape_tailer_close(t));
    return NULL;
}

static void *ask(void *unused)
{
    for (int i = 0; i < 200; i++) {
        tape_queue_info_t info;
        CHECK_OK(tape_queue_info(queue, &info));
        CHECK(info.lock_acquired <= TOTAL + 1 && info.lock_lost == 0 && info.lock_broken == 0);
        (void)tape_queue_last_index(queue);
        usleep(1000);
    }
    return unused;
}

int main(void)
{
    const char *directory = t_directory();
    pthread_t threads[WRITERS + READERS + 1];
    tape_queue_options_t o = t_options("TEST_SECONDLY", NULL);
    CHECK_OK(tape_queue_open(directory, &o, &queue));
    CHECK_OK(tape_appender_open(queue, NULL, &shared));
    for (int i = 0; i < READERS; i++) pthread_create(&threads[i], NULL, read_all, indexes[i]);
    for (int i = 0; i < WRITERS; i++)
        pthread_create(&threads[READERS + i], NULL, write_all, (void *)(intptr_t)i);
    pthread_create(&threads[WRITERS + READERS], NULL, ask, NULL);
    for (int i = 0; i < WRITERS + READERS + 1; i++) pthread_join(threads[i], NULL);
    for (int i = 1; i < READERS; i++)
        CHECK(memcmp(indexes[0], indexes[i], sizeof indexes[0]) == 0);
    CHECK_OK(tape_appender_close(shared));
    CHECK_OK(tape_queue_close(queue));
    CHECK_EQ(t_check_queue(directory, T_WHOLE).messages, TOTAL);
    return 0;
}
