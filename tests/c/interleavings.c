/* Description: two appenders and a tailer, each a process, go from sync point to sync point in all
 * orders with at most so many changes to another one that could be put off; also when one of the
 * appenders is killed at any of the points, or is stopped there with its lock broken as JVMs up to
 * 5.23 do it, and goes on later. After each step a reader in this process reads on, the write
 * position has not become less, and where the lock is free the files are whole; in the end a model
 * judges. Some of the appenders do what Java's do (jvm_writer.h). Planted bugs are found.
 *
 * With a number as argument: so many more changes (TAPE_TEST_SCALE=1: one more); with a second,
 * that scene only. */
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "base/atomics.h"
#include "base/sync_point.h"
#include "file/cycle_store.h"
#include "file/table_store.h"
#include "helpers.h"
#include "interleavings.h"
#include "jvm_writer.h"
#include "queue_check.h"
#include "schedules.h"
#include "signed_body.h"
#include "stage.h"

#define DAY INT64_C(86400000)
enum { SENT_MAX = 8, READ_MAX = 64, TRACE = 4096, STRAYED_MAX = 20 };

/* What outlives the processes. */
typedef struct {
    int64_t ms; /* the clock */
    bool robbed;
    bool unmended;                          /* Java let a dead one's lock go as it was */
    bool may_rob[WRITERS];                  /* of Java's: nobody can come to harm by it now */
    int sent[WRITERS];                      /* begun */
    int64_t index[WRITERS][SENT_MAX];       /* what the call gave; UNKNOWN until then; or -1 for a
                                               message that was refused */
    int read_count;                         /* by the tailer */
    int64_t read_index[READ_MAX];
    int64_t schedules, steps, kills, robberies; /* of the scene */
    size_t traced;
    char trace[TRACE];                      /* this schedule's */
} shared_t;
#define UNKNOWN INT64_MAX
static shared_t *shared;

static const char *directory;
static const scene_t *scene;
static int more_changes;

static bool takes_part(int actor) { return scene->plays[actor][0] != 0; }
static bool is_java(int actor) { return scene->plays[actor][0] == 'j'; }

static bool is_beside_java(void)
{
    bool any = false;
    for (int i = 0; i < WRITERS; i++) any |= is_java(i);
    return any;
}

static size_t size_of(int writer) { return t_body_size(is_java(writer)); }

static t_body_t read_body(const tape_excerpt_t *e)
{
    const t_body_t b = t_body_read(e->data, e->size);
    CHECK(b.writer >= 0 && b.writer < WRITERS && e->size == size_of(b.writer));
    return b;
}

/* ---- the actors ---- */

static tape_queue_options_t options(void)
{
    tape_queue_options_t o = t_options(scene->roll_cycle, scene->clock ? &shared->ms : NULL);
    /* A death of ours is proven, not guessed; that of a JVM cannot be (docs/recovery.md). */
    o.stale_after_ns = is_beside_java() ? 1000000 : INT64_C(60000000000);
    o.lock_timeout_ns = -1; /* the machine may be busy */
    return o;
}

static int64_t write_in_place(tape_appender_t *a, const t_body_t *b)
{
    void *room;
    const size_t size = t_body_size(false);
    int64_t rc = tape_appender_reserve(a, size, &room);
    if (rc < 0) return rc;
    t_stage_stand("place_reserved");
    memcpy(room, b, size);
    return tape_appender_publish(a, size);
}

static void write_some(tape_appender_t *a, int self, int count, bool in_place)
{
    const int first = shared->sent[self];
    t_body_t bodies[SENT_MAX];
    tape_span_t spans[SENT_MAX];
    size_t written = 1;
    int64_t rc;
    CHECK(first + count <= SENT_MAX);
    for (int n = 0; n < count; n++) {
        bodies[n] = t_body_of(self, first + n);
        spans[n] = (tape_span_t){&bodies[n], size_of(self)};
    }
    shared->sent[self] += count;
    if (in_place && (rc = write_in_place(a, bodies)) == TAPE_ETAKEN) { /* its room is lost */
        CHECK(shared->robbed);
        shared->index[self][first] = -1;
        return;
    }
    if (in_place) CHECK_OK(rc);
    else if (count == 1) rc = tape_appender_write(a, bodies, size_of(self));
    else rc = tape_appender_write_many(a, spans, (size_t)count, &written);
    CHECK_OK(rc);
    for (int n = 0; n < (int)written; n++) shared->index[self][first + n] = rc + n;
    shared->sent[self] = first + (int)written; /* fewer, when the lock was broken */
}

