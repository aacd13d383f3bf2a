/* Description: chronicle.write.lock in every state that an opener can find it: free, held by the
 * living, by the dead with and without a slot in the side file, by a zombie, by our own pid. */
#include <signal.h>
#include <sys/wait.h>

#include "base/atomics.h"
#include "file/table_store.h"
#include "helpers.h"
#include "queue_check.h"

#define MS INT64_C(1000000)

static tape__table_store_t table;
static uint64_t *word;
static const char *directory;

static void fresh_queue(void)
{
    tape_queue_t *q;
    if (table.window.base) tape__table_store_close(&table);
    directory = t_directory();
    CHECK_OK(tape_queue_open(directory, NULL, &q));
    CHECK_OK(tape_queue_close(q));
    CHECK_OK(tape__table_store_open(&table, directory, true));
    word = tape__table_store_cell(&table, "chronicle.write.lock");
    CHECK(word != NULL);
}

/* Opens the queue and appends once; how long that took goes to *ns, what it gave is returned. */
static int64_t append_once(int64_t lock_timeout_ns, int64_t stale_after_ns, uint32_t flags,
                           int64_t *ns, tape_queue_info_t *info)
{
    tape_queue_options_t o = t_options(NULL, NULL);
    tape_queue_info_t unused;
    o.lock_timeout_ns = lock_timeout_ns;
    o.stale_after_ns = stale_after_ns;
    o.flags = flags;
    t_writer_t w = t_open_writer(directory, &o);
    int64_t start = t_now_ns();
    int64_t rc = tape_appender_write(w.appender, "x", 1);
    *ns = t_now_ns() - start;
    CHECK_OK(tape_queue_info(w.queue, info ? info : &unused));
    t_close_writer(w);
    return rc;
}

static void no_hook(const char *name) { (void)name; }
static void die(const char *name)
{
    if (strcmp(name, "lock_taken") == 0) raise(SIGKILL);
}
extern void (*tape__sync_point_hook)(const char *name);

static void free_lock(void)
{
    int64_t ns;
    tape_queue_info_t info;
    fresh_queue();
    CHECK_OK(append_once(0, 0, 0, &ns, &info));
    CHECK_EQ(info.lock_acquired, 1);
    CHECK_EQ(info.lock_contended, 0);
    CHECK_EQ(info.lock_holder_pid, 0);
    CHECK_EQ(*word, TAPE__MIN64);
}

/* A process that maps the table store and lives is never robbed, however long it takes. */
static void held_by_the_living(void)
{
    int64_t ns;
    tape_error_facts_t facts;
    fresh_queue();
    pid_t child = t_lock_holder(directory);
    CHECK_EQ(append_once(300 * MS, 50 * MS, 0, &ns, NULL), TAPE_ELOCKED);
    CHECK(ns >= 300 * MS && ns < 2000 * MS);
    tape_error_last(&facts);
    CHECK_EQ(facts.code, TAPE_ELOCKED);
    CHECK_EQ(facts.holder_pid, child);
    CHECK_EQ(facts.holder_alive, 1);
    CHECK(facts.held_for_ns > 250 * MS);
    CHECK_EQ(*word, child);
    kill(child, SIGKILL);
    CHECK_EQ(t_wait(child), 128 + SIGKILL);
    CHECK_OK(append_once(5000 * MS, 200 * MS, 0, &ns, NULL)); /* dead, without a slot */
    CHECK(ns >= 150 * MS);
    CHECK_EQ(*word, TAPE__MIN64);
}

/* A tape process that died holding it proved with its slot that it is dead: no waiting. */
static void held_by_the_dead_with_slot(bool reaped)
{
    int64_t ns;
    tape_queue_info_t info;
    fresh_queue();
    pid_t child = fork();
    if (child == 0) {
        tape__sync_point_hook = die;
        append_once(0, 0, 0, &ns, NULL);
        _exit(9);
    }
    if (reaped) {
        CHECK_EQ(t_wait(child), 128 + SIGKILL);
    } else { /* a zombie runs no more, but kill(pid, 0) finds it */
        siginfo_t dead;
        CHECK(waitid(P_PID, (id_t)child, &dead, WEXITED | WNOWAIT) == 0);
    }
    CHECK_EQ(*word, child);
    CHECK_OK(append_once(5000 * MS, 3000 * MS, 0, &ns, &info));
    if (ns >= 100 * MS) CHECK_FAILED("the takeover took %" PRId64 " us", ns / 1000);
    CHECK_EQ(info.lock_broken, 1); /* when it was opened */
    CHECK_EQ(info.lock_contended, 0);
    CHECK_EQ(*word, TAPE__MIN64);
    if (!reaped) t_wait(child);
    CHECK_EQ(t_check_queue(directory, T_WHOLE).messages, 1);
}

