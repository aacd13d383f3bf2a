/* Description: asking for an older cycle's file fails while a writer rolls. That must not be taken
 * for "there is no such file": the cycle would never get its END_OF_DATA, and tailers stay in
 * it. */
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
    for (int n = 1, hits = 1; hits > 0; n++, ms += 1000) {
        CHECK_OK(tape_appender_write(w.appender, "x", 1));
        tape__fault_arm(TAPE__OP_STAT, n, EIO, false);
        ms += 1000;
        (void)tape_appender_write(w.appender, "perhaps", 7);
        hits = tape__fault_hits();
        tape__fault_arm(TAPE__OP_STAT, 0, 0, false);
        CHECK_OK(tape_appender_write(w.appender, "y", 1));
        t_check_queue(directory, T_WHOLE);
    }
    t_close_writer(w);
    return 0;
}
