/* queue_use.c - Description: everything that one does with a queue, done with a damaged one. */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"

enum { MOST = 4000, APPENDS = 6, LATER_MS = 1000 };

typedef struct {
    int64_t index;
    uint64_t hash;
} message_t;

typedef struct {
    message_t messages[MOST];
    int count;
} seen_t;

static seen_t pristine, before, after;
static int64_t clock_ms;
static bool learning;

static int64_t now(void *user)
{
    (void)user;
    return clock_ms;
}

static uint64_t hash_of(const uint8_t *bytes, size_t size)
{
    uint64_t hash = UINT64_C(0xCBF29CE484222325) ^ size;
    for (size_t i = 0; i < size; i++) hash = (hash ^ bytes[i]) * UINT64_C(0x100000001B3);
    return hash | 1;
}

static tape_queue_t *open_queue(uint32_t flags)
{
    tape_queue_t *q = NULL;
    tape_queue_options_t o = {.struct_size = sizeof o, .flags = flags | TAPE_OPEN_EXISTING,
                              .block_size = 65536, .lock_timeout_ns = 20000000,
                              .stale_after_ns = 1000000, .clock = now};
    return FUZZ_CALL(tape_queue_open, fuzz_queue, &o, &q) == TAPE_OK ? q : NULL;
}

static void close_queue(tape_queue_t *q)
{
    FUZZ_SURE(FUZZ_CALL(tape_queue_close, q) == TAPE_OK);
}

static void enough(int count, const char *way)
{
    if (count >= MOST) fuzz_found("%d messages and more, %s", count, way);
}

static void read_forward(tape_tailer_t *t, seen_t *seen)
{
    tape_excerpt_t x;
    for (seen->count = 0; FUZZ_CALL(tape_tailer_next, t, &x) == 1; enough(seen->count, "forward"))
        seen->messages[seen->count++] = (message_t){x.index, hash_of(x.data, x.size)};
}

static void read_backward(tape_tailer_t *t)
{
    tape_excerpt_t x;
    if (FUZZ_CALL(tape_tailer_seek_end, t) < 0) FUZZ_CALL(tape_tailer_seek_start, t);
    if (FUZZ_CALL(tape_tailer_set_direction, t, TAPE_BACKWARD) < 0) return;
    for (int count = 0; FUZZ_CALL(tape_tailer_next, t, &x) == 1 && hash_of(x.data, x.size);)
        enough(++count, "backward");
    FUZZ_CALL(tape_tailer_set_direction, t, TAPE_FORWARD);
}

/* What is found by an index has that index. */
static void seek(tape_tailer_t *t)
{
    tape_excerpt_t x;
    for (int i = 0; i < pristine.count; i += 1 + i / 16) {
        const int64_t index = pristine.messages[i].index;
        if (FUZZ_CALL(tape_tailer_seek, t, index) != 1) continue;
        if (FUZZ_CALL(tape_tailer_peek, t, &x) == 1)
            FUZZ_SURE(x.index == index && hash_of(x.data, x.size));
    }
    FUZZ_CALL(tape_tailer_seek, t, 0);
    FUZZ_CALL(tape_tailer_seek, t, INT64_MAX);
}

static void read_documents(tape_queue_t *q)
{
    tape_tailer_options_t o = {.struct_size = sizeof o,
                               .flags = TAPE_TAILER_DOCUMENTS | TAPE_TAILER_METADATA};
    tape_tailer_t *t = NULL;
    tape_excerpt_t x;
    if (FUZZ_CALL(tape_tailer_open, q, &o, &t) != TAPE_OK) return;
    for (int count = 0; FUZZ_CALL(tape_tailer_next, t, &x) == 1 && hash_of(x.data, x.size);)
        enough(++count, "with metadata");
    tape_tailer_info_t info;
    FUZZ_CALL(tape_tailer_info, t, &info);
    FUZZ_CALL(tape_tailer_close, t);
}

