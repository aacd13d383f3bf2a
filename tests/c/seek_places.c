/* Description: seeking to and fro in one cycle that grows meanwhile: each seek finds its message,
 * whatever was kept on the way, bounded and unbounded; a warm seek maps nothing; a file that was
 * deleted is noticed 50 ms later at the latest, at once when the listing moved. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/platform.h"
#include "helpers.h"
#include "read/tailer_places.h"

enum { MESSAGES = 9000, LARGE = 30000 };

static int64_t first;
static char body[LARGE];

/* Message n begins with the number n; each 501st is large, so that windows must move. */
static size_t size_of(int64_t n) { return n % 501 == 500 ? LARGE : 8 + (size_t)(n % 7) * 5; }

static void append(tape_appender_t *a, int64_t from, int64_t to)
{
    for (int64_t n = from; n < to; n++) {
        memcpy(body, &n, sizeof n);
        int64_t index = tape_appender_write(a, body, size_of(n));
        CHECK_OK(index);
        if (n == 0) first = index;
    }
}

static void read_it(tape_tailer_t *t, int64_t n)
{
    tape_excerpt_t e;
    int64_t found;
    CHECK_EQ(tape_tailer_next(t, &e), 1);
    CHECK_EQ(e.index, first + n);
    CHECK_EQ(e.size, size_of(n));
    memcpy(&found, e.data, sizeof found);
    CHECK_EQ(found, n);
    CHECK_EQ(tape_tailer_last_read(t), first + n);
}

/* Seeks to message n, reads it and some behind it, and takes the last one back at times. */
static void visit(tape_tailer_t *t, int64_t n, int64_t end)
{
    CHECK_EQ(tape_tailer_seek(t, first + n), 1);
    CHECK_EQ(tape_tailer_index(t), first + n);
    int more = rand() % 4;
    if (rand() % 2) CHECK_EQ(tape_tailer_seek(t, first + n), 1); /* no other call in between */
    for (int i = 0; i <= more && n + i < end; i++) {
        read_it(t, n + i);
        if (rand() % 8) continue;
        CHECK_OK(tape_tailer_unread(t));
        read_it(t, n + i);
    }
    if (n + more + 1 < end) return;
    tape_excerpt_t e;
    CHECK_EQ(tape_tailer_seek(t, first + end), 0); /* waits there */
    CHECK_EQ(tape_tailer_next(t, &e), 0);
    CHECK_EQ(tape_tailer_seek(t, first + end + 1), 0); /* stays */
    CHECK_EQ(tape_tailer_index(t), first + end);
}

static void backward(tape_tailer_t *t, int64_t n)
{
    CHECK_EQ(tape_tailer_seek(t, first + n), 1);
    CHECK_OK(tape_tailer_set_direction(t, TAPE_BACKWARD));
    for (int64_t i = n; i >= 0 && i > n - 5; i--) read_it(t, i);
    CHECK_OK(tape_tailer_set_direction(t, TAPE_FORWARD));
}

static void grow_and_seek(const tape_queue_options_t *o, int64_t window)
{
    t_writer_t w = t_open_writer(t_directory(), o);
    tape_tailer_t *t;
    tape_tailer_options_t to = {.struct_size = sizeof to, .window_size = window};
    append(w.appender, 0, 1);
    CHECK_OK(tape_tailer_open(w.queue, &to, &t));
    for (int64_t there = 1; there < MESSAGES;) {
        int64_t more = 1 + rand() % 700;
        append(w.appender, there, there + more);
        there += more;
        for (int i = 0; i < 60; i++) visit(t, rand() % there, there);
        backward(t, rand() % there);
    }
    CHECK_OK(tape_tailer_close(t));
    t_close_writer(w);
}

static void warm_seeks_map_nothing(tape_queue_t *q, const char *directory)
{
    tape_tailer_t *t;
    CHECK_OK(tape_tailer_open(q, NULL, &t));
    for (int64_t n = 0; n < 3000; n++) visit(t, n, 3000);
    uint64_t allocations = tape__alloc_count();
    int mappings = t_mappings(directory);
    for (int i = 0; i < 3000; i++) {
        CHECK_EQ(tape_tailer_seek(t, first + rand() % 2990), 1);
        CHECK_EQ(t_mappings(directory), mappings);
        i += 100;
    }
    CHECK_EQ(tape__alloc_count(), allocations);
    CHECK_OK(tape_tailer_close(t));
}

