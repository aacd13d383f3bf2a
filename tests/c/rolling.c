/* Description: cycles by an injected clock: five cycles with gaps, END_OF_DATA in every older one,
 * a clock that goes back, a cycle that was ended under our feet, a writer that comes back late. */
#include "file/cycle_store.h"
#include "format/roll_cycle.h"
#include "write/cycle_end.h"
#include "helpers.h"
#include "queue_check.h"

static int64_t write_text(tape_appender_t *a, const char *text)
{
    return tape_appender_write(a, text, strlen(text));
}

static void read_text(tape_tailer_t *t, const char *text, int64_t index)
{
    tape_excerpt_t e;
    int rc = tape_tailer_next(t, &e);
    CHECK_OK(rc);
    CHECK_EQ(rc, 1);
    CHECK_EQ(e.index, index);
    CHECK_EQ(e.size, strlen(text));
    CHECK(memcmp(e.data, text, e.size) == 0);
}

static int64_t index_of(int64_t cycle, int64_t sequence) { return (cycle << 32) + sequence; }

static void five_cycles(void)
{
    static const int64_t cycles[] = {100, 101, 105, 106, 140};
    const char *directory = t_directory();
    int64_t ms = 100500;
    tape_queue_options_t o = t_options("TEST4_SECONDLY", &ms);
    tape_tailer_t *live, *t;
    tape_excerpt_t e;
    tape_queue_info_t info;
    char text[32];
    t_writer_t w = t_open_writer(directory, &o);
    CHECK_OK(tape_tailer_open(w.queue, NULL, &live));
    CHECK_EQ(tape_tailer_next(live, &e), 0);
    CHECK_EQ(tape_queue_last_index(w.queue), TAPE_ENOINDEX);
    CHECK_EQ(tape_appender_last_index(w.appender), TAPE_ENOINDEX);
    for (int i = 0; i < 5; i++) {
        ms = cycles[i] * 1000 + 999; /* the last millisecond still belongs to the cycle */
        for (int n = 0; n < 3; n++) {
            snprintf(text, sizeof text, "%d-%d", i, n);
            int64_t index = write_text(w.appender, text);
            CHECK_OK(index);
            CHECK_EQ(index, index_of(cycles[i], n));
            CHECK_EQ(tape_appender_last_index(w.appender), index);
            CHECK_EQ(tape_queue_last_index(w.queue), index);
            read_text(live, text, index);
        }
        CHECK_EQ(tape_tailer_next(live, &e), 0);
        CHECK_EQ(t_check_queue(directory, T_WHOLE).cycles, i + 1);
    }
    CHECK_EQ(tape_queue_first_index(w.queue), index_of(100, 0));

    ms = 103000; /* back into a gap, and before everything */
    CHECK_EQ(write_text(w.appender, "late"), index_of(140, 3));
    ms = 1000;
    CHECK_EQ(write_text(w.appender, "later"), index_of(140, 4));
    CHECK_OK(tape_queue_info(w.queue, &info));
    CHECK_EQ(info.clock_went_back, 2);
    CHECK_EQ(info.rolls, 5);
    CHECK_EQ(info.lowest_cycle, 100);
    CHECK_EQ(info.highest_cycle, 140);
    CHECK_EQ(t_check_queue(directory, T_WHOLE).cycles, 5);
    ms = -1;
    CHECK_EQ(write_text(w.appender, "no time"), TAPE_ECLOCK);

    CHECK_OK(tape_tailer_open(w.queue, NULL, &t));
    for (int i = 0; i < 5; i++)
        for (int n = 0; n < 3; n++) {
            snprintf(text, sizeof text, "%d-%d", i, n);
            read_text(t, text, index_of(cycles[i], n));
        }
    read_text(t, "late", index_of(140, 3));
    CHECK_EQ(tape_tailer_seek(t, index_of(101, 2)), 1);
    read_text(t, "1-2", index_of(101, 2));
    read_text(t, "2-0", index_of(105, 0));
    CHECK_EQ(tape_tailer_seek(t, index_of(103, 0)), 0); /* a gap: it stays where it was */
    read_text(t, "2-1", index_of(105, 1));
    CHECK_OK(tape_tailer_close(t));
    CHECK_OK(tape_tailer_close(live));
    t_close_writer(w);
}

