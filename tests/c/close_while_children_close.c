/* Description: one thread tries to close a queue until others have closed their appenders and
 * tailers of it. The number of children is read under its lock (TSan). */
#include <pthread.h>

#include "helpers.h"

static void *close_appender(void *appender)
{
    usleep(1000);
    CHECK_OK(tape_appender_close(appender));
    return NULL;
}

static void *close_tailer(void *tailer)
{
    usleep(1000);
    CHECK_OK(tape_tailer_close(tailer));
    return NULL;
}

int main(void)
{
    const char *directory = t_directory();
    for (int round = 0; round < 20; round++) {
        tape_queue_t *q;
        tape_appender_t *a;
        tape_tailer_t *t;
        pthread_t threads[2];
        int rc;
        CHECK_OK(tape_queue_open(directory, NULL, &q));
        CHECK_OK(tape_appender_open(q, NULL, &a));
        CHECK_OK(tape_tailer_open(q, NULL, &t));
        pthread_create(&threads[0], NULL, close_appender, a);
        pthread_create(&threads[1], NULL, close_tailer, t);
        while ((rc = tape_queue_close(q)) == TAPE_EBUSY) usleep(50);
        CHECK_OK(rc);
        pthread_join(threads[0], NULL);
        pthread_join(threads[1], NULL);
    }
    CHECK_EQ(t_descriptors(directory), 0);
    return 0;
}
