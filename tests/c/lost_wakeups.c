/* Description: a process sleeps for each message of another one, which is published at random
 * moments around the sleeper's arming, and no wake-up is lost; the planted bug, which looks before
 * arming, is found. The argument says how many sleeps (20000); CONTRIBUTING.md has the long run. */
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "base/atomics.h"
#include "base/platform_wait.h"
#include "base/sync_point.h"
#include "helpers.h"

#define NEVER_POLL (3600 * INT64_C(1000000000))

static uint64_t *acknowledged; /* by the reader, in shared memory */

extern void (*tape__sync_point_hook)(const char *name);

/* Behind the look that follows arming, or with the bug comes before it: some machines are so quick
 * there that a message in between is rare. */
static void dawdle(const char *name)
{
    static unsigned seed = 1;
    if (strcmp(name, "wait_looked_again") != 0) return;
    int64_t until = t_now_ns() + rand_r(&seed) % 2000;
    while (t_now_ns() < until) tape__spin_hint();
}

static void write_for_ever(const char *directory)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    tape_queue_options_t o = t_options("FAST_DAILY", NULL);
    t_writer_t w = t_open_writer(directory, &o);
    unsigned seed = (unsigned)getpid();
    fprintf(stderr, "seed %u\n", seed);
    for (uint64_t n = 0;; n++) {
        while (OBSERVE64(test, acknowledged) < n) tape__spin_hint();
        int64_t until = t_now_ns() + rand_r(&seed) % (n % 4 ? 4000 : 30000);
        while (t_now_ns() < until) tape__spin_hint();
        CHECK_OK(tape_appender_write(w.appender, &n, sizeof n));
    }
}

/* Until so many sleeps, or lost wake-ups if those are wanted; how many wake-ups were lost. */
static int64_t read_them(tape_tailer_t *t, int64_t sleeps, int64_t timeout_ns, int64_t wanted,
                         uint64_t *n)
{
    int64_t lost = 0, begun = tape__futex_sleeps;
    while (tape__futex_sleeps - begun < sleeps && (wanted == 0 || lost < wanted)) {
        int64_t since = t_now_ns();
        CHECK_OK(tape_tailer_wait(t, timeout_ns));
        bool late = t_now_ns() - since >= timeout_ns;
        tape_excerpt_t e;
        if (tape_tailer_next(t, &e) != 1) continue;
        lost += late; /* it was there, and nobody told */
        CHECK_EQ(memcmp(e.data, n, sizeof *n), 0);
        PUBLISH64(test, acknowledged, ++*n);
    }
    return lost;
}

int main(int argc, char **argv)
{
    const int64_t sleeps = argc > 1 ? atoll(argv[1]) : 20000;
    const char *directory = t_directory();
    acknowledged = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    tape_queue_options_t o = t_options("FAST_DAILY", NULL);
    t_close_writer(t_open_writer(directory, &o));
    pid_t child = fork();
    if (child == 0) write_for_ever(directory);
    tape_queue_t *q;
    CHECK_OK(tape_queue_open(directory, &o, &q));
    tape_tailer_options_t to = {.struct_size = sizeof to, .poll_interval_ns = NEVER_POLL};
    tape_tailer_t *t;
    CHECK_OK(tape_tailer_open(q, &to, &t));
    uint64_t n = 0;
    tape__sync_point_hook = dawdle;
    int64_t lost = read_them(t, sleeps, INT64_C(5000000000), 0, &n);
    printf("%" PRId64 " sleeps for %" PRIu64 " messages: %" PRId64 " wake-ups lost\n", sleeps, n,
           lost);
    CHECK_EQ(lost, 0);
    tape__sync_point_bug = TAPE__BUG_ARMS_LATE;
    uint64_t before = n;
    lost = read_them(t, 1000000, INT64_C(50000000), 1, &n);
    printf("planted bug: %" PRId64 " lost within %" PRIu64 " messages\n", lost, n - before);
    CHECK_EQ(lost, 1);
    kill(child, SIGKILL);
    t_wait(child);
    CHECK_OK(tape_tailer_close(t));
    CHECK_OK(tape_queue_close(q));
    return 0;
}