static void deletion_is_noticed(tape_queue_t *q, const char *directory, bool tell)
{
    char name[64];
    tape_tailer_t *t;
    tape_queue_info_t info;
    CHECK_OK(tape_tailer_open(q, NULL, &t));
    CHECK_EQ(tape_tailer_seek(t, first + 7), 1);
    CHECK_OK(tape_queue_info(q, &info));
    CHECK_OK(tape_queue_cycle_name(q, info.highest_cycle, name, sizeof name));
    const char *path = t_path(directory, name), *away = t_path(directory, "away");
    CHECK_OK(rename(path, away));
    if (tell) CHECK_OK(tape_queue_refresh(q));
    else tape__sleep_ns(80000000);
    CHECK_EQ(tape_tailer_seek(t, first + 9), 0);
    CHECK_EQ(tape_tailer_index(t), first + 7);
    CHECK_OK(rename(away, path));
    CHECK_OK(tape_queue_refresh(q));
    CHECK_EQ(tape_tailer_seek(t, first + 9), 1);
    CHECK_OK(tape_tailer_close(t));
}

/* Slots that many sequences share never give another one's place. */
static void places_are_told_apart(void)
{
    tape__places_t p = {0};
    int64_t found;
    uint64_t position;
    tape__places_want(&p, INT64_C(4) << 20);
    CHECK(!p.slots); /* the first seek makes none */
    tape__places_want(&p, (INT64_C(4) << 20) - 1);
    CHECK(p.slots);
    CHECK_EQ(p.slot_bits, 18);
    CHECK_EQ(p.every_bits, 4);
    const int64_t far = INT64_C(16) << p.slot_bits;
    tape__places_note(&p, 32, 4000);
    CHECK(tape__places_before(&p, 40, 0, &found, &position) && found == 32 && position == 4000);
    CHECK(!tape__places_before(&p, 31, 0, &found, &position));
    CHECK(!tape__places_before(&p, 40, 33, &found, &position));
    CHECK(!tape__places_before(&p, far + 40, far, &found, &position));
    tape__places_note(&p, far + 32, 8000);
    CHECK(tape__places_before(&p, far + 40, far, &found, &position) && position == 8000);
    CHECK(!tape__places_before(&p, 40, 0, &found, &position));
    tape__places_note(&p, 32, UINT64_C(1) << 42); /* more than a word can tell: not kept */
    CHECK(!tape__places_before(&p, 40, 0, &found, &position));
    tape__places_note(&p, INT64_C(1) << 60, 8000);
    tape__places_note(&p, 64, (UINT64_C(1) << 42) - 4);
    CHECK(tape__places_before(&p, 64, 0, &found, &position) &&
          position == (UINT64_C(1) << 42) - 4);
    tape__places_forget(&p);
    CHECK(!tape__places_before(&p, 40, 0, &found, &position));
}

/* A cycle that has grown gets a larger table, which knows what the smaller one did and can tell. */
static void a_table_grows_with_its_cycle(void)
{
    tape__places_t p = {0};
    tape__places_want(&p, 0);
    for (int bits = 8; bits < 39; bits++) {
        int64_t messages = INT64_C(1) << bits, found;
        uint64_t position;
        tape__places_want(&p, messages);
        CHECK(p.slots && p.room > messages);
        CHECK(p.every_bits == 8 || INT64_C(1) << (p.slot_bits + p.every_bits) > messages / 2);
        int64_t last = messages - 1 - ((messages - 1) & ((1 << p.every_bits) - 1));
        tape__places_note(&p, last, (uint64_t)messages * 8);
        CHECK(tape__places_before(&p, last, last, &found, &position));
        tape__places_note(&p, 256, 4096);
        tape__places_want(&p, 2 * messages);
        CHECK(tape__places_before(&p, 256, 256, &found, &position) && position == 4096);
        if (tape__places_wants(&p, last) && bits < 26)
            CHECK(tape__places_before(&p, last, last, &found, &position) &&
                  position == (uint64_t)messages * 8);
    }
    tape__places_forget(&p);
}

int main(int argc, char **argv)
{
    t_seed(argc, argv);
    int64_t ms = 1000;
    tape_queue_options_t o = t_options("FAST_DAILY", &ms);
    places_are_told_apart();
    a_table_grows_with_its_cycle();
    grow_and_seek(&o, 0);
    grow_and_seek(&o, 64 << 10);
    const char *directory = t_directory();
    t_writer_t w = t_open_writer(directory, &o);
    append(w.appender, 0, 3000);
    warm_seeks_map_nothing(w.queue, directory);
    deletion_is_noticed(w.queue, directory, false);
    deletion_is_noticed(w.queue, directory, true);
    t_close_writer(w);
    return 0;
}
