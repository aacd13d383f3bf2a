/* floor.c - how far append and read are from what the machine can do at all.
 *
 *     floor [-n count] [-r rounds] [-d directory]     one table
 *     floor -s [-q queue] [-d directory]              scenarios on demand, for `python -m bench`
 *     floor -i scenario [-n count]                    one scenario, to count its instructions
 *
 * The scenarios without the library use a mapped file of their own beside the queue; their memory
 * is faulted in, and not yet in the processor's caches. Readers read what was just appended. The
 * rounds of all scenarios are interleaved, so that a slow moment of the machine meets them all. The
 * median is that of rounds within warm blocks; the mean includes the steps between blocks.
 *
 * With -s a line of standard input is "SCENARIO COUNT [TIMES]", answered by the nanoseconds that
 * COUNT calls took, each of so many times, or "size BYTES", answered by "0".
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/atomics.h"
#include "tape.h"

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#endif
enum { SIZE_MAX_ = 1 << 16, ROUNDS_MAX = 999, BATCH = 1000 };
#define REGION ((size_t)64 << 20)
#define WALK ((size_t)64 << 30) /* address space for the cycle file */

static uint8_t message[SIZE_MAX_];
static size_t size = 64;
static uint64_t sink, lock_word;
static char directory[512], queue_path[600];
static uint8_t *region, *free_at; /* the floor's file */
static const uint8_t *walked;     /* the cycle file */
static uint64_t walk_at;
static int64_t written, unwalked, unread, first = -1;
static tape_queue_t *queue;
static tape_appender_t *appender, *framer;
static tape_tailer_t *tailer, *seeker;

static void die(const char *doing, int64_t code)
{
    char trail[1024] = "";
    tape_error_trail(trail, sizeof trail);
    fprintf(stderr, "floor: %s: %s\n", doing, code < 0 ? trail : "failed");
    exit(1);
}

static double now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static uint32_t *word_at(const uint8_t *p) { return (uint32_t *)(uintptr_t)p; }

static inline uint64_t sum(const uint8_t *body, size_t length)
{
    uint64_t total = 0, part;
    for (size_t i = 0; i + 8 <= length; i += 8) {
        memcpy(&part, body + i, 8);
        total += part;
    }
    return total;
}

/* ---- the floor: no library ---- */

static void make_region(void)
{
    char path[600];
    snprintf(path, sizeof path, "%s/floor.bytes", directory);
    int fd = open(path, O_RDWR | O_CREAT, 0600);
    if (fd < 0 || posix_fallocate(fd, 0, (off_t)REGION) != 0) die("making the floor's file", 0);
    region = mmap(NULL, REGION, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);
    if (region == MAP_FAILED) die("mapping", 0);
    close(fd);
    memset(region, 0, REGION);
    free_at = region;
}

/* Room for `count` messages that are all zero, and in memory. */
static uint8_t *floor_room(int count)
{
    size_t need = (size_t)count * ((size + 7) & ~(size_t)3);
    if (need > REGION) die("too many for one round", 0);
    if (region == NULL) make_region();
    if (free_at + need > region + REGION) {
        memset(region, 0, REGION);
        free_at = region;
    }
    free_at += need;
    return free_at - need;
}

static inline void copy_and_cas(uint8_t *at, int count, size_t length)
{
    for (int i = 0; i < count; i++, at += (length + 7) & ~(size_t)3) {
        memcpy(at + 4, message, length);
        __asm__ __volatile__("" ::: "memory");
        if (!CLAIM32(floor, word_at(at), 0, (uint32_t)length)) die("a word was not free", 0);
    }
}

static inline void lock_copy_and_cas(uint8_t *at, int count, size_t length)
{
    for (int i = 0; i < count; i++, at += (length + 7) & ~(size_t)3) {
        if (!CLAIM64(floor, &lock_word, 0, 1)) die("the lock was not free", 0);
        memcpy(at + 4, message, length);
        __asm__ __volatile__("" ::: "memory");
        if (!CLAIM32(floor, word_at(at), 0, (uint32_t)length)) die("a word was not free", 0);
        if (!CLAIM64(floor, &lock_word, 1, 0)) die("the lock was lost", 0);
    }
}

