/* Description: cycle files that are "compressed" (here: renamed, and given back as they are) are
 * read as part of the queue by who can decompress them, and are not there for others; what
 * decompressing fails with is what reading fails with, and no message is skipped by it. */
#include <fcntl.h>
#include <unistd.h>

#include "helpers.h"

static int fails_with, asked;

static int unpack(void *user, const char *path, uint64_t at, uint64_t size)
{
    (void)at, (void)size;
    CHECK(user == (void *)&asked);
    asked++;
    if (fails_with) return fails_with;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    CHECK(fd >= 0);
    return fd;
}

enum { CYCLES = 4, EACH = 3 };

/* Cycles 100, 103, 106, 109; the second and third are compressed. */
static void make(const char *directory)
{
    int64_t ms = 100000;
    tape_queue_options_t o = t_options("TEST4_SECONDLY", &ms);
    t_writer_t w = t_open_writer(directory, &o);
    char text[32], from[1200], to[1300], name[64];
    for (int c = 0; c < CYCLES; c++, ms += 3000)
        for (int n = 0; n < EACH; n++) {
            int size = snprintf(text, sizeof text, "%d.%d", c, n);
            CHECK_OK(tape_appender_write(w.appender, text, (size_t)size));
        }
    for (int c = 1; c < 3; c++) {
        CHECK_OK(tape_queue_cycle_name(w.queue, 100 + 3 * c, name, sizeof name));
        snprintf(from, sizeof from, "%s/%s", directory, name);
        snprintf(to, sizeof to, "%s%s", from, c == 1 ? ".gz" : ".zst");
        CHECK_EQ(rename(from, to), 0);
    }
    CHECK_OK(tape_queue_refresh(w.queue));
    t_close_writer(w);
}

static tape_queue_t *open_queue(const char *directory, tape_unpack_fn call)
{
    tape_queue_options_t o = t_options(NULL, NULL);
    tape_queue_t *q;
    o.flags = TAPE_READ_ONLY;
    o.unpack = call;
    o.unpack_user = &asked;
    CHECK_OK(tape_queue_open(directory, &o, &q));
    return q;
}

/* How many messages there are in one direction; each the right one. */
static int read_all(tape_queue_t *q, int32_t direction)
{
    tape_tailer_t *t;
    tape_excerpt_t e;
    int count = 0;
    CHECK_OK(tape_tailer_open(q, NULL, &t));
    if (direction == TAPE_BACKWARD) {
        CHECK_OK(tape_tailer_set_direction(t, direction));
        CHECK_OK(tape_tailer_seek_end(t));
    }
    while (tape_tailer_next(t, &e) == 1) {
        char text[32];
        int64_t c = ((e.index >> 32) - 100) / 3, n = e.index & 0xFF;
        int size = snprintf(text, sizeof text, "%d.%d", (int)c, (int)n);
        CHECK_EQ(e.size, (size_t)size);
        CHECK(memcmp(e.data, text, e.size) == 0);
        count++;
    }
    CHECK_OK(tape_tailer_close(t));
    return count;
}

static void who_can_reads_all(const char *directory)
{
    tape_queue_t *q = open_queue(directory, unpack);
    tape_cycle_info_t info;
    CHECK_EQ(read_all(q, TAPE_FORWARD), CYCLES * EACH);
    CHECK_EQ(read_all(q, TAPE_BACKWARD), CYCLES * EACH);
    CHECK_EQ(tape_queue_count(q, 0, INT64_MAX), CYCLES * EACH);
    CHECK_EQ(tape_queue_count(q, INT64_C(103) << 32, INT64_C(103) << 32 | 2), 2);
    CHECK_EQ(tape_queue_cycle_from(q, 101), 103);
    CHECK_OK(tape_queue_cycle_info(q, 103, &info));
    CHECK_EQ(info.count, EACH);
    CHECK(info.compressed);
    CHECK_OK(tape_queue_cycle_info(q, 100, &info));
    CHECK(!info.compressed);
    CHECK(asked > 0);
    CHECK_OK(tape_queue_close(q));
}

static void who_cannot_reads_the_others(const char *directory)
{
    tape_queue_t *q = open_queue(directory, NULL);
    tape_cycle_info_t info;
    CHECK_EQ(read_all(q, TAPE_FORWARD), 2 * EACH);
    CHECK_EQ(tape_queue_count(q, 0, INT64_MAX), 2 * EACH);
    CHECK_EQ(tape_queue_cycle_from(q, 101), 109);
    CHECK_EQ(tape_queue_cycle_info(q, 103, &info), TAPE_ENOTFOUND);
    CHECK_OK(tape_queue_close(q));
}

static void a_failure_is_told_and_passes(const char *directory, int code, int expected)
{
    tape_queue_t *q = open_queue(directory, unpack);
    tape_tailer_t *t;
    tape_excerpt_t e;
    CHECK_OK(tape_tailer_open(q, NULL, &t));
    for (int n = 0; n < EACH; n++) CHECK_EQ(tape_tailer_next(t, &e), 1);
    fails_with = code;
    for (int n = 0; n < 2; n++) CHECK_EQ(tape_tailer_next(t, &e), expected);
    CHECK_EQ(tape_tailer_seek(t, INT64_C(106) << 32), expected);
    CHECK_EQ(tape_queue_count(q, 0, INT64_MAX), expected);
    fails_with = 0;
    CHECK_EQ(tape_tailer_next(t, &e), 1);
    CHECK_EQ(e.index, INT64_C(103) << 32);
    CHECK_OK(tape_tailer_close(t));
    CHECK_OK(tape_queue_close(q));
}

int main(void)
{
    const char *directory = t_directory();
    make(directory);
    int descriptors = t_descriptors(directory), mappings = t_mappings(directory);
    who_can_reads_all(directory);
    who_cannot_reads_the_others(directory);
    a_failure_is_told_and_passes(directory, TAPE_ECORRUPT, TAPE_ECORRUPT);
    a_failure_is_told_and_passes(directory, TAPE_EUNSUPPORTED, TAPE_EUNSUPPORTED);
    a_failure_is_told_and_passes(directory, TAPE_ENOSPC, TAPE_ENOSPC);
    a_failure_is_told_and_passes(directory, -1, TAPE_EIO);
    CHECK_EQ(t_descriptors(directory), descriptors);
    CHECK_EQ(t_mappings(directory), mappings);
    return 0;
}
