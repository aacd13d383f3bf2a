/* Description: what tells the living from the dead is right at the moments when it could go wrong:
 * fork() between opening the side file and registering it, a holder that dies and leaves a child,
 * a holder whose first thread has ended, two waiters who judge one dead holder, one of them stopped
 * in the middle. */
#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/atomics.h"
#include "base/platform.h"
#include "file/table_store.h"
#include "helpers.h"
#include "queue_check.h"

#define MS INT64_C(1000000)
extern void (*tape__sync_point_hook)(const char *name);

static const char *directory;
static uint32_t reached;

static int64_t append_within(int64_t timeout_ns, uint32_t flags)
{
    tape_queue_options_t o = t_options(NULL, NULL);
    o.lock_timeout_ns = timeout_ns;
    o.stale_after_ns = 300 * MS;
    o.flags = flags;
    t_writer_t w = t_open_writer(directory, &o);
    int64_t rc = tape_appender_write(w.appender, "y", 1);
    t_close_writer(w);
    return rc;
}

/* ---- fork ---- */

static void linger(const char *name)
{
    if (strcmp(name, "side_file_opened") != 0 || OBSERVE32(test, &reached)) return;
    PUBLISH32(test, &reached, 1);
    usleep(200000);
}

static void *open_and_close(void *unused)
{
    tape_queue_t *q;
    CHECK_OK(tape_queue_open(directory, NULL, &q));
    while (OBSERVE32(test, &reached) != 2) usleep(1000);
    CHECK_OK(tape_queue_close(q));
    return unused;
}

static void no_child_keeps_the_side_file(void)
{
    pthread_t thread;
    tape_queue_t *q;
    directory = t_directory();
    CHECK_OK(tape_queue_open(t_path(directory, "other"), NULL, &q)); /* fork is looked after */
    tape__sync_point_hook = linger;
    CHECK(pthread_create(&thread, NULL, open_and_close, NULL) == 0);
    while (!OBSERVE32(test, &reached)) usleep(1000);
    pid_t child = fork();
    if (child == 0) _exit(t_descriptors(t_path(directory, "tape.side")));
    CHECK_EQ(t_wait(child), 0);
    PUBLISH32(test, &reached, 2);
    pthread_join(thread, NULL);
    tape__sync_point_hook = NULL;
    CHECK_OK(tape_queue_close(q));
    t_empty(t_path(directory, "other"));
    rmdir(t_path(directory, "other"));
}

/* ---- a child that has a copy of its parent's descriptor ---- */

static long (*fork_some_way)(void);

static long by_fork(void) { return fork(); }
/* As a program may do that starts others by itself: nobody in the child closes anything. */
static long by_the_kernel(void) { return syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0); }

static int pipe_of_child[2];

static void leave_a_child_and_die(const char *name)
{
    if (strcmp(name, "body_written") != 0) return;
    const long child = fork_some_way();
    if (child == 0)
        for (;;) pause();
    const pid_t number = (pid_t)child;
    if (write(pipe_of_child[1], &number, sizeof number) != sizeof number) _exit(1);
    usleep(20000); /* the child has begun */
    raise(SIGKILL);
}

/* The kernel's lock on the slot is kept by the copy; that its owner is dead can be seen. */
static void child_outlives_the_holder(long (*some_way)(void))
{
    pid_t grandchild;
    fork_some_way = some_way;
    directory = t_directory();
    CHECK(pipe(pipe_of_child) == 0);
    const pid_t child = fork();
    if (child == 0) {
        tape__sync_point_hook = leave_a_child_and_die;
        append_within(0, 0);
        append_within(0, 0);
        _exit(9);
    }
    CHECK(read(pipe_of_child[0], &grandchild, sizeof grandchild) == sizeof grandchild);
    CHECK_EQ(t_wait(child), 128 + SIGKILL);
    const int64_t begun = t_now_ns();
    const int64_t rc = append_within(1000 * MS, TAPE_NEVER_BREAK);
    const int64_t took = t_now_ns() - begun;
    CHECK_EQ(kill(grandchild, SIGKILL), 0);
    CHECK_OK(rc);
    CHECK(took < 200 * MS);
    close(pipe_of_child[0]);
    close(pipe_of_child[1]);
}

/* ---- a holder whose first thread has ended ---- */

static tape_appender_t *appender;

static void tell_and_stay(const char *name)
{
    if (strcmp(name, "body_written") != 0) return;
    usleep(50000); /* the first thread ends meanwhile */
    if (write(pipe_of_child[1], "x", 1) != 1) _exit(1);
    for (;;) pause();
}

static void *append_and_stay(void *unused)
{
    tape_appender_write(appender, "a", 1);
    tape_appender_write(appender, "a", 1);
    return unused;
}

static void first_thread_ended(void)
{
    char byte;
    directory = t_directory();
    t_close_writer(t_open_writer(directory, NULL));
    unlink(t_path(directory, "tape.side"));
    CHECK(mkdir(t_path(directory, "tape.side"), 0777) == 0); /* no slots: only the pid tells */
    CHECK(pipe(pipe_of_child) == 0);
    pid_t child = fork();
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        pthread_t thread;
        t_writer_t w = t_open_writer(directory, NULL);
        appender = w.appender;
        tape__sync_point_hook = tell_and_stay;
        CHECK(pthread_create(&thread, NULL, append_and_stay, NULL) == 0);
        pthread_exit(NULL);
    }
    CHECK(read(pipe_of_child[0], &byte, 1) == 1);
    CHECK(tape__process_alive(child));
    CHECK_EQ(append_within(1000 * MS, 0), TAPE_ELOCKED);
    kill(child, SIGKILL);
    CHECK_EQ(t_wait(child), 128 + SIGKILL);
    CHECK_OK(append_within(3000 * MS, 0));
    rmdir(t_path(directory, "tape.side"));
}

/* ---- two judges ---- */

static void die(const char *name)
{
    if (strcmp(name, "body_written") == 0) raise(SIGKILL);
}

static void stop(const char *name)
{
    if (strcmp(name, "holder_judged") == 0) raise(SIGSTOP);
}

/* Who has judged and not yet taken over keeps the others from doing so: else the lock could belong
 * to a living process with the dead one's pid when it goes on. */
static void one_judge_at_a_time(void)
{
    int status;
    directory = t_directory();
    pid_t dead = fork();
    if (dead == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        tape__sync_point_hook = die;
        append_within(0, 0);
        append_within(0, 0);
        _exit(9);
    }
    CHECK_EQ(t_wait(dead), 128 + SIGKILL);
    pid_t judge = fork();
    if (judge == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        tape__sync_point_hook = stop;
        _exit(append_within(0, 0) < 0);
    }
    CHECK(waitpid(judge, &status, WUNTRACED) == judge && WIFSTOPPED(status));
    CHECK_EQ(append_within(500 * MS, 0), TAPE_ELOCKED);
    kill(judge, SIGCONT);
    CHECK_EQ(t_wait(judge), 0);
    CHECK_OK(append_within(500 * MS, 0));
    CHECK_EQ(t_check_queue(directory, T_WHOLE).messages, 3);
}

int main(void)
{
    no_child_keeps_the_side_file();
    child_outlives_the_holder(by_fork);
    child_outlives_the_holder(by_the_kernel);
    first_thread_ended();
    one_judge_at_a_time();
    return 0;
}
