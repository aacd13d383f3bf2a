/* durable_thread.c - the thread that syncs in intervals, one for all queues of a process.
 *
 * A writer cannot do it: who writes one message and then none would leave it to the kernel, which
 * takes half a minute. The thread is made with the first appender that wants intervals and ends
 * with the last queue that has one; after fork() the child has none, until it opens a queue itself.
 */
#define _POSIX_C_SOURCE 200809L
#include <time.h>

#include "base/error.h"
#include "base/platform_wait.h"
#include "write/durable.h"

typedef struct {
    pthread_mutex_t lock; /* guards all here, and the part of each queue that says so */
    pthread_cond_t changed;
    pthread_cond_t visited;
    tape__durable_t *first;
    bool running;
} syncer_t;

/* That of this process; NULL: out of memory. Never freed: the thread has it in its last moments. */
static syncer_t *of_process(void)
{
    tape__process_lock();
    void **place = tape__process_syncer();
    syncer_t *s = *place;
    if (!s && (s = tape__alloc(sizeof *s)) != NULL) {
        pthread_condattr_t monotonic;
        pthread_condattr_init(&monotonic);
        pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
        pthread_cond_init(&s->changed, &monotonic);
        pthread_condattr_destroy(&monotonic);
        pthread_cond_init(&s->visited, NULL);
        pthread_mutex_init(&s->lock, NULL);
        *place = s;
    }
    tape__process_unlock();
    return s;
}

static tape__durable_t *next_due(const syncer_t *s)
{
    tape__durable_t *next = NULL;
    for (tape__durable_t *d = s->first; d; d = d->next)
        if (d->due_ns != 0 && (!next || d->due_ns < next->due_ns)) next = d;
    return next;
}

/* With the lock, which is let go meanwhile. What a sync says stays in the queue: the next write,
 * sync or close of it tells. */
static void visit(syncer_t *s, tape__durable_t *d)
{
    d->due_ns = 0;
    d->visited = true;
    pthread_mutex_unlock(&s->lock);
    d->run(d);
    pthread_mutex_lock(&s->lock);
    d->visited = false;
    pthread_cond_broadcast(&s->visited);
}

static void *run(void *argument)
{
    syncer_t *s = argument;
    pthread_mutex_lock(&s->lock);
    while (s->first) {
        tape__durable_t *d = next_due(s);
        if (!d) {
            pthread_cond_wait(&s->changed, &s->lock);
        } else if (d->due_ns > tape__monotonic_ns()) {
            const struct timespec t = {.tv_sec = d->due_ns / 1000000000,
                                       .tv_nsec = d->due_ns % 1000000000};
            (void)pthread_cond_timedwait(&s->changed, &s->lock, &t);
        } else {
            visit(s, d);
        }
    }
    s->running = false;
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

int tape__durable_every(tape__durable_t *d, int64_t interval_ns)
{
    syncer_t *s = of_process();
    if (!s) return tape__fail(TAPE_ENOMEM, d->path, -1, "out of memory");
    pthread_mutex_lock(&s->lock);
    int failed = s->running ? 0 : tape__thread_start(run, s, "tape-sync");
    if (failed == 0) {
        s->running = true;
        if (d->interval_ns == 0 || interval_ns < d->interval_ns)
            PUBLISH64(interval, (uint64_t *)&d->interval_ns, (uint64_t)interval_ns);
        const int64_t soon = tape__monotonic_ns() + d->interval_ns;
        if (d->due_ns > soon) d->due_ns = soon;
        if (!d->listed) {
            d->listed = true;
            d->next = s->first;
            s->first = d;
        }
        pthread_cond_signal(&s->changed);
    }
    pthread_mutex_unlock(&s->lock);
    if (failed == 0) return TAPE_OK;
    return tape__fail_errno(-failed, d->path, "making the thread that syncs");
}

void tape__durable_is_due(tape__durable_t *d)
{
    if (PEEK64(interval, (uint64_t *)&d->interval_ns) == 0) return;
    syncer_t *s = of_process();
    if (!s) return;
    pthread_mutex_lock(&s->lock);
    if (d->due_ns == 0) {
        d->due_ns = tape__monotonic_ns() + d->interval_ns;
        pthread_cond_signal(&s->changed);
    }
    pthread_mutex_unlock(&s->lock);
}

void tape__durable_unlist(tape__durable_t *d)
{
    if (!d->listed) return;
    syncer_t *s = of_process();
    pthread_mutex_lock(&s->lock);
    for (tape__durable_t **at = &s->first; *at; at = &(*at)->next)
        if (*at == d) {
            *at = d->next;
            break;
        }
    while (d->visited) pthread_cond_wait(&s->visited, &s->lock);
    pthread_cond_signal(&s->changed);
    pthread_mutex_unlock(&s->lock);
}
