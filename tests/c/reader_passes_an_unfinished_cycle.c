/* Description: a cycle without END_OF_DATA, as Java leaves them, and a newer one with messages: a
 * reader goes on when the time of the first is over and the write lock is free, and not before; by
 * handles that may write and by those that may not, and not a byte of the file changes. New cycles
 * are seen by the listing word where file times have whole seconds; a directory with the name of a
 * cycle file is passed over; a file cut in the middle of a message is damaged. */
#include <fcntl.h>
#include <sys/stat.h>

#include "base/atomics.h"
#include "file/table_store.h"
#include "format/header_word.h"
#include "helpers.h"

#define DAY INT64_C(86400000)
static int64_t ms;
static const char *directory;
static char first_file[1100];

static tape_queue_options_t options(uint32_t flags)
{
    tape_queue_options_t o = t_options("TEST_DAILY", &ms);
    o.flags = flags;
    return o;
}

static void write_one(const char *text)
{
    tape_queue_options_t o = options(0);
    t_writer_t w = t_open_writer(directory, &o);
    CHECK_OK(tape_appender_write(w.appender, text, strlen(text)));
    t_close_writer(w);
}

static void name_of(int64_t time_ms, char *out, size_t size)
{
    tape_queue_t *q;
    char name[64];
    tape_queue_options_t o = options(TAPE_READ_ONLY);
    CHECK_OK(tape_queue_open(directory, &o, &q));
    CHECK_OK(tape_queue_cycle_name(q, time_ms / DAY, name, sizeof name));
    CHECK_OK(tape_queue_close(q));
    snprintf(out, size, "%s/%s", directory, name);
}

/* Two cycles, the first one without its end. */
static void leave_unfinished(void)
{
    size_t size;
    uint32_t word;
    directory = t_directory();
    ms = 100 * DAY + 1000;
    write_one("a");
    name_of(ms, first_file, sizeof first_file);
    ms += DAY;
    write_one("b");
    uint8_t *bytes = t_read_file(first_file, &size);
    size_t at = size;
    for (size_t i = 0; i + 4 <= size; i += 4) {
        memcpy(&word, bytes + i, 4);
        if (word == TAPE__END_OF_DATA) at = i;
    }
    free(bytes);
    CHECK(at < size);
    int fd = open(first_file, O_RDWR);
    const uint64_t zero = 0;
    CHECK(pwrite(fd, &zero, 8, (off_t)at) == 8);
    close(fd);
}

static int64_t next_byte(tape_tailer_t *t)
{
    tape_excerpt_t e;
    int64_t rc = tape_tailer_next(t, &e);
    return rc == 1 ? e.data[0] : rc;
}

static int64_t next_soon(tape_tailer_t *t)
{
    int64_t got = 0;
    for (int i = 0; i < 20 && got == 0; i++) {
        got = next_byte(t);
        usleep(10000);
    }
    return got;
}

static void passes(uint32_t flags)
{
    tape_queue_t *q;
    tape_tailer_t *t;
    tape__table_store_t table;
    size_t size, size_after;
    leave_unfinished();
    CHECK_OK(tape__table_store_open(&table, directory, true));
    uint64_t *word = tape__table_store_cell(&table, "chronicle.write.lock");
    uint8_t *before = t_read_file(first_file, &size);
    tape_queue_options_t o = options(flags);
    CHECK_OK(tape_queue_open(directory, &o, &q));
    CHECK_OK(tape_tailer_open(q, NULL, &t));
    ms -= DAY; /* by the clock the first cycle is still being written */
    CHECK_EQ(next_byte(t), 'a');
    CHECK_EQ(next_soon(t), 0);
    ms += DAY; /* its time is over, but somebody may be at work in it */
    PUBLISH64(write_lock, word, (uint64_t)getpid());
    CHECK_EQ(next_soon(t), 0);
    PUBLISH64(write_lock, word, TAPE__MIN64);
    CHECK_EQ(next_soon(t), 'b');
    CHECK_EQ(next_byte(t), 0);
    uint8_t *after = t_read_file(first_file, &size_after);
    CHECK(size == size_after && memcmp(before, after, size) == 0);
    free(before);
    free(after);
    CHECK_OK(tape_tailer_close(t));
    CHECK_OK(tape_queue_close(q));
    tape__table_store_close(&table);
}

