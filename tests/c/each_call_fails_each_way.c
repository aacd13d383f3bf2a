/* Description: a table of calls; below each of them every system call fails, at each place, once
 * and for ever, with each errno. The code fits the errno and the facts name it, or the call does as
 * if nothing was; when the system works again the same handle does too, no message is passed over,
 * and what was acknowledged is there once. Prints the faults given by call and by errno. */
#include <errno.h>
#include <signal.h>

#include "base/platform.h"
#include "helpers.h"
#include "queue_check.h"

extern void (*tape__sync_point_hook)(const char *name);

enum { CYCLES = 3, EACH = 40, ALL = CYCLES * EACH, PLACES_MAX = 400 };
#define DAY INT64_C(86400000)

static const int errnos[] = {ENOSPC, EDQUOT, EFBIG,  EIO,   EMFILE,
                             ENFILE, EACCES, EROFS, ENOMEM, EINTR};
enum { ERRNOS = sizeof errnos / sizeof *errnos };

static int64_t ms = 100 * DAY, acknowledged, given[ERRNOS];
static const char *directory, *name;
static int op, place, system_errno, hits;
static bool forever, with_fault;
static t_writer_t w;

static void begin(void)
{
    if (with_fault) tape__fault_arm((tape__op_t)op, place, system_errno, forever);
}

static void end(void)
{
    if (with_fault) hits += tape__fault_hits();
    tape__fault_arm(TAPE__OP_OPEN, 0, 0, false);
}

static int64_t kept; /* of the call that was tried */
#define TRY(call) (begin(), kept = (call), end(), kept)

#define FAILED(...)                                                                                \
    do {                                                                                           \
        char trail_[1100];                                                                         \
        tape_error_trail(trail_, sizeof trail_);                                                   \
        fprintf(stderr, "%s, operation %d, place %d, errno %d%s (%s): ", name, op, place,          \
                system_errno, forever ? " for ever" : "", trail_);                                 \
        CHECK_FAILED(__VA_ARGS__);                                                                 \
    } while (0)

static bool fits(int64_t code)
{
    tape_error_facts_t facts;
    tape_error_last(&facts);
    if (op == TAPE__OP_MALLOC) return code == TAPE_ENOMEM;
    if (code == TAPE_ESYNC) return op == TAPE__OP_SYNC && facts.system_errno == system_errno;
    /* What a writer then needs it does not get: no page of a full disk can be brought in. */
    if (code == TAPE_ENOSPC && (op == TAPE__OP_POPULATE || op == TAPE__OP_ALLOCATE)) return true;
    if (facts.system_errno != system_errno) return false;
    switch (system_errno) {
    case ENOSPC:
    case EFBIG:
    case EDQUOT: return code == TAPE_ENOSPC;
    case ENOMEM: return code == TAPE_ENOMEM;
    case EACCES: return code == TAPE_EACCES || code == TAPE_EREADONLY;
    case EROFS: return code == TAPE_EREADONLY;
    default: return code == TAPE_EIO;
    }
}

/* ---- the calls ---- */

static int64_t open_queue(uint32_t flags, const char *path)
{
    tape_queue_options_t o = t_options("SMALL_DAILY", &ms);
    tape_queue_t *q;
    o.flags = flags;
    int64_t rc = TRY(tape_queue_open(path, &o, &q));
    if (rc == TAPE_OK) CHECK_OK(tape_queue_close(q));
    else CHECK(q == NULL);
    return rc;
}

static int64_t opening(void) { return open_queue(0, directory); }
static int64_t opening_to_read(void) { return open_queue(TAPE_READ_ONLY, directory); }
static int64_t making_a_queue(void)
{
    const char *path = t_path(directory, "new");
    int64_t rc = open_queue(0, path);
    if (rc == TAPE_OK) t_empty(path);
    rmdir(path);
    return rc;
}

static tape_tailer_t *tailer(const char *id)
{
    tape_tailer_t *t;
    tape_tailer_options_t o = {
        .struct_size = sizeof o, .id = id, .flags = TAPE_TAILER_TELL_GAPS};
    CHECK_OK(tape_tailer_open(w.queue, &o, &t));
    return t;
}

static int64_t naming(const char *id)
{
    tape_tailer_t *t;
    tape_tailer_options_t o = {.struct_size = sizeof o, .id = id};
    int64_t rc = TRY(tape_tailer_open(w.queue, &o, &t));
    if (rc == TAPE_OK) CHECK_OK(tape_tailer_close(t));
    return rc;
}