static void read_batches(tape_tailer_t *t)
{
    static uint8_t buffer[8192];
    int64_t ends[64], indexes[64], got;
    uint32_t framings[64];
    tape_batch_t b = {buffer, sizeof buffer, ends, indexes, framings, 64};
    tape_span_t spans[64];
    tape_run_t run;
    if (FUZZ_CALL(tape_tailer_seek_start, t) < 0) return;
    for (int n = 0; (got = FUZZ_CALL(tape_tailer_next_many, t, &b)) > 0; enough(n += got, "many"))
        FUZZ_SURE(hash_of(buffer, (size_t)ends[got - 1]));
    if (FUZZ_CALL(tape_tailer_seek_start, t) < 0) return;
    for (int n = 0; (got = FUZZ_CALL(tape_tailer_next_spans, t, spans, 64, &run)) > 0;) {
        for (int64_t i = 0; i < got; i++) FUZZ_SURE(hash_of(spans[i].data, spans[i].size));
        enough(n += (int)got, "in spans");
    }
}

static void tell(tape_queue_t *q)
{
    tape_queue_info_t info;
    tape_cycle_info_t cycle;
    char key[300];
    int64_t value;
    FUZZ_CALL(tape_queue_info, q, &info);
    FUZZ_CALL(tape_queue_first_index, q);
    FUZZ_CALL(tape_queue_last_index, q);
    FUZZ_CALL(tape_queue_count, q, 0, INT64_MAX);
    for (int64_t n = 0; n < 3; n++)
        FUZZ_CALL(tape_queue_cycle_info, q, FUZZ_FIRST_CYCLE + n, &cycle);
    for (size_t n = 0; FUZZ_CALL(tape_queue_table_word, q, n, key, sizeof key, &value) == 1; n++)
        if (n > 8192) fuzz_found("more than 8192 words in the table store");
}

static void read_all(seen_t *seen)
{
    tape_tailer_t *t = NULL;
    seen->count = 0;
    tape_queue_t *q = open_queue(TAPE_READ_ONLY);
    if (!q) return;
    tell(q);
    read_documents(q);
    if (FUZZ_CALL(tape_tailer_open, q, NULL, &t) == TAPE_OK) {
        read_forward(t, seen);
        seek(t);
        read_backward(t);
        read_batches(t);
        FUZZ_CALL(tape_tailer_close, t);
    }
    close_queue(q);
}

static const char *body_appended(int i)
{
    static char body[] = "appended after damage: ?";
    body[sizeof body - 2] = (char)('a' + i);
    return body;
}

/* An acknowledged message is there for whoever knows its index. */
static void look_up(tape_queue_t *q, const int64_t *indexes)
{
    tape_tailer_t *t = NULL;
    tape_excerpt_t x;
    for (int i = 0; i < APPENDS; i++) {
        const char *body = body_appended(i);
        if (indexes[i] < 0 || tape_tailer_open(q, NULL, &t) != TAPE_OK) continue;
        if (tape_tailer_seek(t, indexes[i]) != 1 || tape_tailer_peek(t, &x) != 1 ||
            x.index != indexes[i] || x.size != strlen(body) || memcmp(x.data, body, x.size) != 0)
            fuzz_found("message %d, acknowledged as 0x%llx, is not found", i,
                       (unsigned long long)indexes[i]);
        tape_tailer_close(t);
    }
}

static void use_named(tape_queue_t *q)
{
    tape_tailer_options_t o = {.struct_size = sizeof o, .id = "named", .flags = TAPE_TAILER_STEAL};
    tape_tailer_t *t = NULL;
    tape_excerpt_t x;
    for (int i = 0; i < 2; i++, o.id = "another") {
        if (FUZZ_CALL(tape_tailer_open, q, &o, &t) != TAPE_OK) continue;
        FUZZ_CALL(tape_tailer_committed, t);
        if (FUZZ_CALL(tape_tailer_next, t, &x) == 1 &&
            FUZZ_CALL(tape_tailer_commit, t) == TAPE_OK)
            FUZZ_SURE(tape_tailer_committed(t) == tape_tailer_index(t));
        FUZZ_CALL(tape_tailer_close, t);
    }
}

