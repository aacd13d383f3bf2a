/* Description: a writer is stopped at each instruction of an append, or of a roll; its lock is
 * broken, as a JVM does with a living holder, or the writer is killed there; another one appends;
 * then the first goes on. Nothing acknowledged is lost, changed or hidden, whoever acknowledged it,
 * and the files are whole.
 *
 * With an argument: the step from one instruction to the next (1: all; an append takes minutes, the
 * roll an hour), and the one scene that is played. */
#include <signal.h>
#include <sys/mman.h>

#include "file/table_store.h"
#include "format/header_word.h"
#include "helpers.h"
#include "queue_check.h"
#include "scenes.h"
#include "steps.h"

#define DAY INT64_C(86400000)
enum { SIZE = 301, OTHERS = 3, AFTER = 2, CALLS_MAX = 4096 };

typedef enum { ROBBED, ROBBED_BY_A_NEW_ONE, KILLED, WAYS } way_t;
static const char *const way_names[] = {"robbed", "robbed by one that opens the queue", "killed"};

/* What the writer finds. */
typedef struct {
    const char *name, *roll_cycle;
    int before;     /* messages */
    bool dirt;      /* a JVM died in mid-message */
    bool reserved;  /* one of ours did */
    bool rolls;     /* the day is over */
    int every;      /* instructions, when the program is run without argument */
} scene_t;
static const scene_t scenes[] = {
    {"append", "FAST_DAILY", 1, false, false, false, 61},
    {"index entry", "TEST_DAILY", 3, false, false, false, 83},
    {"index page", "TEST_DAILY", 8, false, false, false, 97},
    {"unclean room", "FAST_DAILY", 1, true, false, false, 211},
    {"a dead reservation", "TEST_DAILY", 3, false, true, false, 499},
    {"roll", "TEST4_DAILY", 2, false, false, true, 499},
};

typedef struct {
    int64_t ms, index; /* the clock; what the stopped writer's append returned */
    bool returned;
} shared_t;
static shared_t *shared;
static const char *directory;
static int64_t bad, ends, acknowledged, in_lock;

/* ---- the writer that is stopped ---- */

static void body_of(int n, char *body)
{
    memset(body, 'a' + n % 26, SIZE);
    memcpy(body, &n, sizeof n);
}

static int64_t append(tape_appender_t *a, int n)
{
    char body[SIZE];
    body_of(n, body);
    int64_t rc = tape_appender_write(a, body, n == 0 ? SIZE : 20 + (size_t)n);
    if (rc < 0) {
        char trail[1100];
        tape_error_trail(trail, sizeof trail);
        fprintf(stderr, "message %d: %s: %s\n", n, tape_code_name((int)rc), trail);
    }
    return rc;
}

static void victim(const tape_queue_options_t *o, const scene_t *scene)
{
    t_writer_t w = t_open_writer(directory, o);
    CHECK_OK(append(w.appender, 1)); /* warm */
    if (scene->dirt) t_leave_behind(w.queue, directory, 0, 600);
    if (scene->reserved) t_leave_behind(w.queue, directory, TAPE__NOT_COMPLETE | 77, 100);
    if (scene->rolls) shared->ms += DAY;
    t_steps_begin();
    shared->index = append(w.appender, 0);
    shared->returned = true;
    _exit(0);
}

/* How many of the victim's instructions come before each of its system calls, and how many there
 * are: so one comes to a late one by its calls, and quickly. */
static int64_t calls[CALLS_MAX], instructions;
static int call_count;

static void find_calls(pid_t child)
{
    t_steps_await(child);
    call_count = 0;
    for (instructions = 0; !shared->returned; instructions++) {
        if (t_steps_is_call(child) && call_count < CALLS_MAX) calls[call_count++] = instructions;
        CHECK(t_steps_next(child));
    }
    if (call_count == CALLS_MAX || call_count == instructions) call_count = 0; /* not to be told */
}

/* Steps the child; false when its append returned before that many instructions. */
static bool step(pid_t child, int64_t count)
{
    int passed = 0;
    t_steps_await(child);
    while (passed < call_count && calls[passed] < count) passed++;
    for (int n = 0; n < 2 * passed && !shared->returned; n++)
        if (!t_steps_next_call(child)) return false;
    for (int64_t i = passed ? calls[passed - 1] + 1 : 0; i < count && !shared->returned; i++)
        if (!t_steps_next(child)) return false;
    return !shared->returned;
}

/* ---- the scene ---- */

static uint64_t *lock_word(tape__table_store_t *table)
{
    CHECK_OK(tape__table_store_open(table, directory, true));
    uint64_t *word = tape__table_store_cell(table, "chronicle.write.lock");
    CHECK(word != NULL);
    return word;
}

static void set_up(const scene_t *scene, const tape_queue_options_t *o, t_writer_t *other)
{
    t_empty(directory);
    *shared = (shared_t){.ms = 100 * DAY};
    *other = t_open_writer(directory, o);
    for (int n = 0; n < scene->before; n++) CHECK_OK(append(other->appender, 100 + n));
}

/* ---- judging ---- */

