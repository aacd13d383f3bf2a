/* Description: index pages are mapped before their message is published, so a mapping that would
 * fail afterwards is never asked for, and no entry stays missing behind an append that
 * succeeded. */
#include <errno.h>

#include "base/platform.h"
#include "helpers.h"
#include "queue_check.h"

extern void (*tape__sync_point_hook)(const char *name);

static void map_fails(const char *name)
{
    if (strcmp(name, "pair_set") != 0) return;
    tape__fault_arm(TAPE__OP_MAP, 1, ENOMEM, true);
    tape__sync_point_hook = NULL;
}

int main(void)
{
    const char *directory = t_directory();
    int64_t ms = 86400000;
    int hits = 0;
    for (int n = 0; n < 20; n++, ms += 86400000) {
        tape_queue_options_t o = t_options("TEST_DAILY", &ms);
        t_writer_t w = t_open_writer(directory, &o);
        for (int i = 0; i <= n; i++) CHECK_OK(tape_appender_write(w.appender, "before", 6));
        tape__sync_point_hook = map_fails;
        CHECK_OK(tape_appender_write(w.appender, "not indexed", 11));
        hits += tape__fault_hits();
        tape__fault_arm(TAPE__OP_MAP, 0, 0, false);
        CHECK_OK(tape_appender_write(w.appender, "next", 4));
        t_check_queue(directory, T_WHOLE); /* every message of the newest cycle has its entry */
        t_close_writer(w);
    }
    CHECK_EQ(hits, 0);
    return 0;
}
