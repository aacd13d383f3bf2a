/* Description: one rule for options structs: what an older caller lacks is its default, and what a
 * newer one has is refused unless it is zero. */
#include <string.h>

#include "base/options.h"
#include "helpers.h"

typedef struct {
    uint32_t struct_size, flags;
    int64_t a;
} own_t;

typedef struct {
    own_t known;
    int64_t unknown;
} newer_t;

static void check_rule(void)
{
    own_t own;
    newer_t newer = {{sizeof newer, 7, 8}, 0};
    CHECK_OK(tape__options_copy(&own, sizeof own, NULL, "here"));
    CHECK_EQ(own.flags, 0);
    own_t older = {8, 7, 99};
    CHECK_OK(tape__options_copy(&own, sizeof own, &older, "here"));
    CHECK_EQ(own.flags, 7);
    CHECK_EQ(own.a, 0);
    CHECK_OK(tape__options_copy(&own, sizeof own, &newer, "here"));
    CHECK_EQ(own.a, 8);
    newer.unknown = INT64_C(1) << 56; /* in its last byte */
    CHECK_EQ(tape__options_copy(&own, sizeof own, &newer, "here"), TAPE_EINVAL);
    uint32_t bad[] = {0, 1, 7, 4097, UINT32_MAX};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        older.struct_size = bad[i];
        CHECK_EQ(tape__options_copy(&own, sizeof own, &older, "here"), TAPE_EINVAL);
    }
}

/* All three calls that take options keep it. */
static void check_calls(void)
{
    const char *directory = t_directory();
    struct {
        tape_queue_options_t known;
        int64_t unknown;
    } q = {.known = {.struct_size = sizeof q}};
    struct {
        tape_appender_options_t known;
        int64_t unknown;
    } a = {.known = {.struct_size = sizeof a}};
    struct {
        tape_tailer_options_t known;
        int64_t unknown;
    } t = {.known = {.struct_size = sizeof t}};
    tape_queue_t *queue;
    tape_appender_t *appender;
    tape_tailer_t *tailer;

    CHECK_OK(tape_queue_open(directory, &q.known, &queue));
    CHECK_OK(tape_appender_open(queue, &a.known, &appender));
    CHECK_OK(tape_tailer_open(queue, &t.known, &tailer));
    CHECK_OK(tape_tailer_close(tailer));
    CHECK_OK(tape_appender_close(appender));

    a.unknown = t.unknown = q.unknown = 1;
    CHECK_EQ(tape_appender_open(queue, &a.known, &appender), TAPE_EINVAL);
    CHECK_EQ(tape_tailer_open(queue, &t.known, &tailer), TAPE_EINVAL);
    CHECK(appender == NULL && tailer == NULL);

    a.known.struct_size = t.known.struct_size = 8; /* smaller than any has been since the first */
    t.known.id = "never looked at";
    CHECK_OK(tape_appender_open(queue, &a.known, &appender));
    CHECK_OK(tape_tailer_open(queue, &t.known, &tailer));
    CHECK_EQ(tape_tailer_commit(tailer), TAPE_ESTATE); /* it has no name */
    CHECK_OK(tape_tailer_close(tailer));
    CHECK_OK(tape_appender_close(appender));
    CHECK_OK(tape_queue_close(queue));
    CHECK_EQ(tape_queue_open(directory, &q.known, &queue), TAPE_EINVAL);
}

int main(void)
{
    check_rule();
    check_calls();
    return 0;
}
