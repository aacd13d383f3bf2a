/* durable.c - one sync for all who wait, and what must be synced; see durable.h. */
#define _POSIX_C_SOURCE 200809L
#include "write/durable.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/error.h"
#include "base/sync_point.h"
#include "file/side_file.h"

/* So long the one who syncs waits at most for those who synced with him the last time: a share of
 * what a sync takes, so that it costs little when they do not come. */
enum { GATHER_SHARE = 8 };
#define GATHER_MAX_NS INT64_C(2000000)

/* ---- failures ---- */

/* The first one stays. With the lock. */
static void remember(tape__durable_t *d, int system_errno, const char *path)
{
    if (d->failed != 0) return;
    snprintf(d->failed_file, sizeof d->failed_file, "%s", path);
    PUBLISH32(sync_failed, &d->failed, (uint32_t)system_errno);
    tape__side_file_mark_failed_sync(d->path, system_errno);
}

/* What an earlier one, or another process, left in the side file: its opener was told, or is. */
static void inherit_failure(tape__durable_t *d)
{
    d->failed = (uint32_t)tape__side_file_failed_sync(d->path);
    d->told = d->failed != 0;
    snprintf(d->failed_file, sizeof d->failed_file, "%s", d->path);
}

int tape__durable_fail(tape__durable_t *d, int system_errno, const char *path)
{
    pthread_mutex_lock(&d->lock);
    remember(d, system_errno, path);
    d->told = true;
    pthread_cond_broadcast(&d->changed);
    pthread_mutex_unlock(&d->lock);
    return tape__fail_sync(system_errno, path);
}

int tape__durable_check(tape__durable_t *d)
{
    const uint32_t failed = OBSERVE32(sync_failed, &d->failed);
    if (failed == 0) return TAPE_OK;
    pthread_mutex_lock(&d->lock);
    d->told = true;
    pthread_mutex_unlock(&d->lock);
    tape__fail_sync((int)failed, d->failed_file); /* which is set once, before `failed` */
    return tape__while(TAPE_ESYNC, "that was before: nothing is written since, to be synced");
}

int tape__durable_tell(tape__durable_t *d)
{
    pthread_mutex_lock(&d->lock);
    const bool tells = d->failed != 0 && !d->told;
    pthread_mutex_unlock(&d->lock);
    return tells ? tape__durable_check(d) : TAPE_OK;
}

/* ---- what must be synced ---- */

/* Files first: a name that leads to nothing would be moved aside. Then what leads to those that are
 * new here: their names, and the listing words, by which Java finds them. Without the lock: nobody
 * else takes files out meanwhile. 0 or a negative errno, of *path. */
static int sync_chosen(const tape__durable_t *d, const tape__unsynced_t *files, bool all,
                       const char **path)
{
    int rc = 0;
    bool nameless = all && !d->named;
    for (const tape__unsynced_t *f = files; f && rc == 0; f = f->next) {
        if (!f->chosen) continue;
        *path = f->path;
        nameless = nameless || !f->named;
        rc = tape__file_sync(f->fd);
        if (rc == 0) SYNC_POINT(file_synced);
    }
    if (rc == 0 && nameless) {
        *path = d->path;
        rc = tape__directory_sync(d->directory);
        if (rc == 0) SYNC_POINT(name_synced);
    }
    if (rc == 0 && (nameless || all)) {
        *path = d->table_path;
        rc = tape__file_sync(d->table);
    }
    if (rc < 0) return rc;
    /* Another process may have been told of what this one's descriptors are too young to be. */
    *path = d->path;
    return -tape__side_file_failed_sync(d->path);
}

/* order[unsynced]: what is noted from here on is for the next sync. */
static void choose(tape__durable_t *d, bool all)
{
    for (tape__unsynced_t *f = d->files; f; f = f->next)
        f->chosen = CLAIM32(unsynced, &f->dirty, 1, 0) || all;
}

static void end_sync(tape__durable_t *d, int rc, const char *path)
{
    for (tape__unsynced_t *f = d->files; f; f = f->next) {
        if (f->chosen && rc == 0) f->named = d->named = true;
        f->chosen = false;
    }
    if (rc == 0) {
        d->done = d->begun;
        COUNT64(counters, &d->syncs, 1);
    } else {
        remember(d, -rc, path);
    }
    tape__durable_drop_synced(d);
}

/* ---- one for all ---- */

/* With those who synced together the last time nearly as many messages go with one sync as there
 * are threads; without waiting for them it would be half as many, those of every other sync. */
static void gather(tape__durable_t *d)
{
    int64_t ns = d->took_ns / GATHER_SHARE;
    if (d->waiting >= d->expected || ns <= 0) return;
    if (ns > GATHER_MAX_NS) ns = GATHER_MAX_NS;
    const int64_t until = tape__monotonic_ns() + ns;
    const struct timespec t = {.tv_sec = until / 1000000000, .tv_nsec = until % 1000000000};
    int rc = 0;
    while (d->waiting < d->expected && rc == 0)
        rc = pthread_cond_timedwait(&d->arrived, &d->lock, &t);
}

/* With the lock, which is let go meanwhile. */
static void lead(tape__durable_t *d)
{
    const char *path = d->path;
    d->leading = true;
    gather(d);
    const bool all = d->all;
    d->all = false;
    d->begun++;
    choose(d, all);
    tape__unsynced_t *files = d->files;
    pthread_mutex_unlock(&d->lock);
    SYNC_POINT(sync_begun);
    const int64_t start = tape__monotonic_ns();
    int rc = sync_chosen(d, files, all, &path);
    const int64_t took = tape__monotonic_ns() - start;
    SYNC_POINT(sync_ended);
    pthread_mutex_lock(&d->lock);
    d->leading = false;
    d->took_ns = took;
    d->expected = d->waiting;
    end_sync(d, rc, path);
    pthread_cond_broadcast(&d->changed);
}

