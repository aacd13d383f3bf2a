/* Description: an append that is held up is told with what held it up: the lock and its holder,
 * another thread, rolling, room, pages, the disk, the clock. One that is not, or for less, is not
 * told; nor is one that failed. */
#include <pthread.h>
#include <unistd.h>

#include "base/atomics.h"
#include "base/platform.h"
#include "helpers.h"
#include "write/cycle_end.h"

extern void (*tape__sync_point_hook)(const char *name);

#define MS INT64_C(1000000)
enum { DAY = 86400000, SLOW_MS = 60, LONG_MS = 90 };

static const char *slow_at;   /* this point takes LONG_MS, once */
static uint32_t slow;         /* it does, or did */
static int told;
static tape_slow_append_t last;

static void hook(const char *name)
{
    if (!slow_at || strcmp(name, slow_at) != 0) return;
    slow_at = NULL;
    PUBLISH32(test, &slow, 1);
    tape__sleep_ns(LONG_MS * MS);
}

static int slow_sync(int fd)
{
    (void)fd;
    tape__sleep_ns(LONG_MS * MS);
    return 0;
}

static void tell(void *user, const tape_slow_append_t *slow)
{
    CHECK(user == &last);
    last = *slow;
    told++;
}

static t_writer_t open_with(const char *directory, uint32_t durability, int64_t *ms)
{
    tape_queue_options_t o = t_options("FAST_DAILY", ms);
    o.durability = durability;
    o.slow_append = tell;
    o.slow_append_user = &last;
    o.slow_append_ns = SLOW_MS * MS;
    return t_open_writer(directory, &o);
}

/* Writes one, and says how long the cause took that is asked for; -1 when nothing was told. */
#define HELD_UP(w, cause) (held_up(w) ? last.cause / MS : -1)

static bool held_up(t_writer_t w)
{
    const int before = told;
    memset(&last, 0, sizeof last);
    const int64_t index = tape_appender_write(w.appender, "message", 7);
    CHECK(index >= 0);
    if (told == before) return false;
    CHECK_EQ(told, before + 1);
    CHECK_EQ(last.index, index);
    CHECK_EQ(last.took_ns, last.lock_ns + last.clock_ns + last.cycle_ns + last.room_ns +
                               last.pages_ns + last.sync_ns);
    return true;
}

static void rolling_room_and_pages_are_told_apart(const char *directory)
{
    static const char *const points[] = {"cycle_entered", "blocks_reserved", "pages_brought_in"};
    int64_t ms = DAY;
    t_writer_t w = open_with(directory, 0, &ms);
    CHECK(!held_up(w));
    for (size_t i = 0; i < sizeof points / sizeof *points; i++) {
        ms += DAY; /* a new cycle has no room yet */
        if (i > 0) CHECK(!held_up(w));
        slow_at = points[i];
        if (i == 0) CHECK(HELD_UP(w, cycle_ns) >= LONG_MS);
        else if (i == 1) CHECK(HELD_UP(w, room_ns) >= LONG_MS);
        else CHECK(HELD_UP(w, pages_ns) >= LONG_MS);
        CHECK(slow_at == NULL && last.holder_pid == 0 && last.lock_ns == 0);
        CHECK(!held_up(w));
    }
    slow_at = "lock_taken"; /* of nothing that is measured */
    CHECK(!held_up(w));
    t_close_writer(w);
}

static void the_disk_is_told(const char *directory)
{
    int64_t ms = DAY;
    t_writer_t w = open_with(directory, TAPE_DURABILITY_EACH, &ms);
    CHECK(!held_up(w));
    tape__disk_shim = slow_sync;
    CHECK(HELD_UP(w, sync_ns) >= LONG_MS);
    size_t written;
    const tape_span_t spans[] = {{"a", 1}, {"b", 1}};
    int before = told;
    const int64_t first = tape_appender_write_many(w.appender, spans, 2, &written);
    CHECK(written == 2 && told == before + 1 && last.index == first + 1);
    CHECK(last.sync_ns / MS >= LONG_MS);
    void *buffer;
    CHECK_OK(tape_appender_reserve(w.appender, 10, &buffer));
    CHECK_EQ(tape_appender_publish(w.appender, 10), last.index);
    CHECK(told == before + 2 && last.sync_ns / MS >= LONG_MS);
    tape__disk_shim = NULL;
    CHECK(!held_up(w));
    t_close_writer(w);
}

/* Holds the lock while it sleeps. */
static pid_t hold(const char *directory, int64_t *ms, int *ready)
{
    CHECK(pipe(ready) == 0);
    const pid_t child = fork();
    if (child != 0) return child;
    t_writer_t w = open_with(directory, 0, ms);
    void *buffer;
    CHECK_OK(tape_appender_reserve(w.appender, 10, &buffer));
    CHECK(write(ready[1], "x", 1) == 1);
    tape__sleep_ns(LONG_MS * MS);
    CHECK_OK(tape_appender_abandon(w.appender));
    t_close_writer(w);
    _exit(0);
}

