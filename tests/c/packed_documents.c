/* Description: a cycle file of data format 0 (format.md 2.2) is appended to, paged, rolled out of
 * and read with header words at every address; under UBSan no access is undefined. Two threads, one
 * that writes and one that tails, never see half of a word. */
#include <fcntl.h>
#include <pthread.h>

#include "base/atomics.h"
#include "base/bytes.h"
#include "helpers.h"

enum { MESSAGES = 3000 };

/* ThreadSanitizer does not see what locked instructions and fences order. */
#ifdef __SANITIZE_THREAD__
static const bool tail_meanwhile = false;
#else
static const bool tail_meanwhile = true;
#endif

static const char *directory;
static int64_t ms = 86400000;

static size_t length_of(int64_t n) { return (size_t)(n * 7 % 89); }

static void body_of(int64_t n, uint8_t *body)
{
    for (size_t i = 0; i < length_of(n); i++) body[i] = (uint8_t)(n + (int64_t)i);
}

static int64_t write_one(tape_appender_t *a, int64_t n)
{
    uint8_t body[128] = {0};
    body_of(n, body);
    return tape_appender_write(a, body, length_of(n));
}

/* Makes of our own new file one without data format: all in it happens to be of lengths that are
 * the same in both, but the header, which takes its padding in. */
static void pack(const char *path)
{
    size_t size;
    uint8_t *bytes = t_read_file(path, &size), *at = NULL;
    for (size_t i = 0; i < 512 && !at; i++)
        if (memcmp(bytes + i, "\xCA" "dataFormat\xA1\x01", 13) == 0) at = bytes + i + 12;
    CHECK(at != NULL);
    uint32_t word = tape__get_u32(bytes);
    uint8_t value = 0;
    tape__put_u32(bytes, (word + 3) & ~UINT32_C(3));
    int fd = open(path, O_RDWR);
    CHECK_EQ(pwrite(fd, bytes, 4, 0), 4);
    CHECK_EQ(pwrite(fd, &value, 1, at - bytes), 1);
    close(fd);
    free(bytes);
}

static void *read_all(void *queue)
{
    tape_tailer_t *t;
    tape_excerpt_t e;
    CHECK_OK(tape_tailer_open(queue, NULL, &t));
    for (int64_t n = 0; n < MESSAGES;) {
        uint8_t wanted[128] = {0};
        int rc = tape_tailer_next(t, &e);
        CHECK_OK(rc);
        if (rc == 0) continue;
        body_of(n, wanted);
        CHECK_EQ(e.size, length_of(n));
        CHECK(memcmp(e.data, wanted, e.size) == 0);
        CHECK_EQ(e.index, (INT64_C(1) << 32) + n);
        n++;
    }
    CHECK_OK(tape_tailer_close(t));
    return NULL;
}

int main(void)
{
    if (!TAPE__CAN_CLAIM_UNALIGNED) SKIP("files of data format 0 are written on x86-64 only");
    directory = t_directory();
    tape_queue_options_t o = t_options("TEST4_DAILY", &ms);
    tape_tailer_t *t;
    tape_excerpt_t e;
    pthread_t reader;
    t_writer_t w = t_open_writer(directory, &o);
    CHECK_EQ(write_one(w.appender, 0), INT64_C(1) << 32);
    t_close_writer(w);
    pack(t_path(directory, "19700102T4.cq4"));

    w = t_open_writer(directory, &o);
    if (tail_meanwhile) CHECK_EQ(pthread_create(&reader, NULL, read_all, w.queue), 0);
    for (int64_t n = 1; n < MESSAGES; n++)
        CHECK_EQ(write_one(w.appender, n), (INT64_C(1) << 32) + n);
    if (tail_meanwhile) CHECK_EQ(pthread_join(reader, NULL), 0);
    else read_all(w.queue);
    ms += 86400000;
    CHECK_EQ(write_one(w.appender, 5), INT64_C(2) << 32);
    CHECK_EQ(tape_queue_count(w.queue, 0, INT64_MAX), MESSAGES + 1);

    CHECK_OK(tape_tailer_open(w.queue, NULL, &t));
    CHECK_OK(tape_tailer_seek_end(t));
    CHECK_OK(tape_tailer_set_direction(t, TAPE_BACKWARD));
    CHECK_EQ(tape_tailer_next(t, &e), 1);
    for (int64_t n = MESSAGES; n-- > 0;) {
        CHECK_EQ(tape_tailer_next(t, &e), 1);
        CHECK_EQ(e.index, (INT64_C(1) << 32) + n);
        CHECK_EQ(e.size, length_of(n));
    }
    CHECK_OK(tape_tailer_close(t));
    t_close_writer(w);
    return 0;
}