static int64_t naming_a_tailer(void) { return naming("known"); }
static int64_t naming_a_new_tailer(void)
{
    static int n;
    char id[32];
    snprintf(id, sizeof id, "n%d", n++ % 200);
    return naming(id);
}

/* The sum of what is read, in two halves: with faults up to the first error, and on from there. */
typedef enum { ONE, SPANS, COPIES, UNREAD } how_t;

static int64_t read_some(tape_tailer_t *t, how_t how)
{
    static uint8_t buffer[1 << 20];
    static int64_t ends[7], indexes[7];
    static uint32_t framings[7];
    const tape_batch_t batch = {buffer, sizeof buffer, ends, indexes, framings, 7};
    tape_excerpt_t e;
    tape_span_t spans[7];
    tape_run_t run;
    if (how == ONE) return tape_tailer_next(t, &e);
    if (how == SPANS) return tape_tailer_next_spans(t, spans, 7, &run);
    const int64_t n = tape_tailer_next_many(t, &batch);
    if (how == COPIES || n < 2) return n;
    const int rc = tape_tailer_unread_many(t, (size_t)n / 2);
    return rc < 0 ? rc : n / 2;
}

static int64_t read_all(bool backward, how_t how)
{
    tape_tailer_t *t = tailer(NULL);
    int64_t n = 0, rc = 0, first = 0;
    if (backward) CHECK_OK(tape_tailer_set_direction(t, TAPE_BACKWARD));
    if (backward) CHECK_OK(tape_tailer_seek_end(t));
    begin();
    for (int tried = 0; tried < 2; tried++) {
        while ((rc = read_some(t, how)) > 0) n += rc;
        if (tried == 0) first = rc;
        if (tried == 0) end();
    }
    CHECK_OK(rc);
    CHECK_OK(tape_tailer_close(t));
    if (n != ALL + acknowledged) FAILED("%" PRId64 " messages of %" PRId64, n, ALL + acknowledged);
    return first;
}

static int64_t reading(void) { return read_all(false, ONE); }
static int64_t reading_backward(void) { return read_all(true, ONE); }
static int64_t reading_spans(void) { return read_all(false, SPANS); }
static int64_t reading_copies(void) { return read_all(false, COPIES); }
static int64_t unreading(void) { return read_all(false, UNREAD); }

static int64_t seeking(void)
{
    tape_tailer_t *t = tailer(NULL);
    int64_t rc = 0;
    begin();
    for (int k = ALL - 1; rc == 0 && k >= 0; k -= 17)
        rc = tape_tailer_seek(t, (INT64_C(100) + k / EACH) << 32 | (k % EACH));
    end();
    CHECK_OK(tape_tailer_close(t));
    return rc;
}

static int64_t seeking_the_ends(void)
{
    tape_tailer_t *t = tailer(NULL);
    begin();
    int64_t rc = tape_tailer_seek_end(t);
    if (rc == 0) rc = tape_tailer_seek_start(t);
    end();
    CHECK_OK(tape_tailer_close(t));
    return rc;
}

static int64_t committing(void)
{
    tape_tailer_t *t = tailer("known");
    tape_excerpt_t e;
    CHECK_OK(tape_tailer_seek_start(t));
    CHECK_EQ(tape_tailer_next(t, &e), 1);
    int64_t rc = TRY(tape_tailer_commit(t));
    CHECK_OK(tape_tailer_close(t));
    return rc;
}

static int64_t telling_of_a_tailer(void)
{
    tape_tailer_t *t = tailer(NULL);
    tape_tailer_info_t i;
    int64_t rc = TRY(tape_tailer_info(t, &i));
    if (rc == 0 && i.lag_messages != ALL + acknowledged) FAILED("lag %" PRId64, i.lag_messages);
    CHECK_OK(tape_tailer_close(t));
    return rc;
}

static int64_t waiting(void)
{
    tape_tailer_t *t = tailer(NULL);
    CHECK_OK(tape_tailer_seek_end(t));
    int64_t rc = TRY(tape_tailer_wait(t, 1000000));
    CHECK_OK(tape_tailer_close(t));
    return rc;
}

