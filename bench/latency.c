/* latency.c - how long a message takes from one process to another: one side of it.
 *
 *     latency write|read word|queue PATH COUNT RATE
 *
 * The writer puts the time into each message just before it writes it, RATE of them a second; the
 * reader looks without pause and takes the difference. "word" is the floor: the time is stored in
 * a word of shared memory, the file PATH; a reader who is off the processor misses some. The reader
 * prints "ready", then its COUNT differences (a word's: those it saw) in nanoseconds on one line.
 * Both sides use CLOCK_MONOTONIC, which processes share.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "base/atomics.h"
#include "tape.h"

enum { SIZE = 64 };
#define NO_MORE UINT64_MAX

static void die(const char *doing)
{
    char trail[1024] = "";
    tape_error_trail(trail, sizeof trail);
    fprintf(stderr, "latency: %s: %s\n", doing, trail);
    exit(1);
}

static int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

static uint64_t *shared_word(const char *path)
{
    int fd = open(path, O_RDWR | O_CREAT, 0600);
    if (fd < 0 || ftruncate(fd, 4096) != 0) die("the shared word");
    void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (p == MAP_FAILED) die("mapping");
    close(fd);
    return p;
}

static void write_all(uint64_t *word, tape_appender_t *a, int count, int rate)
{
    uint8_t message[SIZE] = {0};
    int64_t step = INT64_C(1000000000) / rate, due = now_ns() + step, now;
    for (int i = 0; i < count; i++, due += step) {
        while ((now = now_ns()) < due) continue;
        if (word) {
            PUBLISH64(floor, word, (uint64_t)now);
            continue;
        }
        memcpy(message, &now, sizeof now);
        if (tape_appender_write(a, message, SIZE) < 0) die("appending");
    }
    if (word) PUBLISH64(floor, word, NO_MORE);
}

static int read_all(const uint64_t *word, tape_tailer_t *t, int64_t *took, int count)
{
    tape_excerpt_t e;
    uint64_t last = word ? OBSERVE64(floor, word) : 0;
    for (int i = 0; i < count; i++) {
        int64_t then;
        if (word) {
            uint64_t seen;
            while ((seen = OBSERVE64(floor, word)) == last) continue;
            if (seen == NO_MORE) return i;
            then = (int64_t)(last = seen);
        } else {
            int rc;
            while ((rc = tape_tailer_next(t, &e)) == 0) continue;
            if (rc < 0) die("reading");
            memcpy(&then, e.data, sizeof then);
        }
        took[i] = now_ns() - then;
    }
    return count;
}

int main(int argc, char **argv)
{
    if (argc != 6) return 2;
    int writes = strcmp(argv[1], "write") == 0, count = atoi(argv[4]), rate = atoi(argv[5]);
    if (count < 1 || rate < 1) return 2;
    uint64_t *word = NULL;
    tape_appender_t *a = NULL;
    tape_tailer_t *t = NULL;
    if (strcmp(argv[2], "word") == 0) {
        word = shared_word(argv[3]);
    } else {
        tape_queue_t *q;
        tape_queue_options_t o = {.struct_size = sizeof o};
        tape_appender_options_t ao = {.struct_size = sizeof ao, .framing = TAPE_FRAMING_DOCUMENT};
        if (tape_queue_open(argv[3], &o, &q) < 0) die("opening");
        if (writes && tape_appender_open(q, &ao, &a) < 0) die("opening");
        if (!writes && (tape_tailer_open(q, NULL, &t) < 0 || tape_tailer_seek_end(t) < 0))
            die("opening");
    }
    if (writes) {
        write_all(word, a, count, rate);
        return 0;
    }
    int64_t *took = malloc((size_t)count * sizeof *took);
    if (!took) return 1;
    printf("ready\n");
    fflush(stdout);
    count = read_all(word, t, took, count);
    for (int i = 0; i < count; i++) printf("%" PRId64 "%c", took[i], i + 1 < count ? ' ' : '\n');
    free(took);
    return 0;
}
