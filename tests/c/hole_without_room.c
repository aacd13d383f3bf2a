/* Description: what Java left as holes is given its blocks before it is written to: with no room, a
 * new name in the table store and an entry in an index page are TAPE_ENOSPC, nothing of the message
 * is there, and all goes on when there is room. A position is not stored in a table store that was
 * deleted or replaced, and the table store does not grow without need. A limit on the size of files
 * is an error, and no signal. */
#include <errno.h>
#include <sys/resource.h>

#include "base/platform.h"
#include "helpers.h"
#include "queue_check.h"

static int64_t ms = INT64_C(8640000000);
static const char *directory;

static t_writer_t writer(void)
{
    tape_queue_options_t o = t_options("TEST4_DAILY", &ms);
    return t_open_writer(directory, &o);
}

static void index_pages(void)
{
    directory = t_directory();
    t_writer_t w = writer();
    CHECK_OK(tape_appender_write(w.appender, "x", 1));
    t_close_writer(w);
    w = writer(); /* of this page it is not known whether it has its blocks */
    int refused = 0;
    for (int n = 1; n < 40; n++) {
        tape__fault_arm(TAPE__OP_ALLOCATE, 1, ENOSPC, true);
        int64_t rc = tape_appender_write(w.appender, "x", 1);
        tape__fault_arm(TAPE__OP_ALLOCATE, 0, 0, false);
        if (rc >= 0) continue;
        CHECK_EQ(rc, TAPE_ENOSPC);
        refused++;
        CHECK_OK(tape_appender_write(w.appender, "x", 1));
    }
    CHECK(refused > 0);
    t_close_writer(w);
    CHECK_EQ(t_check_queue(directory, T_WHOLE).messages, 40);
}

static void names(void)
{
    tape_tailer_t *t;
    tape_tailer_options_t o = {.struct_size = sizeof o, .id = "new"};
    directory = t_directory();
    t_writer_t w = writer();
    tape__fault_arm(TAPE__OP_ALLOCATE, 1, ENOSPC, true);
    CHECK_EQ(tape_tailer_open(w.queue, &o, &t), TAPE_ENOSPC);
    tape__fault_arm(TAPE__OP_ALLOCATE, 0, 0, false);
    CHECK_OK(tape_tailer_open(w.queue, &o, &t));
    CHECK_OK(tape_tailer_close(t));
    t_close_writer(w);
}

static void positions(void)
{
    tape_tailer_t *t;
    tape_excerpt_t e;
    tape_tailer_options_t o = {.struct_size = sizeof o, .id = "name"};
    directory = t_directory();
    t_writer_t w = writer();
    CHECK_OK(tape_appender_write(w.appender, "x", 1));
    CHECK_OK(tape_tailer_open(w.queue, &o, &t));
    CHECK_EQ(tape_tailer_next(t, &e), 1);
    CHECK_OK(tape_tailer_commit(t));
    CHECK(unlink(t_path(directory, "metadata.cq4t")) == 0);
    usleep(150000);
    CHECK_EQ(tape_tailer_commit(t), TAPE_ENOTFOUND);
    CHECK_OK(tape_tailer_close(t));
    t_close_writer(w);
}

/* 64 KiB, as before 5.20.110, are enough for a new name. */
static void small_table_stays_small(void)
{
    tape_tailer_t *t;
    size_t size;
    tape_tailer_options_t o = {.struct_size = sizeof o, .id = "name"};
    directory = t_directory();
    t_close_writer(writer());
    CHECK(truncate(t_path(directory, "metadata.cq4t"), 64 << 10) == 0);
    t_writer_t w = writer();
    CHECK_OK(tape_tailer_open(w.queue, &o, &t));
    CHECK_OK(tape_tailer_close(t));
    CHECK_OK(tape_appender_write(w.appender, "x", 1));
    t_close_writer(w);
    free(t_read_file(t_path(directory, "metadata.cq4t"), &size));
    CHECK_EQ(size, 64 << 10);
}

static void limits(void)
{
    directory = t_directory();
    pid_t child = fork();
    if (child == 0) {
        struct rlimit limit = {256 << 10, 256 << 10};
        CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0);
        tape_queue_options_t o = t_options("TEST4_DAILY", &ms);
        o.block_size = 16 << 20;
        t_writer_t w = t_open_writer(directory, &o);
        CHECK_EQ(tape_appender_write(w.appender, "x", 1), TAPE_ENOSPC);
        tape_error_facts_t facts;
        tape_error_last(&facts);
        CHECK_EQ(facts.system_errno, EFBIG);
        _exit(0);
    }
    CHECK_EQ(t_wait(child), 0);
}

int main(void)
{
    index_pages();
    names();
    positions();
    small_table_stays_small();
    limits();
    return 0;
}
