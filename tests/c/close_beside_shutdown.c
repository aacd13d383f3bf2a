/* Description: one thread closes its tailer while another one shuts the queue down. Everything is
 * given back, and once: no descriptor is closed that is somebody else's by now, no mapping is
 * removed twice (TSan and ASan see more), and nobody waits for the other. */
#include <pthread.h>

#include "base/atomics.h"
#include "helpers.h"

enum { ROUNDS = 400 };

static uint32_t go;

static void *close_tailer(void *tailer)
{
    while (!OBSERVE32(test, &go)) continue;
    CHECK_OK(tape_tailer_close(tailer));
    return NULL;
}

/* The lowest free descriptor is taken at once, so that a second close() would hit it. */
static void round_of(const char *directory, const char *id, bool delivered)
{
    tape_queue_t *q;
    tape_tailer_t *t;
    tape_excerpt_t e;
    pthread_t thread;
    tape_tailer_options_t o = {.struct_size = sizeof o, .id = id};
    CHECK_OK(tape_queue_open(directory, NULL, &q));
    CHECK_OK(tape_tailer_open(q, &o, &t));
    CHECK_EQ(tape_tailer_next(t, &e), 1);
    if (!delivered) CHECK_OK(tape_tailer_seek_start(t));
    PUBLISH32(test, &go, 0);
    CHECK(pthread_create(&thread, NULL, close_tailer, t) == 0);
    usleep(50);
    PUBLISH32(test, &go, 1);
    int64_t start = t_now_ns();
    CHECK_OK(tape_queue_shutdown(q));
    int fds[4];
    for (int i = 0; i < 4; i++) CHECK((fds[i] = dup(0)) >= 0);
    pthread_join(thread, NULL);
    for (int i = 0; i < 4; i++) CHECK(close(fds[i]) == 0);
    CHECK(t_now_ns() - start < INT64_C(1000000000));
    CHECK_OK(tape_queue_close(q));
}

int main(void)
{
    const char *directory = t_directory();
    t_writer_t w = t_open_writer(directory, NULL);
    CHECK_OK(tape_appender_write(w.appender, "x", 1));
    t_close_writer(w);
    for (int i = 0; i < ROUNDS; i++) round_of(directory, i % 2 ? "name" : NULL, i % 4 < 2);
    CHECK_EQ(t_descriptors(directory), 0);
    CHECK_EQ(t_mappings(directory), 0);
    return 0;
}