static void stop(const char *name)
{
    if (strcmp(name, "lock_taken") == 0) raise(SIGSTOP);
}

/* Who waits has found a holder alive, and then it dies: that is seen soon, so that nobody stands
 * still for 50 ms. The best of some tries, since the machine may be busy. */
static void held_by_one_that_dies_while_another_waits(void)
{
    int64_t best = INT64_MAX, ns;
    siginfo_t seen;
    fresh_queue();
    for (int i = 0; i < 8; i++) {
        pid_t holder = fork();
        if (holder == 0) {
            tape__sync_point_hook = stop;
            append_once(0, 0, 0, &ns, NULL);
            _exit(9);
        }
        CHECK(waitid(P_PID, (id_t)holder, &seen, WSTOPPED) == 0);
        pid_t killer = fork();
        if (killer == 0) {
            usleep(8000); /* the holder is judged when the word stood still for 2 ms */
            kill(holder, SIGKILL);
            _exit(0);
        }
        CHECK_OK(append_once(5000 * MS, 3000 * MS, 0, &ns, NULL));
        if (ns - 8 * MS < best) best = ns - 8 * MS;
        CHECK_EQ(t_wait(killer), 0);
        CHECK_EQ(t_wait(holder), 128 + SIGKILL);
    }
    if (best > 30 * MS) CHECK_FAILED("at best after %" PRId64 " us", best / 1000);
}

static pid_t a_dead_pid(void)
{
    pid_t child = fork();
    if (child == 0) _exit(0);
    t_wait(child);
    return child;
}

static void held_by_the_dead_without_slot(void)
{
    int64_t ns;
    fresh_queue();
    *word = (uint64_t)a_dead_pid();
    CHECK_OK(append_once(5000 * MS, 300 * MS, 0, &ns, NULL));
    CHECK(ns >= 250 * MS && ns < 1500 * MS);
    *word = (uint64_t)a_dead_pid() | UINT64_C(7) << 32; /* with a thread id, as old Java wrote it */
    CHECK_OK(append_once(5000 * MS, 300 * MS, 0, &ns, NULL));
    CHECK(ns >= 250 * MS && ns < 1500 * MS);
    *word = (uint64_t)a_dead_pid();
    CHECK_EQ(append_once(400 * MS, 50 * MS, TAPE_NEVER_BREAK, &ns, NULL), TAPE_ELOCKED);
    CHECK(ns >= 400 * MS);
    CHECK(*word != TAPE__MIN64);
    tape_error_facts_t facts;
    tape_error_last(&facts);
    CHECK_EQ(facts.holder_alive, 0);
}

/* An earlier process with our pid left it: the guard says that it is not ours. */
static void own_pid_left_over(void)
{
    int64_t ns;
    fresh_queue();
    *word = (uint64_t)getpid();
    CHECK_OK(append_once(5000 * MS, 200 * MS, 0, &ns, NULL));
    CHECK(ns >= 150 * MS && ns < 1500 * MS);
    CHECK_EQ(*word, TAPE__MIN64);
}

/* Somebody broke our lock while we held it: noticed at the release, and nothing lost. */
static uint64_t *robbed;
static void rob(const char *name)
{
    if (robbed && strcmp(name, "before_release") == 0) {
        CHECK(CLAIM64(write_lock, robbed, (uint64_t)getpid(), TAPE__MIN64));
        robbed = NULL;
    }
}

static void lost(void)
{
    tape_queue_info_t info;
    fresh_queue();
    tape_queue_options_t o = t_options(NULL, NULL);
    t_writer_t w = t_open_writer(directory, &o);
    CHECK_OK(tape_appender_write(w.appender, "one", 3));
    robbed = word;
    tape__sync_point_hook = rob;
    CHECK_OK(tape_appender_write(w.appender, "two", 3));
    tape__sync_point_hook = no_hook;
    CHECK_OK(tape_appender_write(w.appender, "three", 5));
    CHECK_OK(tape_queue_info(w.queue, &info));
    CHECK_EQ(info.lock_lost, 1);
    CHECK_EQ(t_check_queue(directory, T_WHOLE).messages, 3);
    t_close_writer(w);
}

static void append_lock(void)
{
    int64_t ns;
    fresh_queue();
    uint64_t *cell = tape__table_store_cell(&table, "chronicle.append.lock");
    *cell = 12345;
    CHECK_EQ(append_once(0, 0, 0, &ns, NULL), TAPE_EAPPENDLOCK);
    *cell = TAPE__MIN64;
    CHECK_OK(append_once(0, 0, 0, &ns, NULL));
}

int main(void)
{
    free_lock();
    held_by_the_living();
    held_by_the_dead_with_slot(true);
    held_by_the_dead_with_slot(false);
    held_by_one_that_dies_while_another_waits();
    held_by_the_dead_without_slot();
    own_pid_left_over();
    lost();
    append_lock();
    return 0;
}
