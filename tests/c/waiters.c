/* Description: a waiter tells which of many tailers have something, once for each time they were
 * added, through a descriptor; a tailer's own descriptor is readable as long as there may be
 * something; two threads serve 127 queues and end with the last one; forked children are told. */
#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <sys/wait.h>

#include "base/platform.h"
#include "helpers.h"
#include "queue/queue.h"
#include "read/tailer.h"

#define MS INT64_C(1000000)
#define NEVER_POLL (3600 * INT64_C(1000000000))

static tape_waiter_t *open_waiter(void)
{
    tape_waiter_t *w;
    CHECK_OK(tape_waiter_open(&w));
    CHECK(tape_waiter_fd(w) >= 0);
    return w;
}

static void write_one(t_writer_t w) { CHECK_OK(tape_appender_write(w.appender, "x", 1)); }

static bool readable(int fd, int ms)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    return poll(&p, 1, ms) == 1;
}

static int foreign; /* threads that are not the program's: an emulator has one */

static int threads(void)
{
    int n = -foreign;
    DIR *d = opendir("/proc/self/task");
    for (struct dirent *e; (e = readdir(d)) != NULL;) n += e->d_name[0] != '.';
    closedir(d);
    return n;
}

/* ThreadSanitizer has a thread of its own, which a forked child does not inherit. */
#ifdef __SANITIZE_THREAD__
enum { ALONE = 2 };
#define CHECK_THREADS(n) CHECK(threads() == (n) || threads() == (n) + 1)
#else
enum { ALONE = 1 };
#define CHECK_THREADS(n) CHECK_EQ(threads(), (n))
#endif

static void expect_token(tape_waiter_t *w, uint64_t token)
{
    uint64_t tokens[4];
    CHECK_EQ(tape_waiter_wait(w, 5000 * MS), TAPE_WAIT_READY);
    CHECK_EQ(tape_waiter_take(w, tokens, 4), 1);
    CHECK_EQ(tokens[0], token);
    CHECK(!readable(tape_waiter_fd(w), 0));
}

static void each_ready_tailer_is_told_once(void)
{
    enum { N = 3 };
    tape_queue_options_t o = t_options("FAST_DAILY", NULL);
    tape_waiter_t *w = open_waiter();
    t_writer_t writers[N];
    tape_tailer_t *tailers[N];
    tape_excerpt_t e;
    uint64_t tokens[4];
    for (int i = 0; i < N; i++) {
        writers[i] = t_open_writer(t_directory(), &o);
        tailers[i] = t_open_tailer(writers[i].queue, NEVER_POLL);
        CHECK_EQ(tape_waiter_add(w, tailers[i], (uint64_t)i + 100), TAPE_OK);
    }
    CHECK_THREADS(3);
    CHECK(!readable(tape_waiter_fd(w), 20));
    for (int round = 0; round < 100; round++) {
        int i = round % N;
        write_one(writers[i]);
        expect_token(w, (uint64_t)i + 100);
        write_one(writers[i]); /* not armed: not told */
        CHECK_EQ(tape_waiter_add(w, tailers[i], 7), TAPE_WAIT_READY);
        CHECK_EQ(tape_tailer_next(tailers[i], &e), 1);
        CHECK_EQ(tape_tailer_next(tailers[i], &e), 1);
        CHECK_EQ(tape_waiter_add(w, tailers[i], (uint64_t)i + 100), TAPE_OK);
    }
    CHECK_EQ(tape_tailer_next(tailers[0], &e), 0); /* that ends the waiting for it, and is told */
    expect_token(w, 100);
    write_one(writers[0]);
    CHECK_EQ(tape_waiter_wait(w, 20 * MS), TAPE_WAIT_TIMED_OUT);
    CHECK_OK(tape_queue_shutdown(writers[1].queue)); /* closing is told, too */
    expect_token(w, 101);
    CHECK_EQ(tape_waiter_add(w, tailers[1], 1), TAPE_ECLOSED);
    CHECK_OK(tape_tailer_shutdown(tailers[2]));
    expect_token(w, 102);
    CHECK_EQ(tape_waiter_take(w, tokens, 4), 0);
    for (int i = 0; i < N; i++) {
        CHECK_OK(tape_tailer_close(tailers[i]));
        t_close_writer(writers[i]);
    }
    CHECK_OK(tape_waiter_close(w));
    for (int n = 0; threads() > ALONE; n++) {
        CHECK(n < 2000);
        usleep(1000);
    }
}