/* As on a file system that keeps whole seconds, all within one. */
static void set_time_of_directory(int64_t seconds)
{
    struct timespec times[2] = {{seconds, 0}, {seconds, 0}};
    CHECK(utimensat(AT_FDCWD, directory, times, 0) == 0);
}

static void sees_new_cycles_by_the_word(void)
{
    tape_queue_t *q;
    tape_queue_options_t o = options(TAPE_READ_ONLY);
    directory = t_directory();
    ms = 100 * DAY;
    write_one("a");
    set_time_of_directory(1000000);
    CHECK_OK(tape_queue_open(directory, &o, &q));
    int64_t before = tape_queue_last_index(q);
    CHECK_OK(before);
    for (int i = 0; i < 3; i++) {
        ms += DAY;
        write_one("b");
        set_time_of_directory(1000000);
        int64_t now = tape_queue_last_index(q);
        CHECK(now > before);
        before = now;
    }
    CHECK_OK(tape_queue_close(q));
}

static void passes_over_directories(void)
{
    tape_queue_t *q;
    tape_tailer_t *t;
    char stray[3][1100];
    tape_queue_options_t o = options(0);
    directory = t_directory();
    ms = 100 * DAY;
    write_one("a");
    for (int i = 0; i < 3; i++) {
        name_of(ms + (i == 0 ? -1 : i == 1 ? 1 : 9) * DAY, stray[i], sizeof stray[i]);
        CHECK(mkdir(stray[i], 0777) == 0);
    }
    CHECK_OK(tape_queue_open(directory, &o, &q));
    CHECK_EQ(tape_queue_count(q, 0, INT64_MAX), 1);
    int64_t last = tape_queue_last_index(q);
    CHECK_OK(last);
    CHECK_EQ(tape_queue_first_index(q), last);
    ms += 2 * DAY;
    write_one("b");
    CHECK_OK(tape_tailer_open(q, NULL, &t));
    CHECK_EQ(next_byte(t), 'a');
    CHECK_EQ(next_soon(t), 'b');
    CHECK_OK(tape_tailer_close(t));
    CHECK_OK(tape_queue_close(q));
    for (int i = 0; i < 3; i++) rmdir(stray[i]);
}

static void tells_a_cut_file(void)
{
    tape_queue_t *q;
    tape_tailer_t *t;
    tape_excerpt_t e;
    char text[301], message[1100];
    size_t size, at = 0;
    directory = t_directory();
    ms = 100 * DAY;
    memset(text, 'x', 300);
    text[300] = 0;
    write_one(text);
    name_of(ms, first_file, sizeof first_file);
    uint8_t *bytes = t_read_file(first_file, &size);
    for (at = size - 300; at > 0 && memcmp(bytes + at, text, 300) != 0;) at--;
    free(bytes);
    CHECK(truncate(first_file, (off_t)at + 150) == 0);
    tape_queue_options_t o = options(TAPE_READ_ONLY);
    CHECK_OK(tape_queue_open(directory, &o, &q));
    CHECK_OK(tape_tailer_open(q, NULL, &t));
    CHECK_EQ(tape_tailer_next(t, &e), TAPE_ECORRUPT);
    tape_error_trail(message, sizeof message);
    CHECK(strstr(message, "beyond the end of the file") != NULL);
    CHECK_OK(tape_tailer_close(t));
    CHECK_OK(tape_queue_close(q));
}

int main(void)
{
    passes(0);
    passes(TAPE_READ_ONLY);
    sees_new_cycles_by_the_word();
    passes_over_directories();
    tells_a_cut_file();
    return 0;
}
