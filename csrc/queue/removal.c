/* removal.c - taking an old cycle out of the queue: the listing's words first, then the file.
 *
 * A Java reader looks for every file between listing.lowestCycle and .highestCycle (format.md 9.4),
 * and some releases wait for it. So the word is raised before the file goes. A process that reads
 * the directory in between lowers it again, hence the look afterwards, which also lets all others
 * look. The write lock keeps writers out, who would open the file or make it anew; two who remove
 * follow each other.
 */
#include <errno.h>
#include <inttypes.h>

#include "base/error.h"
#include "base/platform.h"
#include "base/sync_point.h"
#include "queue/queue.h"
#include "write/times_write.h"

static int refuse_newest(const tape_queue_t *q, int64_t cycle)
{
    return tape__fail(TAPE_ESTATE, q->site.path, -1,
                      "%s: cycle %" PRId64 " is the newest one; only older ones are removed",
                      q->site.path, cycle);
}

/* With the write lock held. */
static int remove_cycle(tape_queue_t *q, int64_t cycle, const char *path)
{
    tape__listing_t *l = &q->site.listing;
    int64_t next;
    int rc = tape__listing_above(l, cycle + 1, NULL, &next);
    if (rc != TAPE_OK) return rc;
    if (next == TAPE__NO_CYCLE) return refuse_newest(q, cycle);
    if (q->writer.open && q->writer.store.cycle == cycle) tape__writer_leave_cycle(&q->writer);
    tape__listing_forget(l, cycle, next);
    SYNC_POINT(cycle_forgotten);
    rc = tape__unlink(path);
    SYNC_POINT(cycle_removed);
    if (rc < 0 && rc != -ENOENT) {
        (void)tape__listing_refresh(l); /* the words name it again */
        return tape__fail_errno(-rc, path, "removing a cycle file");
    }
    if (tape__shelf_has_packed(path) == TAPE__NO) tape__times_write_forget(path);
    return tape__listing_refresh(l);
}

static int remove_under_lock(tape_queue_t *q, int64_t cycle)
{
    char path[TAPE__PATH_SIZE];
    if (q->site.read_only)
        return tape__fail(TAPE_EREADONLY, q->site.path, -1, "%s was opened read-only",
                          q->site.path);
    if (!tape__listing_path(&q->site.listing, cycle, path, sizeof path))
        return tape__fail(TAPE_EINVAL, q->site.path, -1, "cycle %" PRId64 " has no file name",
                          cycle);
    int rc = tape__write_lock_acquire(&q->writer.lock);
    if (rc < 0) return rc;
    bool robbed = rc == TAPE__LOCK_TAKEN_OVER;
    rc = tape__listing_exists(&q->site.listing, cycle);
    if (rc == TAPE__YES)
        rc = remove_cycle(q, cycle, path);
    else if (rc == TAPE__NO)
        rc = tape__fail(TAPE_ENOTFOUND, path, -1, "there is no such cycle file");
    /* What a dead holder left stays as it is, for a writer to repair: so does its lock. */
    if (robbed) tape__write_lock_give_back(&q->writer.lock);
    else (void)tape__write_lock_release(&q->writer.lock);
    return rc;
}

int tape_queue_remove_cycle(tape_queue_t *q, int64_t cycle)
{
    int rc = tape__queue_enter(q);
    if (rc != TAPE_OK) return rc;
    rc = remove_under_lock(q, cycle);
    if (rc == TAPE_OK) tape__site_let_go(&q->site);
    tape__queue_leave(q);
    return rc;
}
