/* Description: looking for the file of a cycle that is to be removed fails. That must not be taken
 * for "it is there": who removes a cycle that does not exist would be told that it was removed, and
 * what went wrong would be known to nobody. */
#include <errno.h>

#include "base/platform.h"
#include "helpers.h"
#include "queue_check.h"

int main(void)
{
    const char *directory = t_directory();
    int64_t ms = 1000;
    tape_queue_options_t o = t_options("TEST4_SECONDLY", &ms);
    t_writer_t w = t_open_writer(directory, &o);
    int failed = 0;
    for (; ms <= 5000; ms += 2000) CHECK_OK(tape_appender_write(w.appender, "x", 1));
    CHECK_EQ(tape_queue_remove_cycle(w.queue, 2), TAPE_ENOTFOUND);
    for (int n = 1, hits = 1; hits > 0; n++) {
        tape__fault_arm(TAPE__OP_STAT, n, EIO, false);
        int rc = tape_queue_remove_cycle(w.queue, 2);
        hits = tape__fault_hits();
        tape__fault_arm(TAPE__OP_STAT, 0, 0, false);
        if (rc != TAPE_ENOTFOUND) CHECK_EQ(rc, TAPE_EIO);
        failed += rc == TAPE_EIO;
    }
    CHECK(failed > 0);
    CHECK_OK(tape_queue_remove_cycle(w.queue, 1));
    t_close_writer(w);
    return 0;
}
