/* Description: tape_tailer_wait() returns when there is something to read: a message of another
 * process, of a writer that does not know of waiting, a roll, a first file, a queue that was
 * deleted; and when the tailer, the queue or the time ends. Signals interrupt it. */
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>

#include "base/atomics.h"
#include "file/notice.h"
#include "format/file_names.h"
#include "helpers.h"
#include "queue/queue.h"
#include "read/tailer.h"

#define MS INT64_C(1000000)
#define NEVER_POLL (3600 * INT64_C(1000000000))

/* A child that waits a little, then does `what` with a writer of its own. */
static pid_t later(const char *directory, tape_queue_options_t o, void (*what)(t_writer_t))
{
    pid_t child = fork();
    if (child == 0) {
        t_writer_t w = t_open_writer(directory, &o);
        usleep(30000);
        what(w);
        t_close_writer(w);
        _exit(0);
    }
    return child;
}

static void write_one(t_writer_t w) { CHECK_OK(tape_appender_write(w.appender, "x", 1)); }

/* As a writer that knows nothing of the notice. */
static void write_silently(t_writer_t w)
{
    tape__notice_open(&w.queue->writer.lock.notice, "", false);
    w.queue->writer.lock.entered = true;
    CHECK_OK(tape_appender_write(w.appender, "x", 1));
}

static int64_t wait_ms(tape_tailer_t *t, int64_t timeout_ms, int expected)
{
    int64_t begun = t_now_ns();
    CHECK_EQ(tape_tailer_wait(t, timeout_ms * MS), expected);
    return (t_now_ns() - begun) / MS;
}

static void a_message_wakes(void)
{
    const char *directory = t_directory();
    tape_queue_options_t o = t_options("FAST_DAILY", NULL);
    t_writer_t w = t_open_writer(directory, &o);
    tape_tailer_t *t = t_open_tailer(w.queue, NEVER_POLL);
    tape_excerpt_t e;
    CHECK_EQ(tape_tailer_wait(t, 0), TAPE_WAIT_TIMED_OUT);
    CHECK(wait_ms(t, 20, TAPE_WAIT_TIMED_OUT) >= 19);
    for (int i = 0; i < 3; i++) { /* the first one makes the first file */
        pid_t child = later(directory, o, write_one);
        CHECK(wait_ms(t, 5000, TAPE_WAIT_READY) < 4000);
        CHECK_EQ(t_wait(child), 0);
        CHECK_EQ(tape_tailer_wait(t, -1), TAPE_WAIT_READY); /* still there */
        CHECK_EQ(tape_tailer_next(t, &e), 1);
        CHECK_EQ(tape_tailer_next(t, &e), 0);
    }
    CHECK_OK(tape_tailer_close(t));
    t_close_writer(w);
}

static void a_message_that_nobody_tells_of_is_found(void)
{
    const char *directory = t_directory();
    tape_queue_options_t o = t_options("FAST_DAILY", NULL);
    t_writer_t w = t_open_writer(directory, &o);
    tape_tailer_t *t = t_open_tailer(w.queue, 20 * MS);
    tape_excerpt_t e;
    for (int i = 0; i < 3; i++) {
        pid_t child = later(directory, o, write_silently);
        CHECK(wait_ms(t, 5000, TAPE_WAIT_READY) < 2000);
        CHECK_EQ(t_wait(child), 0);
        CHECK_EQ(tape_tailer_next(t, &e), 1);
    }
    CHECK(t->wait.foreign.last_ns > 0);
    CHECK_OK(tape_tailer_close(t));
    t_close_writer(w);
}

/* Between a writer's publishing and its ring a look may find the message: then no foreign writer is
 * looked for more often. */
