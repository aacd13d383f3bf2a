/* Description: index pages and full cycles in the roll cycles with small indexes; a seek to every
 * index and beside it, in several orders; taking a read back. */
#include "helpers.h"
#include "queue_check.h"

static void read_at(tape_tailer_t *t, int64_t index)
{
    tape_excerpt_t e;
    CHECK_EQ(tape_tailer_next(t, &e), 1);
    CHECK_EQ(e.index, index);
    int64_t number;
    CHECK_EQ(e.size, 8);
    memcpy(&number, e.data, 8);
    CHECK_EQ(number, index);
}

static void seek_everywhere(tape_queue_t *q, int64_t cycle, int64_t count)
{
    const int64_t first = cycle << 32;
    tape_tailer_t *t;
    CHECK_OK(tape_tailer_open(q, NULL, &t));
    for (int64_t n = 0; n < count; n++) {
        CHECK_EQ(tape_tailer_seek(t, first + n), 1);
        CHECK_EQ(tape_tailer_index(t), first + n);
        read_at(t, first + n);
        CHECK_EQ(tape_tailer_last_read(t), first + n);
    }
    for (int64_t n = count; n-- > 0;) {
        CHECK_EQ(tape_tailer_seek(t, first + n), 1);
        read_at(t, first + n);
    }
    for (int64_t k = 0; k < count; k++) {
        int64_t n = k * 7919 % count;
        CHECK_EQ(tape_tailer_seek(t, first + n), 1);
        read_at(t, first + n);
    }
    tape_excerpt_t e;
    CHECK_EQ(tape_tailer_seek(t, first), 1);
    CHECK_EQ(tape_tailer_seek(t, first + count + 1), 0); /* too far: it stays */
    CHECK_EQ(tape_tailer_seek(t, first + (INT64_C(1) << 32) + 5), 0);
    CHECK_EQ(tape_tailer_seek(t, -1), TAPE_EINVAL);
    read_at(t, first);
    CHECK_EQ(tape_tailer_seek(t, first + count), 0); /* the next to come: it waits there */
    CHECK_EQ(tape_tailer_next(t, &e), 0);
    CHECK_OK(tape_tailer_seek_start(t));
    read_at(t, first);
    CHECK_OK(tape_tailer_seek_end(t));
    CHECK_EQ(tape_tailer_next(t, &e), 0);
    CHECK_EQ(tape_tailer_index(t), first + count);
    CHECK_OK(tape_tailer_close(t));
}

/* Writes `count` messages into a cycle and looks for all; a cycle that is full refuses one more,
 * and the next cycle takes it. */
static void fill(const char *roll_cycle, int64_t length_ms, int64_t count, bool full)
{
    const char *directory = t_directory();
    int64_t ms = 30 * length_ms;
    tape_queue_options_t o = t_options(roll_cycle, &ms);
    t_writer_t w = t_open_writer(directory, &o);
    for (int64_t n = 0; n < count; n++) {
        int64_t index = (INT64_C(30) << 32) + n;
        CHECK_EQ(tape_appender_write(w.appender, &index, 8), index);
    }
    const tape_roll_cycle_t *r = tape_roll_cycle_named(roll_cycle);
    t_findings_t f = t_check_queue(directory, T_WHOLE);
    CHECK_EQ(f.messages, count);
    CHECK_EQ(f.indexed, (count - 1) / r->index_spacing + 1);
    seek_everywhere(w.queue, 30, count);
    int64_t number = 0;
    if (full) {
        CHECK_EQ(count, r->max_messages);
        CHECK_EQ(tape_appender_write(w.appender, &number, 8), TAPE_ECYCLEFULL);
        CHECK_EQ(tape_appender_write(w.appender, &number, 8), TAPE_ECYCLEFULL);
        CHECK_EQ(t_check_queue(directory, T_WHOLE).messages, count);
    }
    ms += length_ms;
    CHECK_EQ(tape_appender_write(w.appender, &number, 8), INT64_C(31) << 32);
    t_close_writer(w);
    /* A new handle finds the end of the full cycle, too. */
    w = t_open_writer(directory, &o);
    CHECK_EQ(tape_appender_write(w.appender, &number, 8), (INT64_C(31) << 32) + 1);
    CHECK_EQ(t_check_queue(directory, T_WHOLE).messages, count + 2);
    t_close_writer(w);
}

static void unread(void)
{
    int64_t ms = 5000;
    tape_queue_options_t o = t_options("TEST4_SECONDLY", &ms);
    tape_queue_t *q;
    tape_appender_t *a;
    tape_tailer_t *t;
    tape_excerpt_t e;
    CHECK_OK(tape_queue_open(t_directory(), &o, &q));
    CHECK_OK(tape_appender_open(q, NULL, &a));
    CHECK_OK(tape_tailer_open(q, NULL, &t));
    const int64_t first = INT64_C(5) << 32;
    for (int64_t n = 0; n < 2; n++) {
        int64_t index = first + n;
        CHECK_EQ(tape_appender_write(a, &index, 8), index);
    }
    ms = 6000;
    int64_t next = INT64_C(6) << 32;
    CHECK_EQ(tape_appender_write(a, &next, 8), next);
    CHECK_EQ(tape_tailer_unread(t), TAPE_ESTATE);
    read_at(t, first);
    CHECK_OK(tape_tailer_unread(t));
    CHECK_EQ(tape_tailer_last_read(t), TAPE_ENOINDEX);
    CHECK_EQ(tape_tailer_unread(t), TAPE_ESTATE);
    CHECK_EQ(tape_tailer_peek(t, &e), 1);
    CHECK_EQ(e.index, first);
    read_at(t, first);
    read_at(t, first + 1);
    CHECK_EQ(tape_tailer_last_read(t), first + 1); /* looking does not forget the read */
    CHECK_OK(tape_tailer_unread(t));
    CHECK_EQ(tape_tailer_last_read(t), first);
    read_at(t, first + 1);
    CHECK_EQ(tape_tailer_peek(t, &e), 1);
    CHECK_EQ(tape_tailer_unread(t), TAPE_ESTATE); /* a peek reads nothing */
    read_at(t, next); /* over the end of a cycle */
    CHECK_OK(tape_tailer_unread(t));
    read_at(t, next);
    CHECK_EQ(tape_tailer_next(t, &e), 0);
    CHECK_EQ(tape_tailer_unread(t), TAPE_ESTATE);
    tape_tailer_close(t);
    tape_appender_close(a);
    CHECK_OK(tape_queue_close(q));
}

int main(void)
{
    fill("TEST_DAILY", 86400000, 64, true);
    fill("TEST4_DAILY", 86400000, 4096, true);
    fill("TEST4_SECONDLY", 1000, 1500, false);
    fill("TEST_HOURLY", 3600000, 700, false);
    fill("FAST_DAILY", 86400000, 3000, false);
    unread();
    return 0;
}
