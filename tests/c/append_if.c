/* Description: tape_appender_write_expect() writes only with the expected index, compared under the
 * lock, at the start, in the middle and where a new file would be made; two writers that expect the
 * same index: one wins. tape_appender_try_write() writes what it can without asking the system. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/platform.h"
#include "helpers.h"

static int64_t conflict_index(tape_appender_t *a, int64_t expect)
{
    tape_error_facts_t facts;
    CHECK_EQ(tape_appender_write_expect(a, "x", 1, expect), TAPE_ECONFLICT);
    tape_error_last(&facts);
    CHECK_EQ(facts.code, TAPE_ECONFLICT);
    return facts.index;
}

static void only_the_expected_index(void)
{
    int64_t ms = 5000;
    tape_queue_options_t o = t_options("TEST4_SECONDLY", &ms);
    t_writer_t w = t_open_writer(t_directory(), &o);
    tape_appender_t *a = w.appender;
    const int64_t first = INT64_C(5) << 32;
    CHECK_EQ(tape_appender_write_expect(a, "x", 1, -1), TAPE_EINVAL);
    CHECK_EQ(conflict_index(a, 0), first); /* no file is made for it */
    CHECK_EQ(tape_queue_last_index(w.queue), TAPE_ENOINDEX);
    CHECK_EQ(tape_appender_write_expect(a, "x", 1, first), first);
    for (int i = 1; i < 20; i++) { /* with and without an index entry */
        CHECK_EQ(conflict_index(a, first + i - 1), first + i);
        CHECK_EQ(conflict_index(a, first + i + 1), first + i);
        CHECK_EQ(tape_appender_write_expect(a, "x", 1, first + i), first + i);
    }
    ms += 2000;
    const int64_t later = INT64_C(7) << 32;
    CHECK_EQ(conflict_index(a, first + 20), later);
    CHECK_EQ(tape_appender_write_expect(a, "x", 1, later), later);
    CHECK_EQ(tape_queue_count(w.queue, 0, INT64_MAX), 21);
    t_close_writer(w);
}

typedef struct {
    const char *directory;
    int won;
} racer_t;

/* Optimistic writers: each reads to the end, expects the next index, and tries again when it
 * lost. */
static void *race(void *argument)
{
    racer_t *r = argument;
    t_writer_t w = t_open_writer(r->directory, NULL);
    tape_tailer_t *t;
    tape_excerpt_t e;
    CHECK_OK(tape_tailer_open(w.queue, NULL, &t));
    while (r->won < 500) {
        int rc;
        while ((rc = tape_tailer_next(t, &e)) == 1) {}
        CHECK_OK(rc);
        int64_t expect = tape_tailer_index(t);
        int64_t index = tape_appender_write_expect(w.appender, "x", 1, expect);
        if (index == TAPE_ECONFLICT) continue;
        CHECK_EQ(index, expect);
        r->won++;
    }
    CHECK_OK(tape_tailer_close(t));
    t_close_writer(w);
    return NULL;
}

static void one_of_two_wins(void)
{
    const char *directory = t_directory();
    t_writer_t w = t_open_writer(directory, NULL);
    CHECK_OK(tape_appender_write(w.appender, "x", 1));
    racer_t racers[2] = {{directory, 0}, {directory, 0}};
    pthread_t threads[2];
    for (int i = 0; i < 2; i++) CHECK_EQ(pthread_create(&threads[i], NULL, race, &racers[i]), 0);
    for (int i = 0; i < 2; i++) CHECK_EQ(pthread_join(threads[i], NULL), 0);
    CHECK_EQ(tape_queue_count(w.queue, 0, INT64_MAX), 1001);
    t_close_writer(w);
}

static void trying_needs_room_at_hand(void)
{
    const char *directory = t_directory();
    t_writer_t w = t_open_writer(directory, NULL), other = t_open_writer(directory, NULL);
    int64_t last = TAPE_EAGAIN, tried = 0, again = 0;
    CHECK_EQ(tape_appender_try_write(w.appender, "x", 1), TAPE_EAGAIN); /* there is no file */
    CHECK_EQ(tape_queue_last_index(w.queue), TAPE_ENOINDEX);
    for (int i = 0; i < 400; i++) {
        last = tape_appender_write(w.appender, "0123456789012345678901234567890123456789", 40);
        CHECK_OK(last);
    }
    const uint64_t allocations = tape__alloc_count();
    for (int i = 0; i < 2000; i++) {
        int64_t index = tape_appender_try_write(w.appender, "x", 1);
        if (index == TAPE_EAGAIN) {
            again++;
            CHECK_EQ(tape_queue_last_index(w.queue), last);
            index = tape_appender_write(w.appender, "x", 1);
        } else {
            tried++;
        }
        CHECK_EQ(index, last + 1);
        last = index;
        if (i % 7 == 0) { /* others' messages are passed */
            last = tape_appender_write(other.appender, "y", 1);
            CHECK_EQ(last, index + 1);
        }
    }
    CHECK_EQ(tape__alloc_count(), allocations);
    CHECK(tried > 1500);
    CHECK_EQ(tape_appender_try_write(w.appender, NULL, 5), TAPE_EINVAL);
    CHECK_EQ(tape_appender_try_write(NULL, "x", 1), TAPE_EINVAL);
    CHECK_EQ(tape_appender_try_write(w.appender, "x", (size_t)1 << 40), TAPE_ETOOBIG);
    printf("tried %d, again %d\n", (int)tried, (int)again);
    t_close_writer(other);
    t_close_writer(w);
}

int main(void)
{
    only_the_expected_index();
    one_of_two_wins();
    trying_needs_room_at_hand();
    return 0;
}