static void a_ring_that_comes_after_the_look_is_one(void)
{
    const char *directory = t_directory();
    tape_queue_options_t o = t_options("FAST_DAILY", NULL);
    t_writer_t w = t_open_writer(directory, &o);
    tape_tailer_t *t = t_open_tailer(w.queue, 20 * MS);
    tape_excerpt_t e;
    for (int rung = 1; rung >= 0; rung--) {
        pid_t child = later(directory, o, write_silently);
        CHECK(wait_ms(t, 5000, TAPE_WAIT_READY) < 2000);
        CHECK_EQ(t_wait(child), 0);
        if (rung) tape__notice_ring(tape__site_notice(t->site));
        CHECK_EQ(tape_tailer_next(t, &e), 1);
        CHECK_EQ(tape_tailer_wait(t, 1 * MS), TAPE_WAIT_TIMED_OUT);
        CHECK_EQ(t->wait.foreign.last_ns > 0, !rung);
    }
    CHECK_OK(tape_tailer_close(t));
    t_close_writer(w);
}

static int64_t clock_ms;

static void a_roll_wakes(void)
{
    const char *directory = t_directory();
    clock_ms = INT64_C(1700000000000);
    tape_queue_options_t o = t_options("FAST_HOURLY", &clock_ms);
    t_writer_t w = t_open_writer(directory, &o);
    tape_tailer_t *t = t_open_tailer(w.queue, NEVER_POLL);
    tape_excerpt_t e;
    write_one(w);
    CHECK_EQ(tape_tailer_next(t, &e), 1);
    for (int i = 0; i < 3; i++) {
        clock_ms += 3 * 3600000;
        pid_t child = later(directory, o, write_one);
        CHECK(wait_ms(t, 5000, TAPE_WAIT_READY) < 4000);
        CHECK_EQ(t_wait(child), 0);
        CHECK_EQ(tape_tailer_next(t, &e), 1);
    }
    CHECK_OK(tape_tailer_close(t));
    t_close_writer(w);
}

static void remove_all(t_writer_t w)
{
    char command[1200];
    snprintf(command, sizeof command, "rm -rf '%s'", w.queue->site.path);
    CHECK(system(command) == 0);
}

static void a_queue_that_is_deleted_ends_it(void)
{
    const char *directory = t_path(t_directory(), "queue");
    tape_queue_options_t o = t_options("FAST_DAILY", NULL);
    t_writer_t w = t_open_writer(directory, &o);
    tape_tailer_t *t = t_open_tailer(w.queue, 20 * MS);
    write_one(w);
    tape_excerpt_t e;
    CHECK_EQ(tape_tailer_next(t, &e), 1);
    pid_t child = later(directory, o, remove_all);
    CHECK(wait_ms(t, 5000, TAPE_ENOTFOUND) < 4000);
    t_wait(child);
    CHECK_OK(tape_tailer_close(t));
    t_close_writer(w);
}

typedef struct {
    tape_tailer_t *tailer;
    int64_t ms;
    int rc;
} sleeper_t;

static void *sleeps(void *argument)
{
    sleeper_t *s = argument;
    int64_t begun = t_now_ns();
    s->rc = tape_tailer_wait(s->tailer, -1);
    s->ms = (t_now_ns() - begun) / MS;
    return NULL;
}

static void closing_wakes(bool read_only, bool whole_queue)
{
    const char *directory = t_directory();
    tape_queue_options_t o = t_options("FAST_DAILY", NULL);
    t_close_writer(t_open_writer(directory, &o));
    o.flags |= read_only ? TAPE_READ_ONLY : 0;
    unlink(t_path(directory, TAPE__SIDE_NAME));
    tape_queue_t *q;
    CHECK_OK(tape_queue_open(directory, &o, &q));
    sleeper_t s = {t_open_tailer(q, NEVER_POLL), 0, 0};
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, sleeps, &s) == 0);
    for (int i = 0; i < 5000 && !OBSERVE32(waiting, &s.tailer->wait.waiting); i++) usleep(1000);
    tape_excerpt_t e;
    CHECK_EQ(tape_tailer_next(s.tailer, &e), TAPE_EBUSY);
    CHECK_OK(whole_queue ? tape_queue_shutdown(q) : tape_tailer_shutdown(s.tailer));
    pthread_join(thread, NULL);
    CHECK_EQ(s.rc, TAPE_ECLOSED);
    CHECK(s.ms < 4000);
    CHECK_OK(tape_tailer_close(s.tailer));
    CHECK_OK(tape_queue_close(q));
    if (read_only) CHECK(access(t_path(directory, TAPE__SIDE_NAME), F_OK) != 0);
}