static bool warm; /* an actor has had its first message, and stops at the steps from now on */
static bool counts_when_warm(const char *point) { return warm && counts(point); }

static void append(int self)
{
    tape_queue_options_t o = options();
    t_writer_t w = t_open_writer(directory, &o);
    for (int n = 0; n < (self == 0 ? scene->before + 1 : 1); n++)
        CHECK_OK(tape_appender_write(w.appender, "warm", 4));
    warm = true;
    t_stage_stand("begin");
    for (const char *p = scene->plays[self]; *p; p++) {
        if (*p == 'd') shared->ms += DAY;
        else write_some(w.appender, self, *p == 'm' ? 3 : 1, *p == 'p');
    }
}

static int java_self;
static t_jvm_t java;

static void stand_as_java(const char *step, bool harmless)
{
    shared->may_rob[java_self] = harmless;
    shared->unmended |= java.unlocked;
    if (warm) t_stage_stand(step);
}

static void append_as_java(int self)
{
    tape_queue_options_t o = options();
    tape_queue_t *q;
    tape_queue_info_t info;
    char name[64];
    o.flags = TAPE_READ_ONLY;
    java_self = self;
    CHECK_OK(tape_queue_open(directory, &o, &q));
    CHECK_OK(tape_queue_info(q, &info));
    CHECK_OK(tape_queue_cycle_name(q, info.highest_cycle, name, sizeof name));
    CHECK_OK(tape_queue_close(q));
    const int shift = tape_roll_cycle_named(scene->roll_cycle)->shift;
    t_jvm_open(&java, directory, t_path(directory, name), info.highest_cycle << shift,
               stand_as_java);
    CHECK_OK(t_jvm_write(&java, "warm", 4));
    warm = true;
    t_stage_stand("begin");
    for (const char *p = scene->plays[self]; *p; p++) {
        const int number = shared->sent[self]++;
        const t_body_t b = t_body_of(self, number);
        const int64_t index = t_jvm_write(&java, &b, size_of(self));
        CHECK(index >= 0 || shared->robbed);
        shared->index[self][number] = index >= 0 ? index : -1;
    }
}

static void note_read(int64_t index)
{
    CHECK(shared->read_count < READ_MAX);
    shared->read_index[shared->read_count++] = index;
}

static void tail(int self)
{
    tape_queue_options_t o = options();
    tape_queue_t *q;
    tape_excerpt_t e;
    o.flags = TAPE_READ_ONLY;
    CHECK_OK(tape_queue_open(directory, &o, &q));
    tape_tailer_t *t = t_open_tailer(q, 1000000);
    warm = true;
    t_stage_stand("begin");
    for (const char *p = scene->plays[self]; *p; p++) {
        int rc = 0;
        int64_t seen = shared->read_count ? shared->read_index[shared->read_count - 1] : -1;
        if (*p == 'e') {
            CHECK_OK(tape_tailer_seek_end(t));
            CHECK(tape_tailer_index(t) > seen);
        }
        while (*p == 'r' && (rc = tape_tailer_next(t, &e)) == 1) note_read(e.index);
        CHECK_OK(rc);
    }
}

/* ---- the stage of one schedule ---- */

static struct {
    tape_queue_t *queue;   /* the reader's in this process */
    tape_tailer_t *tailer;
    tape__table_store_t table;
    uint64_t *lock;
    int64_t seen[READ_MAX];
    int seen_count;
    tape__cycle_store_t store; /* of the cycle that was read last, when it is open */
    uint64_t position;         /* its write position, when that was looked at last */
    int current, changes, kills, robberies;
} now;

static void trace(const char *what, int actor)
{
    const size_t room = TRACE - shared->traced;
    const int n = snprintf(shared->trace + shared->traced, room, " %c:%s", "ABCT"[actor], what);
    if ((size_t)n < room) shared->traced += (size_t)n;
}

/* Whether a message follows that index. */
static void check_follows(int64_t before, int64_t index)
{
    const tape_roll_cycle_t *r = tape_roll_cycle_named(scene->roll_cycle);
    if (index == before + 1) return;
    CHECK(before < 0 || index > before);
    CHECK_EQ(index & ((INT64_C(1) << r->shift) - 1), 0); /* the first of a newer cycle */
}

