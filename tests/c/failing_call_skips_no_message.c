/* Description: any system call fails, once and for ever, with each errno, while a queue of four
 * cycles is read forward, backward, counted and measured. What comes is right or an error that
 * fits, and when the call works again the same handle goes on where it stood: no message is passed
 * over in silence, and nothing that failed is called damage. */
#include <errno.h>

#include "base/platform.h"
#include "helpers.h"

enum { CYCLES = 4, EACH = 10, ALL = CYCLES * EACH, PLACES_MAX = 300 };
#define DAY INT64_C(86400000)

static int64_t ms = 100 * DAY;
static tape_queue_t *q;
static const char *what;
static int place, hits;

#define FAILED(...)                                                                                \
    do {                                                                                           \
        char trail[1100];                                                                          \
        tape_error_trail(trail, sizeof trail);                                                     \
        fprintf(stderr, "%s, place %d: ", what, place);                                            \
        fprintf(stderr, "(%s) ", trail);                                                           \
        CHECK_FAILED(__VA_ARGS__);                                                                 \
    } while (0)

static bool fits(int64_t code, tape__op_t op, int system_errno)
{
    if (op == TAPE__OP_MALLOC) return code == TAPE_ENOMEM;
    switch (system_errno) {
    case ENOSPC:
    case EDQUOT: return code == TAPE_ENOSPC;
    case ENOMEM: return code == TAPE_ENOMEM;
    case EACCES: return code == TAPE_EACCES || code == TAPE_EREADONLY;
    case EROFS: return code == TAPE_EREADONLY;
    default: return code == TAPE_EIO;
    }
}

/* Reads to the end; errors are told and read over, but not for ever. */
static void read_all(tape__op_t op, int system_errno, bool backward)
{
    tape_tailer_t *t;
    tape_excerpt_t e;
    tape_tailer_options_t o = {.struct_size = sizeof o, .flags = TAPE_TAILER_TELL_GAPS};
    CHECK_OK(tape_tailer_open(q, &o, &t));
    if (backward) {
        CHECK_OK(tape_tailer_set_direction(t, TAPE_BACKWARD));
        CHECK_OK(tape_tailer_seek_end(t));
    }
    tape__fault_arm(op, place, system_errno, system_errno < 0);
    if (system_errno < 0) tape__fault_arm(op, place, -system_errno, true);
    int n = 0, errors = 0;
    for (int64_t rc; (rc = tape_tailer_next(t, &e)) != 0;) {
        if (rc < 0) {
            if (!fits(rc, op, system_errno < 0 ? -system_errno : system_errno))
                FAILED("errno %d became %s", system_errno, tape_code_name((int)rc));
            if (++errors < 3) continue;
            hits = tape__fault_hits();
            tape__fault_arm(op, 0, 0, false); /* it works again */
            errors = -1000;
            continue;
        }
        int expected = backward ? ALL - 1 - n : n;
        if (e.data[0] != expected) FAILED("message %d, where %d was due", e.data[0], expected);
        n++;
    }
    if (errors >= 0) hits = tape__fault_hits();
    tape__fault_arm(op, 0, 0, false);
    /* A directory that cannot be read any more may end a forward read early: then later. */
    for (int tries = 0; n < ALL && tries < 20; tries++) {
        usleep(60000);
        while (tape_tailer_next(t, &e) == 1) n++;
    }
    if (n != ALL) FAILED("%s: %d of %d messages", backward ? "backward" : "forward", n, ALL);
    CHECK_OK(tape_tailer_close(t));
}

static void ask(tape__op_t op, int system_errno, int64_t (*call)(void), int64_t right)
{
    tape__fault_arm(op, place, system_errno < 0 ? -system_errno : system_errno, system_errno < 0);
    int64_t got = call();
    hits = tape__fault_hits();
    tape__fault_arm(op, 0, 0, false);
    if (got >= 0 && got != right) FAILED("%" PRId64 " instead of %" PRId64, got, right);
    if (got < 0 && !fits(got, op, system_errno < 0 ? -system_errno : system_errno))
        FAILED("errno %d became %s", system_errno, tape_code_name((int)got));
}

static int64_t count(void) { return tape_queue_count(q, 0, INT64_MAX); }
static int64_t first(void) { return tape_queue_first_index(q); }
static int64_t last(void) { return tape_queue_last_index(q); }
static int64_t refresh(void) { return tape_queue_refresh(q); }
static int64_t info(void)
{
    tape_queue_info_t i;
    int rc = tape_queue_info(q, &i);
    return rc < 0 ? rc : i.highest_cycle - i.lowest_cycle;
}
static int64_t lag(void)
{
    tape_tailer_t *t;
    tape_tailer_info_t i;
    int rc = tape_tailer_open(q, NULL, &t);
    if (rc < 0) return rc;
    rc = tape_tailer_info(t, &i);
    CHECK_OK(tape_tailer_close(t));
    return rc < 0 ? rc : i.lag_messages;
}

static void every_place(tape__op_t op, int system_errno)
{
    int64_t (*const calls[])(void) = {count, first, last, refresh, info, lag};
    int64_t right[6];
    for (int i = 0; i < 6; i++) right[i] = calls[i]();
    for (int i = 0; i < 8; i++)
        for (place = 1, hits = 1; hits > 0 && place < PLACES_MAX; place++) {
            hits = 0;
            if (i < 2) read_all(op, system_errno, i == 1);
            else ask(op, system_errno, calls[i - 2], right[i - 2]);
        }
}

static void fill(const char *directory)
{
    tape_queue_options_t o = t_options("TEST_DAILY", &ms);
    t_writer_t w = t_open_writer(directory, &o);
    for (int n = 0; n < ALL; n++) {
        uint8_t byte = (uint8_t)n;
        if (n > 0 && n % EACH == 0) ms += 2 * DAY;
        CHECK_OK(tape_appender_write(w.appender, &byte, 1));
    }
    t_close_writer(w);
}

int main(void)
{
    static const struct {
        tape__op_t op;
        const char *name;
    } ops[] = {{TAPE__OP_OPEN, "open"}, {TAPE__OP_STAT, "stat"}, {TAPE__OP_MAP, "map"},
               {TAPE__OP_READ, "read"}, {TAPE__OP_LIST, "list"}, {TAPE__OP_MALLOC, "malloc"}};
    static const int errnos[] = {EIO, ENOMEM, EACCES, EMFILE, ENFILE, EROFS, EINTR};
    const char *directory = t_directory();
    fill(directory);
    tape_queue_options_t o = t_options("TEST_DAILY", &ms);
    for (int mode = 0; mode < 2; mode++) {
        o.flags = mode ? TAPE_READ_ONLY : 0;
        CHECK_OK(tape_queue_open(directory, &o, &q));
        for (size_t i = 0; i < sizeof ops / sizeof *ops; i++)
            for (size_t n = 0; n < sizeof errnos / sizeof *errnos; n++) {
                what = ops[i].name;
                every_place(ops[i].op, errnos[n]);
                every_place(ops[i].op, -errnos[n]); /* for ever */
                if (ops[i].op == TAPE__OP_MALLOC) break;
            }
        CHECK_OK(tape_queue_close(q));
    }
    CHECK_EQ(t_descriptors(directory), 0);
    CHECK_EQ(t_mappings(directory), 0);
    return 0;
}
