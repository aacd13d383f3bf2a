/* platform_wait.c - Linux; the other file with system calls. See platform_wait.h. */
#define _GNU_SOURCE
#include "base/platform_wait.h"

#include <errno.h>
#include <linux/futex.h>
#include <linux/membarrier.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/platform.h"

#ifndef SYS_futex_waitv
#define SYS_futex_waitv 449 /* on all processors but alpha */
#endif
enum { SIZE_U32 = 2 }; /* FUTEX2_SIZE_U32, FUTEX_32 */
enum { STACK_SIZE = 256 << 10 };

static struct timespec timespec_of(int64_t ns)
{
    return (struct timespec){.tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000};
}

#ifdef TAPE_FAULTS
_Thread_local int64_t tape__futex_sleeps;
#endif

int tape__futex_wait(uint32_t *word, uint32_t expected, int64_t timeout_ns)
{
    struct timespec t = timespec_of(timeout_ns);
    long rc = syscall(SYS_futex, word, FUTEX_WAIT, expected,
                      timeout_ns == TAPE__FOR_EVER ? NULL : &t, NULL, 0);
#ifdef TAPE_FAULTS
    if (rc == 0) tape__futex_sleeps++;
#endif
    if (rc == 0 || errno == EAGAIN) return 0;
    return -errno;
}

void tape__futex_wake_all(uint32_t *word)
{
    syscall(SYS_futex, word, FUTEX_WAKE, INT32_MAX, NULL, NULL, 0);
}

void tape__futex_wake_one(uint32_t *word)
{
    syscall(SYS_futex, word, FUTEX_WAKE, 1, NULL, NULL, 0);
}

int tape__barrier_register(void)
{
    long rc = syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0);
    return rc < 0 ? -errno : 0;
}

void tape__barrier_everywhere(void)
{
    syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0);
}

tape__futex_t tape__futex_of(const uint32_t *word, uint32_t expected)
{
    return (tape__futex_t){.expected = expected, .address = (uintptr_t)word, .flags = SIZE_U32};
}

int tape__futex_wait_any(tape__futex_t *futexes, uint32_t count, int64_t until_ns)
{
#ifdef TAPE_FAULTS
    int fault = tape__fault_due(TAPE__OP_WAIT);
    if (fault) return -fault;
#endif
    struct timespec t = timespec_of(until_ns);
    long rc = syscall(SYS_futex_waitv, futexes, count, 0,
                      until_ns == TAPE__FOR_EVER ? NULL : &t, CLOCK_MONOTONIC);
    return rc < 0 ? -errno : (int)rc;
}

int tape__event_open(void)
{
    int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

/* Cannot fail: the counter never comes near its end, and a full one is readable. */
void tape__event_signal(int fd)
{
    const uint64_t one = 1;
    if (write(fd, &one, sizeof one) < 0) return;
}

void tape__event_clear(int fd)
{
    uint64_t count;
    if (read(fd, &count, sizeof count) < 0) return; /* it was clear */
}

int tape__event_wait(int fd, int64_t timeout_ns)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    struct timespec t = timespec_of(timeout_ns);
    int rc = ppoll(&p, 1, timeout_ns == TAPE__FOR_EVER ? NULL : &t, NULL);
    return rc < 0 ? -errno : rc;
}

int tape__thread_start(void *(*run)(void *), void *argument, const char *name)
{
    pthread_t thread;
    pthread_attr_t attributes;
    sigset_t all, before;
    int rc = pthread_attr_init(&attributes);
    if (rc != 0) return -rc;
    pthread_attr_setstacksize(&attributes, STACK_SIZE);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    rc = pthread_create(&thread, &attributes, run, argument);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (rc == 0) pthread_setname_np(thread, name);
    pthread_attr_destroy(&attributes);
    return -rc;
}
