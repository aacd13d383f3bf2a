/* Description: tape_tailer_next_many() and taking part of a batch back: the same messages as one by
 * one, in both directions, whatever the room; misuse is refused and moves nothing. */
#include <stdlib.h>

#include "helpers.h"

enum { MESSAGES = 700, ROOM = 400 };

static uint8_t buffer[4096];
static int64_t ends[ROOM], indexes[ROOM];
static uint32_t framings[ROOM];

static tape_batch_t room(size_t size, size_t count)
{
    return (tape_batch_t){buffer, size, ends, indexes, framings, count};
}

static size_t length_of(int64_t n) { return (size_t)(n % 5) * 7; }

/* Message n is n % 5 * 7 bytes of the value n. */
static void check_message(int64_t n, const uint8_t *data, size_t size)
{
    CHECK_EQ(size, length_of(n));
    for (size_t i = 0; i < size; i++) CHECK_EQ(data[i], (uint8_t)n);
}

/* Number of the first message of each cycle: the first has 300 messages, the next 400. */
static int64_t number_of(int64_t index, int64_t first)
{
    return (index & 0xFFFFFFFF) + ((index >> 32) > (first >> 32) ? 300 : 0);
}

static void walk(tape_queue_t *q, int64_t first, int direction, size_t size, size_t count)
{
    tape_tailer_t *t, *single;
    tape_excerpt_t e;
    CHECK_OK(tape_tailer_open(q, NULL, &t));
    CHECK_OK(tape_tailer_open(q, NULL, &single));
    if (direction == TAPE_BACKWARD) {
        CHECK_OK(tape_tailer_seek_end(t));
        CHECK_OK(tape_tailer_seek_end(single));
    }
    CHECK_OK(tape_tailer_set_direction(t, direction));
    CHECK_OK(tape_tailer_set_direction(single, direction));
    tape_batch_t b = room(size, count);
    int total = 0;
    for (int64_t got; (got = tape_tailer_next_many(t, &b)) != 0; total += (int)got) {
        CHECK_OK(got);
        CHECK(got <= (int64_t)count);
        int64_t keep = rand() % (got + 1);
        if (keep < got) CHECK_OK(tape_tailer_unread_many(t, (size_t)keep));
        for (int64_t i = 0, begin = 0; i < keep; begin = ends[i++]) {
            CHECK_EQ(tape_tailer_next(single, &e), 1);
            CHECK_EQ(indexes[i], e.index);
            check_message(number_of(e.index, first), buffer + begin, (size_t)(ends[i] - begin));
        }
        CHECK_EQ(tape_tailer_last_read(t), tape_tailer_last_read(single));
        /* With nothing kept, the first may have come to stand in another cycle already. */
        if (keep > 0) CHECK_EQ(tape_tailer_index(t), tape_tailer_index(single));
        total -= (int)(got - keep);
    }
    CHECK_EQ(total, MESSAGES);
    CHECK_OK(tape_tailer_close(t));
    CHECK_OK(tape_tailer_close(single));
}

static void misuse(tape_queue_t *q)
{
    tape_tailer_t *t;
    tape_excerpt_t e;
    CHECK_OK(tape_tailer_open(q, NULL, &t));
    tape_batch_t b = room(sizeof buffer, 10), none = {0};
    CHECK_EQ(tape_tailer_next_many(NULL, &b), TAPE_EINVAL);
    CHECK_EQ(tape_tailer_next_many(t, NULL), TAPE_EINVAL);
    CHECK_EQ(tape_tailer_next_many(t, &none), TAPE_EINVAL);
    CHECK_EQ(tape_tailer_unread_many(t, 0), TAPE_ESTATE);
    CHECK_EQ(tape_tailer_unread_many(NULL, 0), TAPE_EINVAL);
    CHECK_EQ(tape_tailer_next_many(t, &b), 10);
    CHECK_EQ(tape_tailer_unread(t), TAPE_ESTATE); /* that is for one */
    CHECK_EQ(tape_tailer_next_many(t, &b), 10);
    CHECK_EQ(tape_tailer_unread_many(t, 11), TAPE_ESTATE);
    CHECK_EQ(tape_tailer_unread_many(t, 5), TAPE_ESTATE); /* it is not the last call any more */
    int64_t index = tape_tailer_index(t);
    CHECK_EQ(index & 0xFFFFFFFF, 20);
    b.size = 3; /* message 20 is empty, 21 has 7 bytes */
    CHECK_EQ(tape_tailer_next_many(t, &b), 1);
    CHECK_EQ(tape_tailer_next_many(t, &b), TAPE_ETOOBIG);
    CHECK_EQ(tape_tailer_next(t, &e), 1);
    CHECK_EQ(e.index, index + 1);
    CHECK_OK(tape_tailer_shutdown(t));
    CHECK_EQ(tape_tailer_next_many(t, &b), TAPE_ECLOSED);
    CHECK_OK(tape_tailer_close(t));
}

int main(int argc, char **argv)
{
    t_seed(argc, argv);
    int64_t ms = 1000;
    tape_queue_options_t o = t_options("TEST4_SECONDLY", &ms);
    t_writer_t w = t_open_writer(t_directory(), &o);
    int64_t first = -1;
    for (int64_t n = 0; n < MESSAGES; n++) {
        uint8_t data[64];
        if (n == 300) ms += 3000;
        for (size_t i = 0; i < length_of(n); i++) data[i] = (uint8_t)n;
        int64_t index = tape_appender_write(w.appender, data, length_of(n));
        CHECK_OK(index);
        if (n == 0) first = index;
    }
    for (int round = 0; round < 40; round++) {
        size_t size = 28 + (size_t)rand() % 4000, count = 1 + (size_t)rand() % ROOM;
        walk(w.queue, first, round % 2 ? TAPE_BACKWARD : TAPE_FORWARD, size, count);
    }
    misuse(w.queue);
    t_close_writer(w);
    return 0;
}
