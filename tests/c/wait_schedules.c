/* Description: no wake-up is lost in any schedule of the handshake (docs/memory_order.md, notice):
 * a writer and one or two waiters, stopped at every sync point, each possible order once. The
 * planted bug, which looks for messages before it arms the notice, is found. With an argument also
 * two waiters are run, stopped at fewer points; that takes a minute. */
#include <pthread.h>
#include <stdbool.h>
#include <sys/syscall.h>

#include "base/sync_point.h"
#include "helpers.h"
#include "queue/queue.h"
#include "read/tailer.h"
#include "schedules.h"
#include "wait/look.h"

enum { THREADS_MAX = 3 };
#define NEVER (3600 * INT64_C(1000000000))

typedef enum { RUNS, PARKED, SLEEPS, OVER } state_t;

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    state_t states[THREADS_MAX];
    int tids[THREADS_MAX];
    const char *passed[THREADS_MAX]; /* the point it went on from last */
    int granted; /* the thread that may go on; -1: none */
    bool free_run;
    int count;
} stage = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static _Thread_local int self = -1;
static t_writer_t writer;
static tape_tailer_t *tailers[THREADS_MAX];

static bool few_steps;

static bool is_step(const char *name)
{
    if (few_steps && (strcmp(name, "wait_looked") == 0 || strcmp(name, "notice_seen") == 0 ||
                      strcmp(name, "notice_rung") == 0 || strcmp(name, "wait_slept") == 0))
        return false;
    static const char *const steps[] = {"wait_looked", "wait_armed", "wait_looked_again",
                                        "wait_slept", "published", "released", "notice_seen",
                                        "notice_counted", "notice_rung"};
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++)
        if (strcmp(steps[i], name) == 0) return true;
    return false;
}

static void park(const char *name)
{
    pthread_mutex_lock(&stage.lock);
    stage.states[self] = PARKED;
    stage.passed[self] = name;
    pthread_cond_broadcast(&stage.changed);
    while (stage.granted != self && !stage.free_run) pthread_cond_wait(&stage.changed, &stage.lock);
    stage.granted = -1;
    stage.states[self] = RUNS;
    pthread_cond_broadcast(&stage.changed);
    pthread_mutex_unlock(&stage.lock);
}

static void hook(const char *name)
{
    if (self >= 0 && is_step(name)) park(name);
}

static void *play(void *argument)
{
    self = (int)(intptr_t)argument;
    pthread_mutex_lock(&stage.lock);
    stage.tids[self] = (int)syscall(SYS_gettid);
    pthread_mutex_unlock(&stage.lock);
    park("begin");
    if (self == 0) CHECK_OK(tape_appender_write(writer.appender, "x", 1));
    else CHECK_EQ(tape_tailer_wait(tailers[self], -1), TAPE_WAIT_READY);
    pthread_mutex_lock(&stage.lock);
    stage.states[self] = OVER;
    pthread_cond_broadcast(&stage.changed);
    pthread_mutex_unlock(&stage.lock);
    return NULL;
}

/* Whether a waiter that has passed its last point before sleeping does sleep: several looks in a
 * row find it so, and it comes to no point. */
static bool is_asleep(int thread)
{
    char path[64], text[512];
    const char *last = tape__sync_point_bug ? "wait_armed" : "wait_looked_again";
    snprintf(path, sizeof path, "/proc/self/task/%d/stat", stage.tids[thread]);
    for (int i = 0; i < 4; i++) {
        pthread_mutex_lock(&stage.lock);
        const char *passed = stage.passed[thread];
        pthread_mutex_unlock(&stage.lock);
        if (thread == 0 || !passed || strcmp(passed, last) != 0) return false;
        FILE *f = fopen(path, "r");
        bool asleep = f && fgets(text, sizeof text, f) &&
                      strncmp(strrchr(text, ')'), ") S", 3) == 0;
        if (f) fclose(f);
        if (!asleep) return false;
        usleep(30);
    }
    return true;
}

/* Waits until every thread stands still; those woken from their sleep reach the next point. */
static void settle(void)
{
    for (;;) {
        bool moving = false;
        for (int i = 0; i < stage.count; i++) {
            pthread_mutex_lock(&stage.lock);
            state_t s = stage.states[i];
            pthread_mutex_unlock(&stage.lock);
            if (s == RUNS || s == SLEEPS) {
                bool asleep = is_asleep(i);
                pthread_mutex_lock(&stage.lock);
                if (stage.states[i] == RUNS || stage.states[i] == SLEEPS) {
                    stage.states[i] = asleep ? SLEEPS : RUNS;
                    moving |= !asleep;
                }
                pthread_mutex_unlock(&stage.lock);
            }
        }
        if (!moving) return;
        usleep(20);
    }
}