/* For the reader seconds go by at each look: whatever it tells only after a while, it tells when a
 * writer stands at a step. */
int64_t __real_tape__monotonic_ns(void);
int64_t __wrap_tape__monotonic_ns(void);
static bool reads;
static int64_t leapt;

int64_t __wrap_tape__monotonic_ns(void)
{
    if (reads) leapt += INT64_C(3000000000);
    return __real_tape__monotonic_ns() + (reads ? leapt : 0);
}

static void read_what_is_there(void)
{
    tape_excerpt_t e;
    int rc;
    while ((rc = tape_tailer_next(now.tailer, &e)) == 1) {
        CHECK(now.seen_count < READ_MAX);
        if (now.seen_count > 0) check_follows(now.seen[now.seen_count - 1], e.index);
        now.seen[now.seen_count++] = e.index;
        if (e.size != 4) (void)read_body(&e);
    }
    CHECK_OK(rc);
}

static void read_on(void)
{
    reads = true;
    for (int looks = 0; looks < 2; looks++) read_what_is_there();
    reads = false;
}

/* The write position only grows, whoever goes on: JVMs count on it (pair_write.h). */
static void watch_position(void)
{
    const tape_roll_cycle_t *r = tape_roll_cycle_named(scene->roll_cycle);
    const int64_t cycle = now.seen[now.seen_count - 1] >> r->shift;
    char name[64];
    if (now.position == 0 || now.store.cycle != cycle) {
        if (now.position != 0) tape__cycle_store_close(&now.store);
        CHECK_OK(tape_queue_cycle_name(now.queue, cycle, name, sizeof name));
        CHECK_OK(tape__cycle_store_open(&now.store, t_path(directory, name), cycle, false));
        now.position = 1;
    }
    const uint64_t position = OBSERVE64(write_position, now.store.pair);
    CHECK(position >= now.position);
    now.position = position;
}

static void begin(void)
{
    tape_queue_options_t o = options();
    t_empty(directory);
    const int64_t schedules = shared->schedules, steps = shared->steps, kills = shared->kills;
    *shared = (shared_t){.ms = 1000 * DAY, .schedules = schedules, .steps = steps, .kills = kills,
                         .robberies = shared->robberies};
    for (int w = 0; w < WRITERS; w++)
        for (int n = 0; n < SENT_MAX; n++) shared->index[w][n] = UNKNOWN;
    memset(&now, 0, sizeof now);
    now.current = -1;
    for (int i = 0; i < ACTORS; i++)
        if (takes_part(i))
            t_stage_enter(i, i == TAILER ? tail : is_java(i) ? append_as_java : append);
    o.flags = TAPE_READ_ONLY;
    CHECK_OK(tape_queue_open(directory, &o, &now.queue));
    now.tailer = t_open_tailer(now.queue, 1000000);
    CHECK_OK(tape__table_store_open(&now.table, directory, true));
    now.lock = tape__table_store_cell(&now.table, TAPE__KEY_WRITE_LOCK);
    CHECK(now.lock != NULL);
    read_on();
    watch_position();
}

static void end(void)
{
    CHECK_OK(tape_tailer_close(now.tailer));
    CHECK_OK(tape_queue_close(now.queue));
    tape__table_store_close(&now.table);
    tape__cycle_store_close(&now.store);
}

/* ---- steps ---- */

typedef enum { GO, KILL, ROB } what_t;
typedef struct {
    what_t what;
    int actor;
} way_t;
enum { WAYS_MAX = 3 * ACTORS };

static uint64_t lock_word(void) { return OBSERVE64(write_lock, now.lock); }

static int holder(void)
{
    for (int i = 0; i < WRITERS; i++)
        if (takes_part(i) && lock_word() == (uint64_t)t_stage_pid(i)) return i;
    return -1;
}

/* Where a broken lock harms nobody. Beside Java that is not where we have reserved and not yet
 * published: it stores 0 over the word and uses the room, and no writer can prevent it (8.5). */
static bool may_be_robbed(int actor)
{
    static const char *const reserved[] = {"header_reserved", "body_written", "page_reserved",
                                           "room_reserved", "room_cleaned", "reservation_resized"};
    if (is_java(actor)) return shared->may_rob[actor];
    for (size_t i = 0; i < sizeof reserved / sizeof *reserved && is_beside_java(); i++)
        if (strcmp(reserved[i], t_stage_point(actor)) == 0) return false;
    return true;
}