/* Through the messages that the library wrote; metadata documents (index pages) stand between. */
static inline void walk_and_touch(int count, size_t length)
{
    for (int i = 0; i < count;) {
        const uint8_t *at = walked + walk_at;
        uint32_t word = OBSERVE32(floor, word_at(at));
        uint32_t found = word & 0x3FFFFFFF;
        if (!(word & 0x40000000)) {
            if (found != length) die("walking met something else", 0);
            sink += sum(at + 4, length);
            i++;
        }
        walk_at = (walk_at + 4 + found + 3) & ~(uint64_t)3;
    }
}

/* 64 bytes as a constant, as a compiler would have it in a program that knows its messages. */
static double run_copy_cas(int count)
{
    uint8_t *at = floor_room(count);
    double begin = now_ns();
    if (size == 64) copy_and_cas(at, count, 64);
    else copy_and_cas(at, count, size);
    return now_ns() - begin;
}

static double run_lock_copy_cas(int count)
{
    uint8_t *at = floor_room(count);
    double begin = now_ns();
    if (size == 64) lock_copy_and_cas(at, count, 64);
    else lock_copy_and_cas(at, count, size);
    return now_ns() - begin;
}

/* ---- the library ---- */

static double write_some(tape_appender_t *a, int count)
{
    int64_t rc = 0;
    double begin = now_ns();
    for (int i = 0; i < count; i++) {
        rc = tape_appender_write(a, message, size);
        if (rc < 0) die("appending", rc);
    }
    double took = now_ns() - begin;
    if (first < 0) first = rc - count + 1;
    written += count;
    return took;
}

static double run_append(int count)
{
    unread += count;
    unwalked += count;
    return write_some(appender, count);
}

/* Without anybody who will read them: many writers on one queue. */
static double run_append_only(int count) { return write_some(appender, count); }

static double run_append_many(int count)
{
    static tape_span_t spans[BATCH];
    size_t done = 0;
    for (int i = 0; i < BATCH; i++) spans[i] = (tape_span_t){message, size};
    unread += count;
    unwalked += count;
    int64_t rc = 0;
    double begin = now_ns();
    for (int left = count; left > 0; left -= (int)done) {
        rc = tape_appender_write_many(appender, spans, left < BATCH ? (size_t)left : BATCH, &done);
        if (rc < 0) die("appending many", rc);
    }
    double took = now_ns() - begin;
    if (first < 0) first = rc + (int64_t)done - count;
    written += count;
    return took;
}

static void map_cycle(void)
{
    char path[700], name[64];
    tape_queue_info_t info;
    if (tape_queue_info(queue, &info) < 0) die("looking for the cycle file", -1);
    tape_queue_cycle_name(queue, info.highest_cycle, name, sizeof name);
    snprintf(path, sizeof path, "%s/%s", queue_path, name);
    int fd = open(path, O_RDONLY);
    if (fd < 0) die("opening the cycle file", 0);
    walked = mmap(NULL, WALK, PROT_READ, MAP_SHARED | MAP_NORESERVE, fd, 0);
    if (walked == MAP_FAILED) die("mapping", 0);
    close(fd);
}

static double run_walk(int count)
{
    if (unwalked < count) run_append((int)(count - unwalked));
    if (walked == NULL) map_cycle();
    unwalked -= count;
    uint64_t page = walk_at & ~(uint64_t)4095;
    (void)madvise((void *)(uintptr_t)(walked + page), (size_t)count * (size + 8) + 8192,
                  MADV_POPULATE_READ);
    double begin = now_ns();
    if (size == 64) walk_and_touch(count, 64);
    else walk_and_touch(count, size);
    return now_ns() - begin;
}

static double run_read(int count)
{
    tape_excerpt_t e;
    if (unread < count) run_append((int)(count - unread));
    unread -= count;
    double begin = now_ns();
    for (int i = 0; i < count; i++) {
        int rc = tape_tailer_next(tailer, &e);
        if (rc != 1) die("reading", rc);
        sink += size == 64 ? sum(e.data, 64) : sum(e.data, size);
    }
    return now_ns() - begin;
}

static double run_spans(int count)
{
    tape_span_t spans[64];
    tape_run_t run;
    if (unread < count) run_append((int)(count - unread));
    unread -= count;
    double begin = now_ns();
    for (int64_t left = count, got; left > 0; left -= got) {
        got = tape_tailer_next_spans(tailer, spans, left < 64 ? (size_t)left : 64, &run);
        if (got < 1) die("reading", got);
        for (int64_t i = 0; i < got; i++)
            sink += size == 64 ? sum(spans[i].data, 64) : sum(spans[i].data, size);
    }
    return now_ns() - begin;
}

