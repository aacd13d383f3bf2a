/* Description: a writer died holding the lock, and its pid is by now that of something else: a
 * thread of ours, a thread of the kernel, a reader with and without the right to write, a program
 * that has nothing to do with the queue, the program that the writer became by exec(). It is
 * taken over all the same; a JVM that has the pid is not robbed, and a named tailer, opened in
 * between, destroys no proof. */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
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

static const char *directory, *self;
static tape__table_store_t table;
static uint64_t *word;

static void die(const char *name)
{
    if (strcmp(name, "body_written") == 0) raise(SIGKILL);
}

static void make_queue(void)
{
    tape_queue_options_t o = t_options(NULL, NULL);
    directory = t_directory();
    t_close_writer(t_open_writer(directory, &o));
    if (word) tape__table_store_close(&table);
    CHECK_OK(tape__table_store_open(&table, directory, true));
    word = tape__table_store_cell(&table, "chronicle.write.lock");
}

/* Dies holding the lock. */
static pid_t dead_holder(void)
{
    tape_queue_options_t o = t_options(NULL, NULL);
    pid_t child = fork();
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        tape__sync_point_hook = die;
        t_writer_t w = t_open_writer(directory, &o);
        tape_appender_write(w.appender, "x", 1);
        tape_appender_write(w.appender, "x", 1);
        _exit(9);
    }
    CHECK_EQ(t_wait(child), 128 + SIGKILL);
    CHECK_EQ(*word, child);
    return child;
}

/* A queue whose lock is held by a process that is dead. */
static pid_t leave_a_dead_holder(void)
{
    make_queue();
    return dead_holder();
}

/* As if the dead one had had the pid `heir`: in the lock word and in its slot. */
static void give_its_pid_to(pid_t dead, pid_t heir)
{
    int64_t pid;
    int fd = open(t_path(directory, "tape.side"), O_RDWR);
    CHECK(fd >= 0);
    for (off_t at = 64; pread(fd, &pid, sizeof pid, at) == sizeof pid; at += 64)
        if (pid == dead) {
            pid = heir;
            CHECK(pwrite(fd, &pid, sizeof pid, at) == sizeof pid);
        }
    close(fd);
    *word = (uint64_t)heir;
}

/* Appends once; what that gave, and how long it took. */
static int64_t append_once(uint32_t flags, int64_t *ns)
{
    tape_queue_options_t o = t_options(NULL, NULL);
    o.lock_timeout_ns = 3000 * MS;
    o.stale_after_ns = 1000 * MS;
    o.flags = flags;
    t_writer_t w = t_open_writer(directory, &o);
    int64_t start = t_now_ns();
    int64_t rc = tape_appender_write(w.appender, "y", 1);
    *ns = t_now_ns() - start;
    t_close_writer(w);
    return rc;
}

static void is_robbed_at_once(const char *whose)
{
    int64_t ns, rc = append_once(TAPE_NEVER_BREAK, &ns);
    if (rc < 0 || ns > 500 * MS)
        CHECK_FAILED("%s: %s after %" PRId64 " ms", whose, tape_code_name((int)rc), ns / MS);
    CHECK_EQ(*word, TAPE__MIN64);
    t_check_queue(directory, T_WHOLE);
}

static pid_t heir_process(uint32_t flags)
{
    int ready[2];
    char byte;
    CHECK(pipe(ready) == 0);
    pid_t child = fork();
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        tape_queue_t *q;
        tape_queue_options_t o = t_options(NULL, NULL);
        o.flags = flags;
        tape__table_store_close(&table); /* what it has mapped is to be its own */
        if (flags && tape_queue_open(directory, &o, &q) != TAPE_OK) _exit(1);
        if (write(ready[1], "x", 1) != 1) _exit(2);
        for (;;) pause();
    }
    CHECK(read(ready[0], &byte, 1) == 1);
    close(ready[0]);
    close(ready[1]);
    return child;
}

static void end(pid_t child)
{
    kill(child, SIGKILL);
    CHECK_EQ(t_wait(child), 128 + SIGKILL);
}

static void a_process(const char *whose, uint32_t flags)
{
    make_queue(); /* the heir opens it first: later it would take the lock over, opening it */
    pid_t heir = heir_process(flags), dead = dead_holder();
    give_its_pid_to(dead, heir);
    is_robbed_at_once(whose);
    end(heir);
}

static uint32_t leave;
static pid_t thread_id;

static void *idle(void *ready)
{
    thread_id = (pid_t)syscall(SYS_gettid);
    PUBLISH32(test, (uint32_t *)ready, 1);
    while (!OBSERVE32(test, &leave)) usleep(1000);
    return NULL;
}

static void a_thread_of_ours(void)
{
    pthread_t thread;
    uint32_t ready = 0;
    pid_t dead = leave_a_dead_holder();
    CHECK(pthread_create(&thread, NULL, idle, &ready) == 0);
    while (!OBSERVE32(test, &ready)) usleep(1000);
    give_its_pid_to(dead, thread_id);
    CHECK(!tape__process_alive(thread_id));
    is_robbed_at_once("a thread of ours");
    PUBLISH32(test, &leave, 1);
    pthread_join(thread, NULL);
}