static void the_lock_and_its_holder_are_told(const char *directory)
{
    int64_t ms = DAY;
    int ready[2];
    char x;
    const pid_t child = hold(directory, &ms, ready);
    CHECK(read(ready[0], &x, 1) == 1);
    t_writer_t w = open_with(directory, 0, &ms);
    CHECK(HELD_UP(w, lock_ns) >= LONG_MS / 2); /* opening took its time, too */
    CHECK_EQ(last.holder_pid, child);
    CHECK_EQ(t_wait(child), 0);
    CHECK(!held_up(w));
    t_close_writer(w);
}

static void *write_slowly(void *writer)
{
    const t_writer_t *w = writer;
    CHECK(tape_appender_write(w->appender, "slow", 4) >= 0);
    return NULL;
}

static void another_thread_is_told(const char *directory)
{
    int64_t ms = DAY;
    pthread_t thread;
    t_writer_t w = open_with(directory, 0, &ms), other = open_with(directory, 0, &ms);
    CHECK(!held_up(w) && !held_up(other));
    slow_at = "before_release";
    PUBLISH32(test, &slow, 0);
    CHECK(pthread_create(&thread, NULL, write_slowly, &other) == 0);
    while (!OBSERVE32(test, &slow)) tape__sleep_ns(MS / 10);
    CHECK(HELD_UP(w, lock_ns) >= LONG_MS / 2);
    CHECK_EQ(last.holder_pid, getpid());
    CHECK(pthread_join(thread, NULL) == 0);
    t_close_writer(w);
    t_close_writer(other);
}

static int64_t passing(void *begun_ns)
{
    const int64_t *begun = begun_ns;
    return 7900 + (tape__monotonic_ns() - *begun) / MS;
}

static void seal(t_writer_t w, const char *directory, int64_t cycle)
{
    tape__cycle_store_t s;
    tape__window_t window = {0};
    tape__cursor_t end;
    char name[64];
    bool certain;
    CHECK_OK(tape_queue_cycle_name(w.queue, cycle, name, sizeof name));
    CHECK_OK(tape__cycle_store_open(&s, t_path(directory, name), cycle, true));
    CHECK_OK(tape__cycle_end_find_to_seal(&s, &window, &end, &certain));
    CHECK_OK(tape__cycle_end_seal(&s, &end));
    tape__window_close(&window);
    tape__cycle_store_close(&s);
}

/* Somebody whose clock is ahead ended the cycle. */
static void the_clock_is_told(const char *directory)
{
    int64_t begun = tape__monotonic_ns();
    tape_queue_options_t o = t_options("TEST4_SECONDLY", NULL);
    o.clock = passing;
    o.clock_user = &begun;
    o.slow_append = tell;
    o.slow_append_user = &last;
    o.slow_append_ns = MS;
    t_writer_t w = t_open_writer(directory, &o);
    begun = tape__monotonic_ns();
    CHECK(tape_appender_write(w.appender, "one", 3) >= 0);
    seal(w, directory, 7);
    begun = tape__monotonic_ns() - 40 * MS;
    CHECK(HELD_UP(w, clock_ns) >= 30);
    t_close_writer(w);
}

static void who_does_not_ask_is_not_told(const char *directory)
{
    int64_t ms = DAY;
    tape_queue_options_t o = t_options("FAST_DAILY", &ms);
    t_writer_t w = t_open_writer(directory, &o);
    CHECK(!held_up(w));
    slow_at = "blocks_reserved";
    CHECK(!held_up(w));
    CHECK(slow_at == NULL);
    t_close_writer(w);
    o.slow_append_ns = -1;
    tape_queue_t *q;
    CHECK_EQ(tape_queue_open(directory, &o, &q), TAPE_EINVAL);
}

static void what_failed_is_not_told(const char *directory)
{
    int64_t ms = DAY;
    t_writer_t w = open_with(directory, 0, &ms);
    CHECK(!held_up(w));
    ms += DAY;
    int before = told;
    slow_at = "cycle_file_built";
    tape__fault_arm(TAPE__OP_LINK, 1, ENOSPC, false);
    CHECK_EQ(tape_appender_write(w.appender, "none", 4), TAPE_ENOSPC);
    CHECK(slow_at == NULL && told == before);
    CHECK(!held_up(w)); /* what was before it is not its own */
    t_close_writer(w);
}

int main(void)
{
    const char *directory = t_directory();
    tape__sync_point_hook = hook;
    rolling_room_and_pages_are_told_apart(t_path(directory, "causes"));
    the_disk_is_told(t_path(directory, "disk"));
    the_lock_and_its_holder_are_told(t_path(directory, "lock"));
    another_thread_is_told(t_path(directory, "thread"));
    the_clock_is_told(t_path(directory, "clock"));
    who_does_not_ask_is_not_told(t_path(directory, "silent"));
    what_failed_is_not_told(t_path(directory, "failed"));
    return 0;
}
