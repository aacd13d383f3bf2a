/* Description: a writer is killed at each sync point that it comes by, while it makes a queue,
 * appends, rolls, mends what others left, or repairs; whoever comes then, and mends, is killed at
 * each sync point, too; and the third one finds all that was acknowledged, can write, and leaves
 * the files whole. All steps of csrc are among those, but for the readers' in `others`.
 *
 * Each time that either comes by a point, with TAPE_TEST_SCALE=1; else the first one dies in a
 * sample of them. States on disk that are equal are judged once. */
#include <signal.h>
#include <sys/mman.h>

#include "base/sync_point.h"
#include "disk_states.h"
#include "scenes.h"
#include "sync_points.h" /* made by CMake out of csrc */

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
enum { SAMPLE = 16 };
#else
enum { SAMPLE = 4 };
#endif
enum { FIRST, SECOND, FIRST_STATES, SECOND_STATES, PASSED_MAX = 128 };
static const char *const points[] = {T_SYNC_POINTS};
enum { POINTS = sizeof points / sizeof *points };
_Static_assert(sizeof points / sizeof *points <= (size_t)PASSED_MAX, "room for counts");

/* Of readers, of who waits; of syncing, and of removing (crash.c, durability.c and removal_deaths.c
 * die in those). */
static const char *const others[] = {
    "guard_waiter_counted", "tailer_at_end", "wait_looked", "wait_armed", "wait_looked_again",
    "wait_slept", "bell_armed", "theft_named", "name_claimed", "cycle_read", "newer_looked_into",
    "notice_seen", "notice_counted", "notice_rung", "lock_awaited", "file_synced", "name_synced",
    "sync_begun", "sync_ended", "cycle_forgotten", "cycle_removed", "late_file_removed",
    "repair_table_renewed"};

static const char *queue_path, *begin_path, *between_path;
static const t_scene_t *scene;
static int *passed; /* by point, in memory of all */
static int countdown;

static void die_in_time(const char *name)
{
    for (int n = 0; n < POINTS; n++)
        if (strcmp(points[n], name) == 0) passed[n]++;
    if (countdown > 0 && --countdown == 0) raise(SIGKILL);
}

static void start_counting(void) { tape__sync_point_hook = die_in_time; }

static void first(void) { t_scene_play(scene, queue_path, start_counting); }

static void second(void)
{
    start_counting();
    t_scene_play_second(scene, queue_path);
}

/* Plays it with a death at the `at`th point. Whether it came so far; *pid is the dead one's. */
static bool dies(void (*play)(void), int at, pid_t *pid)
{
    countdown = at;
    *pid = fork();
    CHECK(*pid >= 0);
    if (*pid == 0) {
        play();
        _exit(0);
    }
    const int ended = t_wait(*pid);
    CHECK(ended == 0 || ended == 128 + SIGKILL);
    return ended != 0;
}

static void put_back(const char *from, const t_shared_t *shared)
{
    const int64_t count = t_shared->counts[SECOND], states = t_shared->counts[SECOND_STATES];
    t_disk_copy(from, queue_path);
    *t_shared = *shared;
    t_shared->counts[SECOND] = count;
    t_shared->counts[SECOND_STATES] = states;
}

/* Whose opening waits for half a second, in case that somebody is at work. */
static bool is_slow(const t_scene_t *s) { return s->leftover == T_TABLE_EMPTY; }

/* All second deaths in the state that the first one left, and no death at all. */
static void second_deaths(int at, t_disk_met_t *met)
{
    pid_t pid;
    t_disk_copy(queue_path, between_path);
    const t_shared_t between = *t_shared;
    bool died = true;
    for (int n = 1; died; n++) {
        put_back(between_path, &between);
        snprintf(t_shared->where, sizeof t_shared->where, "%s, point %d, then point %d",
                 scene->name, at, n);
        died = dies(second, n, &pid);
        t_shared->counts[SECOND] += died;
        if (!t_disk_is_new(met, t_disk_hash(queue_path, pid))) continue;
        t_shared->counts[SECOND_STATES]++;
        t_scene_judge(scene, queue_path, n % 2 == 1);
    }
}

static void play(void)
{
    t_disk_met_t met = {NULL, 0}, met_second = {NULL, 0};
    pid_t pid;
    t_scene_prepare(scene, begin_path);
    t_shared_t begin = *t_shared;
    bool died = true;
    for (int at = 1; died; at++) {
        begin.counts[FIRST] = at - 1;
        put_back(begin_path, &begin);
        died = dies(first, at, &pid);
        if (!t_disk_is_new(&met, t_disk_hash(queue_path, pid))) continue;
        begin.counts[FIRST_STATES]++;
        if (!t_full_scale() && begin.counts[FIRST_STATES] % SAMPLE != 1) continue;
        second_deaths(at, &met_second);
    }
    t_shared->counts[FIRST_STATES] = begin.counts[FIRST_STATES];
}

static bool is_of_others(const char *point)
{
    for (size_t n = 0; n < sizeof others / sizeof *others; n++)
        if (strcmp(others[n], point) == 0) return true;
    return false;
}

int main(int argc, char **argv)
{
    if (access("/dev/shm", W_OK) == 0) setenv("TMPDIR", "/dev/shm", 0);
    queue_path = t_directory();
    begin_path = t_directory();
    between_path = t_directory();
    t_scenes_set_up();
    passed = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(passed != MAP_FAILED);
    for (int n = 0; n < t_scene_count; n++) {
        if (argc > 1 ? strcmp(argv[1], t_scenes[n].name) != 0
                     : is_slow(&t_scenes[n]) && !t_full_scale())
            continue;
        const int64_t start = t_now_ns();
        scene = &t_scenes[n];
        t_scenes_run(play);
        printf("%s: %" PRId64 " first deaths, %" PRId64 " states; %" PRId64 " second deaths, %"
               PRId64 " states; %.1f s\n", scene->name, t_shared->counts[FIRST],
               t_shared->counts[FIRST_STATES], t_shared->counts[SECOND],
               t_shared->counts[SECOND_STATES], (double)(t_now_ns() - start) / 1e9);
        fflush(stdout);
    }
    for (int n = 0; n < POINTS && argc == 1; n++)
        if ((passed[n] > 0) == is_of_others(points[n]) &&
            (t_full_scale() || strncmp(points[n], "table_", 6) != 0)) /* in a slow scene */
            CHECK_FAILED("%s: passed %d times", points[n], passed[n]);
    return 0;
}
