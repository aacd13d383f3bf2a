/* floor.c - how far append and read are from what the machine can do at all.
 *
 *     floor [-n count] [-r rounds] [-d directory]
 *
 * One run, one mapped cycle file: the messages of all scenarios have 64 bytes (a document, so that
 * the bytes are equal); each writer goes through a part of the file of its own that is in memory,
 * faulted in, and not yet in the processor's caches; both readers read what was just appended. The
 * rounds of all scenarios are interleaved, so that a slow moment of the machine meets them all. The
 * median is that of rounds within warm blocks; the mean includes the steps between blocks.
 *
 *     copy+CAS          64 bytes copied, then one CAS on the header word
 *     lock+copy+CAS     the same between two CAS on one lock word
 *     append            tape_appender_write()
 *     walk+touch        header loaded with acquire, every 8 bytes of the body added up
 *     read              tape_tailer_next() and the same sum
 *
 * Instructions per append or read, where valgrind is installed:
 *
 *     valgrind --tool=callgrind --toggle-collect='tape_appender_write' build/bench/floor -n 20000 -r 1
 *     valgrind --tool=callgrind --toggle-collect='tape_tailer_next' build/bench/floor -n 20000 -r 1
 *
 * "Collected" divided by the calls that the program prints.
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

enum { SIZE = 64, STEP = SIZE + 4, ROUNDS_MAX = 999, SCENARIOS = 5 };
#define REGION ((size_t)64 << 20)

static const char *const titles[SCENARIOS] = {"copy+CAS", "lock+copy+CAS", "append", "walk+touch",
                                              "read"};
static double ns[SCENARIOS][ROUNDS_MAX];
static uint8_t message[SIZE];
static uint64_t sink;

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

static uint32_t *word_at(uint8_t *p) { return (uint32_t *)(void *)p; }

static uint64_t sum(const uint8_t *body)
{
    uint64_t total = 0, part;
    for (int i = 0; i < SIZE; i += 8) {
        memcpy(&part, body + i, 8);
        total += part;
    }
    return total;
}

/* ---- the floor: no library ---- */

static uint8_t *copy_and_cas(uint8_t *at, int count)
{
    for (int i = 0; i < count; i++, at += STEP) {
        memcpy(at + 4, message, SIZE);
        __asm__ __volatile__("" ::: "memory");
        if (!CLAIM32(floor, word_at(at), 0, SIZE)) die("a word was not free", 0);
    }
    return at;
}

static uint8_t *lock_copy_and_cas(uint8_t *at, int count, uint64_t *lock)
{
    for (int i = 0; i < count; i++, at += STEP) {
        if (!CLAIM64(floor, lock, 0, 1)) die("the lock was not free", 0);
        memcpy(at + 4, message, SIZE);
        __asm__ __volatile__("" ::: "memory");
        if (!CLAIM32(floor, word_at(at), 0, SIZE)) die("a word was not free", 0);
        if (!CLAIM64(floor, lock, 1, 0)) die("the lock was lost", 0);
    }
    return at;
}

/* Through the messages that the library wrote; metadata documents (index pages) stand between. */
static void walk_and_touch(const uint8_t *base, uint64_t *position, int count)
{
    for (int i = 0; i < count;) {
        uint32_t word = OBSERVE32(floor, (const uint32_t *)(const void *)(base + *position));
        uint32_t length = word & 0x3FFFFFFF;
        if (!(word & 0x40000000)) {
            if (length != SIZE) die("walking met something else", 0);
            sink += sum(base + *position + 4);
            i++;
        }
        *position = (*position + 4 + length + 3) & ~(uint64_t)3;
    }
}

/* ---- the library ---- */

static void append(tape_appender_t *a, int count)
{
    for (int i = 0; i < count; i++) {
        int64_t rc = tape_appender_write(a, message, SIZE);
        if (rc < 0) die("appending", rc);
    }
}

