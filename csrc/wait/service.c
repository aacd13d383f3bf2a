/* service.c - the thread that sleeps for all waiters of a process.
 *
 * It sleeps on the notice words of its bells, and on a word of its own by which it is told that
 * bells came or went, or that it must wake earlier. One sleeps on at most 128 words at a time, so
 * for every 127 queues there is a thread. Where the kernel cannot sleep on several words (before
 * Linux 5.16) it looks every FALLBACK_NS while anybody waits.
 */
#include <errno.h>
#include <inttypes.h>

#include "base/error.h"
#include "base/platform.h"
#include "wait/bell.h"

enum { BELLS_MAX = TAPE__FUTEXES_MAX - 1 };
#define FALLBACK_NS INT64_C(2000000)

struct tape__service {
    tape__service_t *next;
    uint32_t control;          /* raised to wake the thread */
    int64_t until_ns;          /* it sleeps until then; for ever also while it is awake */
    pthread_mutex_t visiting;  /* the thread is inside a bell; taken after `lock` */
    pthread_mutex_t lock;      /* guards the rest */
    bool running;
    int count;
    tape__site_bell_t *bells[BELLS_MAX];
};

static void kick(tape__service_t *s)
{
    uint32_t seen;
    do {
        seen = LOOK32(service, &s->control);
    } while (!CLAIM32(service, &s->control, seen, seen + 1));
    tape__futex_wake_all(&s->control);
}

/* order[service]: the caller has set the bell's time, with its lock. The thread reads `control`,
 * then visits the bells, then says until when it will sleep, and sleeps unless `control` was
 * raised. So either its visit saw the new time, or we see that it is awake, or how long it
 * sleeps. */
void tape__service_hurry(tape__service_t *s, int64_t due_ns)
{
    FENCE(service);
    if ((int64_t)OBSERVE64(service, (uint64_t *)&s->until_ns) > due_ns) kick(s);
}

/* Visits one bell; when to look at it next, or -1 when there is none of that number. */
static int64_t visit(tape__service_t *s, int number, tape__futex_t *out)
{
    pthread_mutex_lock(&s->lock);
    tape__site_bell_t *bell = number < s->count ? s->bells[number] : NULL;
    if (bell) pthread_mutex_lock(&s->visiting); /* who takes the bell away waits for us */
    pthread_mutex_unlock(&s->lock);
    if (!bell) return -1;
    int64_t due = bell->visit(bell, tape__monotonic_ns(), out);
    pthread_mutex_unlock(&s->visiting);
    return due;
}

/* Ends the thread when there is nothing to do; said with the lock, so that who joins knows. */
static bool is_over(tape__service_t *s)
{
    pthread_mutex_lock(&s->lock);
    bool over = s->count == 0;
    if (over) s->running = false;
    pthread_mutex_unlock(&s->lock);
    return over;
}

static int sleep_on(tape__service_t *s, tape__futex_t *futexes, int count, int64_t until)
{
    int rc = tape__futex_wait_any(futexes, (uint32_t)count, until);
    if (rc != -ENOSYS) return rc;
    int64_t left = TAPE__FOR_EVER;
    if (until != TAPE__FOR_EVER) {
        left = until - tape__monotonic_ns();
        if (left > FALLBACK_NS) left = FALLBACK_NS;
        if (left < 0) left = 0;
    }
    tape__futex_wait(&s->control, (uint32_t)futexes[0].expected, left);
    return -EAGAIN;
}

static void *run(void *argument)
{
    tape__service_t *s = argument;
    tape__futex_t futexes[TAPE__FUTEXES_MAX];
    int woken = 0;
    while (!is_over(s)) {
        PUBLISH64(service, (uint64_t *)&s->until_ns, (uint64_t)TAPE__FOR_EVER);
        uint32_t control = LOOK32(service, &s->control);
        int64_t until = TAPE__FOR_EVER, due;
        int count = 1;
        if (woken > 0) (void)visit(s, woken - 1, &futexes[woken]); /* the others can wait */
        while ((due = visit(s, count - 1, &futexes[count])) >= 0) {
            if (due < until) until = due;
            if (++count == TAPE__FUTEXES_MAX) break;
        }
        futexes[0] = tape__futex_of(&s->control, control);
        PUBLISH64(service, (uint64_t *)&s->until_ns, (uint64_t)until);
        woken = sleep_on(s, futexes, count, until);
    }
    return NULL;
}

/* With the list locked: a service with room. */
static tape__service_t *find_room(void **list)
{
    tape__service_t *s = *list;
    for (; s; s = s->next) {
        pthread_mutex_lock(&s->lock);
        bool room = s->count < BELLS_MAX;
        pthread_mutex_unlock(&s->lock);
        if (room) return s;
    }
    s = tape__alloc(sizeof *s);
    if (!s) return NULL;
    pthread_mutex_init(&s->lock, NULL);
    pthread_mutex_init(&s->visiting, NULL);
    s->until_ns = TAPE__FOR_EVER;
    s->next = *list;
    *list = s;
    return s;
}

int tape__service_join(tape__site_bell_t *bell)
{
    void **list = tape__process_services();
    tape__service_t *s = find_room(list);
    int rc = s ? TAPE_OK : tape__fail(TAPE_ENOMEM, bell->site->path, -1, "out of memory");
    if (s) {
        pthread_mutex_lock(&s->lock);
        s->bells[s->count++] = bell;
        bell->service = s;
        int failed = s->running ? 0 : tape__thread_start(run, s);
        if (failed < 0) {
            s->count--;
            rc = tape__fail_errno(-failed, bell->site->path, "making the thread that waits");
        } else {
            s->running = true;
        }
        pthread_mutex_unlock(&s->lock);
    }
    tape__process_services_done();
    if (rc == TAPE_OK) kick(s);
    return rc;
}

void tape__service_leave(tape__site_bell_t *bell)
{
    tape__service_t *s = bell->service;
    pthread_mutex_lock(&s->lock);
    for (int i = 0; i < s->count; i++)
        if (s->bells[i] == bell) {
            s->bells[i] = s->bells[--s->count];
            break;
        }
    pthread_mutex_lock(&s->visiting); /* a visit that had begun is over */
    pthread_mutex_unlock(&s->visiting);
    pthread_mutex_unlock(&s->lock);
    kick(s); /* it may be asleep on the bell's word */
}
