/* Description: index pages are mapped before their message is published, so a mapping that would fail
 * afterwards is never asked for, and no entry stays missing behind an append that succeeded. */
#include <errno.h>

#include "helpers.h"
#include "platform.h"
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
        tape_queue_t *q;
        tape_appender_t *a;
        CHECK_OK(tape_queue_open(directory, &o, &q));
        CHECK_OK(tape_appender_open(q, NULL, &a));
        for (int i = 0; i <= n; i++) CHECK_OK(tape_appender_write(a, "before", 6));
        tape__sync_point_hook = map_fails;
        CHECK_OK(tape_appender_write(a, "not indexed", 11));
        hits += tape__fault_hits();
        tape__fault_arm(TAPE__OP_MAP, 0, 0, false);
        CHECK_OK(tape_appender_write(a, "next", 4));
        t_check_queue(directory, T_WHOLE); /* every message of the newest cycle has its entry */
        CHECK_OK(tape_appender_close(a));
        CHECK_OK(tape_queue_close(q));
    }
    CHECK_EQ(hits, 0);
    return 0;
}