/* Who waits for the lock goes nowhere before its holder has. */
static bool can_go(int actor)
{
    if (!takes_part(actor) || t_stage_state(actor) != T_STANDS) return false;
    if (strcmp(t_stage_point(actor), "lock_awaited") != 0) return true;
    return lock_word() == TAPE__LOCK_FREE || t_stage_state(holder()) == T_DEAD;
}

static int ways(way_t *out)
{
    int n = 0;
    const bool goes_on = now.current >= 0 && can_go(now.current);
    if (goes_on) out[n++] = (way_t){GO, now.current};
    for (int i = 0; i < ACTORS; i++) {
        if (i == now.current || !can_go(i)) continue;
        if (!goes_on || now.changes < scene->changes + more_changes) out[n++] = (way_t){GO, i};
    }
    for (int i = 0; i < WRITERS && scene->kill && now.kills == 0; i++)
        if (t_stage_state(i) == T_STANDS) out[n++] = (way_t){KILL, i};
    if (scene->rob && now.robberies == 0 && holder() >= 0 && may_be_robbed(holder()))
        out[n++] = (way_t){ROB, holder()};
    return n;
}

/* Looking again and again at a dead one's lock is one step: until it is taken over. */
static void let_go_on(int actor)
{
    do {
        t_stage_go(actor);
    } while (t_stage_state(actor) == T_STANDS && can_go(actor) &&
             strcmp(t_stage_point(actor), "lock_awaited") == 0);
    trace(t_stage_state(actor) == T_OVER ? "over" : t_stage_point(actor), actor);
}

static void take(way_t way)
{
    switch (way.what) {
    case GO:
        now.changes += now.current >= 0 && now.current != way.actor && can_go(now.current);
        now.current = way.actor;
        let_go_on(way.actor);
        break;
    case KILL:
        now.kills++;
        shared->kills++;
        trace("KILLED", way.actor);
        t_stage_kill(way.actor);
        break;
    case ROB:
        now.robberies++;
        shared->robbed = true;
        shared->robberies++;
        trace("ROBBED", way.actor);
        CHECK(CLAIM64(write_lock, now.lock, lock_word(), TAPE__LOCK_FREE));
    }
    shared->steps++;
    read_on();
    watch_position();
    if (now.robberies == 0 && !shared->unmended && lock_word() == TAPE__LOCK_FREE)
        t_check_queue(directory, T_WHOLE);
}

/* ---- the model ---- */

/* All messages, read from the start: each of the writers' at most once and in its order; each that
 * was acknowledged where it was said to be; and all that others read before, in front. */
static int read_all(tape_queue_t *q, bool with_mine)
{
    tape_tailer_t *t = t_open_tailer(q, 1000000);
    tape_excerpt_t e;
    int64_t before = -1;
    int count = 0, read = 0, next[WRITERS] = {0}, mine = 0, rc;
    while ((rc = tape_tailer_next(t, &e)) == 1) {
        check_follows(before, e.index);
        before = e.index;
        if (count < now.seen_count) CHECK_EQ(now.seen[count], e.index);
        if (read < shared->read_count) CHECK_EQ(shared->read_index[read++], e.index);
        count++;
        if (e.size == 4) {
            mine += memcmp(e.data, "mine", 4) == 0;
            continue;
        }
        const t_body_t b = read_body(&e);
        CHECK_EQ(mine, 0);
        CHECK(b.number < shared->sent[b.writer]);
        CHECK_EQ(b.number, next[b.writer]++);
        const int64_t told = shared->index[b.writer][b.number];
        if (told != UNKNOWN) CHECK_EQ(told, e.index);
    }
    CHECK_OK(rc);
    for (int w = 0; w < WRITERS; w++)
        for (int n = next[w]; n < shared->sent[w]; n++)
            CHECK(shared->index[w][n] == UNKNOWN || shared->index[w][n] == -1);
    CHECK(count >= now.seen_count && read == shared->read_count);
    CHECK_EQ(mine, with_mine ? 2 : 0);
    CHECK_OK(tape_tailer_close(t));
    return count;
}

