/* appender_open.c - opening an appender, and closing it. */
#include "base/error.h"
#include "base/options.h"
#include "base/platform.h"
#include "write/appender.h"

static int writable(const tape__site_t *site)
{
    const char *table = site->table.file.path;
    if (site->read_only)
        return tape__fail(TAPE_EREADONLY, site->path, -1, "%s was opened read-only", site->path);
    if (site->settings.other_roll_time)
        return tape__fail(TAPE_EUNSUPPORTED, table, -1,
                          "%s: rolls at another time than midnight in UTC; such a queue is only "
                          "read", table);
    return TAPE_OK;
}

/* What it wants, or the queue does. */
static int set_durability(tape_appender_t *a, const tape_appender_options_t *o)
{
    const tape__writer_t *w = a->writer;
    a->durability = o->durability ? o->durability : w->durability;
    a->sync_interval_ns = o->durability ? o->sync_interval_ns : w->sync_interval_ns;
    a->lane_end = 0;
    if (a->durability != TAPE_DURABILITY_OS) {
        int rc = tape__durable_of(w, &a->durable);
        if (rc != TAPE_OK || a->durability != TAPE_DURABILITY_INTERVAL) return rc;
        return tape__durable_every(a->durable, a->sync_interval_ns);
    }
    a->lane_end = w->body_max - TAPE__FRAME_MAX;
    return TAPE_OK;
}

int tape__appender_make(tape__writer_t *w, const tape_appender_options_t *options,
                        tape_appender_t **out)
{
    tape__site_t *site = w->site;
    tape_appender_options_t o;
    int rc = tape__options_copy(&o, sizeof o, options, site->path);
    if (rc == TAPE_OK && o.framing > TAPE_FRAMING_DOCUMENT)
        rc = tape__fail(TAPE_EINVAL, site->path, -1, "%u is no framing", o.framing);
    if (rc == TAPE_OK)
        rc = tape__durable_check_options(o.durability, o.sync_interval_ns, site->path);
    if (rc == TAPE_OK) rc = tape__site_enter(site);
    if (rc != TAPE_OK) return rc;
    rc = writable(site);
    tape_appender_t *a = rc == TAPE_OK ? tape__alloc(sizeof *a) : NULL;
    if (a) {
        a->writer = w;
        a->framing = o.framing;
        rc = set_durability(a, &o);
    }
    if (rc != TAPE_OK) {
        tape__free(a);
    } else if (a) {
        a->child.shut = tape__appender_shut;
        a->last_index = TAPE_ENOINDEX;
        tape__site_add_child(site, &a->child);
        *out = a;
    } else {
        rc = tape__fail(TAPE_ENOMEM, site->path, -1, "out of memory");
    }
    tape__site_leave(site);
    return rc;
}

int tape_appender_close(tape_appender_t *a)
{
    if (!a) return TAPE_OK;
    if (a->place.held && tape_appender_abandon(a) == TAPE_EFORKED && a->place.staged)
        tape__free(a->place.buffer); /* a copy of the parent's, who has the lock */
    int rc = a->durable ? tape__durable_finish(a->durable) : TAPE_OK;
    tape__site_remove_child(a->writer->site, &a->child);
    tape__free(a);
    return rc;
}
