/* Description: what one process has open: two handles of one queue exclude each other although they
 * share a pid; a forked child's handles say so and it can open anew; a slot tells of the death of
 * the parent though its child lives; the registry ends with the last handle. */
#include "base/process.h"

#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>

#include "base/atomics.h"
#include "file/table_store.h"
#include "helpers.h"
#include "queue_check.h"

enum { PER_THREAD = 3000 };
extern void (*tape__sync_point_hook)(const char *name);

static const char *directory;
static uint32_t inside; /* threads between taking the lock and giving it back */

static void count_inside(const char *name)
{
    if (strcmp(name, "lock_taken") == 0) CHECK(CLAIM32(test, &inside, 0, 1));
    if (strcmp(name, "before_release") == 0) CHECK(CLAIM32(test, &inside, 1, 0));
}

static void *append_many(void *unused)
{
    tape_queue_options_t o = t_options(NULL, NULL);
    t_writer_t w = t_open_writer(directory, &o);
    for (int i = 0; i < PER_THREAD; i++) CHECK_OK(tape_appender_write(w.appender, &i, sizeof i));
    t_close_writer(w);
    return unused;
}

static void two_handles_two_threads(void)
{
    pthread_t threads[2];
    directory = t_directory();
    tape__sync_point_hook = count_inside;
    for (int i = 0; i < 2; i++) CHECK(pthread_create(&threads[i], NULL, append_many, NULL) == 0);
    for (int i = 0; i < 2; i++) pthread_join(threads[i], NULL);
    tape__sync_point_hook = NULL;
    CHECK_EQ(t_check_queue(directory, T_WHOLE).messages, 2 * PER_THREAD);
    CHECK_EQ(t_descriptors(directory), 0);
    CHECK_EQ(t_mappings(directory), 0);
}

static void forked(void)
{
    tape_tailer_t *t;
    tape_excerpt_t e;
    tape_queue_info_t info;
    directory = t_directory();
    tape_queue_options_t o = t_options(NULL, NULL);
    t_writer_t w = t_open_writer(directory, &o);
    CHECK_OK(tape_tailer_open(w.queue, NULL, &t));
    CHECK_OK(tape_appender_write(w.appender, "parent", 6));
    CHECK_EQ(tape_tailer_next(t, &e), 1);
    pid_t child = fork();
    if (child == 0) {
        tape_tailer_t *t2;
        CHECK_EQ(tape_appender_write(w.appender, "child", 5), TAPE_EFORKED);
        CHECK_EQ(tape_tailer_next(t, &e), TAPE_EFORKED);
        CHECK_EQ(tape_tailer_open(w.queue, NULL, &t2), TAPE_EFORKED);
        CHECK_EQ(tape_queue_info(w.queue, &info), TAPE_EFORKED);
        CHECK_EQ(tape_queue_last_index(w.queue), TAPE_EFORKED);
        t_writer_t anew = t_open_writer(directory, &o);
        CHECK_OK(tape_appender_write(anew.appender, "child", 5));
        t_close_writer(anew);
        CHECK_OK(tape_appender_close(w.appender)); /* the inherited ones can be put away */
        tape_tailer_close(t);
        tape_queue_release(w.queue);
        _exit(0);
    }
    CHECK_EQ(t_wait(child), 0);
    /* not disturbed by what the child closed */
    CHECK_OK(tape_appender_write(w.appender, "parent", 6));
    CHECK_EQ(tape_tailer_next(t, &e), 1);
    CHECK(e.size == 5 && memcmp(e.data, "child", 5) == 0);
    CHECK_OK(tape_tailer_close(t));
    t_close_writer(w);
    CHECK_EQ(t_check_queue(directory, T_WHOLE).messages, 3);
}

/* A process forks and is killed while it holds the lock. Its child lives on with copies of its
 * descriptors, but not of its kernel lock: the lock is taken over at once all the same. */
static int pipe_of_child[2];

static void fork_and_die(const char *name)
{
    if (strcmp(name, "lock_taken") != 0) return;
    if (fork() == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        pid_t self = getpid();
        if (write(pipe_of_child[1], &self, sizeof self) != sizeof self) _exit(1);
        for (;;) pause();
    }
    usleep(50000);
    _exit(7);
}

static void parent_dies_child_lives(void)
{
    tape_queue_info_t info;
    pid_t grandchild;
    directory = t_directory();
    tape_queue_options_t o = t_options(NULL, NULL);
    o.stale_after_ns = INT64_C(3000000000);
    CHECK(pipe(pipe_of_child) == 0);
    pid_t child = fork();
    if (child == 0) {
        tape__sync_point_hook = fork_and_die;
        t_writer_t w = t_open_writer(directory, &o);
        tape_appender_write(w.appender, "x", 1);
        _exit(8);
    }
    CHECK(read(pipe_of_child[0], &grandchild, sizeof grandchild) == sizeof grandchild);
    CHECK_EQ(t_wait(child), 7);
    t_writer_t w = t_open_writer(directory, &o);
    int64_t start = t_now_ns();
    CHECK_OK(tape_appender_write(w.appender, "y", 1));
    CHECK(t_now_ns() - start < 100000000);
    CHECK_OK(tape_queue_info(w.queue, &info));
    CHECK_EQ(info.lock_broken, 1);
    kill(grandchild, SIGKILL);
    t_close_writer(w);
    close(pipe_of_child[0]);
    close(pipe_of_child[1]);
}

static void registry(void)
{
    bool contended;
    tape__process_entry_t *e = tape__process_acquire(1, 2);
    CHECK(e && tape__process_acquire(1, 2) == e);
    tape__process_entry_t *other = tape__process_acquire(1, 3);
    CHECK(other && other != e);
    CHECK(tape__process_guard(e, 0, &contended));
    CHECK(!contended);
    CHECK(!tape__process_guard(e, 20000000, &contended)); /* also for the same thread */
    CHECK(contended);
    CHECK(tape__process_guard(other, 0, &contended));
    tape__process_unguard(other);
    tape__process_unguard(e);
    tape__process_release(other);
    tape__process_release(e);
    CHECK(tape__process_guard(e, 0, &contended)); /* one reference is left */
    tape__process_unguard(e);
    tape__process_release(e);
}

int main(void)
{
    two_handles_two_threads(); /* first: threads that both meet the library for the first time */
    registry();
    forked();
    parent_dies_child_lives();
    return 0;
}
