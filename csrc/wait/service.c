/* service.c - the threads that sleep for all waiters of a process.
 *
 * One sleeps on the notice words of its bells, and on a word of its own by which it is told that
 * bells came or went. The other looks, every now and then, for what nobody tells of: to make the
 * first do that would have it queue itself on all its words anew each time, which costs more than
 * the looks. One sleeps on at most 128 words at a time, so for every 127 queues there are two
 * threads. Where the kernel cannot sleep on several words (before Linux 5.16) the other looks every
 * FALLBACK_NS while anybody waits.
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
    uint32_t control;          /* raised to wake who sleeps on the words */
    uint32_t one_word;         /* the kernel can sleep on one alone */
    uint32_t look;             /* raised to wake who looks, */
    int64_t until_ns;          /* which sleeps until then; for ever also while it is awake */
    pthread_mutex_t visiting;  /* a thread is inside a bell; taken after `lock` */
    pthread_mutex_t lock;      /* guards the rest */
    bool sleeping, looking;    /* there are these threads */
    int count;
    tape__site_bell_t *bells[BELLS_MAX];
};

static void kick(uint32_t *word)
{
    uint32_t seen;
    do {
        seen = LOOK32(service, word);
    } while (!CLAIM32(service, word, seen, seen + 1));
    tape__futex_wake_all(word);
}

/* order[service]: the caller has set the bell's time, with its lock. Who looks reads `look`, then
 * visits the bells, then says until when it will sleep, and sleeps unless `look` was raised. So
 * either its visit saw the new time, or we see that it is awake, or how long it sleeps. */
void tape__service_hurry(tape__service_t *s, int64_t due_ns)
{
    FENCE(service);
    if ((int64_t)OBSERVE64(service, (uint64_t *)&s->until_ns) > due_ns) kick(&s->look);
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

/* Ends a thread when there is nothing to do; said with the lock, so that who joins knows. */
static bool is_over(tape__service_t *s, bool *running)
{
    pthread_mutex_lock(&s->lock);
    bool over = s->count == 0;
    if (over) *running = false;
    pthread_mutex_unlock(&s->lock);
    return over;
}

/* order[service]: who looks reads `look` before `one_word`, so it sees this or does not sleep. */
static int sleep_on(tape__service_t *s, tape__futex_t *futexes, int count)
{
    int rc = tape__futex_wait_any(futexes, (uint32_t)count, TAPE__FOR_EVER);
    if (rc != -ENOSYS) return rc;
    if (OBSERVE32(service, &s->one_word) == 0) {
        PUBLISH32(service, &s->one_word, 1);
        kick(&s->look);
    }
    tape__futex_wait(&s->control, (uint32_t)futexes[0].expected, TAPE__FOR_EVER);
    return -EAGAIN;
}

static void *run_sleeping(void *argument)
{
    tape__service_t *s = argument;
    tape__futex_t futexes[TAPE__FUTEXES_MAX];
    int woken = 0;
    while (!is_over(s, &s->sleeping)) {
        uint32_t control = LOOK32(service, &s->control);
        int count = 1;
        if (woken > 0) (void)visit(s, woken - 1, &futexes[woken]); /* the others can wait */
        while (count < TAPE__FUTEXES_MAX && visit(s, count - 1, &futexes[count]) >= 0) count++;
        futexes[0] = tape__futex_of(&s->control, control);
        woken = sleep_on(s, futexes, count);
    }
    return NULL;
}

/* Until when to sleep, with the next look due at `due`. */
static int64_t next_wake(tape__service_t *s, int64_t due)
{
    if (due == TAPE__FOR_EVER || OBSERVE32(service, &s->one_word) == 0) return due;
    const int64_t soon = tape__monotonic_ns() + FALLBACK_NS; /* nobody sleeps on the bells' words */
    return due < soon ? due : soon;
}

static int64_t left_until(int64_t until)
{
    int64_t left = until == TAPE__FOR_EVER ? until : until - tape__monotonic_ns();
    return left < 0 ? 0 : left;
}

static void *run_looking(void *argument)
{
    tape__service_t *s = argument;
    tape__futex_t unused;
    while (!is_over(s, &s->looking)) {
        PUBLISH64(service, (uint64_t *)&s->until_ns, (uint64_t)TAPE__FOR_EVER);
        const uint32_t look = LOOK32(service, &s->look);
        int64_t until = TAPE__FOR_EVER, due;
        for (int i = 0; (due = visit(s, i, &unused)) >= 0; i++)
            if (due < until) until = due;
        until = next_wake(s, until);
        PUBLISH64(service, (uint64_t *)&s->until_ns, (uint64_t)until);
        tape__futex_wait(&s->look, look, left_until(until));
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

/* With the lock. */
static int start(tape__service_t *s, void *(*run)(void *), bool *running)
{
    const int failed = *running ? 0 : tape__thread_start(run, s, "tape-wait");
    if (failed == 0) *running = true;
    return failed;
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
        int failed = start(s, run_sleeping, &s->sleeping);
        if (failed == 0) failed = start(s, run_looking, &s->looking);
        if (failed < 0) {
            s->count--;
            rc = tape__fail_errno(-failed, bell->site->path, "making the thread that waits");
        }
        pthread_mutex_unlock(&s->lock);
    }
    tape__process_services_done();
    if (s) kick(&s->control);
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
    const bool over = s->count == 0;
    pthread_mutex_lock(&s->visiting); /* a visit that had begun is over */
    pthread_mutex_unlock(&s->visiting);
    pthread_mutex_unlock(&s->lock);
    kick(&s->control); /* it may be asleep on the bell's word */
    if (over) kick(&s->look);
}
