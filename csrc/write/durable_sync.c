/* durable_sync.c - sync() of an appender and a queue, and the last sync of a handle. */
#include "base/error.h"
#include "file/side_file.h"
#include "write/appender.h"
#include "write/durable.h"

#define INTERVAL_LEAST INT64_C(1000000)
#define INTERVAL_MOST INT64_C(3600000000000)

int tape__durable_check_options(uint32_t durability, int64_t interval_ns, const char *path)
{
    if (durability > TAPE_DURABILITY_EACH)
        return tape__fail(TAPE_EINVAL, path, -1, "%u is no durability", durability);
    if (durability == TAPE_DURABILITY_INTERVAL ? interval_ns < INTERVAL_LEAST ||
                                                     interval_ns > INTERVAL_MOST
                                               : interval_ns != 0)
        return tape__fail(TAPE_EINVAL, path, -1,
                          "sync_interval_ns: 1 ms to 1 h with TAPE_DURABILITY_INTERVAL, else 0");
    return TAPE_OK;
}

/* ---- the queue ---- */

typedef struct {
    tape__durable_t *durable;
    const tape__listing_t *listing;
} syncing_t;

/* A cycle that is over: nobody waits for it any more, so nobody shares it. */
static int sync_older(void *user, int64_t cycle)
{
    const syncing_t *s = user;
    tape__file_t file;
    int rc = tape__durable_open_cycle(s->listing, cycle, &file);
    if (rc != TAPE__YES) return rc == TAPE__NO ? TAPE_OK : rc;
    int failed = tape__file_sync(file.fd);
    rc = failed < 0 ? tape__durable_fail(s->durable, -failed, file.path) : TAPE_OK;
    tape__mapping_close(&file);
    return rc;
}

/* The newest file is one of those that are synced from now on. */
static int keep_newest(tape__durable_t *d, const tape__listing_t *l, int64_t cycle)
{
    tape__file_t file;
    int rc = tape__durable_open_cycle(l, cycle, &file);
    if (rc != TAPE__YES) return rc == TAPE__NO ? TAPE_OK : rc;
    rc = tape__durable_keep(d, &file);
    tape__mapping_close(&file);
    return rc;
}

static int64_t synced_below(tape__durable_t *d, int64_t opened_at, int64_t below)
{
    pthread_mutex_lock(&d->lock);
    if (d->synced_below < below) d->synced_below = below;
    const int64_t own = d->synced_below;
    pthread_mutex_unlock(&d->lock);
    return own > opened_at ? own : opened_at;
}

int tape__durable_sync_queue(tape__writer_t *w)
{
    tape__listing_t *l = &w->site->listing;
    int64_t first, last;
    syncing_t s = {.listing = l};
    int rc = tape__durable_of(w, &s.durable);
    if (rc == TAPE_OK) rc = tape__durable_check(s.durable);
    if (rc == TAPE_OK) rc = tape__listing_ends(l, &first, &last);
    if (rc != TAPE_OK) return rc;
    if (last != TAPE__NO_CYCLE) {
        int64_t from = synced_below(s.durable, w->newest_at_opening, TAPE__NO_CYCLE);
        if (from < first) from = first;
        rc = tape__listing_each(l, from, last, sync_older, &s);
        if (rc == TAPE_OK) rc = keep_newest(s.durable, l, last);
    }
    if (rc == TAPE_OK) rc = tape__durable_wait(s.durable, true);
    if (rc == TAPE_OK) (void)synced_below(s.durable, 0, last);
    return rc;
}

/* ---- the appender ---- */

int tape_appender_sync(tape_appender_t *a)
{
    if (!a) return tape__fail(TAPE_EINVAL, NULL, -1, "no appender");
    int rc = tape__site_enter(a->writer->site);
    if (rc != TAPE_OK) return rc;
    rc = a->durable ? tape__durable_check(a->durable) : tape__durable_sync_queue(a->writer);
    if (rc == TAPE_OK && a->durable) rc = tape__durable_wait(a->durable, false);
    tape__site_leave(a->writer->site);
    return rc;
}

/* ---- closing ---- */

int tape__durable_finish(tape__durable_t *d)
{
    if (d->generation != tape__process_generation()) return TAPE_OK;
    bool dirty = false;
    pthread_mutex_lock(&d->lock);
    for (const tape__unsynced_t *f = d->files; f && d->failed == 0; f = f->next)
        dirty = dirty || PEEK32(unsynced, &f->dirty) != 0;
    pthread_mutex_unlock(&d->lock);
    return dirty ? tape__durable_wait(d, false) : tape__durable_tell(d);
}

/* NULL: nobody asked for one. */
static tape__durable_t *of_site(const tape__site_t *site)
{
    if (!site->entry) return NULL;
    tape__process_lock();
    tape__durable_t *d = (tape__durable_t *)*tape__process_companion(site->entry);
    tape__process_unlock();
    return d;
}

int tape__durable_finish_queue(const tape__site_t *site)
{
    tape__durable_t *d = site->generation == tape__process_generation() ? of_site(site) : NULL;
    return d ? tape__durable_finish(d) : TAPE_OK;
}

/* ---- what can be asked ---- */

void tape__durable_show(const tape__site_t *site, tape_queue_info_t *out)
{
    const tape__durable_t *d = of_site(site);
    if (site->has_table) out->in_memory = tape__filesystem_is_memory(site->table.file.fd);
    if (!d) {
        out->sync_failed = tape__side_file_failed_sync(site->path);
        return;
    }
    out->syncs = PEEK64(counters, &d->syncs);
    out->sync_failed = (int32_t)OBSERVE32(sync_failed, &d->failed);
}
