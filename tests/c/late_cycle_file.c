/* Description: a writer stands still while it makes the file of a cycle, its lock is broken as JVMs
 * up to 5.23 do it, or taken over; others go on; then it links its file. Its message is there once,
 * where the call says, and readers that are further on have it, too: a file that came late, older
 * than one that has messages, does not stay. */
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "base/atomics.h"
#include "file/table_store.h"
#include "helpers.h"
#include "queue_check.h"

#define DAY INT64_C(86400000)
#define MS INT64_C(1000000)
extern void (*tape__sync_point_hook)(const char *name);

typedef struct {
    int64_t ms, index; /* the clock; what the victim's call gave */
    int64_t facts_index;
    size_t written;
    int linked; /* files, by the victim, of day 101 on */
} shared_t;
static shared_t *shared;
static const char *directory, *stop_at;
static uint64_t *lock;
static tape__table_store_t table;

static int64_t index_of(int64_t cycle, int64_t n)
{
    return (cycle << tape_roll_cycle_named("TEST4_DAILY")->shift) + n;
}

static tape_queue_options_t options(void)
{
    tape_queue_options_t o = t_options("TEST4_DAILY", &shared->ms);
    o.stale_after_ns = 20 * MS;
    o.lock_timeout_ns = 1000 * MS;
    return o;
}

static void stop(const char *name)
{
    shared->linked += strcmp(name, "cycle_file_linked") == 0;
    if (strcmp(name, stop_at) == 0) raise(SIGSTOP);
}

typedef enum { ONE, THREE, DURABLE, IN_PLACE, THE_LAST } how_t;

static void be_the_victim(how_t how)
{
    const tape_span_t spans[] = {{"victim", 6}, {"victim", 6}, {"victim", 6}};
    tape_queue_options_t o = options();
    if (how == DURABLE) o.durability = TAPE_DURABILITY_EACH;
    t_writer_t w = t_open_writer(directory, &o);
    CHECK_OK(tape_appender_write(w.appender, "first", 5)); /* day 100 */
    shared->ms += DAY;
    tape__sync_point_hook = stop;
    shared->written = 1;
    if (how == THREE)
        shared->index = tape_appender_write_many(w.appender, spans, 3, &shared->written);
    else if (how == IN_PLACE) shared->index = t_write_in_place(w.appender, "victim", 6);
    else shared->index = tape_appender_write(w.appender, "victim", 6);
    tape__sync_point_hook = NULL;
    tape_error_facts_t facts;
    tape_error_last(&facts);
    shared->facts_index = facts.index;
    for (size_t n = shared->written; n < 3 && how == THREE; n++) /* as a caller does */
        CHECK_OK(tape_appender_write(w.appender, "victim", 6));
    if (shared->index >= 0 && how != THE_LAST)
        CHECK_OK(tape_appender_write(w.appender, "later", 5));
    t_close_writer(w);
    _exit(0);
}

static pid_t start_the_victim(how_t how, const char *point)
{
    int status;
    stop_at = point;
    pid_t child = fork();
    if (child == 0) be_the_victim(how);
    CHECK_EQ(waitpid(child, &status, WUNTRACED), child);
    CHECK(WIFSTOPPED(status));
    CHECK_EQ(*lock, child);
    return child;
}

/* ---- the stage ---- */

static t_writer_t other;
static tape_tailer_t *live; /* reads all that is there before the victim goes on */
static int live_read, live_victims;

static void set_up(void)
{
    tape_queue_options_t o;
    *shared = (shared_t){.ms = 100 * DAY};
    o = options();
    directory = t_directory();
    other = t_open_writer(directory, &o);
    CHECK_OK(tape_appender_write(other.appender, "other", 5)); /* it has no more to tidy up */
    CHECK_OK(tape_tailer_open(other.queue, NULL, &live));
    CHECK_OK(tape__table_store_open(&table, directory, true));
    lock = tape__table_store_cell(&table, TAPE__KEY_WRITE_LOCK);
    CHECK(lock != NULL);
    live_read = live_victims = 0;
}

