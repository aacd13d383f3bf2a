/* tailer_wait.c - one thread waits for one tailer: it sleeps on the notice word itself. */
#include <errno.h>

#include "base/atomics.h"
#include "base/error.h"
#include "base/platform.h"
#include "base/platform_wait.h"
#include "base/sync_point.h"
#include "wait/look.h"

/* order[waiting]: `stop` is set by who saw `waiting`, and then the word is stirred. */
static int check_stopped(tape_tailer_t *t)
{
    int rc = tape__site_check(t->site);
    if (rc == TAPE_OK && OBSERVE32(waiting, &t->wait.stop))
        rc = tape__fail(TAPE_ECLOSED, t->site->path, -1, "the tailer was closed");
    return rc;
}

/* After arming: whatever was published before the fence is seen here, and whoever publishes after
 * it sees the mark. An answer. */
static int look_again(tape_tailer_t *t, int64_t now)
{
    int rc = check_stopped(t);
    return rc == TAPE_OK ? tape__look_quickly(t, now) : rc;
}

static int sleep_for_it(tape_tailer_t *t, tape__notice_t *notice, int64_t until)
{
    int64_t now = tape__monotonic_ns();
    uint32_t armed = 0;
    for (bool woken = true;;) {
        uint32_t before = armed;
        int rc = PLANTED(TAPE__BUG_ARMS_LATE) ? look_again(t, now) : TAPE__NO;
        if (PLANTED(TAPE__BUG_ARMS_LATE)) SYNC_POINT(wait_looked_again);
        armed = tape__notice_arm(notice);
        SYNC_POINT(wait_armed);
        if (!PLANTED(TAPE__BUG_ARMS_LATE)) rc = look_again(t, now);
        if (!PLANTED(TAPE__BUG_ARMS_LATE)) SYNC_POINT(wait_looked_again);
        tape__look_judge(&t->wait.foreign, armed);
        if (rc == TAPE__YES && !woken && armed == before)
            tape__look_found(&t->wait.foreign, armed, now);
        if (rc != TAPE__NO) return rc == TAPE__YES ? TAPE_WAIT_READY : rc;
        if (now >= until) return TAPE_WAIT_TIMED_OUT;
        int64_t pause = tape__look_pause(t->wait.poll_ns, t->wait.foreign.last_ns, now);
        if (pause > until - now) pause = until - now;
        rc = tape__futex_wait(notice->word, armed, pause);
        SYNC_POINT(wait_slept);
        if (rc == -EINTR) return TAPE_WAIT_INTERRUPTED;
        woken = rc == 0;
        now = tape__monotonic_ns();
    }
}

int tape_tailer_set_poll_interval(tape_tailer_t *t, int64_t interval_ns)
{
    if (interval_ns < 0) return tape__fail(TAPE_EINVAL, NULL, -1, "a negative poll interval");
    int rc = tape__tailer_enter(t);
    if (rc != TAPE_OK) return rc;
    t->wait.poll_ns = interval_ns ? interval_ns : TAPE__POLL_INTERVAL;
    tape__tailer_leave_unchanged(t);
    return TAPE_OK;
}

static int64_t deadline(int64_t timeout_ns)
{
    int64_t now = tape__monotonic_ns();
    return timeout_ns < 0 || timeout_ns > INT64_MAX - now ? INT64_MAX : now + timeout_ns;
}

int tape_tailer_wait(tape_tailer_t *t, int64_t timeout_ns)
{
    if (timeout_ns < -1)
        return tape__fail(TAPE_EINVAL, NULL, -1, "a time-out of less than -1");
    int rc = tape__tailer_enter(t);
    if (rc != TAPE_OK) return rc;
    PUBLISH32(waiting, &t->wait.waiting, 1);
    rc = tape__look(t, tape__monotonic_ns());
    SYNC_POINT(wait_looked);
    if (rc == TAPE__YES) rc = TAPE_WAIT_READY;
    else if (rc == TAPE__NO && timeout_ns == 0) rc = TAPE_WAIT_TIMED_OUT;
    else if (rc == TAPE__NO)
        rc = sleep_for_it(t, tape__site_notice(t->site), deadline(timeout_ns));
    PUBLISH32(waiting, &t->wait.waiting, 0);
    tape__tailer_leave(t);
    return rc;
}
