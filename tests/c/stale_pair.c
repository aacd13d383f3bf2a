/* Description: where the sequence word keeps few bits of the position, a pair that a death left one
 * message behind can look right: readers and writers count from the index; those who write in turns
 * do not do so each time. */
#include <stdlib.h>

#include "base/atomics.h"
#include "base/sync_point.h"
#include "file/cycle_store.h"
#include "helpers.h"
#include "queue_check.h"

enum { DAY = 86400000, HEAD = 4 };

static char path[1024];

/* The file of the only cycle, to be looked at and changed. */
static tape__cycle_store_t open_store(const char *directory, int64_t cycle)
{
    tape_queue_options_t o = t_options(NULL, NULL);
    tape__cycle_store_t s;
    tape_queue_t *q;
    char name[100];
    o.flags = TAPE_READ_ONLY;
    CHECK_OK(tape_queue_open(directory, &o, &q));
    CHECK_OK(tape_queue_cycle_name(q, cycle, name, sizeof name));
    CHECK_OK(tape_queue_close(q));
    snprintf(path, sizeof path, "%s/%s", directory, name);
    CHECK_EQ(tape__cycle_store_open(&s, path, cycle, true), TAPE_OK);
    return s;
}

/* The place of the last message, with the word of the one before: as left between two stores. */
static void make_stale(const char *directory, int64_t cycle, bool by_chance)
{
    tape__cycle_store_t s = open_store(directory, cycle);
    const uint64_t position = OBSERVE64(write_position, s.pair);
    const uint64_t word = OBSERVE64(write_position, s.pair + 1);
    CHECK(tape__pair_agrees(s.sequence_shift, position, word));
    CHECK(!tape__pair_is_proof(s.sequence_shift, position));
    const int64_t sequence = tape__pair_sequence(s.sequence_shift, word) - 1;
    const uint64_t before = position - (by_chance ? tape__pair_period(s.sequence_shift) : 8);
    const uint64_t stale = tape__cycle_store_pair_word(&s, before, sequence);
    CHECK_EQ(tape__pair_agrees(s.sequence_shift, position, stale), by_chance);
    CHECK(CLAIM64(write_position, s.pair + 1, word, stale));
    tape__cycle_store_close(&s);
}

static bool pair_is_of(const char *directory, int64_t cycle, int64_t sequence)
{
    tape__cycle_store_t s = open_store(directory, cycle);
    const uint64_t word = OBSERVE64(write_position, s.pair + 1);
    bool is = word == tape__cycle_store_pair_word(&s, OBSERVE64(write_position, s.pair), sequence);
    tape__cycle_store_close(&s);
    return is;
}

static void readers_find_the_end(const char *directory, int64_t *ms, int64_t first, int64_t count)
{
    tape_queue_options_t o = t_options(NULL, ms);
    tape_queue_t *q;
    tape_tailer_t *t;
    tape_excerpt_t e;
    tape_tailer_info_t info;
    tape_cycle_info_t facts;
    o.flags = TAPE_READ_ONLY;
    CHECK_OK(tape_queue_open(directory, &o, &q));
    CHECK_EQ(tape_queue_last_index(q), first + count - 1);
    CHECK_EQ(tape_queue_count(q, 0, INT64_MAX), count);
    CHECK_OK(tape_queue_cycle_info(q, 100, &facts));
    CHECK_EQ(facts.count, count);
    CHECK_OK(tape_tailer_open(q, NULL, &t));
    CHECK_OK(tape_tailer_info(t, &info));
    CHECK_EQ(info.lag_messages, count);
    CHECK_OK(tape_tailer_seek_end(t));
    CHECK_EQ(tape_tailer_index(t), first + count);
    CHECK_EQ(tape_tailer_next(t, &e), 0);
    CHECK_OK(tape_tailer_set_direction(t, TAPE_BACKWARD));
    CHECK_EQ(tape_tailer_next(t, &e), 1);
    CHECK_EQ(e.index, first + count - 1);
    CHECK_EQ(tape_tailer_seek(t, first + count - 1), 1);
    CHECK_OK(tape_tailer_close(t));
    CHECK_OK(tape_queue_close(q));
}

typedef struct {
    const char *roll_cycle;
    int shift;
    int before; /* messages before the one that is a period long */
} row_t;

