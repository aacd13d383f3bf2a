/* wakeup.c - how late a reader that sleeps has a message of another process: tape's, a pipe's and a
 * Unix socket's, in one run.
 *
 *     build/bench/wakeup [messages [pause in us]]
 *
 * The writer puts the time into each message and then pauses, so that the reader sleeps. Between
 * the subjects the reader takes turns, round by round, so that a slow moment meets them all. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tape.h"

enum { ROUND = 100, SUBJECTS = 3 };
static const char *const names[SUBJECTS] = {"tape", "pipe", "socket"};

static int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int compare(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static void fail(const char *what)
{
    fprintf(stderr, "%s\n", what);
    exit(1);
}

static void write_all(const char *directory, const int *fds, int messages, int pause_us)
{
    tape_queue_t *q;
    tape_appender_t *a;
    if (tape_queue_open(directory, NULL, &q) < 0 || tape_appender_open(q, NULL, &a) < 0)
        fail("writer");
    for (int n = 0; n < messages; n++)
        for (int s = 0; s < SUBJECTS; s++)
            for (int i = 0; i < ROUND; i++) {
                struct timespec pause = {0, pause_us * 1000L};
                nanosleep(&pause, NULL);
                int64_t stamp = now_ns();
                if (s == 0) tape_appender_write(a, &stamp, sizeof stamp);
                else if (write(fds[s], &stamp, sizeof stamp) != sizeof stamp) fail("write");
            }
    _exit(0);
}

int main(int argc, char **argv)
{
    int rounds = (argc > 1 ? atoi(argv[1]) : 5000) / ROUND;
    int pause_us = argc > 2 ? atoi(argv[2]) : 300;
    char directory[] = "/tmp/tape-wakeup-XXXXXX";
    int pipe_fds[2], socket_fds[2];
    if (!mkdtemp(directory) || pipe(pipe_fds) || socketpair(AF_UNIX, SOCK_STREAM, 0, socket_fds))
        fail("setting up");
    const int out[SUBJECTS] = {-1, pipe_fds[1], socket_fds[1]};
    const int in[SUBJECTS] = {-1, pipe_fds[0], socket_fds[0]};
    pid_t child = fork();
    if (child == 0) write_all(directory, out, rounds, pause_us);
    tape_queue_t *q;
    tape_tailer_t *t;
    while (tape_queue_open(directory, NULL, &q) < 0) usleep(1000);
    if (tape_tailer_open(q, NULL, &t) < 0) fail("reader");
    int64_t *late[SUBJECTS], stamp;
    for (int s = 0; s < SUBJECTS; s++) late[s] = malloc(sizeof(int64_t) * (size_t)(rounds * ROUND));
    for (int n = 0; n < rounds; n++)
        for (int s = 0; s < SUBJECTS; s++)
            for (int i = 0; i < ROUND; i++) {
                if (s == 0) {
                    tape_excerpt_t e;
                    while (tape_tailer_next(t, &e) != 1) tape_tailer_wait(t, -1);
                    memcpy(&stamp, e.data, sizeof stamp);
                } else if (read(in[s], &stamp, sizeof stamp) != sizeof stamp) {
                    fail("read");
                }
                late[s][n * ROUND + i] = now_ns() - stamp;
            }
    waitpid(child, NULL, 0);
    size_t count = (size_t)(rounds * ROUND);
    printf("%-8s %9s %9s %9s   (us, %zu messages each, %d us apart)\n", "", "p50", "p99", "p99.9",
           count, pause_us);
    for (int s = 0; s < SUBJECTS; s++) {
        qsort(late[s], count, sizeof(int64_t), compare);
        printf("%-8s %9.1f %9.1f %9.1f\n", names[s], (double)late[s][count / 2] / 1e3,
               (double)late[s][count * 99 / 100] / 1e3, (double)late[s][count * 999 / 1000] / 1e3);
    }
    printf("tape / socket: %.2f at p50\n",
           (double)late[0][count / 2] / (double)late[2][count / 2]);
    char command[100];
    snprintf(command, sizeof command, "rm -rf '%s'", directory);
    return system(command);
}
