/* Description: a foreign writer, which has the table store mapped and no slot, comes while a queue
 * is mended in place. One that came before the lock was ours is seen, and nothing is mended; one
 * that comes later keeps a table store whose lock is held for good, and the queue gets another.
 * Who mends may die when it has that. */
#include <signal.h>
#include <sys/stat.h>

#include "base/atomics.h"
#include "file/table_store.h"
#include "helpers.h"
#include "queue_check.h"

extern void (*tape__sync_point_hook)(const char *name);

static const char *directory, *come_at;
static pid_t visitor;

static void come(const char *name)
{
    if (visitor || strcmp(name, come_at) != 0) return;
    visitor = t_mapping_process(directory);
}

/* A queue of three messages; `wrong`: its write position. */
static void set_up(bool wrong)
{
    char name[64];
    directory = t_directory();
    t_writer_t w = t_open_writer(directory, NULL);
    const int64_t index = tape_appender_write(w.appender, "1", 1);
    CHECK_OK(index);
    for (int n = 0; n < 2; n++) CHECK_OK(tape_appender_write(w.appender, "2", 1));
    const int64_t cycle = index >> tape_roll_cycle_named("FAST_DAILY")->shift;
    CHECK_OK(tape_queue_cycle_name(w.queue, cycle, name, sizeof name));
    t_close_writer(w);
    if (!wrong) return;
    FILE *f = fopen(t_path(directory, name), "r+b");
    CHECK(f && fseek(f, 0x40, SEEK_SET) == 0); /* it stands there in all of our files */
    CHECK(fwrite("\3\0\0\0\0\0\0", 1, 8, f) == 8 && fclose(f) == 0);
}

static int mend(const char *when)
{
    tape_check_options_t o = {.struct_size = sizeof o, .flags = TAPE_IN_PLACE};
    tape_check_report_t report;
    come_at = when;
    visitor = 0;
    tape__sync_point_hook = come;
    int rc = tape_repair(directory, NULL, &o, &report);
    tape__sync_point_hook = NULL;
    CHECK(visitor > 0);
    return rc;
}

static uint64_t inode_of_table(void)
{
    struct stat st;
    CHECK(stat(t_path(directory, "metadata.cq4t"), &st) == 0);
    return st.st_ino;
}

static uint64_t word_of(tape__table_store_t *table)
{
    return OBSERVE64(write_lock, tape__table_store_cell(table, TAPE__KEY_WRITE_LOCK));
}

static void visits(const char *when, bool wrong, int expected, bool renewed)
{
    tape__table_store_t after;
    set_up(wrong);
    const uint64_t inode = inode_of_table();
    CHECK_EQ(mend(when), expected);
    CHECK_EQ(inode_of_table() != inode, renewed);
    CHECK_OK(tape__table_store_open(&after, directory, false));
    CHECK_EQ(word_of(&after), TAPE__LOCK_FREE);
    tape__table_store_close(&after);
    CHECK_EQ(kill(visitor, SIGKILL), 0);
    t_wait(visitor);
    if (expected == TAPE_OK) CHECK_EQ(t_check_queue(directory, T_WHOLE).messages, 3);
}

/* What the visitor has: seen through a mapping that was made at the same time. */
static tape__table_store_t old;

static void come_and_keep(const char *name)
{
    if (!visitor && strcmp(name, come_at) == 0)
        CHECK_OK(tape__table_store_open(&old, directory, false));
    come(name);
}

static void the_old_lock_is_held_for_good(void)
{
    tape_check_options_t o = {.struct_size = sizeof o, .flags = TAPE_IN_PLACE};
    set_up(true);
    come_at = "repair_copied";
    visitor = 0;
    tape__sync_point_hook = come_and_keep;
    CHECK_OK(tape_repair(directory, NULL, &o, NULL));
    tape__sync_point_hook = NULL;
    CHECK_EQ(word_of(&old), 1);
    tape__table_store_close(&old);
    CHECK_EQ(kill(visitor, SIGKILL), 0);
    t_wait(visitor);
    t_close_writer(t_open_writer(directory, NULL));
}

static const char *const points[] = {"repair_table_renewed"};
static int asks[2], comes[2];

/* The visitor is to be somebody else's child: a child of ours had what keeps others out, too. */
static void let_come_and_die(const char *name)
{
    char byte = 0;
    if (strcmp(name, come_at) == 0)
        CHECK(write(asks[1], &byte, 1) == 1 && read(comes[0], &byte, 1) == 1);
    if (strcmp(name, points[0]) == 0) raise(SIGKILL);
}

static void who_mends_dies_with_the_table_renewed(void)
{
    tape_check_options_t o = {.struct_size = sizeof o, .flags = TAPE_IN_PLACE};
    char byte;
    set_up(true);
    const uint64_t inode = inode_of_table();
    come_at = "repair_copied";
    visitor = 0;
    CHECK(pipe(asks) == 0 && pipe(comes) == 0);
    pid_t child = fork();
    if (child == 0) {
        tape__sync_point_hook = let_come_and_die;
        (void)tape_repair(directory, NULL, &o, NULL);
        _exit(0);
    }
    CHECK(read(asks[0], &byte, 1) == 1);
    come(come_at);
    CHECK(write(comes[1], &byte, 1) == 1);
    CHECK_EQ(t_wait(child), 128 + SIGKILL);
    CHECK(inode_of_table() != inode);
    t_writer_t w = t_open_writer(directory, NULL);
    CHECK_OK(tape_appender_write(w.appender, "3", 1));
    t_close_writer(w);
    CHECK_EQ(t_check_queue(directory, T_WHOLE).messages, 4);
    CHECK_EQ(kill(visitor, SIGKILL), 0);
    t_wait(visitor);
}

int main(void)
{
    visits("repair_locked", true, TAPE_EBUSY, false);
    visits("repair_locked", false, TAPE_EBUSY, false);
    visits("repair_copied", true, TAPE_OK, true);
    visits("repair_replaced", true, TAPE_OK, true);
    the_old_lock_is_held_for_good();
    who_mends_dies_with_the_table_renewed();
    return 0;
}
