/* Description: a writer notices at its next message that its file was deleted and that this was
 * told, also when it happens while it enters the file; and it lists its cycle again when a look at
 * the directory took it out of the listing. */
#include <unistd.h>

#include "base/atomics.h"
#include "base/sync_point.h"
#include "file/table_store.h"
#include "helpers.h"

static t_writer_t writer;
static const char *directory;
static char file[64];
static int times;

static void delete_and_tell(const char *name)
{
    if (strcmp(name, "cycle_entered") != 0 || times++ > 0) return;
    CHECK(unlink(t_path(directory, file)) == 0);
    CHECK_OK(tape_queue_refresh(writer.queue));
}

static int64_t files_lost(void)
{
    tape_queue_info_t info;
    CHECK_OK(tape_queue_info(writer.queue, &info));
    return info.files_lost;
}

static void deleted_while_it_enters(tape_queue_options_t o)
{
    directory = t_directory();
    writer = t_open_writer(directory, &o);
    int64_t index = tape_appender_write(writer.appender, "x", 1);
    CHECK_OK(index);
    CHECK_OK(tape_queue_cycle_name(writer.queue, index >> 32, file, sizeof file));
    t_close_writer(writer);
    writer = t_open_writer(directory, &o);
    tape__sync_point_hook = delete_and_tell;
    CHECK_EQ(tape_appender_write(writer.appender, "lost", 4), index + 1);
    CHECK_EQ(files_lost(), 0);
    CHECK_EQ(tape_appender_write(writer.appender, "y", 1), index);
    CHECK_EQ(files_lost(), 1);
    tape__sync_point_hook = NULL;
    t_close_writer(writer);
}

static void taken_out_of_the_listing(tape_queue_options_t o)
{
    directory = t_directory();
    writer = t_open_writer(directory, &o);
    int64_t index = tape_appender_write(writer.appender, "x", 1);
    CHECK_OK(index);
    tape__table_store_t table;
    CHECK_OK(tape__table_store_open(&table, directory, true));
    uint64_t *highest = tape__table_store_cell(&table, "listing.highestCycle");
    uint64_t *mod_count = tape__table_store_cell(&table, "listing.modCount");
    CHECK_EQ(OBSERVE64(listing, highest), index >> 32);
    PUBLISH64(listing, highest, (uint64_t)(index >> 32) - 1);
    (void)BUMP64(listing, mod_count, 1);
    CHECK_OK(tape_appender_write(writer.appender, "y", 1));
    CHECK_EQ(OBSERVE64(listing, highest), index >> 32);
    tape__table_store_close(&table);
    t_close_writer(writer);
}

int main(void)
{
    tape_queue_options_t o = t_options("FAST_DAILY", NULL);
    deleted_while_it_enters(o);
    taken_out_of_the_listing(o);
    return 0;
}
