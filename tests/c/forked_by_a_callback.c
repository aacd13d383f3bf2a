/* Description: a clock, or who is asked whether a wait is to go on, forks in the middle of a write:
 * the parent's message is there once, whatever the child does; the child's call gives TAPE_EFORKED
 * and leaves the parent's lock alone, and the child can open the queue anew. */
#include <signal.h>
#include <sys/mman.h>

#include "helpers.h"
#include "queue_check.h"

#define DAY INT64_C(86400000)

static const char *directory;
static bool armed;      /* the next call of the callback forks */
static pid_t forked;    /* 0 in the child; -1: not yet */
static int asked_since; /* how often callbacks were called after that */
static pid_t holder;    /* killed by the parent when it is asked */
static int64_t ms;

static void fork_when_armed(void)
{
    asked_since++;
    if (!armed) return;
    armed = false;
    asked_since = 0;
    forked = fork();
    CHECK(forked >= 0);
}

static int64_t forking_clock(void *user)
{
    (void)user;
    fork_when_armed();
    return ms;
}

static int forking_question(void *user)
{
    (void)user;
    fork_when_armed();
    if (forked != 0 && holder) CHECK_EQ(kill(holder, SIGKILL), 0);
    return 0;
}

static tape_queue_options_t options(void)
{
    tape_queue_options_t o = t_options("TEST_DAILY", NULL);
    o.clock = forking_clock;
    return o;
}

typedef int64_t call_t(tape_appender_t *a);

static int64_t write_one(tape_appender_t *a) { return tape_appender_write(a, "once", 4); }
static int64_t try_one(tape_appender_t *a) { return tape_appender_try_write(a, "once", 4); }
static int64_t expect_one(tape_appender_t *a)
{
    const int64_t last = tape_appender_last_index(a);
    const int64_t first = INT64_C(100) << tape_roll_cycle_named("TEST_DAILY")->shift;
    return tape_appender_write_expect(a, "once", 4, last < 0 ? first : last + 1);
}

static int64_t write_two(tape_appender_t *a)
{
    const tape_span_t spans[] = {{"once", 4}, {"twice", 5}};
    size_t written;
    int64_t rc = tape_appender_write_many(a, spans, 2, &written);
    if (rc >= 0) CHECK_EQ(written, 2);
    return rc;
}

static int64_t make_in_place(tape_appender_t *a) { return t_write_in_place(a, "once", 4); }

static int64_t roll(tape_appender_t *a)
{
    ms += DAY;
    return write_one(a);
}

typedef struct {
    const char *name;
    call_t *call;
    int messages;
    bool waits; /* it may need a new file, or another's lock */
} row_t;
static const row_t rows[] = {{"write", write_one, 1, true}, {"try", try_one, 1, false},
                             {"expect", expect_one, 1, true}, {"many", write_two, 2, true},
                             {"in place", make_in_place, 1, true}, {"roll", roll, 1, true}};

/* In the child: the call is refused, and so is the next; a queue of its own is as any. */
static void be_the_child(const t_writer_t *w, int64_t rc)
{
    tape_queue_options_t o = options();
    CHECK_EQ(rc, TAPE_EFORKED);
    CHECK_EQ(asked_since, 0); /* it did not begin anew */
    CHECK_EQ(write_one(w->appender), TAPE_EFORKED);
    t_writer_t anew = t_open_writer(directory, &o);
    CHECK_OK(tape_appender_write(anew.appender, "child", 5));
    t_close_writer(anew);
    CHECK_OK(tape_appender_close(w->appender));
    tape_queue_release(w->queue);
    _exit(0);
}

static void check_nobody_lost_the_lock(tape_queue_t *q)
{
    tape_queue_info_t info;
    CHECK_OK(tape_queue_info(q, &info));
    CHECK_EQ(info.lock_lost, 0);
}

static void by_the_clock(const row_t *row, uint32_t durability, bool first)
{
    tape_queue_options_t o = options();
    const int before = first ? 0 : 3;
    directory = t_directory();
    o.durability = durability;
    forked = -1;
    ms = 100 * DAY;
    t_writer_t w = t_open_writer(directory, &o);
    for (int n = 0; n < before; n++) CHECK_OK(tape_appender_write(w.appender, "before", 6));
    armed = true;
    int64_t rc = row->call(w.appender);
    if (forked == 0) be_the_child(&w, rc);
    CHECK_OK(rc);
    CHECK(forked > 0);
    CHECK_EQ(t_wait(forked), 0);
    CHECK_OK(tape_appender_write(w.appender, "after", 5));
    check_nobody_lost_the_lock(w.queue);
    t_close_writer(w);
    CHECK_EQ(t_check_queue(directory, T_WHOLE).messages, before + row->messages + 2);
}

/* The clock that is asked when a queue is opened which a dead writer left. */
static void by_the_clock_of_an_opening(void)
{
    tape_queue_options_t o = options();
    tape_appender_t *a;
    tape_queue_t *q;
    directory = t_directory();
    forked = -1;
    ms = 100 * DAY;
    const pid_t dead = fork();
    if (dead == 0) {
        void *room;
        t_writer_t w = t_open_writer(directory, &o);
        CHECK_OK(tape_appender_write(w.appender, "before", 6));
        CHECK_OK(tape_appender_reserve(w.appender, 6, &room));
        _exit(0);
    }
    CHECK_EQ(t_wait(dead), 0);
    armed = true;
    int rc = tape_queue_open(directory, &o, &q);
    if (forked == 0) {
        if (rc == TAPE_OK) CHECK_EQ(tape_appender_open(q, NULL, &a), TAPE_EFORKED);
        else CHECK_EQ(rc, TAPE_EFORKED);
        _exit(0);
    }
    CHECK_OK(rc);
    CHECK(forked > 0);
    CHECK_EQ(t_wait(forked), 0);
    CHECK_OK(tape_appender_open(q, NULL, &a));
    CHECK_OK(tape_appender_write(a, "after", 5));
    CHECK_OK(tape_appender_close(a));
    CHECK_OK(tape_queue_close(q));
    CHECK_EQ(t_check_queue(directory, T_WHOLE).messages, 2);
}

/* Who waits for another process is asked, and its holder then dies. */
static void by_the_question(const row_t *row)
{
    tape_queue_options_t o = options();
    o.interrupted = forking_question;
    o.stale_after_ns = 50000000;
    directory = t_directory();
    forked = -1;
    ms = 100 * DAY;
    t_writer_t w = t_open_writer(directory, &o);
    CHECK_OK(tape_appender_write(w.appender, "before", 6));
    holder = t_lock_holder(directory);
    armed = true;
    int64_t rc = row->call(w.appender);
    armed = false;
    if (forked == 0) be_the_child(&w, rc);
    CHECK_OK(rc);
    CHECK(forked > 0);
    CHECK_EQ(t_wait(forked), 0);
    t_wait(holder);
    holder = 0;
    check_nobody_lost_the_lock(w.queue);
    t_close_writer(w);
    CHECK_EQ(t_check_queue(directory, T_WHOLE).messages, 1 + row->messages + 1);
}


int main(void)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        by_the_clock(&rows[i], TAPE_DURABILITY_OS, false);
        by_the_clock(&rows[i], TAPE_DURABILITY_EACH, false);
        if (!rows[i].waits) continue;
        by_the_clock(&rows[i], TAPE_DURABILITY_OS, true);
        by_the_question(&rows[i]);
    }
    by_the_clock_of_an_opening();
    return 0;
}
