/* Description: while one thread waits, without limit, for the write lock of a process that is
 * stopped, what needs no lock is done at once in the other threads: named tailers are opened and
 * closed, and the queue is shut down, which ends the waiting. Two handles of one queue do not hold
 * up each other either. And who waits for a thread of his own process is told so. */
#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "base/atomics.h"
#include "helpers.h"

#define MS INT64_C(1000000)
extern void (*tape__sync_point_hook)(const char *name);

static const char *directory;
static uint32_t held, may_go_on;

static void stop(const char *name)
{
    if (strcmp(name, "body_written") == 0) raise(SIGSTOP);
}

static pid_t stopped_holder(void)
{
    int status;
    pid_t child = fork();
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        tape_queue_options_t o = t_options(NULL, NULL);
        t_writer_t w = t_open_writer(directory, &o);
        tape__sync_point_hook = stop;
        tape_appender_write(w.appender, "x", 1);
        _exit(0);
    }
    CHECK(waitpid(child, &status, WUNTRACED) == child && WIFSTOPPED(status));
    return child;
}

typedef struct {
    pthread_t thread;
    tape_appender_t *appender;
    int64_t result;
} writing_t;

static void *append(void *argument)
{
    writing_t *w = argument;
    w->result = tape_appender_write(w->appender, "y", 1);
    return NULL;
}

static void begin(writing_t *w)
{
    CHECK(pthread_create(&w->thread, NULL, append, w) == 0);
    usleep(100000);
}

static void within(int64_t start, int64_t limit, const char *what)
{
    if (t_now_ns() - start > limit) CHECK_FAILED("%s took %" PRId64 " ms", what,
                                                 (t_now_ns() - start) / MS);
}

static void nobody_waits_for_the_waiting(void)
{
    tape_queue_options_t o = t_options(NULL, NULL);
    tape_tailer_options_t one = {.struct_size = sizeof one, .id = "one"}, two = one;
    tape_tailer_t *first, *second;
    two.id = "two";
    o.lock_timeout_ns = -1;
    directory = t_directory();
    t_writer_t here = t_open_writer(directory, &o), there = t_open_writer(directory, &o);
    CHECK_OK(tape_appender_write(here.appender, "x", 1));
    CHECK_OK(tape_tailer_open(here.queue, &one, &first));
    pid_t holder = stopped_holder();
    writing_t a = {.appender = here.appender}, b = {.appender = there.appender};
    begin(&a);
    begin(&b);
    int64_t start = t_now_ns();
    CHECK_OK(tape_tailer_open(here.queue, &two, &second));
    within(start, 500 * MS, "opening a named tailer");
    CHECK_OK(tape_tailer_close(first));
    CHECK_OK(tape_tailer_close(second));
    within(start, 500 * MS, "closing named tailers");
    CHECK_OK(tape_queue_shutdown(here.queue));
    within(start, 1000 * MS, "shutting down");
    pthread_join(a.thread, NULL);
    CHECK_EQ(a.result, TAPE_ECLOSED);
    kill(holder, SIGCONT);
    CHECK_EQ(t_wait(holder), 0);
    pthread_join(b.thread, NULL);
    CHECK_OK(b.result);
    t_close_writer(here);
    t_close_writer(there);
}

static void hold(const char *name)
{
    if (strcmp(name, "body_written") != 0) return;
    PUBLISH32(test, &held, 1);
    while (!OBSERVE32(test, &may_go_on)) usleep(1000);
}

static void own_threads_are_told_of(void)
{
    tape_error_facts_t facts;
    tape_queue_options_t o = t_options(NULL, NULL);
    o.lock_timeout_ns = 200 * MS;
    directory = t_directory();
    t_writer_t w = t_open_writer(directory, &o);
    CHECK_OK(tape_appender_write(w.appender, "x", 1));
    tape__sync_point_hook = hold;
    writing_t a = {.appender = w.appender};
    begin(&a);
    while (!OBSERVE32(test, &held)) usleep(1000);
    CHECK_EQ(tape_appender_write(w.appender, "z", 1), TAPE_ELOCKED);
    tape_error_last(&facts);
    CHECK_EQ(facts.holder_pid, getpid());
    CHECK_EQ(facts.holder_alive, 1);
    CHECK(facts.held_for_ns >= 200 * MS);
    CHECK(strstr(facts.message, "another thread of this process") != NULL);
    PUBLISH32(test, &may_go_on, 1);
    pthread_join(a.thread, NULL);
    tape__sync_point_hook = NULL;
    CHECK_OK(a.result);
    t_close_writer(w);
}

int main(void)
{
    nobody_waits_for_the_waiting();
    own_threads_are_told_of();
    return 0;
}