/* A handle that slept while others rolled: it ends nothing wrongly and goes on in the newest. */
static void late_writer(void)
{
    const char *directory = t_directory();
    int64_t early = 50000, late = 90000;
    tape_queue_options_t o = t_options("TEST4_SECONDLY", &early);
    tape_queue_t *q1, *q2;
    tape_appender_t *a1, *a2;
    CHECK_OK(tape_queue_open(directory, &o, &q1));
    o.clock_user = &late;
    CHECK_OK(tape_queue_open(directory, &o, &q2));
    CHECK_OK(tape_appender_open(q1, NULL, &a1));
    CHECK_OK(tape_appender_open(q2, NULL, &a2));
    CHECK_EQ(write_text(a1, "one"), index_of(50, 0));
    CHECK_EQ(write_text(a2, "two"), index_of(90, 0));
    CHECK_EQ(write_text(a1, "three"), index_of(90, 1)); /* its clock says 50, which is finished */
    early = 91000;
    CHECK_EQ(write_text(a1, "four"), index_of(91, 0));
    CHECK_EQ(write_text(a2, "five"), index_of(91, 1));
    CHECK_EQ(t_check_queue(directory, T_WHOLE).messages, 5);
    tape_appender_close(a1);
    tape_appender_close(a2);
    CHECK_OK(tape_queue_close(q1));
    CHECK_OK(tape_queue_close(q2));
}

/* Somebody whose clock is ahead ended our cycle: wait for the clock, never write behind the end. */
static void ended_by_others(void)
{
    const char *directory = t_directory();
    int64_t ms = 7000;
    bool certain;
    tape_queue_options_t o = t_options("TEST4_SECONDLY", &ms);
    tape_tailer_t *t;
    char name[64];
    o.lock_timeout_ns = 50000000;
    t_writer_t w = t_open_writer(directory, &o);
    CHECK_EQ(write_text(w.appender, "one"), index_of(7, 0));
    tape__cycle_store_t s;
    tape__window_t window = {0};
    tape__cursor_t end;
    CHECK_OK(tape_queue_cycle_name(w.queue, 7, name, sizeof name));
    CHECK_OK(tape__cycle_store_open(&s, t_path(directory, name), 7, true));
    CHECK_OK(tape__cycle_end_find_to_seal(&s, &window, &end, &certain));
    CHECK_OK(tape__cycle_end_seal(&s, &end));
    tape__window_close(&window);
    tape__cycle_store_close(&s);
    CHECK_EQ(write_text(w.appender, "never"), TAPE_ECLOCK);
    CHECK_EQ(write_text(w.appender, "never"), TAPE_ECLOCK);
    ms = 8000;
    CHECK_EQ(write_text(w.appender, "two"), index_of(8, 0));
    CHECK_OK(tape_tailer_open(w.queue, NULL, &t));
    read_text(t, "one", index_of(7, 0));
    read_text(t, "two", index_of(8, 0));
    CHECK_EQ(t_check_queue(directory, T_WHOLE).messages, 2);
    tape_tailer_close(t);
    t_close_writer(w);
}

/* Very many cycles at once, so that the directory is read instead of asked for names. */
static void many_cycles(void)
{
    const char *directory = t_directory();
    int64_t ms = 1000;
    tape_queue_options_t o = t_options("TEST4_SECONDLY", &ms);
    t_writer_t w = t_open_writer(directory, &o);
    for (int i = 1; i <= 60; i++, ms += i % 7 == 0 ? 100000000 : 1000)
        CHECK_OK(write_text(w.appender, "x"));
    t_findings_t f = t_check_queue(directory, T_WHOLE);
    CHECK_EQ(f.cycles, 60);
    CHECK_EQ(f.messages, 60);
    t_close_writer(w);
}

int main(void)
{
    five_cycles();
    late_writer();
    ended_by_others();
    many_cycles();
    return 0;
}
