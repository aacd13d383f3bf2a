/* Description: who waits for the write lock judges its holder 2 ms after the lock stood still, and
 * then every 20 ms: never later, so that a death costs him no more, and not more often, because
 * each time he reads the side file and /proc. By a clock that goes on when somebody sleeps. */
#include <signal.h>

#include "base/atomics.h"
#include "base/platform.h"
#include "file/table_store.h"
#include "helpers.h"

#define MS INT64_C(1000000)
#define SLEEP_MAX INT64_C(1000000) /* a waiter's longest; what it finds due is due since then */
#define TIMEOUT (200 * MS)
enum { JUDGED_MAX = 100 };

extern void (*tape__sync_point_hook)(const char *name);

/* ---- the clock, in place of the platform's (CMakeLists.txt) ---- */

int64_t __wrap_tape__monotonic_ns(void);
void __wrap_tape__sleep_ns(int64_t ns);

static int64_t now = 1000 * MS, slept, longest;

int64_t __wrap_tape__monotonic_ns(void) { return now; }

void __wrap_tape__sleep_ns(int64_t ns)
{
    CHECK(ns > 0);
    now += ns;
    slept += ns;
    if (ns > longest) longest = ns;
}

/* ---- who waits ---- */

static int64_t judged[JUDGED_MAX]; /* since the wait began */
static int count;
static int64_t begun;
static uint64_t *beat;
static int64_t beats_at; /* once, so long after the beginning: something moves */

static void note(const char *name)
{
    if (strcmp(name, "holder_judged") == 0) {
        CHECK(count < JUDGED_MAX);
        judged[count++] = now - begun;
    }
    if (strcmp(name, "lock_awaited") == 0 && beats_at && now - begun >= beats_at) {
        (void)BUMP64(listing, beat, 1);
        beats_at = 0;
    }
}

static void wait_for_the_living(tape_appender_t *a)
{
    count = 0;
    begun = now;
    slept = longest = 0;
    tape__sync_point_hook = note;
    CHECK_EQ(tape_appender_write(a, "x", 1), TAPE_ELOCKED);
    tape__sync_point_hook = NULL;
    CHECK(slept >= TIMEOUT && slept <= TIMEOUT + SLEEP_MAX);
    CHECK(longest <= SLEEP_MAX);
}

static void check_between(int64_t value, int64_t least, int64_t slack)
{
    if (value < least || value > least + slack)
        CHECK_FAILED("%" PRId64 " us, not %" PRId64 " and at most %" PRId64 " more", value / 1000,
                     least / 1000, slack / 1000);
}

static void every_20_ms(tape_appender_t *a)
{
    wait_for_the_living(a);
    check_between(judged[0], 2 * MS, SLEEP_MAX);
    for (int i = 1; i < count; i++) check_between(judged[i] - judged[i - 1], 20 * MS, SLEEP_MAX);
    check_between(TIMEOUT - judged[count - 1], 0, 20 * MS + SLEEP_MAX); /* and did not give up */
    CHECK_EQ(count, 10);
    printf("a holder that lives is judged %d times in 200 ms\n", count);
}

/* Others are at work: it is not judged as long as that is so, and 2 ms later again. */
static void anew_when_something_moves(tape_appender_t *a)
{
    beats_at = 5 * MS;
    wait_for_the_living(a);
    check_between(judged[0], 2 * MS, SLEEP_MAX);
    check_between(judged[1], 7 * MS, 3 * SLEEP_MAX);
    check_between(judged[2] - judged[1], 20 * MS, SLEEP_MAX);
}

int main(void)
{
    tape__table_store_t table;
    const char *directory = t_directory();
    tape_queue_options_t o = t_options(NULL, NULL);
    o.lock_timeout_ns = TIMEOUT;
    t_writer_t w = t_open_writer(directory, &o);
    CHECK_OK(tape__table_store_open(&table, directory, true));
    uint64_t *word = tape__table_store_cell(&table, TAPE__KEY_WRITE_LOCK);
    beat = tape__table_store_cell(&table, TAPE__KEY_MOD_COUNT);
    CHECK(word && beat);
    const pid_t holder = t_lock_holder(directory);
    every_20_ms(w.appender);
    anew_when_something_moves(w.appender);
    CHECK_EQ(kill(holder, SIGKILL), 0);
    t_wait(holder);
    CHECK(CLAIM64(write_lock, word, (uint64_t)holder, TAPE__LOCK_FREE));
    tape__table_store_close(&table);
    t_close_writer(w);
    return 0;
}
