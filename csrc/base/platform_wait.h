/* platform_wait.h - sleeping until another process says so: futexes, an event descriptor, a thread.
 *
 * Words on which processes sleep lie in mapped files, so none of these are private futexes: the
 * kernel knows such a word by file and offset, whatever the address. As in platform.h, functions
 * that can fail return a negative errno.
 */
#ifndef TAPE_PLATFORM_WAIT_H
#define TAPE_PLATFORM_WAIT_H

#include <stdbool.h>
#include <stdint.h>

#define TAPE__FOR_EVER INT64_MAX

/* Sleeps while *word is `expected`. 0: woken, or it was another value; -ETIMEDOUT, -EINTR. */
int tape__futex_wait(uint32_t *word, uint32_t expected, int64_t timeout_ns);
#ifdef TAPE_FAULTS
extern _Thread_local int64_t tape__futex_sleeps; /* how often this thread slept and was woken */
#endif
void tape__futex_wake_all(uint32_t *word);
void tape__futex_wake_one(uint32_t *word);

/* A full barrier in every thread of this process, wherever it is. To be registered for once; the
 * first gives 0 or a negative errno where the kernel refuses. */
int tape__barrier_register(void);
void tape__barrier_everywhere(void);

/* As the kernel wants them. */
typedef struct {
    uint64_t expected;
    uint64_t address;
    uint32_t flags;
    uint32_t reserved;
} tape__futex_t;
enum { TAPE__FUTEXES_MAX = 128 };
tape__futex_t tape__futex_of(const uint32_t *word, uint32_t expected);
/* Sleeps on several words until `until_ns` by tape__monotonic_ns(). The number of one that woke us,
 * or -EAGAIN (one had another value), -ETIMEDOUT, -EINTR, -ENOSYS (Linux before 5.16). */
int tape__futex_wait_any(tape__futex_t *futexes, uint32_t count, int64_t until_ns);

/* A descriptor that is readable from tape__event_signal() on until tape__event_clear(). */
int tape__event_open(void);
void tape__event_signal(int fd);
void tape__event_clear(int fd);
/* 1 readable, 0 timed out, -EINTR. */
int tape__event_wait(int fd, int64_t timeout_ns);

/* A thread of our own, that hears no signals and that nobody joins. 0 or a negative errno. */
int tape__thread_start(void *(*run)(void *), void *argument, const char *name);

#endif