/* Runs one schedule: each step is that of a thread that can go on. Returns whether somebody slept
 * on for ever. */
static bool run(t_schedule_t *schedule)
{
    pthread_t threads[THREADS_MAX];
    for (int i = 0; i < stage.count; i++) stage.states[i] = RUNS;
    stage.granted = -1;
    stage.free_run = false;
    tape__site_stir(&writer.queue->site); /* each schedule begins with nobody's mark */
    for (int i = 0; i < stage.count; i++)
        CHECK(pthread_create(&threads[i], NULL, play, (void *)(intptr_t)i) == 0);
    bool lost = false;
    for (;;) {
        int ready[THREADS_MAX], n = 0, asleep = 0;
        settle();
        for (int i = 0; i < stage.count; i++) {
            if (stage.states[i] == PARKED) ready[n++] = i;
            asleep += stage.states[i] == SLEEPS;
        }
        if (n == 0) {
            lost = asleep > 0;
            break;
        }
        const int choice = t_schedule_choose(schedule, n);
        CHECK(choice >= 0);
        pthread_mutex_lock(&stage.lock);
        stage.granted = ready[choice];
        stage.states[ready[choice]] = RUNS;
        pthread_cond_broadcast(&stage.changed);
        while (stage.granted >= 0) pthread_cond_wait(&stage.changed, &stage.lock);
        pthread_mutex_unlock(&stage.lock);
    }
    pthread_mutex_lock(&stage.lock);
    stage.free_run = true;
    pthread_cond_broadcast(&stage.changed);
    pthread_mutex_unlock(&stage.lock);
    if (lost) tape__site_stir(&writer.queue->site); /* the sleepers look again and find it */
    for (int i = 0; i < stage.count; i++) pthread_join(threads[i], NULL);
    tape_excerpt_t e;
    for (int i = 1; i < stage.count; i++) {
        CHECK_EQ(tape_tailer_next(tailers[i], &e), 1);
        CHECK_EQ(tape_tailer_next(tailers[i], &e), 0);
    }
    return lost;
}

/* All schedules, depth first; how many lost a wake-up. */
static int explore(int waiters, int *schedules)
{
    t_schedule_t schedule = {.known = 0};
    int lost = 0;
    stage.count = waiters + 1;
    for (int i = 1; i < THREADS_MAX; i++) CHECK_OK(tape_tailer_seek_end(tailers[i]));
    *schedules = 0;
    do {
        t_schedule_begin(&schedule);
        lost += run(&schedule);
        ++*schedules;
    } while (t_schedule_next(&schedule));
    return lost;
}

int main(int argc, char **argv)
{
    (void)argv;
    tape_queue_options_t o = t_options("FAST_DAILY", NULL);
    writer = t_open_writer(t_directory(), &o);
    CHECK_OK(tape_appender_write(writer.appender, "first", 5));
    tape_tailer_options_t to = {.struct_size = sizeof to, .poll_interval_ns = NEVER};
    tape_excerpt_t e;
    for (int i = 1; i < THREADS_MAX; i++) {
        CHECK_OK(tape_tailer_open(writer.queue, &to, &tailers[i]));
        CHECK_EQ(tape_tailer_next(tailers[i], &e), 1);
    }
    CHECK(tape__site_notice(&writer.queue->site) != NULL);
    tape__sync_point_hook = hook;
    int schedules;
    CHECK_EQ(explore(1, &schedules), 0);
    printf("one waiter: %d schedules, none loses a wake-up\n", schedules);
    CHECK(schedules > 50);
    tape__sync_point_bug = TAPE__BUG_ARMS_LATE;
    int lost = explore(1, &schedules);
    printf("planted bug: %d of %d schedules lose one\n", lost, schedules);
    CHECK(lost > 0);
    tape__sync_point_bug = TAPE__SOUND;
    if (argc > 1) {
        few_steps = true;
        CHECK_EQ(explore(2, &schedules), 0);
        printf("two waiters: %d schedules, none loses a wake-up\n", schedules);
    }
    tape__sync_point_hook = NULL;
    for (int i = 1; i < THREADS_MAX; i++) CHECK_OK(tape_tailer_close(tailers[i]));
    t_close_writer(writer);
    return 0;
}
