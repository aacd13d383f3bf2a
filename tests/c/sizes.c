/* Description: messages of every size at the boundaries of the framing, up to the largest and one
 * beyond, in both framings; larger than a tailer's window; files that grow by Java's steps. */
#include <sys/stat.h>

#include "helpers.h"
#include "queue_check.h"

static uint8_t pattern(size_t i, size_t size) { return (uint8_t)(i * 31 + size); }

static uint8_t *message(size_t size)
{
    uint8_t *data = malloc(size + 1);
    for (size_t i = 0; i < size; i++) data[i] = pattern(i, size);
    return data;
}

static void check_message(const tape_excerpt_t *e, size_t size, uint32_t framing)
{
    if (framing == TAPE_FRAMING_DOCUMENT && size == 0) { /* Java's byte of padding */
        CHECK_EQ(e->size, 1);
        CHECK_EQ(e->data[0], 0x8F);
        return;
    }
    CHECK_EQ(e->size, size);
    CHECK_EQ(e->framing, framing);
    for (size_t i = 0; i < size; i++)
        if (e->data[i] != pattern(i, size)) CHECK_FAILED("byte %zu of %zu", i, size);
}

static const size_t sizes[] = {0,     1,     2,     3,     4,     5,     7,     8,      9,
                               63,    64,    65,    253,   254,   255,   256,   257,    4095,
                               4096,  4097,  65530, 65531, 65532, 65533, 65534, 65535,  65536,
                               65537, 65600, 65601, 131072, 200001, 262136, 262137};
enum { SIZES = sizeof sizes / sizeof *sizes };

static void boundaries(uint32_t framing, size_t largest)
{
    const char *directory = t_directory();
    int64_t ms = 86400000;
    tape_queue_options_t o = t_options("FAST_DAILY", &ms);
    tape_appender_options_t ao = {.struct_size = sizeof ao, .framing = framing};
    tape_tailer_options_t to = {.struct_size = sizeof to, .window_size = 65536};
    tape_queue_t *q;
    tape_appender_t *a;
    tape_tailer_t *t;
    tape_excerpt_t e;
    o.block_size = 1 << 20; /* the largest document is a quarter */
    CHECK_OK(tape_queue_open(directory, &o, &q));
    CHECK_OK(tape_appender_open(q, &ao, &a));
    CHECK_OK(tape_tailer_open(q, &to, &t));
    for (int round = 0; round < 3; round++)
        for (int i = 0; i < SIZES; i++) {
            uint8_t *data = message(sizes[i]);
            CHECK_OK(tape_appender_write(a, data, sizes[i]));
            free(data);
        }
    uint8_t *data = message(largest + 1);
    int64_t last = tape_appender_write(a, data, largest);
    CHECK_OK(last);
    CHECK_EQ(tape_appender_write(a, data, largest + 1), TAPE_ETOOBIG);
    CHECK_EQ(tape_appender_write(a, data, SIZE_MAX), TAPE_ETOOBIG);
    CHECK_EQ(tape_appender_write(a, NULL, 5), TAPE_EINVAL);
    CHECK_EQ(tape_appender_write(a, NULL, 0), last + 1);
    free(data);
    for (int round = 0; round < 3; round++)
        for (int i = 0; i < SIZES; i++) {
            CHECK_EQ(tape_tailer_next(t, &e), 1);
            check_message(&e, sizes[i], framing);
        }
    CHECK_EQ(tape_tailer_next(t, &e), 1);
    CHECK_EQ(e.size, largest);
    CHECK_EQ(tape_tailer_next(t, &e), 1);
    CHECK_EQ(tape_tailer_next(t, &e), 0);
    CHECK_EQ(t_check_queue(directory, T_WHOLE).messages, 3 * SIZES + 2);
    tape_tailer_close(t);
    tape_appender_close(a);
    CHECK_OK(tape_queue_close(q));
}

/* Small blocks: the file is always k * block + overlap long, and behind the last message there is
 * room that is in the file. A second handle follows, with another block size. */
static void growth(void)
{
    const char *directory = t_directory();
    int64_t ms = 86400000;
    tape_queue_options_t o = t_options("FAST_DAILY", &ms);
    tape_queue_t *q[2];
    tape_appender_t *a[2];
    tape_tailer_t *t;
    tape_excerpt_t e;
    tape_queue_info_t info;
    CHECK_OK(tape_queue_open(directory, &o, &q[0]));
    CHECK_OK(tape_queue_info(q[0], &info));
    CHECK_EQ(info.block_size, 131072);
    o.block_size = 1; /* raised to Java's least */
    CHECK_OK(tape_queue_open(directory, &o, &q[1]));
    CHECK_OK(tape_queue_info(q[1], &info));
    CHECK_EQ(info.block_size, 131072);
    for (int i = 0; i < 2; i++) CHECK_OK(tape_appender_open(q[i], NULL, &a[i]));
    uint8_t *data = message(65531);
    CHECK_EQ(tape_appender_write(a[0], data, 65532), TAPE_ETOOBIG);
    for (int n = 0; n < 300; n++) {
        CHECK_OK(tape_appender_write(a[n % 7 < 4], data, (size_t)n * 37 % 65532));
        struct stat st;
        CHECK(stat(t_path(directory, "19700102F.cq4"), &st) == 0);
        CHECK_EQ((st.st_size - 65536) % 131072, 0);
    }
    CHECK_OK(tape_tailer_open(q[1], NULL, &t));
    for (int n = 0; n < 300; n++) {
        CHECK_EQ(tape_tailer_next(t, &e), 1);
        CHECK_EQ(e.size, (size_t)n * 37 % 65532);
        CHECK(memcmp(e.data, data, e.size) == 0);
    }
    CHECK_EQ(tape_tailer_next(t, &e), 0);
    free(data);
    CHECK_EQ(t_check_queue(directory, T_WHOLE).messages, 300);
    tape_tailer_close(t);
    for (int i = 0; i < 2; i++) {
        tape_appender_close(a[i]);
        CHECK_OK(tape_queue_close(q[i]));
    }
}

int main(void)
{
    boundaries(TAPE_FRAMING_BYTES, 262137);
    boundaries(TAPE_FRAMING_DOCUMENT, 262144);
    growth();
    return 0;
}