static bool is_there(tape_tailer_t *t, int64_t index, int n)
{
    char body[SIZE];
    tape_excerpt_t e;
    body_of(n, body);
    size_t size = n == 0 ? SIZE : 20 + (size_t)n;
    return tape_tailer_seek(t, index) == 1 && tape_tailer_next(t, &e) == 1 &&
           e.index == index && e.size == size && memcmp(e.data, body, size) == 0;
}

/* How many messages of the stopped writer there are, reading from the start. */
static int count_of(tape_tailer_t *t, int64_t *all)
{
    tape_excerpt_t e;
    int found = 0, number, rc;
    CHECK_OK(tape_tailer_seek_start(t));
    for (*all = 0; (rc = tape_tailer_next(t, &e)) == 1; ++*all) {
        memcpy(&number, e.data, sizeof number);
        found += number == 0;
    }
    return rc == 0 ? found : -1;
}

static void judge(const scene_t *scene, way_t way, int64_t at, tape_queue_t *q,
                  const int64_t *index, int written)
{
    tape_tailer_t *t;
    int64_t all;
    const char *what = NULL;
    bool killed = way == KILLED, told = shared->returned && shared->index >= 0;
    CHECK_OK(tape_tailer_open(q, NULL, &t));
    for (int n = 0; n < written; n++)
        if (index[n] < 0) what = "an append of the other failed";
        else if (!is_there(t, index[n], 10 + n)) what = "a message of the other is gone";
    if (told && !is_there(t, shared->index, 0)) what = "the message of the stopped one is gone";
    if (!killed && !told) what = "the stopped one failed";
    int times = count_of(t, &all);
    if (killed ? times > 1 : times != told) what = "the message of the stopped one is not once";
    tape_tailer_close(t);
    if (what) {
        fprintf(stderr, "%s, %s at instruction %" PRId64 ": %s (%" PRId64 ")\n", scene->name,
                way_names[way], at, what, shared->index);
        bad++;
    } else {
        t_check_queue(directory, T_WHOLE);
    }
    acknowledged += told;
}

/* The victim by itself, from beginning to end. */
static void undisturbed(const scene_t *scene)
{
    tape_queue_options_t o = t_options(scene->roll_cycle, &shared->ms);
    t_writer_t other;
    set_up(scene, &o, &other);
    pid_t child = fork();
    if (child == 0) victim(&o, scene);
    find_calls(child);
    t_steps_let_go(child);
    CHECK_EQ(t_wait(child), 0);
    t_close_writer(other);
}

/* One stop. False when there are no more instructions. */
static bool one(const scene_t *scene, way_t way, int64_t at)
{
    tape_queue_options_t o = t_options(scene->roll_cycle, &shared->ms);
    t_writer_t other;
    int64_t index[OTHERS + AFTER];
    tape__table_store_t table;
    set_up(scene, &o, &other);
    pid_t child = fork();
    if (child == 0) {
        victim(&o, scene);
    }
    bool stopped = step(child, at);
    uint64_t *word = lock_word(&table);
    bool held = stopped && *word == (uint64_t)child;
    in_lock += held;
    if (stopped && way == KILLED) CHECK_EQ(kill(child, SIGKILL), 0);
    else if (held) *word = TAPE__MIN64;
    if (way == KILLED && stopped) t_wait(child);
    if (way == ROBBED_BY_A_NEW_ONE) {
        t_close_writer(other);
        other = t_open_writer(directory, &o);
    }
    for (int n = 0; n < OTHERS; n++) index[n] = append(other.appender, 10 + n);
    if (way != KILLED || !stopped) {
        t_steps_let_go(child);
        CHECK_EQ(t_wait(child), 0);
    }
    for (int n = OTHERS; n < OTHERS + AFTER; n++) index[n] = append(other.appender, 10 + n);
    judge(scene, way, at, other.queue, index, OTHERS + AFTER);
    tape__table_store_close(&table);
    t_close_writer(other);
    ends++;
    return stopped;
}

int main(int argc, char **argv)
{
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
    if (argc < 2) return 77; /* a sanitizer has too many steps of its own, which tell nothing */
#endif
    int every = argc > 1 ? atoi(argv[1]) : 0;
    directory = t_directory();
    shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(shared != MAP_FAILED);
    for (size_t i = 0; i < sizeof scenes / sizeof *scenes; i++) {
        if (argc > 2 && strcmp(argv[2], scenes[i].name) != 0) continue;
        undisturbed(&scenes[i]);
        for (way_t way = ROBBED; way < WAYS; way++) {
            int64_t at = 0;
            bad = ends = acknowledged = in_lock = 0;
            /* Some lives are a little shorter. */
            while (one(&scenes[i], way, at) || at < instructions)
                at += every > 0 ? every : scenes[i].every;
            printf("%s, %s: %" PRId64 " stops up to instruction %" PRId64 " between %d calls, %"
                   PRId64 " of them with the lock held; %" PRId64 " acknowledged; %" PRId64
                   " bad ends\n", scenes[i].name, way_names[way], ends, at, call_count, in_lock,
                   acknowledged, bad);
            fflush(stdout);
            CHECK_EQ(bad, 0);
            CHECK(in_lock > 0);
        }
    }
    return 0;
}
