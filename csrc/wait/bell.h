/* bell.h - many tailers waited for at once, by a thread of our own (see docs/memory_order.md).
 *
 *     watch.c      what callers call of a tailer: its watch is armed
 *     bell.c       one for each queue handle that anybody waits on: its armed watches
 *     service.c    the thread that sleeps on the notice words of all of them
 *     waiter.c     a descriptor, and the watches that are ready
 *
 * The owner of a tailer arms its watch: the notice word first, then a last look, as anybody who
 * sleeps on it. From then on until it is disarmed the service may be inside the tailer, with the
 * bell's lock. When the tailer has something the watch is disarmed and its waiter's descriptor
 * readable.
 *
 * Locks, in this order: service, bell, waiter.
 */
#ifndef TAPE_BELL_H
#define TAPE_BELL_H

#include <pthread.h>

#include "base/platform_wait.h"
#include "read/tailer.h"

struct tape_waiter {
    uint64_t generation;
    pthread_mutex_t lock;      /* guards the rest */
    int fd;
    bool closed;
    bool readable;             /* `fd` is */
    int references;            /* the handle's, and one of each watch */
    tape__watch_t *first, *last; /* those that are ready */
};

/* Changed with the bell's lock (armed, and what was) or the waiter's (ready, and what was);
 * order[watch]. */
enum { TAPE__WATCH_IDLE, TAPE__WATCH_ARMED, TAPE__WATCH_READY };

struct tape__watch {
    tape_tailer_t *tailer;
    tape_waiter_t *waiter;
    uint64_t token;
    uint32_t state;
    bool sticky;               /* tape_tailer_fd() */
    tape__watch_t *next, **link; /* among the armed ones of its bell */
    tape__watch_t *next_ready;
    bool orphan;               /* its tailer is gone; its token is still to be told */
};

typedef struct tape__service tape__service_t;

typedef struct tape__site_bell tape__site_bell_t;
struct tape__site_bell {
    tape__bell_t hook;         /* first: what the queue knows of it */
    tape__site_t *site;
    tape__notice_t *notice;
    tape__service_t *service;
    /* By the service: looks, if it is time or the word tells; when to look next. *out is what to
     * sleep on. */
    int64_t (*visit)(tape__site_bell_t *bell, int64_t now, tape__futex_t *out);
    pthread_mutex_t lock;      /* guards the rest */
    tape__watch_t *armed;
    uint32_t seen;             /* the notice word when the service looked last */
    int64_t poll_ns;           /* the shortest of the armed ones */
    int64_t due_ns;            /* when it looks next, whatever the word says */
    int64_t idle_ns;           /* since when nobody is armed */
    tape__foreign_t foreign;
};

/* bell.c: that of the queue, made when first asked for and joined to a service. NULL: a trail. */
tape__site_bell_t *tape__bell_of(tape__site_t *site);
/* Whether there is something to read at once: an answer; if not, the watch is armed. By the
 * tailer's owner. */
int tape__bell_arm(tape__site_bell_t *bell, tape__watch_t *watch);
/* Afterwards the service is not inside. */
void tape__bell_disarm(tape__site_bell_t *bell, tape__watch_t *watch);
/* waiter.c: the watch is ready; with the bell's lock, or by its owner. */
void tape__waiter_ready(tape__watch_t *watch);
/* Takes it off the list, when it is about to go or to be armed again. */
void tape__waiter_forget(tape_waiter_t *w, tape__watch_t *gone);
void tape__waiter_clear(tape_waiter_t *w); /* not readable until something is ready */
/* Its tailer goes: it is freed now, or when its token was taken. Then the waiter has one reference
 * less, too. */
void tape__waiter_release(tape__watch_t *watch);
/* One reference less; frees with the last one. */
void tape__waiter_drop(tape_waiter_t *w);
/* TAPE_OK, TAPE_EINVAL, TAPE_EFORKED. */
int tape__waiter_check(const tape_waiter_t *w);
static inline bool tape__waiter_is_ours(const tape_waiter_t *w)
{
    return w->generation == tape__process_generation();
}

/* service.c */
int tape__service_join(tape__site_bell_t *bell);
void tape__service_leave(tape__site_bell_t *bell);
/* Lets it wake no later than that. */
void tape__service_hurry(tape__service_t *s, int64_t due_ns);

#endif
