/* Description: a tailer sees the end of a file; before it asks whether the file still has a name,
 * others write there, end it, begin the next one and delete it. All that was written is read first,
 * and no gap is told: the deleted file was finished, and the next cycle is there. */
#include <unistd.h>

#include "base/sync_point.h"
#include "helpers.h"

static t_writer_t writer;
static const char *directory;
static int64_t ms = 1000;
static bool done;

static void when_at_end(const char *name)
{
    char file[64];
    if (strcmp(name, "tailer_at_end") != 0 || done) return;
    done = true;
    int64_t index = tape_appender_write(writer.appender, "2", 1);
    CHECK_OK(index);
    ms += 1000;
    CHECK_OK(tape_appender_write(writer.appender, "3", 1));
    CHECK_OK(tape_queue_cycle_name(writer.queue, index >> 32, file, sizeof file));
    CHECK(unlink(t_path(directory, file)) == 0);
}

int main(void)
{
    tape_queue_options_t o = t_options("TEST4_SECONDLY", &ms);
    directory = t_directory();
    writer = t_open_writer(directory, &o);
    tape_tailer_options_t told = {.struct_size = sizeof told, .flags = TAPE_TAILER_TELL_GAPS};
    tape_tailer_t *t;
    tape_excerpt_t e;
    CHECK_OK(tape_appender_write(writer.appender, "1", 1));
    CHECK_OK(tape_tailer_open(writer.queue, &told, &t));
    tape__sync_point_hook = when_at_end;
    for (char wanted = '1'; wanted <= '3'; wanted++) {
        CHECK_EQ(tape_tailer_next(t, &e), 1);
        CHECK_EQ(e.data[0], wanted);
    }
    CHECK(done);
    CHECK_EQ(tape_tailer_next(t, &e), 0);
    CHECK_OK(tape_tailer_close(t));
    t_close_writer(writer);
    return 0;
}