static int64_t waiting_for_several(void)
{
    tape_tailer_t *at_end = tailer(NULL), *behind = tailer(NULL);
    tape_waiter_t *waiter;
    uint64_t tokens[2];
    CHECK_OK(tape_tailer_seek_end(at_end));
    int64_t rc = TRY(tape_waiter_open(&waiter));
    if (rc == TAPE_OK) {
        begin();
        rc = tape_waiter_add(waiter, at_end, 1);
        if (rc == TAPE_OK) rc = tape_waiter_wait(waiter, 1000000);
        if (rc >= 0) rc = tape_waiter_add(waiter, behind, 2);
        end();
        if (rc >= 0 && rc != TAPE_WAIT_READY) FAILED("there is something, and one waits");
        if (rc >= 0) rc = tape_waiter_take(waiter, tokens, 2) >= 0 ? TAPE_OK : TAPE_EINTERNAL;
        CHECK_OK(tape_waiter_close(waiter));
    }
    CHECK_OK(tape_tailer_close(at_end));
    CHECK_OK(tape_tailer_close(behind));
    return rc;
}

static int64_t counting(void)
{
    int64_t n = TRY(tape_queue_count(w.queue, 0, INT64_MAX));
    if (n >= 0 && n != ALL + acknowledged) FAILED("%" PRId64 " messages", n);
    return n < 0 ? n : 0;
}

static int64_t telling_the_ends(void)
{
    begin();
    int64_t rc = tape_queue_first_index(w.queue);
    if (rc >= 0) rc = tape_queue_last_index(w.queue);
    end();
    return rc < 0 ? rc : 0;
}

static int64_t telling_of_a_queue(void)
{
    tape_queue_info_t i;
    tape_cycle_info_t c;
    begin();
    int64_t rc = tape_queue_info(w.queue, &i);
    if (rc == 0) rc = tape_queue_cycle_info(w.queue, 101, &c);
    if (rc >= 0) rc = tape_queue_cycle_from(w.queue, 101);
    end();
    return rc < 0 ? rc : 0;
}

static int64_t refreshing(void) { return TRY(tape_queue_refresh(w.queue)); }

/* ---- those that write ---- */

static int64_t written(int64_t rc, int n)
{
    if (rc >= 0) acknowledged += n;
    return rc < 0 ? rc : 0;
}

static int64_t appending(void)
{
    static const char data[3000];
    return written(TRY(tape_appender_write(w.appender, data, sizeof data)), 1);
}

/* In a file and a process that know nothing yet. */
static int64_t appending_first(void)
{
    tape_queue_options_t o = t_options(NULL, &ms);
    t_writer_t mine = t_open_writer(directory, &o);
    int64_t rc = written(TRY(tape_appender_write(mine.appender, "first", 5)), 1);
    t_close_writer(mine);
    return rc;
}

static int64_t rolling(void)
{
    ms += DAY;
    return appending();
}

static int64_t appending_in_place(void)
{
    void *buffer;
    tape_queue_options_t o = t_options(NULL, &ms);
    t_writer_t mine = t_open_writer(directory, &o);
    int64_t rc = TRY(tape_appender_reserve(mine.appender, 5, &buffer));
    if (rc >= 0) {
        memcpy(buffer, "place", 5);
        rc = written(TRY(tape_appender_publish(mine.appender, 5)), 1);
    }
    t_close_writer(mine);
    return rc;
}

static int64_t appending_many(void)
{
    tape_span_t spans[50];
    size_t n = 0;
    const uint8_t *many = (const uint8_t *)"many";
    for (int k = 0; k < 50; k++) spans[k] = (tape_span_t){.data = many, .size = 4};
    tape_queue_options_t o = t_options(NULL, &ms);
    t_writer_t mine = t_open_writer(directory, &o);
    int64_t rc = TRY(tape_appender_write_many(mine.appender, spans, 50, &n));
    t_close_writer(mine);
    acknowledged += (int64_t)n;
    return rc < 0 ? rc : 0;
}

static void die(const char *point)
{
    if (strcmp(point, "body_written") == 0) raise(SIGKILL);
}

static int64_t mending_after_a_death(void)
{
    pid_t child = fork();
    if (child == 0) {
        tape_queue_options_t o = t_options(NULL, &ms);
        t_writer_t mine = t_open_writer(directory, &o);
        tape__sync_point_hook = die;
        tape_appender_write(mine.appender, "dies", 4);
        _exit(0);
    }
    CHECK_EQ(t_wait(child), 128 + SIGKILL);
    return appending();
}

#include "each_call_own_queue.h"

