/* Description: whoever stands still keeps no deleted file: refreshing, and removing, lets an idle
 * tailer go on to the next file, and an idle writer let go; one that has yet to read a deleted file
 * reads it to its end. */
#include <unistd.h>

#include "helpers.h"

static int64_t ms;

static int64_t write_one(t_writer_t w, const char *text)
{
    int64_t index = tape_appender_write(w.appender, text, strlen(text));
    CHECK_OK(index);
    return index;
}

static void expect(tape_tailer_t *t, const char *text)
{
    tape_excerpt_t e;
    CHECK_EQ(tape_tailer_next(t, &e), 1);
    CHECK_EQ(e.size, strlen(text));
    CHECK(memcmp(e.data, text, e.size) == 0);
}

static void an_idle_tailer_goes_on(void)
{
    const char *directory = t_directory();
    ms = 100000;
    tape_queue_options_t o = t_options("TEST4_SECONDLY", &ms);
    tape_tailer_t *idle, *reading;
    tape_excerpt_t e;
    t_writer_t w = t_open_writer(directory, &o), other = t_open_writer(directory, &o);
    CHECK_OK(tape_tailer_open(w.queue, NULL, &idle));
    CHECK_OK(tape_tailer_open(w.queue, NULL, &reading));
    write_one(w, "a");
    write_one(w, "b");
    expect(idle, "a");
    expect(idle, "b");
    CHECK_EQ(tape_tailer_next(idle, &e), 0);
    expect(reading, "a");
    ms += 1000;
    write_one(other, "c");
    const int before = t_mappings(directory);
    CHECK_OK(tape_queue_remove_cycle(other.queue, 100));
    CHECK_EQ(t_mappings(directory), before); /* w and its tailers know nothing of it yet */
    CHECK_OK(tape_queue_refresh(w.queue));
    CHECK(t_mappings(directory) < before);
    expect(reading, "b");
    expect(reading, "c");
    expect(idle, "c");
    CHECK_EQ(write_one(w, "d") >> 32, 101);
    expect(idle, "d");
    CHECK_EQ(tape_tailer_next(idle, &e), 0);
    CHECK_EQ(tape_tailer_next(reading, &e), 1);
    CHECK_EQ(tape_tailer_next(reading, &e), 0);
    ms += 1000;
    write_one(w, "e");
    CHECK_OK(tape_queue_remove_cycle(w.queue, 101)); /* one's own go at once */
    CHECK_OK(tape_queue_refresh(other.queue));
    tape_queue_info_t info;
    CHECK_OK(tape_queue_info(other.queue, &info));
    CHECK_EQ(info.files_lost, 1);
    expect(idle, "e");
    expect(reading, "e");
    CHECK_OK(tape_tailer_close(idle));
    CHECK_OK(tape_tailer_close(reading));
    t_close_writer(other);
    t_close_writer(w);
    CHECK_EQ(t_mappings(directory), 0);
}

static void what_was_given_stays_until_the_next_call(void)
{
    const char *directory = t_directory();
    ms = 100000;
    tape_queue_options_t o = t_options("TEST4_SECONDLY", &ms);
    tape_tailer_t *t;
    tape_excerpt_t e;
    t_writer_t w = t_open_writer(directory, &o);
    CHECK_OK(tape_tailer_open(w.queue, NULL, &t));
    write_one(w, "lent");
    CHECK_EQ(tape_tailer_next(t, &e), 1);
    ms += 1000;
    write_one(w, "next");
    CHECK_OK(tape_queue_remove_cycle(w.queue, 100));
    CHECK_OK(tape_queue_refresh(w.queue));
    CHECK(memcmp(e.data, "lent", 4) == 0);
    CHECK_OK(tape_tailer_unread(t));
    expect(t, "lent");
    expect(t, "next");
    CHECK_OK(tape_tailer_close(t));
    t_close_writer(w);
}

int main(void)
{
    an_idle_tailer_goes_on();
    what_was_given_stays_until_the_next_call();
    return 0;
}
