/* Description: asking for an older cycle's file fails while a writer rolls. That must not be taken
 * for "there is no such file": the cycle would never get its END_OF_DATA, and tailers stay in it. */
#include <errno.h>

#include "helpers.h"
#include "platform.h"
#include "queue_check.h"

int main(void)
{
    const char *directory = t_directory();
    int64_t ms = 1000;
    tape_queue_options_t o = t_options("TEST4_SECONDLY", &ms);
    tape_queue_t *q;
    tape_appender_t *a;
    CHECK_OK(tape_queue_open(directory, &o, &q));
    CHECK_OK(tape_appender_open(q, NULL, &a));
    for (int n = 1, hits = 1; hits > 0; n++, ms += 1000) {
        CHECK_OK(tape_appender_write(a, "x", 1));
        tape__fault_arm(TAPE__OP_STAT, n, EIO, false);
        ms += 1000;
        (void)tape_appender_write(a, "perhaps", 7);
        hits = tape__fault_hits();
        tape__fault_arm(TAPE__OP_STAT, 0, 0, false);
        CHECK_OK(tape_appender_write(a, "y", 1));
        t_check_queue(directory, T_WHOLE);
    }
    CHECK_OK(tape_appender_close(a));
    CHECK_OK(tape_queue_close(q));
    return 0;
}
