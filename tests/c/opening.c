/* Description: opening for writing does away with what a writer proven dead left, without waiting
 * and without a message, whatever step that one died at; a lock that a living process holds is let
 * alone. A failed opening leaves the directory, and those above it, as they were. */
#include <errno.h>
#include <signal.h>
#include <sys/stat.h>

#include "base/platform.h"
#include "file/table_store.h"
#include "helpers.h"
#include "queue_check.h"

extern void (*tape__sync_point_hook)(const char *name);

static const char *where;
static bool stops;
static int64_t ms = INT64_C(8640000000);

static void die(const char *name)
{
    if (strcmp(name, where) == 0) raise(stops ? SIGSTOP : SIGKILL);
}

/* A process that writes one message, and then dies or stops in the second. */
static pid_t victim(const char *directory)
{
    pid_t child = fork();
    if (child != 0) return child;
    tape_queue_options_t o = t_options("TEST4_DAILY", &ms);
    t_writer_t w = t_open_writer(directory, &o);
    CHECK_OK(tape_appender_write(w.appender, "one", 3));
    tape__sync_point_hook = die;
    tape_appender_write(w.appender, "two", 3);
    _exit(0);
}

static uint64_t lock_word(const char *directory)
{
    tape__table_store_t t;
    CHECK_OK(tape__table_store_open(&t, directory, false));
    uint64_t word = (uint64_t)tape__table_store_value(
        tape__table_store_cell(&t, TAPE__KEY_WRITE_LOCK));
    tape__table_store_close(&t);
    return word;
}

static int64_t count(const char *directory)
{
    tape_queue_options_t o = t_options(NULL, &ms);
    tape_queue_t *q;
    o.flags = TAPE_READ_ONLY;
    CHECK_OK(tape_queue_open(directory, &o, &q));
    tape_tailer_t *t = t_open_tailer(q, 0);
    tape_excerpt_t e;
    int64_t n = 0;
    while (tape_tailer_next(t, &e) == 1) n++;
    CHECK_OK(tape_tailer_close(t));
    CHECK_OK(tape_queue_close(q));
    return n;
}

/* `late` cycles later: 0 is the one that the dead writer was in. */
static void mended(const char *point, int64_t messages, int late)
{
    const char *directory = t_directory();
    where = point;
    CHECK_EQ(t_wait(victim(directory)), 128 + SIGKILL);
    CHECK(lock_word(directory) != TAPE__LOCK_FREE);
    const int64_t then = ms;
    ms += late * INT64_C(86400000);
    tape_queue_options_t o = t_options("TEST4_DAILY", &ms);
    tape_queue_t *q;
    int64_t start = t_now_ns();
    CHECK_OK(tape_queue_open(directory, &o, &q));
    CHECK(t_now_ns() - start < INT64_C(1000000000));
    CHECK_EQ(lock_word(directory), TAPE__LOCK_FREE);
    CHECK_EQ(count(directory), messages);
    if (late) { /* the old cycle is ended, too; the check wants one that is not */
        tape_appender_t *a;
        CHECK_OK(tape_appender_open(q, NULL, &a));
        CHECK_OK(tape_appender_write(a, "late", 4));
        CHECK_OK(tape_appender_close(a));
    }
    t_check_queue(directory, T_WHOLE);
    CHECK_OK(tape_queue_close(q));
    ms = then;
}

static void living_holders_are_let_alone(void)
{
    const char *directory = t_directory();
    where = "header_reserved";
    stops = true;
    pid_t child = victim(directory);
    usleep(300000);
    tape_queue_options_t o = t_options(NULL, &ms);
    tape_queue_t *q;
    CHECK_OK(tape_queue_open(directory, &o, &q));
    CHECK_EQ(lock_word(directory), child);
    CHECK_OK(tape_queue_close(q));
    kill(child, SIGKILL);
    t_wait(child);
    stops = false;
}

static bool exists(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0;
}

/* Each call that may fail, once and for ever. */
static void failed_openings_leave_nothing(void)
{
    const char *directory = t_directory();
    tape_queue_t *q;
    char deep[300], top[300];
    snprintf(top, sizeof top, "%s/a", directory);
    snprintf(deep, sizeof deep, "%s/a/b/c", directory);
    int failed = 0;
    for (int op = 0; op < TAPE__OP_COUNT; op++)
        for (int nth = 1, hits = 1; hits > 0; nth++) {
            tape_queue_options_t o = t_options("TEST4_DAILY", &ms);
            tape__fault_arm((tape__op_t)op, nth, EIO, op != TAPE__OP_UNLINK);
            int rc = tape_queue_open(deep, &o, &q);
            hits = tape__fault_hits();
            tape__fault_arm((tape__op_t)op, 0, 0, false);
            if (rc == TAPE_OK) CHECK_OK(tape_queue_close(q));
            else if (exists(top) && !exists(t_path(deep, "metadata.cq4t")))
                CHECK_FAILED("operation %d, number %d: a directory stays", op, nth);
            failed += rc < 0;
            if (exists(deep)) t_empty(deep);
            rmdir(deep);
            rmdir(t_path(top, "b"));
            rmdir(top);
        }
    CHECK(failed > 10);
    CHECK(mkdir(top, 0777) == 0); /* those that were there stay */
    tape__fault_arm(TAPE__OP_TRUNCATE, 1, ENOSPC, true);
    tape_queue_options_t o = t_options("TEST4_DAILY", &ms);
    CHECK_EQ(tape_queue_open(deep, &o, &q), TAPE_ENOSPC);
    tape__fault_arm(TAPE__OP_TRUNCATE, 0, 0, false);
    CHECK(exists(top) && !exists(t_path(top, "b")));
    CHECK(rmdir(top) == 0);
}

/* With the table store lost and another roll cycle asked for strictly, none is made. */
static void a_strict_opening_makes_no_table_store(void)
{
    const char *directory = t_directory();
    tape_queue_options_t o = t_options("TEST4_DAILY", &ms);
    t_writer_t w = t_open_writer(directory, &o);
    CHECK_OK(tape_appender_write(w.appender, "x", 1));
    t_close_writer(w);
    CHECK(unlink(t_path(directory, "metadata.cq4t")) == 0);
    tape_queue_t *q;
    o.roll_cycle = "HOURLY";
    o.flags = TAPE_STRICT;
    CHECK_EQ(tape_queue_open(directory, &o, &q), TAPE_EMISMATCH);
    CHECK(!exists(t_path(directory, "metadata.cq4t")));
}

int main(void)
{
    mended("header_reserved", 1, 0);
    mended("header_reserved", 1, 2);
    mended("body_written", 1, 0);
    mended("published", 2, 0);
    mended("before_release", 2, 0);
    living_holders_are_let_alone();
    failed_openings_leave_nothing();
    a_strict_opening_makes_no_table_store();
    return 0;
}
