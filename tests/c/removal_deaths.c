/* Description: who removes old cycles is killed at each step of it that has a name. A writer that
 * had the queue open, or one that opens it, goes on at once; the words of the listing name what is
 * there as soon as it has written; whole cycles are gone or there, and removing them again ends the
 * work. */
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>

#include "helpers.h"
#include "queue/queue.h"
#include "queue_check.h"

extern void (*tape__sync_point_hook)(const char *name);

enum { CYCLES = 4, GONE = 2, FIRST = 100 };

static const char *const points[] = {"cycle_forgotten", "cycle_removed"};
static const char *point;
static int hit, hits;
static int64_t ms;

static void kill_here(const char *name)
{
    if (strcmp(name, point) == 0 && ++hits == hit) raise(SIGKILL);
}

static void remove_two(const char *directory)
{
    tape_queue_options_t o = t_options("TEST4_SECONDLY", &ms);
    tape_queue_t *q;
    CHECK_OK(tape_queue_open(directory, &o, &q));
    tape__sync_point_hook = kill_here;
    hits = 0;
    for (int n = 0; n < GONE; n++) CHECK_OK(tape_queue_remove_cycle(q, FIRST + n));
    _exit(0);
}

static int64_t messages(tape_queue_t *q)
{
    return tape_queue_count(q, 0, INT64_MAX);
}

/* As if the last change of the directory was a while ago: who opens the queue then believes the
 * words, and reads no names. */
static void let_age(const char *directory)
{
    struct stat st;
    CHECK(stat(directory, &st) == 0);
    st.st_mtim.tv_sec -= 60;
    CHECK(utimensat(AT_FDCWD, directory, (struct timespec[]){st.st_mtim, st.st_mtim}, 0) == 0);
}

/* False when it was not killed any more. */
static bool one_death(const char *directory, bool was_open)
{
    tape_queue_options_t o = t_options("TEST4_SECONDLY", &ms);
    o.stale_after_ns = INT64_C(60000000000); /* not by waiting */
    t_empty(directory);
    ms = FIRST * 1000;
    t_writer_t w = t_open_writer(directory, &o);
    for (int n = 0; n < CYCLES; n++, ms += 1000)
        for (int k = 0; k < 2; k++) CHECK_OK(tape_appender_write(w.appender, &n, sizeof n));
    ms -= 1000;
    if (!was_open) t_close_writer(w);
    pid_t child = fork();
    if (child == 0) remove_two(directory);
    const int ended = t_wait(child);
    CHECK(ended == 0 || ended == 128 + SIGKILL);
    let_age(directory);
    if (!was_open) w = t_open_writer(directory, &o);
    const int64_t start = t_now_ns();
    CHECK_OK(tape_appender_write(w.appender, &ms, sizeof ms));
    CHECK(t_now_ns() - start < 1000000000);
    const t_findings_t found = t_check_queue(directory, T_WHOLE); /* the words among others */
    CHECK(found.cycles <= CYCLES && found.cycles >= CYCLES - GONE);
    CHECK_EQ(found.messages, 2 * found.cycles + 1);
    CHECK_EQ(messages(w.queue), found.messages);
    for (int n = 0; n < GONE; n++) {
        const int rc = tape_queue_remove_cycle(w.queue, FIRST + n);
        CHECK(rc == TAPE_OK || rc == TAPE_ENOTFOUND);
    }
    CHECK_EQ(t_check_queue(directory, T_WHOLE).cycles, CYCLES - GONE);
    CHECK_EQ(messages(w.queue), 2 * (CYCLES - GONE) + 1);
    t_close_writer(w);
    return ended != 0;
}

int main(void)
{
    const char *directory = t_directory();
    for (size_t i = 0; i < sizeof points / sizeof *points; i++) {
        int deaths = 0;
        point = points[i];
        for (hit = 1; one_death(directory, true) && one_death(directory, false); hit++) deaths += 2;
        printf("%s: %d deaths\n", point, deaths);
        CHECK_EQ(deaths, 2 * GONE);
    }
    return 0;
}
