/* each_call_own_queue.h - part of each_call_fails_each_way.c: calls that have a queue of their own:
 * removal, durability, checking and mending. */
/* ---- those that have a queue of their own ---- */

enum { OF_OWN = 12 };

/* Two cycles; the faults begin later. */
static const char *queue_of_own(uint32_t durability, t_writer_t *mine)
{
    const char *path = t_path(directory, "own");
    tape_queue_options_t o = t_options("TEST4_DAILY", &ms);
    o.durability = durability;
    *mine = t_open_writer(path, &o);
    for (int n = 0; n < OF_OWN; n++) {
        if (n == OF_OWN / 2) ms += DAY;
        CHECK_OK(tape_appender_write(mine->appender, "own", 3));
    }
    return path;
}

static void remove_own(const char *path)
{
    t_empty(path);
    CHECK_EQ(rmdir(path), 0);
}

static void check_own(tape_queue_t *q, int64_t wanted)
{
    const int64_t n = tape_queue_count(q, 0, INT64_MAX);
    if (n != wanted) FAILED("%" PRId64 " messages of %" PRId64, n, wanted);
}

static int64_t removing_a_cycle(void)
{
    t_writer_t mine;
    const char *path = queue_of_own(0, &mine);
    const int64_t first = tape_queue_cycle_from(mine.queue, 0);
    int64_t rc = TRY(tape_queue_remove_cycle(mine.queue, first));
    if (rc < 0) check_own(mine.queue, tape_queue_cycle_from(mine.queue, 0) == first ? OF_OWN
                                                                                  : OF_OWN / 2);
    else check_own(mine.queue, OF_OWN / 2);
    CHECK_OK(tape_appender_write(mine.appender, "own", 3));
    t_close_writer(mine);
    remove_own(path);
    return rc;
}

/* What was refused may be there or not; what was acknowledged is, and nothing is afterwards. */
static int64_t made_durable(bool by_sync)
{
    t_writer_t mine;
    const char *path = queue_of_own(by_sync ? 0 : TAPE_DURABILITY_EACH, &mine);
    int64_t rc, n = OF_OWN;
    begin();
    rc = tape_appender_write(mine.appender, "each", 4);
    if (rc >= 0) n++;
    if (rc >= 0 && by_sync) rc = tape_appender_sync(mine.appender);
    if (rc >= 0 && by_sync) rc = tape_queue_sync(mine.queue);
    end();
    if (rc == TAPE_ESYNC && tape_queue_sync(mine.queue) != TAPE_ESYNC)
        FAILED("a failed sync is forgotten");
    if (tape_queue_count(mine.queue, 0, INT64_MAX) < n) FAILED("less than was acknowledged");
    t_close_writer(mine);
    remove_own(path);
    return rc < 0 ? rc : 0;
}

static int64_t writing_durably(void) { return made_durable(false); }
static int64_t syncing(void) { return made_durable(true); }

static int64_t verifying(void)
{
    t_writer_t mine;
    tape_check_report_t report;
    const char *path = queue_of_own(0, &mine);
    int64_t rc = TRY(tape_verify(path, NULL, &report));
    if (rc == TAPE_OK && report.damage == 0 && report.messages != OF_OWN)
        FAILED("sound, with %" PRId64 " messages", report.messages);
    t_close_writer(mine);
    remove_own(path);
    return rc;
}

static int64_t mended(bool in_place)
{
    t_writer_t mine;
    char into[1024];
    tape_check_options_t o = {.struct_size = sizeof o, .flags = in_place ? TAPE_IN_PLACE : 0};
    tape_check_report_t report;
    tape_queue_options_t to_read = t_options(NULL, &ms);
    const char *path = queue_of_own(0, &mine);
    t_close_writer(mine);
    snprintf(into, sizeof into, "%s/copy", directory);
    int64_t rc = TRY(tape_repair(path, in_place ? NULL : into, &o, &report));
    to_read.flags = TAPE_READ_ONLY;
    if (rc == TAPE_OK && report.lost + report.dropped_files + report.nothing > 0)
        FAILED("a fault was taken for damage");
    if (rc == TAPE_OK || in_place) {
        CHECK_OK(tape_queue_open(in_place ? path : into, &to_read, &mine.queue));
        check_own(mine.queue, OF_OWN);
        CHECK_OK(tape_queue_close(mine.queue));
    }
    if (access(into, F_OK) == 0) remove_own(into);
    remove_own(path);
    return rc;
}

static int64_t mending_a_copy(void) { return mended(false); }
static int64_t mending_in_place(void) { return mended(true); }
