/* Description: every operation of the platform fails once at every place where it is called (and,
 * in a second pass, from there on for ever) while a queue is created, appended to, grown, rolled
 * and read. Each time: a fitting code, no crash, nothing leaked; without the fault the next append
 * succeeds, and exactly the acknowledged messages are there. */
#include <errno.h>

#include "base/platform.h"
#include "helpers.h"
#include "queue_check.h"

enum { MESSAGES = 40, SIZE = 8000 };

static const char *const names[TAPE__OP_COUNT] = {
    "open", "stat", "truncate", "allocate", "map", "populate", "read", "write", "link", "unlink",
    "rename", "mkdir", "list", "lock", "sync", "malloc", "wait", "present", "seek", "ask lock",
    "ask space", "ask rights", "ask place", "rmdir"};
static const char *directory, *what;
static int nth;
static bool acknowledged[2 * MESSAGES + 2];
static int hits;

#define FAILED(...)                                                                                \
    do {                                                                                           \
        fprintf(stderr, "%s number %d: ", what, nth);                                              \
        CHECK_FAILED(__VA_ARGS__);                                                                 \
    } while (0)

/* What an errno may become; TAPE_ENOTFOUND only for what is not there. */
static bool fits(int64_t code, tape__op_t op, int system_errno)
{
    if (op == TAPE__OP_MALLOC) return code == TAPE_ENOMEM;
    switch (system_errno) {
    case ENOSPC: return code == TAPE_ENOSPC;
    case ENOMEM: return code == TAPE_ENOMEM || (op == TAPE__OP_POPULATE && code == TAPE_ENOSPC);
    case EACCES: return code == TAPE_EACCES || code == TAPE_EREADONLY;
    default: return code == TAPE_EIO;
    }
}

static void expect(int64_t rc, tape__op_t op, int system_errno)
{
    char trail[1100];
    if (rc >= 0 || fits(rc, op, system_errno)) return;
    tape_error_trail(trail, sizeof trail);
    FAILED("errno %d became %s: %s", system_errno, tape_code_name((int)rc), trail);
}

static int64_t append(tape_appender_t *a, int number)
{
    uint8_t data[SIZE];
    memset(data, number, sizeof data);
    int64_t rc = tape_appender_write(a, data, sizeof data);
    acknowledged[number] = rc >= 0;
    return rc;
}

static void work(tape__op_t op, int system_errno, int64_t *ms)
{
    tape_queue_options_t o = t_options("TEST4_SECONDLY", ms);
    tape_queue_t *q;
    tape_appender_t *a;
    tape_tailer_t *t;
    tape_excerpt_t e;
    memset(acknowledged, 0, sizeof acknowledged);
    int64_t rc = tape_queue_open(t_path(directory, "q"), &o, &q);
    expect(rc, op, system_errno);
    if (rc < 0) {
        CHECK(q == NULL);
        return;
    }
    rc = tape_appender_open(q, NULL, &a);
    expect(rc, op, system_errno);
    for (int n = 0; rc == 0 && n < 2 * MESSAGES; n++) {
        if (n == MESSAGES) *ms += 1000;
        expect(append(a, n), op, system_errno);
    }
    int rc2 = tape_tailer_open(q, NULL, &t);
    expect(rc2, op, system_errno);
    for (int n = 0, got = 1; rc2 == 0 && got != 0 && n < 3 * MESSAGES; n++) {
        got = tape_tailer_next(t, &e);
        expect(got, op, system_errno);
    }
    rc = tape_queue_last_index(q);
    if (rc != TAPE_ENOINDEX) expect(rc, op, system_errno);
    if (rc2 == 0) CHECK_OK(tape_tailer_close(t));
    hits = tape__fault_hits();
    tape__fault_arm(op, 0, 0, false);
    if (a) { /* the same handle goes on, rolls, and ends all older cycles */
        *ms += 1000;
        if (append(a, 2 * MESSAGES) < 0) FAILED("the same handle does not go on");
        t_check_queue(t_path(directory, "q"), T_WHOLE);
    }
    tape_queue_release(q);
    if (a) CHECK_OK(tape_appender_close(a));
}

/* Without faults all goes on, and each acknowledged message is there once, in order. */
static void look(int64_t *ms)
{
    tape_queue_options_t o = t_options("TEST4_SECONDLY", ms);
    tape_queue_t *q;
    tape_appender_t *a;
    tape_tailer_t *t;
    tape_excerpt_t e;
    CHECK_OK(tape_queue_open(t_path(directory, "q"), &o, &q));
    CHECK_OK(tape_appender_open(q, NULL, &a));
    int64_t rc = append(a, 2 * MESSAGES + 1);
    if (rc < 0) FAILED("the append after the fault: %s", tape_code_name((int)rc));
    CHECK_OK(tape_tailer_open(q, NULL, &t));
    for (int n = 0; n < 2 * MESSAGES + 2; n++) {
        if (!acknowledged[n]) continue;
        rc = tape_tailer_next(t, &e);
        if (rc != 1) FAILED("reading message %d gave %" PRId64, n, rc);
        if (e.size != SIZE || e.data[0] != n || e.data[SIZE - 1] != n)
            FAILED("message %d is not there, but %d", n, e.data[0]);
    }
    if (tape_tailer_next(t, &e) != 0) FAILED("a message that was not acknowledged: %d", e.data[0]);
    CHECK_OK(tape_tailer_close(t));
    CHECK_OK(tape_appender_close(a));
    CHECK_OK(tape_queue_close(q));
    t_check_queue(t_path(directory, "q"), T_WHOLE);
    if (t_descriptors(directory) != 0) FAILED("%d descriptors leaked", t_descriptors(directory));
    if (t_mappings(directory) != 0) FAILED("%d mappings leaked", t_mappings(directory));
}

static void every_place(tape__op_t op, int system_errno, bool forever)
{
    what = names[op];
    for (nth = 1;; nth++) {
        int64_t ms = 10000;
        t_empty(t_path(directory, "q"));
        rmdir(t_path(directory, "q"));
        tape__fault_arm(op, nth, system_errno, forever);
        hits = -1;
        work(op, system_errno, &ms);
        if (hits < 0) hits = tape__fault_hits(); /* it was not even opened */
        tape__fault_arm(op, 0, 0, false);
        if (hits == 0) break;
        look(&ms);
    }
    printf("%s, errno %d%s: %d places\n", what, system_errno, forever ? ", for ever" : "", nth - 1);
}

int main(void)
{
    directory = t_directory();
    for (int op = 0; op < TAPE__OP_COUNT; op++)
        for (int forever = 0; forever < 2; forever++) {
            every_place((tape__op_t)op, EIO, forever);
            if (op == TAPE__OP_TRUNCATE || op == TAPE__OP_ALLOCATE || op == TAPE__OP_LINK ||
                op == TAPE__OP_MKDIR)
                every_place((tape__op_t)op, ENOSPC, forever);
            if (op == TAPE__OP_MAP || op == TAPE__OP_OPEN)
                every_place((tape__op_t)op, ENOMEM, forever);
            if (op == TAPE__OP_OPEN || op == TAPE__OP_LIST)
                every_place((tape__op_t)op, EACCES, forever);
            if (op == TAPE__OP_ALLOCATE) every_place((tape__op_t)op, EOPNOTSUPP, forever);
            if (op == TAPE__OP_POPULATE) every_place((tape__op_t)op, EINVAL, forever);
        }
    t_empty(t_path(directory, "q"));
    rmdir(t_path(directory, "q"));
    return 0;
}