static void found_stale(const row_t *row, bool by_chance, bool rolled)
{
    int64_t ms = 100 * (int64_t)DAY;
    const char *directory = t_directory();
    tape_queue_options_t o = t_options(row->roll_cycle, &ms);
    if (row->shift == 40) o.block_size = 80 << 20; /* a message may be a quarter as long */
    t_writer_t w = t_open_writer(directory, &o);
    const int64_t first = INT64_C(100) << tape_roll_cycle_named(row->roll_cycle)->shift;
    const size_t period = (size_t)tape__pair_period(row->shift);
    char *body = calloc(1, period);
    int64_t count = 0;
    CHECK(body != NULL);
    for (; count < row->before; count++)
        CHECK_EQ(tape_appender_write(w.appender, body, period / 64), first + count);
    CHECK_EQ(tape_appender_write(w.appender, body, by_chance ? period - HEAD : 4), first + count++);
    CHECK_EQ(tape_appender_write(w.appender, "last", 4), first + count++);
    t_close_writer(w);
    readers_find_the_end(directory, &ms, first, count);
    make_stale(directory, 100, by_chance);
    readers_find_the_end(directory, &ms, first, count);
    if (rolled) ms += DAY;
    const int64_t next = rolled ? first / 100 * 101 : first + count;
    w = t_open_writer(directory, &o);
    CHECK_EQ(tape_appender_write(w.appender, "next", 4), next);
    t_close_writer(w);
    if (rolled) { /* a finished file is measured by a few reads: not where they prove nothing */
        w = t_open_writer(directory, &o);
        CHECK_EQ(tape_queue_count(w.queue, 0, INT64_MAX), count + 1);
        CHECK_EQ(tape_queue_count(w.queue, 0, next), count);
        t_close_writer(w);
    } else {
        CHECK(pair_is_of(directory, 100, count));
        readers_find_the_end(directory, &ms, first, count + 1);
        CHECK_EQ(t_check_queue(directory, T_WHOLE).messages, count + 1);
    }
    free(body);
}

/* ---- what the walk costs ---- */

static int lookups;
static void count_lookups(const char *name) { lookups += strcmp(name, "end_looked_up") == 0; }

/* Others wrote much since: by the write position, where it is proof; else by walking on from where
 * the writer stands, and not each time from the last index entry, a million messages back. */
static void turns(const char *roll_cycle, int expected)
{
    int64_t ms = 100 * (int64_t)DAY;
    const char *directory = t_directory();
    tape_queue_options_t o = t_options(roll_cycle, &ms);
    char body[100] = {0};
    t_writer_t one = t_open_writer(directory, &o), other = t_open_writer(directory, &o);
    for (int n = 0; n < 1000; n++) /* beyond the period */
        CHECK_OK(tape_appender_write(other.appender, body, sizeof body));
    CHECK_OK(tape_appender_write(one.appender, body, sizeof body));
    for (int turn = 0; turn < 3; turn++) {
        for (int n = 0; n < 200; n++)
            CHECK_OK(tape_appender_write(other.appender, body, sizeof body));
        lookups = 0;
        tape__sync_point_hook = count_lookups;
        CHECK_OK(tape_appender_write(one.appender, body, sizeof body));
        tape__sync_point_hook = NULL;
        CHECK_EQ(lookups, expected);
    }
    t_close_writer(one);
    t_close_writer(other);
    CHECK_EQ(t_check_queue(directory, T_WHOLE).messages, 1000 + 1 + 3 * 201);
}

static void the_bits_that_are_kept(void)
{
    CHECK(tape__pair_is_proof(32, UINT64_C(1) << 40)); /* no record is so long */
    CHECK(tape__pair_is_proof(33, UINT64_C(1) << 40));
    CHECK(!tape__pair_is_proof(34, UINT64_C(1) << 30));
    CHECK(tape__pair_is_proof(34, (UINT64_C(1) << 30) - 4));
    CHECK(tape__pair_is_proof(48, 65532) && !tape__pair_is_proof(48, 65536));
}

int main(void)
{
    /* The last: entries of the index between the pair and the period. */
    const row_t rows[] = {{"HUGE_DAILY_XSPARSE", 48, 0}, {"HUGE_DAILY_XSPARSE", 48, 100},
                          {"HUGE_DAILY", 40, 70}};
    the_bits_that_are_kept();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (int kind = 0; kind < 4; kind++) found_stale(&rows[i], kind & 1, kind & 2);
    turns("FAST_DAILY", 1);
    turns("HUGE_DAILY_XSPARSE", 0);
    return 0;
}