static void judge(void)
{
    for (int i = 0; i < ACTORS; i++)
        if (takes_part(i)) CHECK(t_stage_state(i) == T_OVER || t_stage_state(i) == T_DEAD);
    tape_queue_options_t o = options();
    const int count = read_all(now.queue, false);
    t_writer_t w = t_open_writer(directory, &o);
    for (int n = 0; n < 2; n++) CHECK_OK(tape_appender_write(w.appender, "mine", 4));
    CHECK_EQ(read_all(w.queue, true), count + 2);
    const int flags = shared->unmended ? T_MAY_LACK_ENTRY : T_WHOLE;
    CHECK_EQ(t_check_queue(directory, flags).messages, count + 2);
    t_close_writer(w);
}

static void end_all(void)
{
    for (int i = 0; i < ACTORS; i++)
        if (t_stage_state(i) == T_STANDS) t_stage_kill(i);
}

/* False when it strayed: a system clock went on between two looks at it, on a busy machine. */
static bool run(t_schedule_t *schedule)
{
    way_t some[WAYS_MAX];
    int n, choice = 0;
    begin();
    while ((n = ways(some)) > 0 && (choice = t_schedule_choose(schedule, n)) >= 0)
        take(some[choice]);
    if (choice < 0) end_all();
    else judge();
    end();
    shared->schedules += choice >= 0;
    return choice >= 0;
}

static void explore(void)
{
    static t_schedule_t schedule;
    int strayed = 0;
    t_stage_set_up(counts_when_warm);
    do {
        do {
            CHECK(strayed < STRAYED_MAX);
            t_schedule_begin(&schedule);
        } while (!run(&schedule) && ++strayed);
    } while (t_schedule_next(&schedule));
}

/* All schedules of the scene, in a process of its own. Whether all went well. */
static bool play(const scene_t *s, tape__bug_t bug)
{
    scene = s;
    memset(shared, 0, sizeof *shared);
    fflush(NULL);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        tape__sync_point_bug = bug;
        if (bug != TAPE__SOUND) CHECK(freopen("/dev/null", "w", stderr) != NULL);
        explore();
        _exit(0);
    }
    return t_wait(child) == 0;
}

static void play_soundly(const scene_t *s)
{
    const int64_t start = t_now_ns();
    const bool good = play(s, TAPE__SOUND);
    printf("%s (%s %s %s %s; %d changes): %" PRId64 " schedules, %" PRId64 " steps, %" PRId64
           " kills, %" PRId64 " robberies; %.1f s\n", s->name, s->plays[0], s->plays[1],
           s->plays[2], s->plays[TAILER], s->changes + more_changes, shared->schedules,
           shared->steps, shared->kills, shared->robberies, (double)(t_now_ns() - start) / 1e9);
    fflush(stdout);
    if (!good) CHECK_FAILED("%s, schedule %" PRId64 ":%s", s->name, shared->schedules,
                            shared->trace);
}

static void find_planted(tape__bug_t bug, const char *what, const char *in)
{
    for (size_t i = 0; i < sizeof scenes / sizeof *scenes; i++) {
        if (strcmp(scenes[i].name, in) != 0) continue;
        if (play(&scenes[i], bug)) CHECK_FAILED("%s is not found by: %s", what, in);
        printf("planted, %s: found by schedule %" PRId64 " of: %s\n", what, shared->schedules + 1,
               in);
    }
}

int main(int argc, char **argv)
{
    if (access("/dev/shm", W_OK) == 0) setenv("TMPDIR", "/dev/shm", 0);
    more_changes = argc > 1 ? atoi(argv[1]) : t_full_scale() ? 1 : FEWER;
    directory = t_directory();
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(shared != MAP_FAILED);
    for (size_t i = 0; i < sizeof scenes / sizeof *scenes; i++)
        if (scenes[i].changes + more_changes >= 0 &&
            (argc < 3 || strcmp(argv[2], scenes[i].name) == 0))
            play_soundly(&scenes[i]);
    if (argc > 2) return 0;
    find_planted(TAPE__BUG_PUBLISHES_EARLY, "publishing before the copy", "both go on");
    find_planted(TAPE__BUG_LETS_GO_EARLY, "unlocking before the write position", "both go on");
    find_planted(TAPE__BUG_CLEARS_RESERVATIONS, "clearing a reservation", "one is robbed");
    if (FEWER == 0) /* it takes one change more than a sanitizer has time for */
        find_planted(TAPE__BUG_LINKS_LATE, "linking a file late", "two days, one is robbed");
    return 0;
}
