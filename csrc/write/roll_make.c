/* roll_make.c - making the file of a cycle, with its first message; and whether it came in time.
 *
 * A file is linked under the lock: then there is no newer one with messages, and who goes on to a
 * newer one ends it. But a JVM up to 5.23, or one that cannot see us, breaks the lock of a writer
 * that stands still, also of one that has just seen that the lock is its own and is about to link.
 * When that one goes on, readers may have passed the cycle, and nobody comes to end it. So after
 * linking the lock is looked at again. If it was broken, the file is judged under a new lock:
 *
 *     somebody wrote behind our message       it was seen in time: it stays
 *     no newer cycle has messages             it stays, the end of the queue
 *     one has; none had right behind link()   every reader comes by: it stays, and is ended here
 *     one has, and had                        it came late: it goes, its message is written anew
 *
 * One that was begun under a lock that was taken over by one of ours cannot be linked at all: who
 * takes over removes files under temporary names.
 */
#define _POSIX_C_SOURCE 200809L
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/atomics.h"
#include "base/error.h"
#include "base/platform.h"
#include "base/sync_point.h"
#include "format/file_names.h"
#include "write/cycle_build.h"
#include "write/cycle_end.h"
#include "write/roll.h"
#include "write/times_write.h"

static int remove_temporary(void *user, const char *name)
{
    const tape__writer_t *w = user;
    char path[TAPE__PATH_SIZE];
    const size_t prefix = sizeof TAPE__TEMPORARY_CYCLE_PREFIX - 1, length = strlen(name);
    const size_t suffix = sizeof TAPE__TEMPORARY_SUFFIX - 1;
    if (strncmp(name, TAPE__TEMPORARY_CYCLE_PREFIX, prefix) != 0 || length < prefix + suffix ||
        strcmp(name + length - suffix, TAPE__TEMPORARY_SUFFIX) != 0)
        return 0;
    snprintf(path, sizeof path, "%s/%s", w->site->path, name);
    tape__unlink(path);
    SYNC_POINT(temporary_removed);
    return 0;
}

void tape__roll_remove_temporaries(tape__writer_t *w)
{
    tape__list_directory(w->site->path, remove_temporary, w);
    w->tidied = true;
}

/* ---- making it ---- */

int tape__roll_no_file_name(const tape__writer_t *w, int64_t cycle)
{
    return tape__fail(TAPE_ECLOCK, w->site->path, -1, "cycle %" PRId64 " has no file name", cycle);
}

static int taken(const char *path)
{
    return tape__fail(TAPE_ETAKEN, path, -1, "%s: the lock was broken", path);
}

/* Gives the file built at `temporary` its name; *made is false when the name is taken. One of those
 * who broke our lock may have taken it for a dead writer's and removed it. */
static int link_file(tape__writer_t *w, const char *temporary, const char *path, bool *made)
{
    int rc = 0;
    const bool ours = tape__write_lock_is_ours(&w->lock);
    SYNC_POINT(cycle_file_due);
    if (ours) rc = tape__link(temporary, path);
    SYNC_POINT(cycle_file_named);
    if (!ours || rc == -ENOENT) {
        tape__unlink(temporary);
        return taken(path);
    }
    *made = rc == 0;
    if (rc == 0 || rc == -EEXIST) return TAPE_OK;
    tape__unlink(temporary);
    return tape__fail_errno(-rc, path, "linking a new cycle file into place");
}

/* Right behind link(): whether it is certain that it came in time, and if not, what will tell. */
static void note_place(tape__writer_t *w, int64_t cycle, const char *path, tape__made_t *made)
{
    int64_t newest = cycle;
    tape__stat_t st = {.inode = 0};
    if (tape__write_lock_is_ours(&w->lock) || PLANTED(TAPE__BUG_LINKS_LATE)) return;
    *made = (tape__made_t){.doubtful = true, .cycle = cycle};
    /* What cannot be known now is taken for late: then the message is there twice at worst. */
    made->first = tape__roll_newest(w, cycle, &newest) == TAPE_OK && newest == cycle;
    if (tape__stat_path(path, &st) == 0) made->inode = st.inode;
}