static void read_on(void)
{
    tape_excerpt_t e;
    int rc;
    while ((rc = tape_tailer_next(live, &e)) == 1) {
        live_read++;
        live_victims += e.size == 6 && memcmp(e.data, "victim", 6) == 0;
    }
    CHECK_OK(rc);
}

static void let_go_on(pid_t victim)
{
    CHECK_EQ(kill(victim, SIGCONT), 0);
    CHECK_EQ(t_wait(victim), 0);
}

/* `victims` messages of the victim, the first at its index, for who reads from the start and for
 * who read all the time. */
static void judge(int victims, int all)
{
    tape_tailer_t *t;
    tape_excerpt_t e;
    int found = 0, count = 0;
    read_on();
    CHECK_OK(tape_tailer_open(other.queue, NULL, &t));
    while (tape_tailer_next(t, &e) == 1) {
        count++;
        if (e.size != 6 || memcmp(e.data, "victim", 6) != 0) continue;
        if (found++ == 0) CHECK_EQ(e.index, shared->index);
    }
    CHECK_EQ(found, victims);
    CHECK_EQ(count, all);
    CHECK_EQ(live_victims, victims);
    CHECK_EQ(live_read, all);
    CHECK_OK(tape_tailer_close(t));
    CHECK_EQ(t_check_queue(directory, T_WHOLE).messages, all);
}

static void put_away(void)
{
    CHECK_OK(tape_tailer_close(live));
    tape__table_store_close(&table);
    t_close_writer(other);
}

static void break_the_lock(void) { *lock = TAPE__LOCK_FREE; }

static pid_t a_dead_pid(void)
{
    pid_t child = fork();
    if (child == 0) _exit(0);
    t_wait(child);
    return child;
}

static int64_t write_other(void) { return tape_appender_write(other.appender, "other", 5); }

/* ---- the scenes ---- */

/* The others are in the next day already: the message goes there. */
static void comes_late(how_t how)
{
    const int victims = how == THREE ? 3 : 1;
    set_up();
    pid_t victim = start_the_victim(how, "cycle_file_due");
    break_the_lock();
    shared->ms += DAY;
    CHECK_EQ(write_other(), index_of(102, 0));
    read_on();
    let_go_on(victim);
    CHECK_EQ(shared->index, index_of(102, 1));
    CHECK_EQ(shared->written, victims);
    judge(victims, 4 + victims);
    CHECK_EQ(t_check_queue(directory, T_WHOLE).cycles, 2);
    CHECK_EQ(shared->linked, 1);
    put_away();
}

/* Who takes over removes the file under its temporary name, although it was opened long ago. */
static void taken_over(void)
{
    set_up();
    pid_t victim = start_the_victim(ONE, "cycle_file_due");
    *lock = (uint64_t)a_dead_pid();
    shared->ms += DAY;
    CHECK_EQ(write_other(), index_of(102, 0));
    read_on();
    let_go_on(victim);
    CHECK_EQ(shared->index, index_of(102, 1));
    judge(1, 5);
    CHECK_EQ(shared->linked, 0);
    put_away();
}

/* It was linked in time, and ended by who went on; or written to. */
static void came_in_time(how_t how, bool written_to)
{
    const int victims = how == THREE ? 3 : 1;
    set_up();
    pid_t victim = start_the_victim(how, "cycle_file_named");
    break_the_lock();
    if (written_to) CHECK_EQ(write_other(), index_of(101, 1));
    shared->ms += DAY;
    CHECK_EQ(write_other(), index_of(102, 0));
    read_on();
    let_go_on(victim);
    CHECK_EQ(shared->index, index_of(101, 0));
    judge(victims, 4 + victims + written_to);
    put_away();
}