static void read_all(tape_tailer_t *t, int count)
{
    tape_excerpt_t e;
    for (int i = 0; i < count; i++) {
        int rc = tape_tailer_next(t, &e);
        if (rc != 1) die("reading", rc);
        sink += sum(e.data);
    }
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
    printf("%d messages of %d bytes in each of %d rounds\n\n", count, SIZE, rounds);
    printf("| what          | median, ns |   best |   mean | against         | ratio |\n");
    printf("| ------------- | ---------: | -----: | -----: | --------------- | ----: |\n");
    for (int s = 0; s < SCENARIOS; s++) {
        double all = mean(ns[s], rounds);
        m[s] = median(ns[s], rounds);
        int against = s == 4 ? 3 : s == 2 ? 1 : s == 1 ? 0 : -1;
        printf("| %-13s | %10.1f | %6.1f | %6.1f |", titles[s], m[s], ns[s][0], all);
        if (against >= 0) printf(" %-15s | %5.2f |\n", titles[against], m[s] / m[against]);
        else printf(" %-15s | %5s |\n", "", "");
    }
    printf("\nappend against copy+CAS: %.2f\n", m[2] / m[0]);
}

/* The cycle file is mapped here a second time, whole and faulted in, for the scenarios without the
 * library: they use the part behind all that the library will write. */
int main(int argc, char **argv)
{
    int count = 1000, rounds = 201, option;
    const char *parent = "/tmp";
    while ((option = getopt(argc, argv, "n:r:d:")) != -1) {
        if (option == 'n') count = atoi(optarg);
        else if (option == 'r') rounds = atoi(optarg);
        else if (option == 'd') parent = optarg;
        else return 2;
    }
    if (count < 1 || rounds < 1 || rounds > ROUNDS_MAX) return 2;
    const size_t part = (size_t)count * STEP * (size_t)(rounds + 1) + (1 << 20);
    const size_t region = 3 * part > REGION ? 3 * part : REGION;

    char directory[512], path[600], name[64];
    snprintf(directory, sizeof directory, "%s/tape-floor-XXXXXX", parent);
    if (!mkdtemp(directory)) die("making a directory", 0);
    tape_queue_options_t o = {.struct_size = sizeof o, .roll_cycle = "DAILY",
                              .block_size = (int64_t)(2 * region)};
    tape_appender_options_t ao = {sizeof ao, TAPE_FRAMING_DOCUMENT};
    tape_tailer_options_t to = {.struct_size = sizeof to, .window_size = (int64_t)region};
    tape_queue_t *q;
    tape_appender_t *a;
    tape_tailer_t *t;
    int64_t rc = tape_queue_open(directory, &o, &q);
    if (rc == 0) rc = tape_appender_open(q, &ao, &a);
    if (rc == 0) rc = tape_tailer_open(q, &to, &t);
    if (rc < 0) die("opening", rc);
    memset(message, 'm', sizeof message);
    append(a, 1);
    tape_queue_info_t info;
    tape_queue_info(q, &info);
    tape_queue_cycle_name(q, info.highest_cycle, name, sizeof name);
    snprintf(path, sizeof path, "%s/%s", directory, name);
    int fd = open(path, O_RDWR);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) != 0 || (size_t)st.st_size < region)
        die("the cycle file is too short", 0);
    uint8_t *base = mmap(NULL, region, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);
    if (base == MAP_FAILED) die("mapping", 0);
    for (size_t at = 0; at < region; at += 4096) /* for writing, too */
        (void)CLAIM32(floor, word_at(base + at), 0, 0);
    uint64_t position = 0, lock = 0;
    walk_and_touch(base, &position, 1);
    read_all(t, 1);

    uint8_t *plain = base + part, *locked = base + 2 * part;
    for (int round = -1; round < rounds; round++) { /* round -1 warms up */
        int at = round < 0 ? 0 : round;
        double times[SCENARIOS + 1];
        times[0] = now_ns();
        plain = copy_and_cas(plain, count);
        times[1] = now_ns();
        locked = lock_copy_and_cas(locked, count, &lock);
        times[2] = now_ns();
        append(a, count);
        times[3] = now_ns();
        walk_and_touch(base, &position, count);
        times[4] = now_ns();
        read_all(t, count);
        times[5] = now_ns();
        for (int s = 0; s < SCENARIOS; s++) ns[s][at] = (times[s + 1] - times[s]) / count;
    }
    print_table(rounds, count);
    printf("calls of each: %d (sum %" PRIu64 ")\n", count * (rounds + 1) + 1, sink);
    tape_tailer_close(t);
    tape_appender_close(a);
    tape_queue_close(q);
    munmap(base, region);
    close(fd);
    snprintf(path, sizeof path, "rm -r '%s'", directory);
    return system(path) == 0 ? 0 : 1;
}