/* Some in the cycle of the clock, then some in the next one. */
static void append(void)
{
    tape_appender_t *a = NULL;
    int64_t indexes[APPENDS];
    for (int i = 0; i < APPENDS; i++) indexes[i] = -1;
    tape_queue_t *q = open_queue(0);
    if (!q) return;
    use_named(q);
    if (FUZZ_CALL(tape_appender_open, q, NULL, &a) == TAPE_OK) {
        for (int i = 0; i < APPENDS; i++, clock_ms += i == APPENDS - 1 ? LATER_MS : 0)
            indexes[i] = FUZZ_CALL(tape_appender_write, a, body_appended(i),
                                   strlen(body_appended(i)));
        look_up(q, indexes);
        FUZZ_CALL(tape_appender_close, a);
    }
    close_queue(q);
    q = open_queue(TAPE_READ_ONLY);
    if (!q) return;
    look_up(q, indexes);
    close_queue(q);
}

/* Somebody wrote this; it is no stretch of bytes that damage made look like a message. */
static bool is_message(message_t m)
{
    for (int i = 0; i < pristine.count; i++)
        if (pristine.messages[i].hash == m.hash) return true;
    return false;
}

static void compare(void)
{
    int k = 0;
    for (int i = 0; i < before.count; i++) {
        if (!is_message(before.messages[i])) continue;
        while (k < after.count && (after.messages[k].index != before.messages[i].index ||
                                   after.messages[k].hash != before.messages[i].hash))
            k++;
        if (k == after.count)
            fuzz_found("message %d of %d, 0x%llx, was readable before others were appended", i,
                       before.count, (unsigned long long)before.messages[i].index);
    }
}

/* What is there whatever an index holds: read from the beginning, and by its index. */
static void expect(fuzz_there_t there)
{
    tape_tailer_t *t = NULL;
    const int count = there == FUZZ_ALL_OF_ONE ? FUZZ_FULL_COUNT : pristine.count;
    for (int i = 0; i < count; i++)
        if (i >= before.count || before.messages[i].index != pristine.messages[i].index ||
            before.messages[i].hash != pristine.messages[i].hash)
            fuzz_found("message %d of %d is not read, with only its index damaged", i, count);
    tape_queue_t *q = open_queue(TAPE_READ_ONLY);
    FUZZ_SURE(q && tape_tailer_open(q, NULL, &t) == TAPE_OK);
    for (int i = 0; i < count; i += 7)
        FUZZ_SURE(FUZZ_CALL(tape_tailer_seek, t, pristine.messages[i].index) == 1);
    tape_tailer_close(t);
    close_queue(q);
}

void fuzz_use(fuzz_there_t there)
{
    if (pristine.count == 0 && !learning) {
        learning = true; /* of the sound queue, which is put back by who called */
        clock_ms = (FUZZ_FIRST_CYCLE + 1) * INT64_C(1000);
        read_all(&pristine);
        FUZZ_SURE(pristine.count > 0);
        return;
    }
    clock_ms = (FUZZ_FIRST_CYCLE + 1) * INT64_C(1000);
    read_all(&before);
    if (there != FUZZ_ANYTHING) expect(there);
    append();
    read_all(&after);
    compare();
}

void fuzz_mend(void)
{
    tape_check_options_t options = {.struct_size = sizeof options};
    tape_check_report_t report;
    FUZZ_CALL(tape_verify, fuzz_queue, &options, &report);
    const int64_t rc = FUZZ_CALL(tape_repair, fuzz_queue, fuzz_copy, &options, &report);
    if (rc != TAPE_OK || report.nothing) return;
    const int64_t messages = report.messages;
    FUZZ_SURE(FUZZ_CALL(tape_verify, fuzz_copy, &options, &report) == TAPE_OK);
    if (report.damage || report.unfinished) fuzz_found("the copy is damaged");
    FUZZ_SURE(report.messages == messages);
}
