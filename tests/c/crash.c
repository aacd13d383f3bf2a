/* Description: a writer is killed at every step of csrc that has a name, but for those in `others`
 * to which a plain writer never comes, at every message (under sanitizers at every third one); then
 * another writer, one that opens the queue or one that had it open, goes on at once. Nothing
 * acknowledged is lost, at most the message in flight is there unacknowledged, and the files are
 * whole. The roll cycle has index pages of 8 entries, so steps around new pages are among them. */
#include <signal.h>
#include <sys/mman.h>

#include "helpers.h"
#include "queue/queue.h"
#include "queue_check.h"
#include "sync_points.h" /* made by CMake out of csrc */

extern void (*tape__sync_point_hook)(const char *name);

#define DAY INT64_C(86400000)
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
enum { EVERY = 3 };
#else
enum { EVERY = 1 };
#endif
enum { PER_CYCLE = 18, CYCLES = 3, MESSAGES = PER_CYCLE * CYCLES };

static const char *const points[] = {T_SYNC_POINTS};
/* Steps that a writer by itself does not come by: those of who reads or waits, beside a dead
 * holder, of mending what others left (robbed_at_each_instruction dies in those), and of removing
 * old cycles (removal_deaths). */
static const char *const others[] = {"guard_waiter_counted", "tailer_at_end", "holder_judged",
                                     "wait_looked", "wait_armed", "wait_looked_again",
                                     "wait_slept", "bell_armed", "theft_named", "name_claimed",
                                     "reservation_resized", "given_up", "room_reserved",
                                     "room_cleaned", "moved_aside", "lock_awaited",
                                     "lock_taken_over", "word_cleared", "pair_mended",
                                     "temporary_removed", "table_begun", "table_filled",
                                     "repair_copied", "repair_mended", "repair_kept",
                                     "repair_replaced", "repair_set_aside", "cycle_read",
                                     "repair_locked", "repair_table_renewed",
                                     "newer_looked_into", "file_enlarged",
                                     "key_written", "key_added", "cycle_forgotten",
                                     "cycle_removed", "late_file_removed"};

/* What survives the writer's death. */
typedef struct {
    int64_t ms;
    int acknowledged;
    int hits;
} shared_t;
static shared_t *shared;

static const char *point;
static int hit;

static void kill_here(const char *name)
{
    if (strcmp(name, point) == 0 && ++shared->hits == hit) raise(SIGKILL);
}

static void write_number(tape_appender_t *a, int number)
{
    int64_t rc = tape_appender_write(a, &number, sizeof number);
    if (rc < 0) {
        char trail[1100];
        tape_error_trail(trail, sizeof trail);
        CHECK_FAILED("%s, hit %d, message %d: %s: %s", point, hit, number,
                     tape_code_name((int)rc), trail);
    }
}

static int at_once(int fd)
{
    (void)fd;
    return 0;
}

/* Each message is synced, so that it also dies around that. */
static void writer_to_be_killed(const char *directory)
{
    tape_queue_options_t o = t_options("TEST_DAILY", &shared->ms);
    o.durability = TAPE_DURABILITY_EACH;
    tape__disk_shim = at_once;
    tape__sync_point_hook = kill_here;
    t_writer_t w = t_open_writer(directory, &o);
    for (int n = 0; n < MESSAGES; n++) {
        if (n > 0 && n % PER_CYCLE == 0) shared->ms += DAY;
        (void)tape__notice_arm(tape__site_notice(&w.queue->site)); /* as if somebody waited */
        write_number(w.appender, n);
        shared->acknowledged = n + 1;
    }
    _exit(0);
}

/* The numbers in the queue: `mine` first (-1), then 0, 1, ... as acknowledged, perhaps one more,
 * then `after` (-2) ones. */
static void check_messages(tape_queue_t *q, int before, int after)
{
    tape_tailer_t *t;
    tape_excerpt_t e;
    int number, next = 0, minus = 0;
    CHECK_OK(tape_tailer_open(q, NULL, &t));
    for (int n = 0; n < before; n++) CHECK_EQ(tape_tailer_next(t, &e), 1);
    while (tape_tailer_next(t, &e) == 1) {
        memcpy(&number, e.data, sizeof number);
        if (number == -2) {
            minus++;
            continue;
        }
        CHECK_EQ(minus, 0);
        CHECK_EQ(number, next++);
    }
    CHECK_EQ(minus, after);
    if (next != shared->acknowledged && next != shared->acknowledged + 1)
        CHECK_FAILED("%s, hit %d: %d messages, %d acknowledged", point, hit, next,
                     shared->acknowledged);
    CHECK_OK(tape_tailer_close(t));
}

static void one_death(const char *directory, bool was_open, bool rolls)
{
    tape_queue_options_t o = t_options("TEST_DAILY", &shared->ms);
    tape_queue_t *q = NULL;
    tape_appender_t *a;
    t_empty(directory);
    *shared = (shared_t){100 * DAY, 0, 0};
    o.stale_after_ns = INT64_C(60000000000); /* not by waiting */
    if (was_open) {
        CHECK_OK(tape_queue_open(directory, &o, &q));
        CHECK_OK(tape_appender_open(q, NULL, &a));
        write_number(a, -1);
    }
    pid_t child = fork();
    if (child == 0) writer_to_be_killed(directory);
    int ended = t_wait(child);
    CHECK(ended == 0 || ended == 128 + SIGKILL);
    if (rolls) shared->ms += DAY;
    if (!q) {
        CHECK_OK(tape_queue_open(directory, &o, &q));
        CHECK_OK(tape_appender_open(q, NULL, &a));
    }
    int64_t start = t_now_ns();
    write_number(a, -2);
    if (t_now_ns() - start > 1000000000)
        CHECK_FAILED("%s, hit %d: going on took %" PRId64 " us", point, hit,
                     (t_now_ns() - start) / 1000);
    t_check_queue(directory, T_WHOLE);
    for (int n = 0; n < 9; n++) write_number(a, -2); /* over the next index page */
    t_check_queue(directory, T_WHOLE);
    check_messages(q, was_open, 10);
    CHECK_OK(tape_appender_close(a));
    CHECK_OK(tape_queue_close(q));
    CHECK_EQ(t_descriptors(directory), 0);
}

static bool of_others(const char *name)
{
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (strcmp(name, others[i]) == 0) return true;
    return false;
}

int main(void)
{
    const char *directory = t_directory();
    shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(shared != MAP_FAILED);
    for (size_t i = 0; i < sizeof points / sizeof *points; i++) {
        int deaths = 0;
        point = points[i];
        for (hit = 1;; hit += hit <= 3 ? 1 : EVERY) {
            one_death(directory, hit % 2 == 0, hit % 4 >= 2);
            bool reached = shared->hits >= hit;
            if (reached && hit <= 3) { /* the other three combinations, too */
                one_death(directory, hit % 2 == 1, hit % 4 >= 2);
                one_death(directory, hit % 2 == 0, hit % 4 < 2);
                one_death(directory, hit % 2 == 1, hit % 4 < 2);
            }
            if (!reached) break;
            deaths++;
        }
        if ((deaths == 0) != of_others(point)) CHECK_FAILED("%s: %d deaths", point, deaths);
        printf("%s: %d places\n", point, deaths);
    }
    return 0;
}
