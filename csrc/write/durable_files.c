/* durable_files.c - the files that were written to and are to be synced; see durable.h. */
#include <stdio.h>

#include "base/error.h"
#include "write/durable.h"

enum { OLDER_MAX = 64 };

/* With the lock. */
static tape__unsynced_t *find(const tape__durable_t *d, const tape__file_t *file)
{
    tape__unsynced_t *f = d->files;
    while (f && !(f->device == file->device && f->inode == file->inode)) f = f->next;
    return f;
}

/* The descriptor is of the same open file as the writer's: the kernel tells an error once for
 * both. */
static tape__unsynced_t *make(const tape__file_t *file, int *rc)
{
    tape__unsynced_t *f = tape__alloc(sizeof *f);
    if (!f) {
        *rc = tape__fail(TAPE_ENOMEM, file->path, -1, "out of memory");
        return NULL;
    }
    f->fd = tape__file_duplicate(file->fd);
    if (f->fd < 0) {
        *rc = tape__fail_errno(-f->fd, file->path, "duplicating its descriptor, to sync it");
        tape__free(f);
        return NULL;
    }
    f->device = file->device;
    f->inode = file->inode;
    snprintf(f->path, sizeof f->path, "%s", file->path);
    return f;
}

/* With the lock: that of the file, with one more who has it in hand; NULL: *rc is a code. */
static tape__unsynced_t *take(tape__durable_t *d, const tape__file_t *file, int *rc)
{
    tape__unsynced_t *f = find(d, file);
    *rc = TAPE_OK;
    if (!f && (f = make(file, rc)) != NULL) {
        f->next = d->files;
        d->files = f;
    }
    if (f) f->users++;
    return f;
}

int tape__durable_open_cycle(const tape__listing_t *l, int64_t cycle, tape__file_t *file)
{
    char path[TAPE__PATH_SIZE];
    if (!tape__listing_path(l, cycle, path, sizeof path)) return TAPE__NO;
    int rc = tape__mapping_open(file, path, false);
    return rc == TAPE_OK ? TAPE__YES : rc == TAPE_ENOTFOUND ? TAPE__NO : rc;
}

/* The file of a cycle that is over is synced with the next sync. */
static int note_older(tape__durable_t *d, const tape__listing_t *l, int64_t cycle)
{
    tape__file_t file;
    int rc = tape__durable_open_cycle(l, cycle, &file);
    if (rc != TAPE__YES) return rc == TAPE__NO ? TAPE_OK : rc;
    pthread_mutex_lock(&d->lock);
    tape__unsynced_t *f = take(d, &file, &rc);
    if (f) (void)CLAIM32(unsynced, &f->dirty, 0, 1);
    if (f) f->users--;
    pthread_mutex_unlock(&d->lock);
    tape__mapping_close(&file);
    return rc;
}

/* Readers come to a message through the cycles before it: a hole there, or an END_OF_DATA that was
 * not synced, would keep them from it. So these are synced with it, whoever wrote them: those since
 * the cycle that was entered last, and OLDER_MAX of them at first, as others were written back long
 * ago. */
static int note_all_older(tape__durable_t *d, tape__writer_t *w)
{
    tape__neighbours_t *keep = NULL;
    int64_t at = w->store.cycle;
    int rc = TAPE_OK;
    if (d->entered != TAPE__NO_CYCLE && at <= d->entered) return TAPE_OK;
    for (int n = 0; n < OLDER_MAX && rc == TAPE_OK; n++) {
        rc = tape__listing_below(&w->site->listing, at - 1, &keep, &at);
        if (rc != TAPE_OK || at == TAPE__NO_CYCLE || at < d->entered) break;
        rc = note_older(d, &w->site->listing, at);
    }
    tape__free(keep);
    if (rc == TAPE_OK) d->entered = w->store.cycle;
    return rc;
}

int tape__durable_enter(tape__durable_t *d, tape__writer_t *w)
{
    int rc = note_all_older(d, w);
    if (rc != TAPE_OK) return rc;
    pthread_mutex_lock(&d->lock);
    w->unsynced = take(d, &w->store.file, &rc);
    pthread_mutex_unlock(&d->lock);
    w->durable = d;
    return rc;
}

int tape__durable_keep(tape__durable_t *d, const tape__file_t *file)
{
    int rc = TAPE_OK;
    pthread_mutex_lock(&d->lock);
    tape__unsynced_t *before = d->kept, *f = find(d, file);
    if (!f || f != before) {
        f = take(d, file, &rc);
        if (f) d->kept = f;
        if (f && before) before->users--;
        tape__durable_drop_synced(d);
    }
    pthread_mutex_unlock(&d->lock);
    return rc;
}

void tape__durable_leave(tape__writer_t *w)
{
    tape__durable_t *d = w->durable;
    if (!w->unsynced) return;
    if (d->generation == tape__process_generation()) {
        pthread_mutex_lock(&d->lock);
        w->unsynced->users--;
        tape__durable_drop_synced(d);
        pthread_mutex_unlock(&d->lock);
    }
    w->unsynced = NULL;
}

/* Not while somebody syncs, who goes through the list without the lock; he does it then. */
void tape__durable_drop_synced(tape__durable_t *d)
{
    for (tape__unsynced_t **at = &d->files, *f; !d->leading && (f = *at) != NULL;) {
        if (f->users > 0 || PEEK32(unsynced, &f->dirty) != 0) {
            at = &f->next;
            continue;
        }
        *at = f->next;
        tape__close_file(f->fd);
        tape__free(f);
    }
}

void tape__durable_mark(tape__unsynced_t *file, tape__durable_t *d)
{
    (void)CLAIM32(unsynced, &file->dirty, 0, 1);
    tape__durable_is_due(d);
}

int tape__durable_note_in_hand(tape__durable_t *d, tape__writer_t *w)
{
    if (!w->open)
        return tape__fail(TAPE_ESYNC, w->site->path, -1,
                          "%s: the file that was made could not be opened, to sync it",
                          w->site->path);
    int rc = w->unsynced ? TAPE_OK : tape__durable_enter(d, w);
    if (rc == TAPE_OK) tape__durable_note(d, w->unsynced);
    return rc;
}