static const struct {
    const char *name;
    int64_t (*call)(void);
    enum { QUICK, SLOW, SLOWEST } pace; /* SLOW: with two errnos; SLOWEST: with one, once */
} calls[] = {
    {"opening", opening, QUICK},
    {"opening to read", opening_to_read, QUICK},
    {"making a queue", making_a_queue, QUICK},
    {"naming a tailer", naming_a_tailer, QUICK},
    {"naming a new tailer", naming_a_new_tailer, QUICK},
    {"reading", reading, QUICK},
    {"reading backward", reading_backward, QUICK},
    {"reading spans", reading_spans, QUICK},
    {"reading copies", reading_copies, QUICK},
    {"unreading", unreading, QUICK},
    {"seeking", seeking, QUICK},
    {"seeking the ends", seeking_the_ends, QUICK},
    {"committing", committing, QUICK},
    {"telling of a tailer", telling_of_a_tailer, QUICK},
    {"waiting", waiting, QUICK},
    {"waiting for several", waiting_for_several, SLOW},
    {"counting", counting, QUICK},
    {"telling the ends", telling_the_ends, QUICK},
    {"telling of a queue", telling_of_a_queue, QUICK},
    {"refreshing", refreshing, QUICK},
    {"appending", appending, QUICK},
    {"appending first", appending_first, SLOW},
    {"appending in place", appending_in_place, SLOW},
    {"appending many", appending_many, SLOW},
    {"mending after a death", mending_after_a_death, SLOW},
    {"rolling", rolling, SLOW},
    {"verifying", verifying, SLOWEST},
    {"removing a cycle", removing_a_cycle, SLOW},
    {"writing durably", writing_durably, SLOW},
    {"syncing", syncing, SLOWEST},
    {"mending a copy", mending_a_copy, SLOWEST},
    {"mending in place", mending_in_place, SLOWEST},
};

static void check_leaks(int descriptors, int mappings)
{
    if (t_descriptors(directory) > descriptors) FAILED("%d descriptors leak",
                                                       t_descriptors(directory) - descriptors);
    if (t_mappings(directory) > mappings) FAILED("%d mappings leak",
                                                 t_mappings(directory) - mappings);
}

/* One fault; false when the place is not reached. */
static bool fails_well(int64_t (*call)(void), int with)
{
    int64_t rc;
    system_errno = errnos[with];
    hits = 0;
    with_fault = true;
    rc = call();
    with_fault = false;
    if (rc < 0 && (hits == 0 || !fits(rc))) FAILED("became %s", tape_code_name((int)rc));
    given[with] += hits > 0;
    if (hits > 0 && (rc = call()) < 0) FAILED("and without a fault: %s", tape_code_name((int)rc));
    return hits > 0;
}

static int64_t each_way(int64_t (*call)(void), int pace)
{
    int64_t all = 0;
    for (op = 0; op < TAPE__OP_COUNT; op++)
        for (int way = 0; way < (pace == SLOWEST ? 1 : 2); way++)
            for (int with = 0; with < ERRNOS; with++) {
                forever = way;
                if ((op == TAPE__OP_LOCK || op == TAPE__OP_ASK_LOCK) && errnos[with] == EACCES)
                    continue; /* held by another */
                if (op == TAPE__OP_ASK_LOCK && call == mending_after_a_death)
                    continue; /* then nothing is known of the holder, and one waits */
                if (pace != QUICK && errnos[with] != EIO &&
                    (pace == SLOWEST || errnos[with] != ENOSPC))
                    continue;
                for (place = 1; place < PLACES_MAX && fails_well(call, with); place++) all++;
            }
    return all;
}

static int no_disk(int fd)
{
    (void)fd;
    return 0;
}

int main(void)
{
    tape__disk_shim = no_disk;
    tape_queue_options_t o = t_options("SMALL_DAILY", &ms);
    directory = t_directory();
    w = t_open_writer(directory, &o);
    for (int n = 0; n < ALL; n++) {
        if (n > 0 && n % EACH == 0) ms += DAY;
        CHECK_OK(tape_appender_write(w.appender, "message", 7));
    }
    for (size_t c = 0; c < sizeof calls / sizeof *calls; c++) {
        name = calls[c].name;
        with_fault = false;
        CHECK_OK(calls[c].call()); /* warm, and what it keeps is kept */
        const int descriptors = t_descriptors(directory), mappings = t_mappings(directory);
        int64_t start = t_now_ns(), faults = each_way(calls[c].call, calls[c].pace);
        printf("%-24s %6" PRId64 " faults in %" PRId64 " ms\n", name, faults,
               (t_now_ns() - start) / 1000000);
        fflush(stdout);
        check_leaks(descriptors, mappings + 4); /* windows of the writer come and go */
    }
    for (int n = 0; n < ERRNOS; n++) printf("errno %3d %8" PRId64 " faults\n", errnos[n], given[n]);
    with_fault = false;
    CHECK_OK(reading());
    t_close_writer(w);
    t_check_queue(directory, T_WHOLE);
    return 0;
}
