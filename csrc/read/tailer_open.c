/* tailer_open.c - opening a tailer, shutting and closing it. */
#include <string.h>
#include <strings.h>

#include "base/atomics.h"
#include "base/error.h"
#include "base/options.h"
#include "base/platform.h"
#include "read/tailer.h"

#define WINDOW_DEFAULT (INT64_C(16) << 20)
enum { ID_MAX = 256, CLOSE_TRIES = 20000 };

static int busy(const tape_tailer_t *t)
{
    return tape__fail(TAPE_EBUSY, t->site->path, -1, "another thread is using this tailer");
}

/* From inside; what the caller may still look at stays, until the tailer is closed. */
static void give_back(tape_tailer_t *t, bool all)
{
    t->shut = true;
    t->quick = false;
    if (t->watch) t->hooks->disturb(t);
    tape__tailer_unbind(t);
    if (all || !t->delivered) tape__tailer_leave_cycle(t);
}

static int shut(tape__child_t *child)
{
    tape_tailer_t *t = (tape_tailer_t *)child;
    if (!TAKE32(busy, &t->busy, 0, 1)) return busy(t);
    give_back(t, false);
    tape__tailer_leave(t);
    return TAPE_OK;
}

/* At the end of a deleted file the tailer goes on to the next one, as its next read would: one that
 * stands still would keep the blocks. Not where it is to give, or to take back, what is there. */
static void let_go(tape__child_t *child)
{
    tape_tailer_t *t = (tape_tailer_t *)child;
    if (!TAKE32(busy, &t->busy, 0, 1)) return;
    if (!t->shut && t->open && !t->backward && !t->delivered &&
        t->last_call.gave == TAPE__GAVE_NOTHING && tape__tailer_is_deleted(t) == TAPE__YES) {
        if (t->watch) t->hooks->disturb(t);
        t->quick = false;
        tape__mapping_leave_packed(true); /* it may need what our caller's callers hold */
        if (tape__tailer_find(t) == TAPE_EGAP) t->gap.untold = true; /* by the next read */
        tape__mapping_leave_packed(false);
        t->last_call.gave = TAPE__GAVE_NOTHING;
    }
    tape__tailer_leave(t);
}

/* Beside a name Java keeps words of the same key with these behind it, and its releases after
 * 2026.4 make no tailer that is called so. */
static bool ends_as_javas_words_do(const char *id)
{
    static const char *const ends[] = {".lock", ".version"};
    const size_t length = strlen(id);
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        const size_t end = strlen(ends[i]);
        if (length >= end && strcasecmp(id + length - end, ends[i]) == 0) return true;
    }
    return false;
}

static int check_options(const tape__site_t *site, const tape_tailer_options_t *given,
                         tape_tailer_options_t *o, bool *bounded)
{
    int rc = tape__options_copy(o, sizeof *o, given, site->path);
    if (rc != TAPE_OK) return rc;
    if (o->window_size < 0)
        return tape__fail(TAPE_EINVAL, site->path, -1, "window_size is negative");
    if (o->poll_interval_ns < 0)
        return tape__fail(TAPE_EINVAL, site->path, -1, "poll_interval_ns is negative");
    if (o->poll_interval_ns == 0) o->poll_interval_ns = TAPE__POLL_INTERVAL;
    if (o->id && strlen(o->id) > ID_MAX)
        return tape__fail(TAPE_EINVAL, site->path, -1, "a name of more than %d bytes", ID_MAX);
    if (o->id && ends_as_javas_words_do(o->id))
        return tape__fail(TAPE_EINVAL, site->path, -1, "a tailer cannot be called '%s': names that "
                          "end in .lock or .version are Java's", o->id);
    *bounded = o->window_size != 0;
    if (!*bounded) o->window_size = WINDOW_DEFAULT;
    if (o->window_size < TAPE__TAILER_WINDOW_LEAST) o->window_size = TAPE__TAILER_WINDOW_LEAST;
    return TAPE_OK;
}

int tape__tailer_make(tape__site_t *site, const tape_tailer_options_t *options, tape_tailer_t **out)
{
    tape_tailer_options_t o;
    bool bounded = false;
    int rc = check_options(site, options, &o, &bounded);
    if (rc == TAPE_OK) rc = tape__site_enter(site);
    if (rc != TAPE_OK) return rc;
    tape_tailer_t *t = tape__alloc(sizeof *t);
    if (t) {
        t->site = site;
        tape__tailer_be_nameless(t);
        t->child.shut = shut;
        t->child.let_go = let_go;
        t->window_size = (uint64_t)o.window_size;
        t->bounded = bounded;
        t->documents = (o.flags & TAPE_TAILER_DOCUMENTS) != 0;
        t->metadata = (o.flags & TAPE_TAILER_METADATA) != 0;
        t->tell_gaps = (o.flags & TAPE_TAILER_TELL_GAPS) != 0;
        t->last_read = TAPE_ENOINDEX;
        t->wait.poll_ns = o.poll_interval_ns;
        if (o.id) rc = tape__tailer_bind(t, o.id, (o.flags & TAPE_TAILER_STEAL) != 0);
        if (rc == TAPE_OK) {
            tape__site_add_child(site, &t->child);
            *out = t;
        } else {
            tape__tailer_end(t);
            tape__free(t);
        }
    } else {
        rc = tape__fail(TAPE_ENOMEM, site->path, -1, "out of memory");
    }
    tape__site_leave(site);
    return rc;
}

/* A thread that sleeps in tape_tailer_wait(), or is about to, is told to leave. */
int tape_tailer_shutdown(tape_tailer_t *t)
{
    if (!t) return tape__fail(TAPE_EINVAL, NULL, -1, "no tailer");
    int rc = shut(&t->child);
    for (int n = 0; rc == TAPE_EBUSY && n < 20000; n++) {
        if (n > 20 && !OBSERVE32(waiting, &t->wait.waiting)) break; /* inside another call */
        PUBLISH32(waiting, &t->wait.stop, 1);
        tape__site_stir(t->site);
        tape__sleep_ns(100000);
        rc = shut(&t->child);
    }
    return rc;
}

int tape_tailer_close(tape_tailer_t *t)
{
    if (!t) return TAPE_OK;
    /* tape__site_shut() may be inside for a moment; anybody else is there by mistake. */
    for (int tries = 0; !TAKE32(busy, &t->busy, 0, 1); tries++) {
        if (tape__site_is_usable(t->site) || tries == CLOSE_TRIES) return busy(t);
        tape__sleep_ns(100000);
    }
    give_back(t, true);
    if (t->watch) t->hooks->release(t);
    tape__tailer_end(t);
    tape__site_t *site = t->site;
    tape__tailer_leave(t); /* who shuts the site finds nothing left to do */
    tape__site_remove_child(site, &t->child);
    tape__free(t);
    return TAPE_OK;
}
