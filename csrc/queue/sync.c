/* sync.c - all that stands in the queue is on disk. */
#include <errno.h>

#include "base/error.h"
#include "base/platform.h"
#include "queue/queue.h"
#include "write/durable.h"

static int sync_path(const char *path, bool is_directory)
{
    int fd = tape__open_file(path, TAPE__RDONLY);
    if (fd == -ENOENT) return TAPE_OK; /* deleted meanwhile */
    if (fd < 0) return tape__fail_errno(-fd, path, "opening it to sync it");
    int rc = is_directory ? tape__directory_sync(fd) : tape__file_sync(fd);
    tape__close_file(fd);
    return rc < 0 ? tape__fail_sync(-rc, path) : TAPE_OK;
}

static int sync_cycle(void *user, int64_t cycle)
{
    char path[TAPE__PATH_SIZE];
    const tape__site_t *site = user;
    if (!tape__listing_path(&site->listing, cycle, path, sizeof path)) return TAPE_OK;
    return sync_path(path, false);
}

/* Without anything that writers share: for each call the files are opened anew. */
static int sync_to_read(tape_queue_t *q)
{
    tape__listing_t *l = &q->site.listing;
    int64_t first, last, from = q->writer.newest_at_opening;
    int rc = tape__listing_ends(l, &first, &last);
    if (rc != TAPE_OK) return rc;
    if (last != TAPE__NO_CYCLE)
        rc = tape__listing_each(l, from > first ? from : first, last + 1, sync_cycle, &q->site);
    if (rc == TAPE_OK) rc = sync_path(q->site.path, true);
    if (rc == TAPE_OK && q->site.has_table) rc = sync_path(q->site.table.file.path, false);
    return rc;
}

int tape_queue_sync(tape_queue_t *q)
{
    int rc = tape__queue_enter(q);
    if (rc != TAPE_OK) return rc;
    rc = q->site.read_only ? sync_to_read(q) : tape__durable_sync_queue(&q->writer);
    tape__queue_leave(q);
    return rc;
}
