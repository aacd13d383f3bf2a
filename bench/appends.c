/* appends.c - what appending asks of the system: allocations, and, under strace, system calls.
 *
 *     appends [-n count] [-w] [-d directory]
 *
 * Two getppid() calls mark the loop: what strace shows between them was called by it.
 *
 *     strace -f -o trace build/bench/appends              growing: madvise, fallocate, mmap
 *     strace -f -o trace build/bench/appends -w -n 3000   within one block that is warm: nothing
 *     awk '/getppid/ {n++; next} n == 1' trace
 *
 * -w first appends 300 messages: the library then has the rest of 256 KiB reserved and faulted in,
 * which takes another 3000 of 64 bytes, and the index page mapped, which every 256th needs.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/platform.h"
#include "tape.h"

static int fail(const char *doing)
{
    char trail[1024];
    tape_error_trail(trail, sizeof trail);
    fprintf(stderr, "appends: %s: %s\n", doing, trail);
    return 1;
}

int main(int argc, char **argv)
{
    int count = 1000000, option;
    int warm = 0;
    const char *parent = "/tmp";
    while ((option = getopt(argc, argv, "n:wd:")) != -1) {
        if (option == 'n') count = atoi(optarg);
        else if (option == 'w') warm = 1;
        else if (option == 'd') parent = optarg;
        else return 2;
    }
    char directory[512], command[600];
    snprintf(directory, sizeof directory, "%s/tape-appends-XXXXXX", parent);
    if (!mkdtemp(directory)) return 1;
    char message[64];
    memset(message, 'm', sizeof message);
    tape_queue_t *q;
    tape_appender_t *a;
    int64_t rc = 0;
    if (tape_queue_open(directory, NULL, &q) < 0) return fail("opening");
    if (tape_appender_open(q, NULL, &a) < 0) return fail("opening");
    for (int i = 0; warm && i < 300 && rc >= 0; i++) rc = tape_appender_write(a, message, 64);

    uint64_t before = tape__alloc_count();
    (void)getppid();
    for (int i = 0; i < count && rc >= 0; i++) rc = tape_appender_write(a, message, 64);
    (void)getppid();
    uint64_t after = tape__alloc_count();

    if (rc < 0) return fail("appending");
    printf("appends %d\nallocations %" PRIu64 "\n", count, after - before);
    if (tape_appender_close(a) < 0 || tape_queue_close(q) < 0) return fail("closing");
    snprintf(command, sizeof command, "rm -r '%s'", directory);
    return system(command) == 0 ? 0 : 1;
}