/* Also when the tailer itself is gone by then, as with bindings that close by a finalizer. */
static void closing_is_told_though_the_tailer_is_gone(bool take)
{
    tape_queue_options_t o = t_options("FAST_DAILY", NULL);
    tape_waiter_t *w = open_waiter();
    t_writer_t writer = t_open_writer(t_directory(), &o);
    tape_tailer_t *t = t_open_tailer(writer.queue, NEVER_POLL);
    CHECK_EQ(tape_waiter_add(w, t, 9), TAPE_OK);
    CHECK_OK(tape_tailer_close(t));
    if (take) expect_token(w, 9);
    CHECK_OK(tape_waiter_close(w));
    t_close_writer(writer);
}

static void silent_write(t_writer_t *w)
{
    tape__notice_open(&w->queue->writer.lock.notice, "", false);
    w->queue->writer.lock.entered = true;
    write_one(*w);
}

static void foreign_writers_are_found(int fault)
{
    const char *directory = t_directory();
    tape_queue_options_t o = t_options("FAST_DAILY", NULL);
    t_writer_t silent = t_open_writer(directory, &o), reader = t_open_writer(directory, &o);
    tape_waiter_t *w = open_waiter();
    tape_tailer_t *t = t_open_tailer(reader.queue, 20 * MS);
    tape_excerpt_t e;
    if (fault) tape__fault_arm(TAPE__OP_WAIT, 1, fault, true);
    for (int i = 0; i < 20; i++) {
        CHECK_EQ(tape_waiter_add(w, t, 5), TAPE_OK);
        if (i % 2) silent_write(&silent);
        else write_one(reader);
        expect_token(w, 5);
        CHECK_EQ(tape_tailer_next(t, &e), 1);
    }
    if (fault) CHECK(tape__fault_hits() > 0);
    if (fault) tape__fault_arm(TAPE__OP_WAIT, 0, 0, false);
    CHECK_OK(tape_tailer_close(t));
    CHECK_OK(tape_waiter_close(w));
    t_close_writer(silent);
    t_close_writer(reader);
}

/* Without polling, so that it is the ring that is seen; also after nobody was armed for a while. */
static void a_ring_is_seen_where_one_cannot_sleep_on_several_words(void)
{
    tape_queue_options_t o = t_options("FAST_DAILY", NULL);
    t_writer_t writer = t_open_writer(t_directory(), &o);
    tape_waiter_t *w = open_waiter();
    tape_tailer_t *t = t_open_tailer(writer.queue, NEVER_POLL);
    tape_excerpt_t e;
    tape__fault_arm(TAPE__OP_WAIT, 1, ENOSYS, true);
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(tape_waiter_add(w, t, 5), TAPE_OK);
        usleep(20000);
        write_one(writer);
        expect_token(w, 5);
        CHECK_EQ(tape_tailer_next(t, &e), 1);
        usleep(1200000); /* by then the threads sleep for ever */
    }
    CHECK(tape__fault_hits() > 0);
    tape__fault_arm(TAPE__OP_WAIT, 0, 0, false);
    CHECK_OK(tape_tailer_close(t));
    CHECK_OK(tape_waiter_close(w));
    t_close_writer(writer);
}

static void a_descriptor_of_its_own(void)
{
    tape_queue_options_t o = t_options("FAST_DAILY", NULL);
    t_writer_t w = t_open_writer(t_directory(), &o);
    tape_tailer_t *t = t_open_tailer(w.queue, NEVER_POLL);
    tape_excerpt_t e;
    int fd = tape_tailer_fd(t);
    CHECK_OK(fd);
    CHECK_EQ(tape_tailer_fd(t), fd);
    CHECK(!readable(fd, 10));
    for (int i = 0; i < 50; i++) {
        write_one(w);
        CHECK(readable(fd, 5000));
        write_one(w);
        CHECK_EQ(tape_tailer_next(t, &e), 1);
        CHECK(readable(fd, 5000)); /* there is one more */
        CHECK_EQ(tape_tailer_next(t, &e), 1);
        CHECK_EQ(tape_tailer_next(t, &e), 0);
        CHECK(!readable(fd, 0));
    }
    tape_waiter_t *waiter = open_waiter();
    CHECK_EQ(tape_waiter_add(waiter, t, 1), TAPE_ESTATE);
    CHECK_OK(tape_waiter_close(waiter));
    CHECK_OK(tape_tailer_seek_start(t));
    CHECK(readable(fd, 5000));
    CHECK_OK(tape_tailer_seek_end(t));
    CHECK_EQ(tape_tailer_next(t, &e), 0);
    CHECK(!readable(fd, 0));
    CHECK_OK(tape_queue_shutdown(w.queue));
    CHECK(readable(fd, 5000));
    CHECK_OK(tape_tailer_close(t));
    t_close_writer(w);
}

