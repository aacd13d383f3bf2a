/* Description: a writer whose roll failed, or whose file was deleted and could not be made again,
 * has no cycle file in hand. When it then waits for the write lock it watches whether others are at
 * work, and must not look into the file that it closed: that memory is not mapped any more. */
#include <errno.h>
#include <signal.h>
#include <unistd.h>

#include "base/atomics.h"
#include "base/platform.h"
#include "file/table_store.h"
#include "helpers.h"

static void write_while_held(t_writer_t w, const char *directory)
{
    pid_t child = t_lock_holder(directory);
    CHECK_EQ(tape_appender_write(w.appender, "x", 1), TAPE_ELOCKED);
    kill(child, SIGKILL);
    CHECK_EQ(t_wait(child), 128 + SIGKILL);
    CHECK_OK(tape_appender_write(w.appender, "x", 1));
}

static void after_a_roll(tape_queue_options_t o, int64_t *ms)
{
    const char *directory = t_directory();
    t_writer_t w = t_open_writer(directory, &o);
    CHECK_OK(tape_appender_write(w.appender, "x", 1));
    *ms += 1000;
    tape__fault_arm(TAPE__OP_TRUNCATE, 1, ENOSPC, true);
    CHECK_EQ(tape_appender_write(w.appender, "x", 1), TAPE_ENOSPC);
    tape__fault_arm(TAPE__OP_TRUNCATE, 0, 0, false);
    write_while_held(w, directory);
    t_close_writer(w);
}

static void after_a_deletion(tape_queue_options_t o)
{
    char name[64];
    const char *directory = t_directory();
    t_writer_t w = t_open_writer(directory, &o);
    int64_t index = tape_appender_write(w.appender, "x", 1);
    CHECK_OK(index);
    CHECK_OK(tape_queue_cycle_name(w.queue, index >> 32, name, sizeof name));
    CHECK(unlink(t_path(directory, name)) == 0);
    CHECK_OK(tape_queue_refresh(w.queue));
    tape__fault_arm(TAPE__OP_TRUNCATE, 1, ENOSPC, true);
    CHECK_EQ(tape_appender_write(w.appender, "x", 1), TAPE_ENOSPC);
    tape__fault_arm(TAPE__OP_TRUNCATE, 0, 0, false);
    write_while_held(w, directory);
    t_close_writer(w);
}

int main(void)
{
    int64_t ms = 1000;
    tape_queue_options_t o = t_options("TEST4_SECONDLY", &ms);
    o.lock_timeout_ns = INT64_C(200000000);
    o.stale_after_ns = INT64_C(10000000);
    after_a_roll(o, &ms);
    after_a_deletion(o);
    return 0;
}