static uint64_t random_word(void)
{
    static uint64_t state = 88172645463325252u;
    state ^= state << 13;
    state ^= state >> 7;
    return state ^= state << 17;
}

/* Among the last `among` messages: the 10,000 newest, which the caches hold, or all. */
static double seek_among(int count, int64_t among)
{
    tape_excerpt_t e;
    double begin = now_ns();
    for (int i = 0; i < count; i++) {
        int64_t index = first + written - 1 - (int64_t)(random_word() % (uint64_t)among);
        int rc = tape_tailer_seek(seeker, index);
        if (rc == 1) rc = tape_tailer_next(seeker, &e);
        if (rc != 1 || e.index != index) die("seeking", rc);
        sink += e.data[0];
    }
    return now_ns() - begin;
}

static double run_seek(int count)
{
    if (written < 10 * BATCH) run_append(10 * BATCH);
    return seek_among(count, 10 * BATCH);
}

static double run_seek_all(int count)
{
    if (written < 10 * BATCH) run_append(10 * BATCH);
    return seek_among(count, written);
}

/* The floor of seeking among all: the same table of places and messages, and nothing but looking at
 * them. Positions are noted as the messages come, before the clock starts. */
static double run_touch_all(int count)
{
    static uint32_t *places;
    static int64_t known, room;
    static uint64_t at;
    if (written < 10 * BATCH) run_append(10 * BATCH);
    if (walked == NULL) map_cycle();
    if (written > room && !(places = realloc(places, (size_t)(room = 2 * written) * 4)))
        die("noting places", 0);
    while (known < written) {
        const uint32_t word = OBSERVE32(floor, word_at(walked + at));
        if (!(word & 0x40000000)) places[known++] = (uint32_t)(at / 4);
        at = (at + 4 + (word & 0x3FFFFFFF) + 3) & ~(uint64_t)3;
    }
    double begin = now_ns();
    for (int i = 0; i < count; i++) {
        const uint8_t *header = walked + (uint64_t)places[random_word() % (uint64_t)known] * 4;
        uint64_t seen = OBSERVE32(floor, word_at(header)) + header[4];
        /* One at a time: the next begins when this one is known, as it is for who looks at what he
         * reads. */
        __asm__ __volatile__("lfence" : "+r"(seen)::"memory");
        sink += seen;
    }
    return now_ns() - begin;
}

/* Framed messages go into a queue of their own, so that walking meets but one kind. */
static double run_append_framed(int count)
{
    static tape_queue_t *other;
    if (framer == NULL) {
        char path[700];
        snprintf(path, sizeof path, "%s-framed", queue_path);
        tape_queue_options_t o = {.struct_size = sizeof o};
        int rc = tape_queue_open(path, &o, &other);
        if (rc == 0) rc = tape_appender_open(other, NULL, &framer);
        if (rc < 0) die("opening", rc);
    }
    int64_t rc;
    double begin = now_ns();
    for (int i = 0; i < count; i++)
        if ((rc = tape_appender_write(framer, message, size)) < 0) die("appending", rc);
    return now_ns() - begin;
}

typedef struct scenario {
    const char *name;
    double (*run)(int count);
    int against; /* of the table; -1: none */
} scenario_t;

static const scenario_t scenarios[] = {
    {"copy_cas", run_copy_cas, -1},
    {"lock_copy_cas", run_lock_copy_cas, 0},
    {"append", run_append, 1},
    {"walk", run_walk, -1},
    {"read", run_read, 3},
    {"seek", run_seek, 4},
    {"append_framed", run_append_framed, 1},
    {"spans", run_spans, 3},
    {"append_many", run_append_many, 0},
    {"seek_all", run_seek_all, 4},
    {"touch_all", run_touch_all, 4},
    {"append_only", run_append_only, 1}, /* the last: not in the table */
};
enum { SCENARIOS = sizeof scenarios / sizeof *scenarios - 1 };
static double ns[SCENARIOS][ROUNDS_MAX];

