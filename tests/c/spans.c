/* Description: tape_tailer_next_spans() and taking part of a run back: the same messages as one by
 * one, whatever the direction, the room, the window and the framing; misuse is refused and moves
 * nothing; the bytes stay what they are until the next call. */
#include <stdlib.h>
#include <string.h>

#include "helpers.h"

enum { MESSAGES = 1200, ROOM = 400 };

static tape_span_t spans[ROOM];
static char large[40000];

/* Message n: mostly short; some larger than a small window; most without frame. */
static size_t size_of(int n) { return n % 97 == 96 ? sizeof large : (size_t)(n % 13) * 9; }

static void fill(tape_queue_t *q, int64_t *ms)
{
    tape_appender_t *framed, *plain;
    tape_appender_options_t o = {.struct_size = sizeof o, .framing = TAPE_FRAMING_DOCUMENT};
    CHECK_OK(tape_appender_open(q, NULL, &framed));
    CHECK_OK(tape_appender_open(q, &o, &plain));
    for (int n = 0; n < MESSAGES; n++) {
        memset(large, n & 0x7F, sizeof large);
        CHECK_OK(tape_appender_write(n % 50 < 9 ? framed : plain, large, size_of(n)));
        if (n % 500 == 499) *ms += 3000;
    }
    CHECK_OK(tape_appender_close(plain));
    CHECK_OK(tape_appender_close(framed));
}

static void compare(const tape_run_t *run, int64_t i, int step, const tape_excerpt_t *e)
{
    CHECK_EQ(run->first_index + i * step, e->index);
    CHECK_EQ(run->framing, e->framing);
    CHECK_EQ(spans[i].size, e->size);
    CHECK(memcmp(spans[i].data, e->data, e->size) == 0);
}

static void walk(tape_queue_t *q, int direction, int64_t window, uint32_t flags)
{
    tape_tailer_options_t o = {.struct_size = sizeof o, .window_size = window, .flags = flags};
    tape_tailer_t *t, *single;
    tape_excerpt_t e;
    tape_run_t run;
    CHECK_OK(tape_tailer_open(q, &o, &t));
    o.flags &= ~(uint32_t)TAPE_TAILER_METADATA;
    CHECK_OK(tape_tailer_open(q, &o, &single));
    if (direction == TAPE_BACKWARD) {
        CHECK_OK(tape_tailer_seek_end(t));
        CHECK_OK(tape_tailer_seek_end(single));
    }
    CHECK_OK(tape_tailer_set_direction(t, direction));
    CHECK_OK(tape_tailer_set_direction(single, direction));
    const int step = direction == TAPE_BACKWARD ? -1 : 1;
    int64_t total = 0, longest = 0;
    for (;;) {
        const size_t room = 1 + (size_t)rand() % ROOM;
        const int64_t got = tape_tailer_next_spans(t, spans, room, &run);
        CHECK_OK(got);
        if (got == 0) break;
        CHECK(got <= (int64_t)room);
        if (got > longest) longest = got;
        const int64_t keep = rand() % 3 ? got : rand() % (got + 1);
        for (int64_t i = 0; i < keep; i++) {
            CHECK_EQ(tape_tailer_next(single, &e), 1);
            compare(&run, i, step, &e);
        }
        if (keep < got) CHECK_OK(tape_tailer_unread_many(t, (size_t)keep));
        CHECK_EQ(tape_tailer_last_read(t), tape_tailer_last_read(single));
        if (keep > 0) CHECK_EQ(tape_tailer_index(t), tape_tailer_index(single));
        total += keep;
    }
    CHECK_EQ(total, MESSAGES);
    CHECK_EQ(tape_tailer_next(single, &e), 0);
    /* Runs, not messages one by one; backward from one index entry, every 4th, to the next. */
    CHECK(longest >= (direction == TAPE_BACKWARD ? 3 : 8));
    CHECK_OK(tape_tailer_close(single));
    CHECK_OK(tape_tailer_close(t));
}

static void misuse(tape_queue_t *q)
{
    tape_tailer_t *t;
    tape_run_t run;
    CHECK_OK(tape_tailer_open(q, NULL, &t));
    CHECK_EQ(tape_tailer_next_spans(NULL, spans, 1, &run), TAPE_EINVAL);
    CHECK_EQ(tape_tailer_next_spans(t, NULL, 1, &run), TAPE_EINVAL);
    CHECK_EQ(tape_tailer_next_spans(t, spans, 0, &run), TAPE_EINVAL);
    CHECK_EQ(tape_tailer_next_spans(t, spans, 1, NULL), TAPE_EINVAL);
    CHECK_EQ(tape_tailer_unread_many(t, 0), TAPE_ESTATE);
    const int64_t got = tape_tailer_next_spans(t, spans, ROOM, &run);
    CHECK(got > 1);
    CHECK_EQ(tape_tailer_unread_many(t, (size_t)got + 1), TAPE_ESTATE);
    CHECK_EQ(run.first_index, tape_queue_first_index(q));
    /* The memory stays when the tailer is shut down, until it is closed. */
    CHECK_OK(tape_tailer_seek_start(t));
    CHECK_EQ(tape_tailer_next_spans(t, spans, ROOM, &run), got);
    CHECK_OK(tape_tailer_shutdown(t));
    for (int64_t i = 0, sum = 0; i < got; i++)
        for (size_t b = 0; b < spans[i].size; b++) sum += ((const char *)spans[i].data)[b];
    CHECK_EQ(tape_tailer_next_spans(t, spans, 1, &run), TAPE_ECLOSED);
    CHECK_OK(tape_tailer_close(t));
}

int main(int argc, char **argv)
{
    t_seed(argc, argv);
    int64_t ms = 1000;
    tape_queue_options_t o = t_options("TEST4_SECONDLY", &ms);
    o.block_size = 1 << 20;
    t_writer_t w = t_open_writer(t_directory(), &o);
    fill(w.queue, &ms);
    const int directions[] = {TAPE_FORWARD, TAPE_BACKWARD};
    const int64_t windows[] = {0, 64 << 10};
    for (int d = 0; d < 2; d++)
        for (int i = 0; i < 2; i++) {
            walk(w.queue, directions[d], windows[i], 0);
            walk(w.queue, directions[d], windows[i], TAPE_TAILER_DOCUMENTS);
            walk(w.queue, directions[d], windows[i], TAPE_TAILER_METADATA);
        }
    misuse(w.queue);
    t_close_writer(w);
    return 0;
}
