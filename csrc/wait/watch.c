/* watch.c - the watch of a tailer: added to a waiter, or with a descriptor of its own; see bell.h.
 */
#include "base/atomics.h"
#include "base/error.h"
#include "base/platform.h"
#include "wait/bell.h"

static void disturb(tape_tailer_t *t)
{
    tape__watch_t *w = t->watch;
    uint32_t state = OBSERVE32(watch, &w->state);
    if (!tape__waiter_is_ours(w->waiter)) return;
    if (state == TAPE__WATCH_ARMED) {
        tape__bell_disarm((tape__site_bell_t *)(void *)t->site->bell, w);
        /* Who waits is told, to look again: what the call leaves, nobody knows here. Between our
         * look and now it may have become ready, and be told already. */
        if (OBSERVE32(watch, &w->state) == TAPE__WATCH_IDLE) tape__waiter_ready(w);
    }
    if (w->sticky) tape__waiter_ready(w); /* there may be something: nobody looks any more */
}

/* As tape__bell_arm(). */
static int rearm(tape_tailer_t *t)
{
    tape__site_bell_t *bell = tape__bell_of(t->site);
    return bell ? tape__bell_arm(bell, t->watch) : tape__error_code();
}

static void nothing(tape_tailer_t *t)
{
    tape__watch_t *w = t->watch;
    if (!w->sticky) return;
    tape__waiter_clear(w->waiter);
    if (rearm(t) != TAPE__NO) tape__waiter_ready(w);
}

static void release(tape_tailer_t *t)
{
    tape__watch_t *w = t->watch;
    t->watch = NULL;
    if (w->sticky) tape_waiter_close(w->waiter);
    tape__waiter_release(w);
}

static const tape__watch_hooks_t hooks = {disturb, nothing, release};

/* The tailer's watch, of this waiter. With the tailer entered. */
static int bind(tape_tailer_t *t, tape_waiter_t *w, bool sticky)
{
    if (t->watch && t->watch->waiter == w) return TAPE_OK;
    if (t->watch && t->watch->sticky)
        return tape__fail(TAPE_ESTATE, t->site->path, -1,
                          "the tailer has a descriptor of its own, which tells of it already");
    if (t->watch) release(t);
    tape__watch_t *watch = tape__alloc(sizeof *watch);
    if (!watch) return tape__fail(TAPE_ENOMEM, t->site->path, -1, "out of memory");
    watch->tailer = t;
    watch->waiter = w;
    watch->sticky = sticky;
    pthread_mutex_lock(&w->lock);
    w->references++;
    pthread_mutex_unlock(&w->lock);
    t->hooks = &hooks;
    t->watch = watch;
    return TAPE_OK;
}

int tape_waiter_add(tape_waiter_t *w, tape_tailer_t *t, uint64_t token)
{
    int rc = tape__waiter_check(w);
    if (rc == TAPE_OK) rc = tape__tailer_enter(t);
    if (rc != TAPE_OK) return rc;
    rc = bind(t, w, false);
    if (rc == TAPE_OK) {
        if (OBSERVE32(watch, &t->watch->state) == TAPE__WATCH_READY)
            tape__waiter_forget(w, t->watch);
        PUBLISH32(watch, &t->watch->state, TAPE__WATCH_IDLE);
        t->watch->token = token;
        rc = tape__answer_given(rearm(t)); /* TAPE_WAIT_READY, TAPE_OK */
    }
    tape__tailer_leave(t);
    return rc;
}

int tape_tailer_fd(tape_tailer_t *t)
{
    tape_waiter_t *w = NULL;
    int rc = tape__tailer_enter(t);
    if (rc != TAPE_OK) return rc;
    if (!t->watch || !t->watch->sticky) {
        if (t->watch) release(t);
        rc = tape_waiter_open(&w);
        if (rc == TAPE_OK) rc = bind(t, w, true);
        if (rc != TAPE_OK) tape_waiter_close(w);
    }
    if (rc == TAPE_OK) {
        nothing(t);
        rc = t->watch->waiter->fd;
    }
    tape__tailer_leave(t);
    return rc;
}