static void many_queues(void)
{
    enum { N = 300 };
    const char *directory = t_directory();
    tape_queue_options_t o = t_options("FAST_DAILY", NULL);
    tape_waiter_t *w = open_waiter();
    static tape_queue_t *queues[N];
    static tape_tailer_t *tailers[N];
    for (int i = 0; i < N; i++) {
        CHECK_OK(tape_queue_open(directory, &o, &queues[i]));
        tailers[i] = t_open_tailer(queues[i], NEVER_POLL);
        CHECK_EQ(tape_waiter_add(w, tailers[i], (uint64_t)i), TAPE_OK);
    }
    CHECK_THREADS(7); /* two threads for each 127 */
    t_writer_t writer = t_open_writer(directory, &o);
    write_one(writer);
    static bool seen[N];
    for (int count = 0; count < N;) {
        uint64_t tokens[16];
        CHECK_EQ(tape_waiter_wait(w, 5000 * MS), TAPE_WAIT_READY);
        for (int64_t got = tape_waiter_take(w, tokens, 16); got > 0; got--, count++) {
            CHECK(!seen[tokens[got - 1]]);
            seen[tokens[got - 1]] = true;
        }
    }
    CHECK_OK(tape_waiter_close(w)); /* the tailers still know it */
    for (int i = 0; i < N; i++) {
        CHECK_OK(tape_tailer_close(tailers[i]));
        CHECK_OK(tape_queue_close(queues[i]));
    }
    t_close_writer(writer);
}

static void a_forked_child_is_told(void)
{
    tape_queue_options_t o = t_options("FAST_DAILY", NULL);
    const char *directory = t_directory();
    t_writer_t w = t_open_writer(directory, &o);
    tape_tailer_t *t = t_open_tailer(w.queue, NEVER_POLL);
    tape_waiter_t *waiter = open_waiter();
    CHECK_EQ(tape_waiter_add(waiter, t, 1), TAPE_OK);
    pid_t child = fork();
    if (child == 0) {
        uint64_t token;
        CHECK_EQ(tape_waiter_fd(waiter), TAPE_EFORKED);
        CHECK_EQ(tape_waiter_add(waiter, t, 1), TAPE_EFORKED);
        CHECK_EQ(tape_waiter_take(waiter, &token, 1), TAPE_EFORKED);
        CHECK_EQ(tape_waiter_wait(waiter, 0), TAPE_EFORKED);
        CHECK_THREADS(1);
        CHECK_OK(tape_tailer_close(t));
        CHECK_OK(tape_waiter_close(waiter));
        t_writer_t own = t_open_writer(directory, &o); /* opened again, all is well */
        t = t_open_tailer(own.queue, NEVER_POLL);
        waiter = open_waiter();
        CHECK_EQ(tape_waiter_add(waiter, t, 2), TAPE_OK);
        CHECK_THREADS(3);
        write_one(own);
        expect_token(waiter, 2);
        CHECK_OK(tape_tailer_close(t));
        CHECK_OK(tape_waiter_close(waiter));
        t_close_writer(own);
        _exit(0);
    }
    CHECK_EQ(t_wait(child), 0);
    expect_token(waiter, 1); /* the child's message */
    CHECK_OK(tape_tailer_close(t));
    CHECK_OK(tape_waiter_close(waiter));
    t_close_writer(w);
}

static void bad_arguments(void)
{
    uint64_t token;
    CHECK_EQ(tape_waiter_open(NULL), TAPE_EINVAL);
    CHECK_EQ(tape_waiter_fd(NULL), TAPE_EINVAL);
    CHECK_EQ(tape_waiter_take(NULL, &token, 1), TAPE_EINVAL);
    CHECK_OK(tape_waiter_close(NULL));
    tape_waiter_t *w = open_waiter();
    CHECK_EQ(tape_waiter_take(w, NULL, 1), TAPE_EINVAL);
    CHECK_EQ(tape_waiter_add(w, NULL, 1), TAPE_EINVAL);
    CHECK_EQ(tape_waiter_wait(w, -2), TAPE_EINVAL);
    CHECK_EQ(tape_tailer_fd(NULL), TAPE_EINVAL);
    CHECK_OK(tape_waiter_close(w));
}

int main(void)
{
#ifndef __SANITIZE_THREAD__
    foreign = threads() - 1;
#endif
    each_ready_tailer_is_told_once();
    closing_is_told_though_the_tailer_is_gone(true);
    closing_is_told_though_the_tailer_is_gone(false);
    foreign_writers_are_found(0);
    if (ALONE == 1) { /* the fault shim is for one thread */
        foreign_writers_are_found(ENOSYS);
        a_ring_is_seen_where_one_cannot_sleep_on_several_words();
    }
    a_descriptor_of_its_own();
    many_queues();
    a_forked_child_is_told();
    bad_arguments();
    return 0;
}