/* Whether it failed. With the lock. */
static bool wait_for(tape__durable_t *d, bool all)
{
    const uint64_t wanted = d->begun + 1;
    d->all = d->all || all;
    d->waiting++;
    pthread_cond_signal(&d->arrived);
    while (d->done < wanted && d->failed == 0) {
        if (d->leading) pthread_cond_wait(&d->changed, &d->lock);
        else lead(d);
    }
    d->waiting--;
    return d->done < wanted;
}

int tape__durable_wait(tape__durable_t *d, bool all)
{
    pthread_mutex_lock(&d->lock);
    const bool failed = wait_for(d, all);
    const int reason = (int)d->failed;
    if (failed) d->told = true;
    pthread_mutex_unlock(&d->lock);
    return failed ? tape__fail_sync(reason, d->failed_file) : TAPE_OK;
}

static void run(tape__durable_t *d)
{
    pthread_mutex_lock(&d->lock);
    (void)wait_for(d, false);
    pthread_mutex_unlock(&d->lock);
}

/* ---- making it ---- */

/* The last handle is closed. In a forked child only the descriptors are the child's. */
static void let_go(tape__companion_t *companion)
{
    tape__durable_t *d = (tape__durable_t *)companion;
    const bool own = d->generation == tape__process_generation();
    if (own) tape__durable_unlist(d);
    for (tape__unsynced_t *f = d->files, *next; f; f = next) {
        next = f->next;
        tape__close_file(f->fd);
        tape__free(f);
    }
    tape__close_file(d->directory);
    tape__close_file(d->table);
    if (own) {
        pthread_cond_destroy(&d->changed);
        pthread_cond_destroy(&d->arrived);
        pthread_mutex_destroy(&d->lock);
    }
    tape__free(d);
}

static int open_descriptors(tape__durable_t *d, const tape__site_t *site)
{
    d->table = -1;
    d->directory = tape__open_file(site->path, TAPE__RDONLY);
    if (d->directory < 0)
        return tape__fail_errno(-d->directory, site->path, "opening the directory to sync it");
    d->table = tape__file_duplicate(site->table.file.fd);
    if (d->table >= 0) return TAPE_OK;
    tape__close_file(d->directory);
    return tape__fail_errno(-d->table, site->table.file.path, "duplicating its descriptor");
}

static int make(const tape__site_t *site, tape__companion_t **out)
{
    tape__durable_t *d = tape__alloc(sizeof *d);
    if (!d) return tape__fail(TAPE_ENOMEM, site->path, -1, "out of memory");
    int rc = open_descriptors(d, site);
    if (rc != TAPE_OK) {
        tape__free(d);
        return rc;
    }
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&d->changed, NULL);
    pthread_cond_init(&d->arrived, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_mutex_init(&d->lock, NULL);
    snprintf(d->path, sizeof d->path, "%s", site->path);
    snprintf(d->table_path, sizeof d->table_path, "%s", site->table.file.path);
    inherit_failure(d);
    d->generation = tape__process_generation();
    d->entered = d->synced_below = TAPE__NO_CYCLE;
    d->companion.let_go = let_go;
    d->run = run;
    *out = &d->companion;
    return TAPE_OK;
}

/* Where the names of the queue's directory and of those above it stand, as far as they lie on one
 * file system: somebody may have made them a moment ago. One that may not be opened was not made by
 * us. TAPE_OK or a code; only a sync that fails is remembered. With the lock. */
static int sync_ancestors(tape__durable_t *d)
{
    char path[sizeof d->path];
    tape__stat_t own, st;
    int rc = tape__stat_fd(d->directory, &own);
    snprintf(path, sizeof path, "%s", d->path);
    for (char *slash; rc == 0 && (slash = strrchr(path, '/')) != NULL && path[1];) {
        slash[slash == path] = 0;
        int fd = tape__open_file(path, TAPE__RDONLY);
        if (fd == -EACCES || fd == -ENOENT || fd == -EPERM) break;
        rc = fd < 0 ? fd : tape__stat_fd(fd, &st);
        if (rc < 0 || st.device != own.device) {
            tape__close_file(fd);
            break;
        }
        int failed = tape__directory_sync(fd);
        tape__close_file(fd);
        if (failed < 0) {
            remember(d, -failed, path);
            d->told = true;
            return tape__fail_sync(-failed, path);
        }
    }
    return rc < 0 ? tape__fail_errno(-rc, path, "opening the directory to sync it") : TAPE_OK;
}

int tape__durable_of(const tape__writer_t *w, tape__durable_t **out)
{
    tape__companion_t **place = tape__process_companion(w->site->entry);
    tape__process_lock();
    int rc = *place ? TAPE_OK : make(w->site, place);
    tape__durable_t *d = *out = (tape__durable_t *)*place;
    tape__process_unlock();
    if (rc != TAPE_OK) return rc;
    pthread_mutex_lock(&d->lock);
    if (!d->ancestors_synced && d->failed == 0) rc = sync_ancestors(d);
    d->ancestors_synced = d->ancestors_synced || rc == TAPE_OK;
    pthread_mutex_unlock(&d->lock);
    return rc;
}