/* Robbed before link(), while nobody is further on: the others write behind it. */
static void still_the_newest(bool written_to, how_t how)
{
    set_up();
    pid_t victim = start_the_victim(how, "cycle_file_due");
    break_the_lock();
    if (written_to) CHECK_EQ(write_other(), index_of(101, 0)); /* its file is the one */
    let_go_on(victim);
    if (how == DURABLE && !written_to) CHECK_EQ(shared->index, TAPE_ESYNC);
    else CHECK_EQ(shared->index, index_of(101, written_to));
    if (how == DURABLE) shared->index = shared->facts_index;
    judge(1, 2 + 1 + 1 + written_to - (how == DURABLE));
    put_away();
}

/* Makes the file of day 101, and begins that of day 103. */
static pid_t start_a_quick_one(void)
{
    int status;
    stop_at = "cycle_file_built";
    pid_t quick = fork();
    if (quick == 0) {
        tape_queue_options_t o = options();
        t_writer_t w = t_open_writer(directory, &o);
        shared->ms += DAY;
        CHECK_EQ(tape_appender_write(w.appender, "other", 5), index_of(101, 0));
        raise(SIGSTOP);
        tape__sync_point_hook = stop;
        CHECK_EQ(tape_appender_write(w.appender, "other", 5), index_of(103, 0));
        t_close_writer(w);
        _exit(0);
    }
    CHECK(waitpid(quick, &status, WUNTRACED) == quick && WIFSTOPPED(status));
    return quick;
}

static void await_file(int64_t cycle)
{
    char name[64];
    CHECK_OK(tape_queue_cycle_name(other.queue, cycle, name, sizeof name));
    while (access(t_path(directory, name), F_OK) != 0) usleep(1000);
    usleep(20000); /* its maker waits for the lock by now */
}

/* Linked while one who went on has ended all older files, and has not yet linked his own: every
 * reader comes by, so it stays, and is ended by its maker, whom the other could not know of. */
static void between_the_ending_and_the_link(void)
{
    int status;
    set_up();
    pid_t quick = start_a_quick_one();
    pid_t victim = start_the_victim(THE_LAST, "cycle_file_due");
    break_the_lock();
    shared->ms += DAY;
    CHECK_EQ(kill(quick, SIGCONT), 0);
    CHECK(waitpid(quick, &status, WUNTRACED) == quick && WIFSTOPPED(status));
    CHECK_EQ(kill(victim, SIGCONT), 0);
    await_file(102);
    read_on();
    CHECK_EQ(live_victims, 1);
    let_go_on(quick);
    CHECK_EQ(t_wait(victim), 0);
    CHECK_EQ(shared->index, index_of(102, 0));
    judge(1, 5);
    put_away();
}

/* The lock is not to be had any more: the failure tells the index that the message may have. */
static void nobody_lets_it_judge(void)
{
    set_up();
    pid_t victim = start_the_victim(ONE, "cycle_file_due");
    const pid_t holder = (break_the_lock(), t_lock_holder(directory));
    let_go_on(victim);
    CHECK_EQ(shared->index, TAPE_ELOCKED);
    CHECK_EQ(shared->facts_index, index_of(101, 0));
    shared->index = shared->facts_index;
    CHECK_EQ(kill(holder, SIGKILL), 0);
    t_wait(holder);
    shared->ms += DAY;
    CHECK_EQ(write_other(), index_of(102, 0)); /* and ends it */
    judge(1, 4);
    put_away();
}

int main(void)
{
    shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(shared != MAP_FAILED);
    for (how_t how = ONE; how <= IN_PLACE; how++) comes_late(how);
    taken_over();
    for (int n = 0; n < 4; n++) came_in_time(n & 1 ? THREE : ONE, n & 2);
    still_the_newest(false, ONE);
    still_the_newest(true, ONE);
    still_the_newest(false, DURABLE);
    between_the_ending_and_the_link();
    nobody_lets_it_judge();
    return 0;
}
