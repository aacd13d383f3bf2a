/* sync.c - all that stands in the queue is on disk. */
#include <errno.h>

#include "base/atomics.h"
#include "base/error.h"
#include "base/platform.h"
#include "file/side_file.h"
#include "queue/queue.h"
#include "write/durable.h"

/* The next sync would be answered with success, by this process or another. */
static int remember(tape_queue_t *q, int system_errno, const char *path)
{
    (void)CLAIM32(sync_failed, &q->sync_failed, 0, (uint32_t)system_errno);
    tape__side_file_mark_failed_sync(q->site.path, system_errno);
    return tape__fail_sync(system_errno, path);
}

static int check(const tape_queue_t *q)
{
    int failed = (int)OBSERVE32(sync_failed, &q->sync_failed);
    if (failed == 0) failed = tape__side_file_failed_sync(q->site.path);
    if (failed == 0) return TAPE_OK;
    tape__fail_sync(failed, q->site.path);
    return tape__while(TAPE_ESYNC, "that was before");
}

static int sync_path(tape_queue_t *q, const char *path, bool is_directory)
{
    int fd = tape__open_file(path, TAPE__RDONLY);
    if (fd == -ENOENT) return TAPE_OK; /* deleted meanwhile */
    if (fd < 0) return tape__fail_errno(-fd, path, "opening it to sync it");
    int rc = is_directory ? tape__directory_sync(fd) : tape__file_sync(fd);
    tape__close_file(fd);
    return rc < 0 ? remember(q, -rc, path) : TAPE_OK;
}

static int sync_cycle(void *user, int64_t cycle)
{
    char path[TAPE__PATH_SIZE];
    tape_queue_t *q = user;
    if (!tape__listing_path(&q->site.listing, cycle, path, sizeof path)) return TAPE_OK;
    return sync_path(q, path, false);
}

/* Without anything that writers share: for each call the files are opened anew. */
static int sync_to_read(tape_queue_t *q)
{
    tape__listing_t *l = &q->site.listing;
    int64_t first, last, from = q->writer.newest_at_opening;
    int rc = check(q);
    if (rc == TAPE_OK) rc = tape__listing_ends(l, &first, &last);
    if (rc != TAPE_OK) return rc;
    if (last != TAPE__NO_CYCLE)
        rc = tape__listing_each(l, from > first ? from : first, last + 1, sync_cycle, q);
    if (rc == TAPE_OK) rc = sync_path(q, q->site.path, true);
    if (rc == TAPE_OK && q->site.has_table) rc = sync_path(q, q->site.table.file.path, false);
    return rc == TAPE_OK ? check(q) : rc;
}

int tape_queue_sync(tape_queue_t *q)
{
    int rc = tape__queue_enter(q);
    if (rc != TAPE_OK) return rc;
    rc = q->site.read_only ? sync_to_read(q) : tape__durable_sync_queue(&q->writer);
    tape__queue_leave(q);
    return rc;
}
