/* Description: a writer dies between linking a cycle file and listing it, and the next one is
 * already in a later cycle. The listing words must reach down to the dead one's cycle all the same:
 * Java does not open a cycle outside of them, so its messages would be lost to Java. */
#include <signal.h>

#include "helpers.h"
#include "queue_check.h"

extern void (*tape__sync_point_hook)(const char *name);

static void die(const char *name)
{
    if (strcmp(name, "cycle_file_linked") == 0) raise(SIGKILL);
}

int main(void)
{
    const char *directory = t_directory();
    int64_t ms = 100000;
    tape_queue_options_t o = t_options("TEST4_SECONDLY", &ms);
    pid_t child = fork();
    if (child == 0) {
        tape__sync_point_hook = die;
        t_writer_t w = t_open_writer(directory, &o);
        tape_appender_write(w.appender, "one", 3);
        _exit(0);
    }
    CHECK_EQ(t_wait(child), 128 + SIGKILL);
    ms += 1000;
    t_writer_t w = t_open_writer(directory, &o);
    CHECK_EQ(tape_appender_write(w.appender, "two", 3), INT64_C(101) << 32);
    CHECK_EQ(t_check_queue(directory, T_WHOLE).cycles, 2); /* compares words and files */
    t_close_writer(w);
    return 0;
}
