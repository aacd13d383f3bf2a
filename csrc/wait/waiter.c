/* waiter.c - see bell.h: waiters, and which of their watches are ready. */
#include <errno.h>

#include "base/atomics.h"
#include "base/error.h"
#include "base/platform.h"
#include "base/platform_wait.h"
#include "wait/bell.h"

/* ---- a waiter and its list of watches that are ready ---- */

void tape__waiter_drop(tape_waiter_t *w)
{
    /* In a forked child a lock may be held by a thread that is not there. */
    bool ours = tape__waiter_is_ours(w);
    if (ours) pthread_mutex_lock(&w->lock);
    bool last = --w->references == 0;
    if (ours) pthread_mutex_unlock(&w->lock);
    if (!last) return;
    tape__close_file(w->fd);
    pthread_mutex_destroy(&w->lock);
    tape__free(w);
}

static void signal_it(tape_waiter_t *w)
{
    if (!w->readable && !w->closed) tape__event_signal(w->fd);
    w->readable = true;
}

static void clear_it(tape_waiter_t *w)
{
    if (w->readable && !w->closed) tape__event_clear(w->fd);
    w->readable = false;
}

void tape__waiter_clear(tape_waiter_t *w)
{
    pthread_mutex_lock(&w->lock);
    clear_it(w);
    pthread_mutex_unlock(&w->lock);
}

void tape__waiter_ready(tape__watch_t *watch)
{
    tape_waiter_t *w = watch->waiter;
    pthread_mutex_lock(&w->lock);
    if (watch->sticky) {
        PUBLISH32(watch, &watch->state, TAPE__WATCH_IDLE);
    } else {
        PUBLISH32(watch, &watch->state, TAPE__WATCH_READY);
        watch->next_ready = NULL;
        if (w->last) w->last->next_ready = watch;
        else w->first = watch;
        w->last = watch;
    }
    signal_it(w);
    pthread_mutex_unlock(&w->lock);
}

/* Takes the first off the list; its token. */
static uint64_t pop(tape_waiter_t *w)
{
    tape__watch_t *watch = w->first;
    const uint64_t token = watch->token;
    w->first = watch->next_ready;
    if (!w->first) w->last = NULL;
    if (watch->orphan) {
        w->references--; /* not the last one: the caller has one */
        tape__free(watch);
    } else {
        PUBLISH32(watch, &watch->state, TAPE__WATCH_IDLE);
    }
    return token;
}

void tape__waiter_release(tape__watch_t *watch)
{
    tape_waiter_t *w = watch->waiter;
    if (tape__waiter_is_ours(w)) {
        pthread_mutex_lock(&w->lock);
        watch->orphan = !w->closed && OBSERVE32(watch, &watch->state) == TAPE__WATCH_READY;
        bool later = watch->orphan;
        pthread_mutex_unlock(&w->lock);
        if (later) return;
        tape__waiter_forget(w, watch);
    }
    tape__free(watch);
    tape__waiter_drop(w);
}

void tape__waiter_forget(tape_waiter_t *w, tape__watch_t *gone)
{
    pthread_mutex_lock(&w->lock);
    tape__watch_t *before = NULL;
    for (tape__watch_t *at = w->first; at; before = at, at = at->next_ready) {
        if (at != gone) continue;
        if (before) before->next_ready = at->next_ready;
        else w->first = at->next_ready;
        if (w->last == at) w->last = before;
        break;
    }
    pthread_mutex_unlock(&w->lock);
}

int tape_waiter_open(tape_waiter_t **out)
{
    if (!out) return tape__fail(TAPE_EINVAL, NULL, -1, "no place for the waiter");
    *out = NULL;
    tape_waiter_t *w = tape__alloc(sizeof *w);
    if (!w) return tape__fail(TAPE_ENOMEM, NULL, -1, "out of memory");
    (void)tape__process_services(); /* forking is counted from now on */
    tape__process_services_done();
    w->generation = tape__process_generation();
    w->fd = tape__event_open();
    if (w->fd < 0) {
        int rc = tape__fail_errno(-w->fd, NULL, "making the descriptor of a waiter");
        tape__free(w);
        return rc;
    }
    pthread_mutex_init(&w->lock, NULL);
    w->references = 1;
    *out = w;
    return TAPE_OK;
}

int tape_waiter_close(tape_waiter_t *w)
{
    if (!w) return TAPE_OK;
    if (tape__waiter_is_ours(w)) pthread_mutex_lock(&w->lock);
    w->closed = true;
    if (tape__waiter_is_ours(w))
        while (w->first) (void)pop(w);
    tape__close_file(w->fd);
    w->fd = -1;
    if (tape__waiter_is_ours(w)) pthread_mutex_unlock(&w->lock);
    tape__waiter_drop(w);
    return TAPE_OK;
}

int tape__waiter_check(const tape_waiter_t *w)
{
    if (!w) return tape__fail(TAPE_EINVAL, NULL, -1, "no waiter");
    if (!tape__waiter_is_ours(w))
        return tape__fail(TAPE_EFORKED, NULL, -1, "the waiter was made before fork()");
    return TAPE_OK;
}

int tape_waiter_fd(tape_waiter_t *w)
{
    int rc = tape__waiter_check(w);
    return rc == TAPE_OK ? w->fd : rc;
}

int64_t tape_waiter_take(tape_waiter_t *w, uint64_t *tokens, size_t count)
{
    int rc = tokens ? tape__waiter_check(w)
                    : tape__fail(TAPE_EINVAL, NULL, -1, "no place for tokens");
    if (rc != TAPE_OK) return rc;
    size_t n = 0;
    pthread_mutex_lock(&w->lock);
    while (n < count && w->first) tokens[n++] = pop(w);
    if (!w->first) clear_it(w);
    pthread_mutex_unlock(&w->lock);
    return (int64_t)n;
}

int tape_waiter_wait(tape_waiter_t *w, int64_t timeout_ns)
{
    int rc = timeout_ns >= -1 ? tape__waiter_check(w)
                              : tape__fail(TAPE_EINVAL, NULL, -1, "a time-out of less than -1");
    if (rc != TAPE_OK) return rc;
    rc = tape__event_wait(w->fd, timeout_ns == -1 ? TAPE__FOR_EVER : timeout_ns);
    if (rc == -EINTR) return TAPE_WAIT_INTERRUPTED;
    return rc < 0 ? tape__fail_errno(-rc, NULL, "waiting for a waiter's descriptor") : rc;
}
