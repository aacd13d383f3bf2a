/* Description: when a message counts as on disk. The shim stands in place of the system's syncs: it
 * tells which file each is of, and lets them fail. */
#include <errno.h>
#include <pthread.h>
#include <sys/stat.h>

#include "base/platform.h"
#include "helpers.h"

enum { DAY = 86400000 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int syncs, syncs_of_directories, fails;
static char last[1024];

static int shim(int fd)
{
    char path[64];
    struct stat st;
    CHECK(fstat(fd, &st) == 0);
    pthread_mutex_lock(&lock);
    syncs++;
    syncs_of_directories += S_ISDIR(st.st_mode);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(path, last, sizeof last - 1);
    CHECK(n > 0);
    last[n] = 0;
    int rc = fails ? -fails : 0;
    pthread_mutex_unlock(&lock);
    return rc;
}

static t_writer_t open_with(const char *directory, uint32_t durability, int64_t interval_ns,
                            int64_t *ms)
{
    tape_queue_options_t o = t_options("FAST_DAILY", ms);
    o.durability = durability;
    o.sync_interval_ns = interval_ns;
    return t_open_writer(directory, &o);
}

static tape_queue_t *open_to_read(const char *directory, int64_t *ms)
{
    tape_queue_options_t o = t_options(NULL, ms);
    tape_queue_t *q;
    o.flags = TAPE_READ_ONLY;
    CHECK_OK(tape_queue_open(directory, &o, &q));
    return q;
}

static int64_t write_text(t_writer_t w, const char *text)
{
    return tape_appender_write(w.appender, text, strlen(text));
}

static int since(void)
{
    static int before;
    pthread_mutex_lock(&lock);
    int n = syncs - before;
    before = syncs;
    pthread_mutex_unlock(&lock);
    return n;
}

static void each_message_is_synced_before_its_write_returns(void)
{
    int64_t ms = 100 * (int64_t)DAY;
    since();
    t_writer_t w = open_with(t_directory(), TAPE_DURABILITY_EACH, 0, &ms);
    void *buffer;
    CHECK(since() >= 1); /* the directories above, before anything is acknowledged */
    syncs_of_directories = 0;
    CHECK_OK(write_text(w, "first"));
    CHECK_EQ(since(), 3); /* the file, the directory, the table store */
    CHECK_EQ(syncs_of_directories, 1);
    for (int i = 0; i < 5; i++) CHECK_OK(write_text(w, "next"));
    CHECK_EQ(since(), 5);
    CHECK(strstr(last, ".cq4") && !strstr(last, ".cq4t"));
    const tape_span_t spans[] = {{"a", 1}, {"b", 1}, {"c", 1}};
    size_t written;
    CHECK_OK(tape_appender_write_many(w.appender, spans, 3, &written));
    CHECK_EQ(since(), 1);
    CHECK_OK(tape_appender_reserve(w.appender, 8, &buffer));
    memset(buffer, 1, 8);
    CHECK_EQ(since(), 0);
    CHECK_OK(tape_appender_publish(w.appender, 8));
    CHECK_EQ(since(), 1);
    CHECK_OK(tape_appender_write_expect(w.appender, "x", 1,
                                        tape_appender_last_index(w.appender) + 1));
    CHECK_EQ(since(), 1);
    ms += DAY; /* a new file: its name, and what leads there */
    syncs_of_directories = 0;
    CHECK_OK(write_text(w, "rolled"));
    CHECK_EQ(since(), 4); /* and the file before, which was ended */
    CHECK_EQ(syncs_of_directories, 1);
    t_close_writer(w);
    CHECK_EQ(since(), 0);
}

static void trying_to_write_waits_for_no_disk_either(void)
{
    t_writer_t w = open_with(t_directory(), TAPE_DURABILITY_EACH, 0, NULL);
    for (int i = 0; i < 3; i++) CHECK_OK(write_text(w, "x"));
    since();
    CHECK_OK(tape_appender_try_write(w.appender, "y", 1));
    CHECK_EQ(since(), 0);
    CHECK_OK(tape_appender_sync(w.appender));
    CHECK_EQ(since(), 1);
    CHECK_OK(tape_appender_sync(w.appender)); /* there is nothing */
    CHECK_EQ(since(), 0);
    t_close_writer(w);
}

static void other_appenders_cost_nothing_and_sync_says_all(void)
{
    int64_t ms = 100 * (int64_t)DAY;
    const char *directory = t_directory();
    t_writer_t w = open_with(directory, 0, 0, &ms);
    tape_appender_options_t o = {.struct_size = sizeof o, .durability = TAPE_DURABILITY_EACH};
    tape_appender_t *each;
    tape_queue_info_t info;
    CHECK_OK(write_text(w, "a"));
    CHECK_OK(tape_appender_open(w.queue, &o, &each));
    since();
    CHECK_OK(write_text(w, "b"));
    CHECK_EQ(since(), 0);
    CHECK_OK(tape_appender_write(each, "c", 1));
    CHECK(since() > 0);
    CHECK_OK(write_text(w, "d"));
    CHECK_EQ(since(), 0);
    CHECK_OK(tape_queue_sync(w.queue));
    CHECK_EQ(since(), 2); /* the file and the table store */
    CHECK_OK(tape_appender_sync(w.appender));
    CHECK_EQ(since(), 2);
    ms += DAY;
    CHECK_OK(write_text(w, "e"));
    ms += DAY;
    CHECK_OK(write_text(w, "f"));
    CHECK_OK(tape_queue_sync(w.queue)); /* three files, their names, the table store */
    CHECK_EQ(since(), 5);
    CHECK_OK(tape_queue_info(w.queue, &info));
    CHECK_EQ(info.durability, TAPE_DURABILITY_OS);
    CHECK(info.syncs >= 4 && info.sync_failed == 0);
    CHECK_OK(tape_appender_close(each));
    t_close_writer(w);
    CHECK_EQ(t_descriptors(directory), 0);
}

static void a_reader_can_sync_what_it_has_read(void)
{
    const char *directory = t_directory();
    t_close_writer(open_with(directory, 0, 0, NULL));
    t_writer_t w = open_with(directory, 0, 0, NULL);
    CHECK_OK(write_text(w, "a"));
    tape_queue_t *reader = open_to_read(directory, NULL);
    since();
    CHECK_OK(tape_queue_sync(reader));
    CHECK_EQ(since(), 3);
    fails = EIO;
    CHECK_EQ(tape_queue_sync(reader), TAPE_ESYNC);
    fails = 0;
    CHECK_OK(tape_queue_close(reader));
    t_close_writer(w);
}

/* All were closed, and the kernel says that all is well. */
static void no_handle_believes_a_later_sync(const char *directory, int reason, int64_t *ms)
{
    tape_error_facts_t facts;
    tape_queue_info_t info;
    pid_t child = -1;
    for (int i = 0; i < 2; i++) { /* this process, and another */
        if (i == 1 && (child = fork()) != 0) break;
        t_writer_t w = open_with(directory, TAPE_DURABILITY_EACH, 0, ms);
        const int64_t last = tape_queue_last_index(w.queue);
        CHECK_EQ(write_text(w, "g"), TAPE_ESYNC);
        tape_error_last(&facts);
        CHECK_EQ(facts.system_errno, reason);
        CHECK_EQ(tape_queue_sync(w.queue), TAPE_ESYNC);
        CHECK_EQ(tape_queue_last_index(w.queue), last);
        t_close_writer(w);
        w = open_with(directory, TAPE_DURABILITY_INTERVAL, 1000000000, ms);
        CHECK_EQ(write_text(w, "h"), TAPE_ESYNC);
        t_close_writer(w);
        w = open_with(directory, TAPE_DURABILITY_OS, 0, ms); /* promises nothing of disks */
        CHECK_OK(tape_queue_info(w.queue, &info));
        CHECK_EQ(info.sync_failed, reason);
        CHECK_EQ(write_text(w, "i"), last + 1);
        CHECK_EQ(tape_appender_sync(w.appender), TAPE_ESYNC);
        t_close_writer(w);
        tape_queue_t *reader = open_to_read(directory, ms);
        CHECK_EQ(tape_queue_sync(reader), TAPE_ESYNC);
        CHECK_OK(tape_queue_close(reader));
        if (i == 1) _exit(0);
    }
    CHECK_EQ(t_wait(child), 0);
}

/* What the hint says: a copy, which has tape.side, too. After a start of the machine memory holds
 * what the disk had. */
static void a_copy_is_another_queue_and_so_is_the_next_boot(const char *directory, int64_t *ms)
{
    char command[2048], path[1024];
    const char *copy = t_directory();
    snprintf(command, sizeof command, "cp -r '%s/.' '%s'", directory, copy);
    CHECK_EQ(system(command), 0);
    t_writer_t w = open_with(copy, TAPE_DURABILITY_EACH, 0, ms);
    CHECK_OK(write_text(w, "j"));
    t_close_writer(w);
    snprintf(path, sizeof path, "%s/tape.side", directory);
    int fd = tape__open_file(path, TAPE__RDWR);
    uint64_t boot;
    CHECK_EQ(tape__file_read(fd, 40, &boot, 8), 8);
    CHECK(boot == tape__boot());
    boot++;
    CHECK_EQ(tape__file_write(fd, 40, &boot, 8), 0);
    tape__close_file(fd);
    w = open_with(directory, TAPE_DURABILITY_EACH, 0, ms);
    CHECK_OK(write_text(w, "k"));
    t_close_writer(w);
}

static void a_failed_sync_is_not_forgotten(void)
{
    int64_t ms = 100 * (int64_t)DAY;
    const int errnos[] = {EIO, ENOSPC, EDQUOT};
    for (size_t i = 0; i < sizeof errnos / sizeof *errnos; i++) {
        const char *directory = t_directory();
        t_writer_t w = open_with(directory, TAPE_DURABILITY_EACH, 0, &ms);
        tape_error_facts_t facts;
        size_t written;
        void *buffer;
        const int64_t first = write_text(w, "a");
        CHECK_OK(first);
        fails = errnos[i];
        CHECK_EQ(write_text(w, "b"), TAPE_ESYNC);
        fails = 0;
        tape_error_last(&facts);
        CHECK_EQ(facts.system_errno, errnos[i]);
        CHECK_EQ(facts.index, first + 1);
        CHECK(strstr(facts.file, ".cq4") && strstr(facts.message, facts.file));
        CHECK(strstr(tape_hint(TAPE_ESYNC), "copy"));
        /* The kernel would say that all is well now. */
        CHECK_EQ(write_text(w, "c"), TAPE_ESYNC);
        tape_error_last(&facts);
        CHECK_EQ(facts.index, -1); /* nothing was written */
        CHECK_EQ(facts.system_errno, errnos[i]);
        const tape_span_t span = {"d", 1};
        CHECK_EQ(tape_appender_write_many(w.appender, &span, 1, &written), TAPE_ESYNC);
        CHECK_EQ(tape_appender_reserve(w.appender, 4, &buffer), TAPE_ESYNC);
        CHECK_EQ(tape_appender_try_write(w.appender, "e", 1), TAPE_ESYNC);
        CHECK_EQ(tape_appender_sync(w.appender), TAPE_ESYNC);
        CHECK_EQ(tape_queue_sync(w.queue), TAPE_ESYNC);
        CHECK_EQ(tape_queue_last_index(w.queue), first + 1);
        t_writer_t other = open_with(directory, TAPE_DURABILITY_EACH, 0, &ms); /* same process */
        CHECK_EQ(write_text(other, "f"), TAPE_ESYNC);
        t_close_writer(other);
        t_close_writer(w);
        CHECK_EQ(t_descriptors(directory), 0);
        no_handle_believes_a_later_sync(directory, errnos[i], &ms);
        a_copy_is_another_queue_and_so_is_the_next_boot(directory, &ms);
    }
}

static void what_a_reader_was_told_is_not_forgotten_either(void)
{
    int64_t ms = 100 * (int64_t)DAY;
    const char *directory = t_directory();
    t_writer_t old = open_with(directory, TAPE_DURABILITY_EACH, 0, &ms);
    CHECK_OK(write_text(old, "a"));
    tape_queue_t *reader = open_to_read(directory, &ms);
    fails = EIO;
    CHECK_EQ(tape_queue_sync(reader), TAPE_ESYNC);
    fails = 0;
    CHECK_EQ(tape_queue_sync(reader), TAPE_ESYNC);
    CHECK_OK(tape_queue_close(reader));
    /* Whose descriptors were open before: the next sync is the first that could tell. */
    CHECK_EQ(write_text(old, "b"), TAPE_ESYNC);
    CHECK_EQ(write_text(old, "c"), TAPE_ESYNC);
    CHECK_EQ(tape_queue_count(old.queue, 0, INT64_MAX), 2);
    t_close_writer(old);
}

static void a_message_is_synced_although_another_thread_rolled_on(void)
{
    int64_t ms = 100 * (int64_t)DAY;
    t_writer_t w = open_with(t_directory(), TAPE_DURABILITY_INTERVAL, 3600000000000, &ms);
    CHECK_OK(write_text(w, "a"));
    CHECK_OK(tape_appender_sync(w.appender));
    CHECK_OK(write_text(w, "b")); /* not synced yet */
    since();
    tape_appender_options_t o = {.struct_size = sizeof o, .durability = TAPE_DURABILITY_OS};
    tape_appender_t *os;
    CHECK_OK(tape_appender_open(w.queue, &o, &os));
    ms += DAY;
    CHECK_OK(tape_appender_write(os, "c", 1)); /* lets go of the file */
    CHECK_EQ(since(), 0);
    CHECK_OK(tape_appender_sync(w.appender));
    CHECK_EQ(since(), 1);
    CHECK(strstr(last, "/19700411F.cq4"));
    CHECK_OK(tape_appender_close(os));
    t_close_writer(w);
}

/* ---- intervals ---- */

/* Looks often rather than long: the whole program may be stopped for a while. */
static int soon(void)
{
    int n = 0;
    for (int i = 0; i < 10000 && (n = since()) == 0; i++) tape__sleep_ns(1000000);
    return n;
}

static void an_interval_is_kept_by_a_thread_of_its_own(void)
{
    const char *directory = t_directory();
    t_writer_t w = open_with(directory, TAPE_DURABILITY_INTERVAL, 20000000, NULL);
    CHECK_OK(write_text(w, "a")); /* and then none */
    CHECK(soon() > 0);
    tape__sleep_ns(100000000);
    since();
    tape__sleep_ns(100000000);
    CHECK_EQ(since(), 0); /* nothing is synced for nothing */
    for (int i = 0; i < 1000; i++) CHECK_OK(write_text(w, "b"));
    CHECK(since() < 100);
    CHECK(soon() > 0);
    CHECK_OK(write_text(w, "c"));
    since();
    CHECK_OK(tape_appender_sync(w.appender));
    CHECK(since() >= 1);
    t_close_writer(w);
    CHECK_EQ(t_descriptors(directory), 0);
}

static void what_an_interval_leaves_is_synced_on_closing(void)
{
    t_writer_t w = open_with(t_directory(), TAPE_DURABILITY_INTERVAL, 3600000000000, NULL);
    CHECK_OK(write_text(w, "a"));
    since();
    CHECK_OK(tape_appender_close(w.appender));
    CHECK(since() >= 1);
    CHECK_OK(tape_appender_open(w.queue, NULL, &w.appender));
    CHECK_OK(write_text(w, "b"));
    CHECK_OK(tape_queue_shutdown(w.queue));
    CHECK_EQ(since(), 1);
    t_close_writer(w);
}

static void a_failure_of_the_thread_reaches_the_next_call(void)
{
    for (int call = 0; call < 4; call++) {
        t_writer_t w = open_with(t_directory(), TAPE_DURABILITY_INTERVAL, 1000000, NULL);
        tape_queue_info_t info = {0};
        CHECK_OK(write_text(w, "a"));
        CHECK_OK(tape_appender_sync(w.appender));
        fails = EIO;
        CHECK_OK(write_text(w, "b"));
        for (int i = 0; i < 10000 && info.sync_failed == 0; i++) {
            tape__sleep_ns(1000000);
            CHECK_OK(tape_queue_info(w.queue, &info));
        }
        fails = 0;
        CHECK_EQ(info.sync_failed, EIO);
        if (call == 0) CHECK_EQ(write_text(w, "c"), TAPE_ESYNC);
        if (call == 1) CHECK_EQ(tape_appender_sync(w.appender), TAPE_ESYNC);
        if (call == 2) CHECK_EQ(tape_queue_shutdown(w.queue), TAPE_ESYNC);
        CHECK_EQ(tape_appender_close(w.appender), call == 3 ? TAPE_ESYNC : TAPE_OK);
        CHECK_OK(tape_queue_close(w.queue)); /* who was told is not told again */
    }
}

static void a_forked_child_has_a_thread_of_its_own(void)
{
    const char *directory = t_directory();
    t_writer_t w = open_with(directory, TAPE_DURABILITY_INTERVAL, 5000000, NULL);
    CHECK_OK(write_text(w, "a"));
    pid_t child = fork();
    if (child == 0) {
        CHECK_EQ(write_text(w, "b"), TAPE_EFORKED);
        CHECK_EQ(tape_appender_sync(w.appender), TAPE_EFORKED);
        CHECK_EQ(tape_queue_sync(w.queue), TAPE_EFORKED);
        t_close_writer(w);
        CHECK_EQ(t_descriptors(directory), 0);
        w = open_with(directory, TAPE_DURABILITY_INTERVAL, 5000000, NULL);
        since();
        CHECK_OK(write_text(w, "b"));
        CHECK(soon() > 0);
        t_close_writer(w);
        _exit(0);
    }
    CHECK_EQ(t_wait(child), 0);
    since();
    CHECK_OK(write_text(w, "c"));
    CHECK(soon() > 0);
    t_close_writer(w);
}

static void wrong_options_are_refused(void)
{
    tape_queue_options_t o = t_options(NULL, NULL);
    tape_queue_t *q;
    o.durability = 4;
    CHECK_EQ(tape_queue_open(t_directory(), &o, &q), TAPE_EINVAL);
    o.durability = TAPE_DURABILITY_INTERVAL;
    CHECK_EQ(tape_queue_open(t_directory(), &o, &q), TAPE_EINVAL);
    o.sync_interval_ns = 999999;
    CHECK_EQ(tape_queue_open(t_directory(), &o, &q), TAPE_EINVAL);
    o.durability = TAPE_DURABILITY_EACH;
    o.sync_interval_ns = 1000000;
    CHECK_EQ(tape_queue_open(t_directory(), &o, &q), TAPE_EINVAL);
    CHECK_EQ(tape_queue_sync(NULL), TAPE_EINVAL);
    CHECK_EQ(tape_appender_sync(NULL), TAPE_EINVAL);
}

int main(void)
{
    tape__disk_shim = shim;
    each_message_is_synced_before_its_write_returns();
    trying_to_write_waits_for_no_disk_either();
    other_appenders_cost_nothing_and_sync_says_all();
    a_reader_can_sync_what_it_has_read();
    a_failed_sync_is_not_forgotten();
    what_a_reader_was_told_is_not_forgotten_either();
    a_message_is_synced_although_another_thread_rolled_on();
    an_interval_is_kept_by_a_thread_of_its_own();
    what_an_interval_leaves_is_synced_on_closing();
    a_failure_of_the_thread_reaches_the_next_call();
    a_forked_child_has_a_thread_of_its_own();
    wrong_options_are_refused();
    return 0;
}