static int number_of(const char *name)
{
    for (int s = 0; s <= SCENARIOS; s++)
        if (strcmp(scenarios[s].name, name) == 0) return s;
    fprintf(stderr, "floor: no scenario %s\n", name);
    exit(2);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double mean(const double *values, int n)
{
    double total = 0;
    for (int i = 0; i < n; i++) total += values[i];
    return total / n;
}

static double median(double *values, int n)
{
    qsort(values, (size_t)n, sizeof *values, by_value);
    return n % 2 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

static void print_table(int rounds, int count)
{
    double m[SCENARIOS];
    for (int round = -1; round < rounds; round++) /* round -1 warms up */
        for (int s = 0; s < SCENARIOS; s++)
            ns[s][round < 0 ? 0 : round] = scenarios[s].run(count) / count;
    printf("%d messages of %zu bytes in each of %d rounds\n\n", count, size, rounds);
    printf("| what          | median, ns |    best |    mean | against       | ratio |\n");
    printf("| ------------- | ---------: | ------: | ------: | ------------- | ----: |\n");
    for (int s = 0; s < SCENARIOS; s++) {
        double all = mean(ns[s], rounds);
        int against = scenarios[s].against;
        m[s] = median(ns[s], rounds);
        printf("| %-13s | %10.1f | %7.1f | %7.1f |", scenarios[s].name, m[s], ns[s][0], all);
        if (against < 0) printf(" %-13s | %5s |\n", "", "");
        else printf(" %-13s | %5.2f |\n", scenarios[against].name, m[s] / m[against]);
    }
}

/* Obeys standard input until it ends. */
static void serve(void)
{
    char line[128], name[64];
    int count, times;
    while (fgets(line, sizeof line, stdin) != NULL) {
        int words = sscanf(line, "%63s %d %d", name, &count, &times);
        if (words < 2 || count < 0) die("no such command", 0);
        if (strcmp(name, "size") == 0) {
            if (count < 1 || count > SIZE_MAX_) die("no such size", 0);
            if (unread > 0) run_read((int)unread);
            if (unwalked > 0) run_walk((int)unwalked);
            size = (size_t)count;
            printf("0\n");
        } else {
            if (words < 3) times = 1;
            for (int i = 0; i < times; i++)
                printf("%.1f%c", scenarios[number_of(name)].run(count), i + 1 < times ? ' ' : '\n');
        }
        fflush(stdout);
    }
}

static void open_all(void)
{
    tape_queue_options_t o = {.struct_size = sizeof o};
    tape_appender_options_t ao = {.struct_size = sizeof ao, .framing = TAPE_FRAMING_DOCUMENT};
    int64_t rc = tape_queue_open(queue_path, &o, &queue);
    if (rc == 0) rc = tape_appender_open(queue, &ao, &appender);
    if (rc == 0) rc = tape_tailer_open(queue, NULL, &tailer);
    if (rc == 0) rc = tape_tailer_open(queue, NULL, &seeker);
    if (rc < 0) die("opening", rc);
    memset(message, 'm', sizeof message);
}

int main(int argc, char **argv)
{
    int count = 1000, rounds = 201, served = 0, option;
    const char *parent = "/tmp", *given = NULL, *one = NULL;
    while ((option = getopt(argc, argv, "n:r:d:q:i:s")) != -1) {
        if (option == 'n') count = atoi(optarg);
        else if (option == 'r') rounds = atoi(optarg);
        else if (option == 'd') parent = optarg;
        else if (option == 'q') given = optarg;
        else if (option == 'i') one = optarg;
        else if (option == 's') served = 1;
        else return 2;
    }
    if (count < 1 || rounds < 1 || rounds > ROUNDS_MAX) return 2;
    char command[600];
    snprintf(directory, sizeof directory, "%s/tape-floor-XXXXXX", parent);
    if (!mkdtemp(directory)) die("making a directory", 0);
    if (given) snprintf(queue_path, sizeof queue_path, "%s", given);
    else snprintf(queue_path, sizeof queue_path, "%s/queue", directory);
    open_all();
    if (served) serve();
    else if (one) (void)scenarios[number_of(one)].run(count);
    else print_table(rounds, count);
    if (one) printf("calls %d (sum %" PRIu64 ")\n", count, sink);
    tape_tailer_close(seeker);
    tape_tailer_close(tailer);
    tape_appender_close(appender);
    if (!framer) tape_queue_close(queue);
    snprintf(command, sizeof command, "rm -r '%s'", directory);
    return system(command) == 0 ? 0 : 1;
}
