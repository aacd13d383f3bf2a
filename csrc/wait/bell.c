/* bell.c - see bell.h. */
#include "wait/bell.h"

#include "base/error.h"
#include "base/platform.h"
#include "base/sync_point.h"
#include "wait/look.h"

/* The service goes on looking for so long after the last watch was disarmed, so that one that is
 * armed again soon finds it awake in time. */
#define LINGER_NS INT64_C(1000000000)

/* On a grid, so that bells with one interval are due at one time: to wake costs more than to
 * look. */
static int64_t next_look(const tape__site_bell_t *bell, int64_t now)
{
    int64_t pause = tape__look_pause(bell->poll_ns, bell->foreign.last_ns, now);
    return (now / pause + 1) * pause;
}

static void link_in(tape__site_bell_t *bell, tape__watch_t *w, int64_t now)
{
    int64_t poll = w->tailer->wait.poll_ns;
    if (!bell->armed) bell->poll_ns = poll;
    w->next = bell->armed;
    w->link = &bell->armed;
    if (w->next) w->next->link = &w->next;
    bell->armed = w;
    if (poll < bell->poll_ns) bell->poll_ns = poll;
    int64_t due = next_look(bell, now);
    if (due < bell->due_ns || bell->due_ns < now) bell->due_ns = due;
    PUBLISH32(watch, &w->state, TAPE__WATCH_ARMED);
}

static void link_out(tape__site_bell_t *bell, tape__watch_t *w, int64_t now)
{
    *w->link = w->next;
    if (w->next) w->next->link = w->link;
    w->next = NULL;
    if (!bell->armed) bell->idle_ns = now;
}

int tape__bell_arm(tape__site_bell_t *bell, tape__watch_t *w)
{
    int64_t now = tape__monotonic_ns(), due;
    pthread_mutex_lock(&bell->lock);
    tape__look_judge(&bell->foreign, tape__notice_arm(bell->notice));
    SYNC_POINT(bell_armed);
    int rc = tape__look(w->tailer, now);
    if (rc == TAPE__NO) link_in(bell, w, now);
    due = bell->due_ns;
    pthread_mutex_unlock(&bell->lock);
    if (rc == TAPE__NO) tape__service_hurry(bell->service, due);
    return rc;
}

void tape__bell_disarm(tape__site_bell_t *bell, tape__watch_t *w)
{
    pthread_mutex_lock(&bell->lock);
    if (OBSERVE32(watch, &w->state) == TAPE__WATCH_ARMED) {
        link_out(bell, w, tape__monotonic_ns());
        PUBLISH32(watch, &w->state, TAPE__WATCH_IDLE);
    }
    pthread_mutex_unlock(&bell->lock);
}

/* Looks at all armed watches; whether any was ready. */
static bool look_at_all(tape__site_bell_t *bell, bool rung, int64_t now)
{
    bool found = false;
    for (tape__watch_t *w = bell->armed, *next; w; w = next) {
        next = w->next;
        int ready = rung ? tape__look(w->tailer, now) : tape__look_quickly(w->tailer, now);
        if (ready == TAPE__NO) continue;
        link_out(bell, w, now);
        tape__waiter_ready(w); /* from armed to ready: its owner waits for our lock so far */
        found = true;
    }
    return found;
}

static int64_t visit(tape__site_bell_t *bell, int64_t now, tape__futex_t *out)
{
    pthread_mutex_lock(&bell->lock);
    uint32_t word = LOOK32(notice, bell->notice->word);
    const bool rung = word != bell->seen;
    if (bell->armed && (rung || now >= bell->due_ns)) {
        word = tape__notice_arm(bell->notice); /* first, then the look */
        tape__look_judge(&bell->foreign, word);
        if (look_at_all(bell, rung, now) && !rung) tape__look_found(&bell->foreign, word, now);
        bell->due_ns = next_look(bell, now);
    }
    int64_t due = bell->due_ns;
    if (!bell->armed && (bell->idle_ns == 0 || now - bell->idle_ns > LINGER_NS))
        due = TAPE__FOR_EVER;
    else if (due <= now) /* nobody is armed just now */
        due = next_look(bell, now);
    bell->seen = word;
    *out = tape__futex_of(bell->notice->word, word);
    pthread_mutex_unlock(&bell->lock);
    return due;
}

static void let_go(tape__bell_t *hook)
{
    tape__site_bell_t *bell = (tape__site_bell_t *)(void *)hook;
    if (bell->site->generation == tape__process_generation()) {
        tape__service_leave(bell);
        pthread_mutex_destroy(&bell->lock);
    }
    tape__free(bell);
}

static tape__site_bell_t *make_bell(tape__site_t *site)
{
    tape__site_bell_t *bell = tape__alloc(sizeof *bell);
    if (!bell) {
        tape__fail(TAPE_ENOMEM, site->path, -1, "out of memory");
        return NULL;
    }
    bell->hook.let_go = let_go;
    bell->site = site;
    bell->notice = &site->notice;
    bell->visit = visit;
    bell->poll_ns = INT64_MAX;
    pthread_mutex_init(&bell->lock, NULL);
    if (tape__service_join(bell) == TAPE_OK) return bell;
    pthread_mutex_destroy(&bell->lock);
    tape__free(bell);
    return NULL;
}

tape__site_bell_t *tape__bell_of(tape__site_t *site)
{
    tape__site_notice(site);
    pthread_mutex_lock(&site->wait_lock);
    if (!site->bell) site->bell = (tape__bell_t *)(void *)make_bell(site);
    tape__site_bell_t *bell = (tape__site_bell_t *)(void *)site->bell;
    pthread_mutex_unlock(&site->wait_lock);
    return bell;
}