static void a_thread_of_the_kernel(void)
{
    if (access("/proc/2/stat", F_OK) != 0 || access("/proc/2/exe", F_OK) == 0) return;
    give_its_pid_to(leave_a_dead_holder(), 2);
    is_robbed_at_once("a thread of the kernel");
}

/* Another user's: its memory cannot be looked into, so the lock must stand still for a while. */
static void a_stranger(void)
{
    int64_t ns;
    if (geteuid() != 0) return;
    pid_t dead = leave_a_dead_holder();
    usleep(30000); /* start times are counted in ticks */
    pid_t heir = heir_process(0);
    give_its_pid_to(dead, heir);
    char command[1100];
    snprintf(command, sizeof command, "chmod -R a+rwX '%s'", directory);
    CHECK_EQ(system(command), 0);
    pid_t writer = fork();
    if (writer == 0) {
        if (setgid(65534) != 0 || setuid(65534) != 0) _exit(77);
        CHECK_EQ(tape__process_maps(heir, 1), TAPE__MAPS_UNSEEN);
        CHECK_OK(append_once(0, &ns));
        if (ns < 800 * MS || ns > 2500 * MS) CHECK_FAILED("after %" PRId64 " ms", ns / MS);
        _exit(0);
    }
    CHECK_EQ(t_wait(writer), 0);
    end(heir);
}

/* A process with the table store mapped for writing and no slot may hold the lock. */
static void a_jvm(void)
{
    int64_t ns;
    pid_t dead = leave_a_dead_holder();
    pid_t heir = t_mapping_process(directory);
    give_its_pid_to(dead, heir);
    CHECK_EQ(append_once(0, &ns), TAPE_ELOCKED);
    CHECK(ns > 2900 * MS);
    CHECK_EQ(*word, heir);
    end(heir);
}

static uint32_t held;

static void hold(const char *name)
{
    if (strcmp(name, "body_written") != 0) return;
    PUBLISH32(test, &held, 1);
    for (;;) pause();
}

static void *append_and_stay(void *appender)
{
    tape_appender_write(appender, "a", 1);
    tape_appender_write(appender, "a", 1);
    return NULL;
}

/* The writer becomes another program while one of its threads is in the middle of an append. */
static void a_new_program(const char *mode)
{
    int ready[2];
    char byte, number[16];
    directory = t_directory();
    CHECK(pipe(ready) == 0);
    pid_t child = fork();
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        pthread_t thread;
        tape_queue_options_t o = t_options(NULL, NULL);
        tape__sync_point_hook = hold;
        t_writer_t w = t_open_writer(directory, &o);
        CHECK(pthread_create(&thread, NULL, append_and_stay, w.appender) == 0);
        while (!OBSERVE32(test, &held)) usleep(1000);
        snprintf(number, sizeof number, "%d", ready[1]);
        execl(self, self, mode, directory, number, (char *)NULL);
        _exit(9);
    }
    CHECK(read(ready[0], &byte, 1) == 1);
    close(ready[0]);
    close(ready[1]);
    int64_t ns;
    CHECK_OK(append_once(TAPE_NEVER_BREAK, &ns));
    if (ns > 500 * MS) CHECK_FAILED("exec, %s: after %" PRId64 " ms", mode, ns / MS);
    end(child);
}

static int be_the_new_program(char **arguments)
{
    tape_queue_t *q;
    tape_queue_options_t o = t_options(NULL, NULL);
    if (strcmp(arguments[1], "reader") == 0) o.flags = TAPE_READ_ONLY;
    if (strcmp(arguments[1], "none") != 0) CHECK_OK(tape_queue_open(arguments[2], &o, &q));
    CHECK(write(atoi(arguments[3]), "x", 1) == 1);
    for (;;) pause();
}

static void a_named_tailer_in_between(void)
{
    int64_t ns;
    tape_queue_t *q;
    tape_tailer_t *t;
    leave_a_dead_holder();
    CHECK_OK(tape_queue_open(directory, NULL, &q));
    tape_tailer_options_t named = {.struct_size = sizeof named, .id = "reader"};
    CHECK_OK(tape_tailer_open(q, &named, &t));
    CHECK_OK(append_once(TAPE_NEVER_BREAK, &ns));
    CHECK(ns < 500 * MS);
    CHECK_OK(tape_tailer_close(t));
    CHECK_OK(tape_queue_close(q));
}

int main(int count, char **arguments)
{
    self = "/proc/self/exe";
    if (count > 3) return be_the_new_program(arguments);
    a_thread_of_ours();
    a_thread_of_the_kernel();
    a_process("a reader without the right to write", TAPE_READ_ONLY);
    a_process("a reader", TAPE_OPEN_EXISTING);
    a_process("a program that has nothing to do with the queue", 0);
    a_stranger();
    a_jvm();
    a_new_program("none");
    a_new_program("reader");
    a_new_program("writer");
    a_named_tailer_in_between();
    return 0;
}