static void handler(int number) { (void)number; }

static void signals_interrupt(void)
{
    tape_queue_options_t o = t_options("FAST_DAILY", NULL);
    t_writer_t w = t_open_writer(t_directory(), &o);
    tape_tailer_t *t = t_open_tailer(w.queue, NEVER_POLL);
    struct sigaction action = {.sa_handler = handler};
    CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
    pid_t parent = getpid(), child = fork();
    if (child == 0) {
        usleep(30000);
        kill(parent, SIGUSR1);
        _exit(0);
    }
    CHECK(wait_ms(t, 5000, TAPE_WAIT_INTERRUPTED) < 4000);
    CHECK_EQ(t_wait(child), 0);
    CHECK_OK(tape_tailer_close(t));
    t_close_writer(w);
}

/* The mark of one who was killed, or stopped, costs one writer one call, and no more. */
static void the_mark_of_a_dead_waiter_goes(int how)
{
    const char *directory = t_directory();
    tape_queue_options_t o = t_options("FAST_DAILY", NULL);
    t_writer_t w = t_open_writer(directory, &o);
    write_one(w);
    uint32_t *word = w.queue->writer.lock.notice.word;
    pid_t child = fork();
    if (child == 0) {
        t_writer_t own = t_open_writer(directory, &o);
        tape_tailer_t *t = t_open_tailer(own.queue, NEVER_POLL);
        tape_excerpt_t e;
        CHECK_EQ(tape_tailer_next(t, &e), 1);
        tape_tailer_wait(t, -1);
        _exit(0);
    }
    for (int n = 0; !(PEEK32(notice, word) & TAPE__NOTICE_ARMED); n++) {
        CHECK(n < 5000);
        usleep(1000);
    }
    kill(child, how);
    usleep(20000);
    uint32_t before = PEEK32(notice, word);
    CHECK(before & TAPE__NOTICE_ARMED);
    for (int i = 0; i < 10; i++) write_one(w);
    CHECK_EQ(PEEK32(notice, word), before + 1); /* once: the mark went, the count moved */
    if (how == SIGSTOP) kill(child, SIGCONT);
    CHECK_EQ(t_wait(child), how == SIGSTOP ? 0 : 128 + how);
    t_close_writer(w);
}

static void bad_arguments(void)
{
    tape_queue_options_t o = t_options("FAST_DAILY", NULL);
    t_writer_t w = t_open_writer(t_directory(), &o);
    tape_tailer_t *t = t_open_tailer(w.queue, 0);
    CHECK_EQ(t->wait.poll_ns, 50 * MS);
    CHECK_EQ(tape_tailer_wait(t, -2), TAPE_EINVAL);
    CHECK_EQ(tape_tailer_wait(NULL, 0), TAPE_EINVAL);
    tape_tailer_options_t bad = {.struct_size = sizeof bad, .poll_interval_ns = -1};
    tape_tailer_t *none;
    CHECK_EQ(tape_tailer_open(w.queue, &bad, &none), TAPE_EINVAL);
    CHECK_OK(tape_tailer_close(t));
    t_close_writer(w);
}

int main(void)
{
    a_message_wakes();
    a_message_that_nobody_tells_of_is_found();
    a_ring_that_comes_after_the_look_is_one();
    a_roll_wakes();
    a_queue_that_is_deleted_ends_it();
    closing_wakes(false, true);
    closing_wakes(false, false);
    closing_wakes(true, true);
    closing_wakes(true, false);
    signals_interrupt();
    the_mark_of_a_dead_waiter_goes(SIGKILL);
    the_mark_of_a_dead_waiter_goes(SIGSTOP);
    bad_arguments();
    return 0;
}