int tape__roll_make(tape__writer_t *w, int64_t cycle, const tape__message_t *m, bool *made)
{
    char path[TAPE__PATH_SIZE], temporary[TAPE__PATH_SIZE];
    *made = false;
    if (!tape__listing_path(&w->site->listing, cycle, path, sizeof path))
        return tape__roll_no_file_name(w, cycle);
    snprintf(temporary, sizeof temporary,
             "%s/" TAPE__TEMPORARY_CYCLE_PREFIX "%" PRId64 "-%" PRIx64 TAPE__TEMPORARY_SUFFIX,
             w->site->path, tape__pid(), (uint64_t)tape__monotonic_ns());
    uint64_t body = m->frame_size + m->size;
    tape__new_file_t n = {
        .roll_cycle = w->site->settings.roll_cycle,
        .file_size = tape__writer_file_size(
            w, 4096 + 2 * (uint64_t)w->site->settings.roll_cycle->index_count * 8 + body),
        .frame = m->frame,
        .frame_size = m->frame_size,
        .data = m->data,
        .size = m->size,
        .path = temporary,
    };
    int rc = tape__cycle_build(&n);
    if (rc != TAPE_OK) return rc;
    SYNC_POINT(cycle_file_built);
    tape__times_write_forget(path);
    rc = link_file(w, temporary, path, made);
    if (rc != TAPE_OK) return rc;
    if (*made) note_place(w, cycle, path, m->made);
    tape__unlink(temporary);
    if (!*made) return TAPE_OK;
    SYNC_POINT(cycle_file_linked);
    if (m->made->doubtful) return taken(path);
    tape__listing_add(&w->site->listing, cycle);
    COUNT64(counters, &w->rolls, 1);
    return TAPE_OK;
}

/* ---- judging it ---- */

/* What stands behind the first message, which is ours, in *c. */
static int look_behind(tape__cycle_store_t *s, tape__cursor_t *c)
{
    tape__window_t w = {0};
    int rc;
    *c = (tape__cursor_t){s->first_document, 0, 0};
    while ((rc = tape__cycle_store_observe(s, &w, c, TAPE__BLOCK)) == TAPE_OK &&
           tape__word_is_document(c->word) && c->sequence == 0)
        tape__cycle_store_step(s, c);
    tape__window_close(&w);
    return rc;
}

/* It is ended first: a JVM that has it open does not leave a file without an end. */
static int end_and_remove(tape__writer_t *w, tape__cycle_store_t *s, const tape__cursor_t *end)
{
    int rc = tape__cycle_end_seal(s, end);
    if (rc != TAPE_OK) return rc;
    rc = tape__unlink(s->file.path);
    SYNC_POINT(late_file_removed);
    if (rc < 0 && rc != -ENOENT)
        return tape__fail_errno(-rc, s->file.path, "removing a cycle file that came late");
    return tape__listing_refresh(&w->site->listing);
}

static int judge(tape__writer_t *w, const tape__made_t *made, tape__cycle_store_t *s, bool *stays)
{
    int64_t newest;
    tape__cursor_t c;
    *stays = true;
    int rc = look_behind(s, &c);
    if (rc != TAPE_OK || c.word != 0) return rc;
    rc = tape__roll_newest(w, made->cycle, &newest);
    if (rc != TAPE_OK || newest == made->cycle) return rc;
    *stays = made->first;
    return made->first ? tape__cycle_end_seal(s, &c) : end_and_remove(w, s, &c);
}

int tape__roll_judge_made(tape__writer_t *w, tape__made_t *made, bool *stays)
{
    char path[TAPE__PATH_SIZE];
    tape__cycle_store_t store;
    tape__stat_t st;
    *stays = false;
    if (!tape__listing_path(&w->site->listing, made->cycle, path, sizeof path))
        return tape__roll_no_file_name(w, made->cycle);
    int rc = tape__stat_path(path, &st);
    if (rc < 0 && rc != -ENOENT) return tape__fail_errno(-rc, path, "looking for a cycle file");
    if (rc == 0 && st.inode == made->inode) {
        rc = tape__cycle_store_open(&store, path, made->cycle, true);
        if (rc != TAPE_OK) return rc;
        rc = judge(w, made, &store, stays);
        tape__cycle_store_close(&store);
        if (rc != TAPE_OK) return rc;
        if (*stays) tape__listing_add(&w->site->listing, made->cycle);
        COUNT64(counters, &w->repairs, 1);
    }
    made->doubtful = false;
    return TAPE_OK;
}
