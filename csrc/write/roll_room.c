/* roll_room.c - room to write: file size, disk blocks, window, pages (format.md 11).
 *
 * All that can take long or fail happens here, before a header is reserved.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/platform.h"
#include "base/sync_point.h"
#include "file/excerpt.h"
#include "write/roll.h"

#define POPULATE_STEP (UINT64_C(256) << 10)
#define RESERVE_MAX (UINT64_C(16) << 20)

/* Reserves disk blocks in growing steps, so that a small queue stays small and a full disk is an
 * error here and not a signal at the first touch of a page. */
static int reserve_blocks(tape__writer_t *w, uint64_t end)
{
    tape__file_t *f = &w->store.file;
    uint64_t from = tape__max_u64(w->reserved_to, tape__align_down(w->next.position, TAPE__BLOCK));
    if (end <= from) return TAPE_OK;
    uint64_t step = tape__min_u64(w->reserve_step, RESERVE_MAX);
    uint64_t to = tape__min_u64(tape__max_u64(end, from + step), f->size);
    int rc = tape__file_reserve(f->fd, from, to - from);
    if (rc < 0 && tape__error_of_errno(-rc) == TAPE_ENOSPC) { /* then what this message needs */
        to = end;
        rc = tape__file_reserve(f->fd, from, to - from);
    }
    if (rc == -EOPNOTSUPP) {
        uint64_t space;
        rc = 0;
        if (tape__free_space(f->fd, &space) == 0 && space < end - from + POPULATE_STEP)
            rc = -ENOSPC;
        to = end;
    }
    if (rc < 0) return tape__fail_errno(-rc, f->path, "reserving blocks");
    w->reserved_to = to;
    w->reserve_step = tape__min_u64(step * 2, RESERVE_MAX);
    return TAPE_OK;
}

/* Faults pages in for writing. Without the kernel's help each is touched by a CLAIM 0 -> 0, which
 * changes nothing even if the page belongs to somebody else by now. */
static int fault_in(tape__writer_t *w, uint64_t from, uint64_t to)
{
    const uint64_t page = tape__page_size();
    from = tape__align_down(from, page);
    to = tape__align_up(to, page);
    int rc = tape__populate(tape__window_at(&w->window, from), (size_t)(to - from));
    if (rc == -EFAULT || rc == -ENOMEM)
        return tape__fail_errno(ENOSPC, w->store.file.path, "bringing in pages of the cycle file");
    for (uint64_t at = from; rc < 0 && at < to; at += page)
        tape__excerpt_touch(tape__window_u32(&w->window, at));
    return TAPE_OK;
}

int tape__roll_make_ready(tape__writer_t *w, uint64_t need)
{
    uint64_t position = w->next.position, end;
    if (tape__add_overflows(position, need, &end))
        return tape__fail(TAPE_ETOOBIG, w->store.file.path, (int64_t)position,
                          "the file is too long");
    tape__held_up_t *held = &w->held_up;
    int64_t begun = tape__monotonic_ns();
    int rc = TAPE_OK;
    if (end > w->store.file.size) /* by Java's steps */
        rc = tape__mapping_enlarge(&w->store.file, tape__writer_file_size(w, end));
    if (rc == TAPE_OK) rc = reserve_blocks(w, end);
    if (rc == TAPE_OK) SYNC_POINT(blocks_reserved);
    begun = tape__held_up_since(held, &held->room_ns, begun);
    SYNC_POINT(blocks_reserved);
    bool moves = !tape__window_has(&w->window, position, need);
    if (rc == TAPE_OK) {
        rc = tape__window_cover(&w->window, &w->store.file, position, need, TAPE__WRITER_WINDOW);
        if (rc == TAPE__BEYOND_END)
            rc = tape__fail(TAPE_ECORRUPT, w->store.file.path, (int64_t)position,
                            "%s became shorter while it was written", w->store.file.path);
    }
    if (rc != TAPE_OK) return rc;
    uint64_t from = moves ? position : tape__max_u64(position, w->ready_to);
    uint64_t to = tape__max_u64(end, tape__min_u64(from + POPULATE_STEP, w->reserved_to));
    to = tape__min_u64(to, w->window.start + w->window.size);
    rc = fault_in(w, from, to);
    if (rc == TAPE_OK) SYNC_POINT(pages_brought_in);
    if (rc == TAPE_OK) tape__writer_set_ready(w, to);
    (void)tape__held_up_since(held, &held->pages_ns, begun);
    return rc;
}

/* ---- what writers left that died in mid-message ---- */

/* Java writes the body while the header word is still 0; so did we before we reserved. */
static int find_clean(tape__writer_t *w, uint64_t *at)
{
    for (;; *at += w->store.aligned ? 4 : 1) {
        const uint64_t end = *at + TAPE__END_ROOM, need = end - w->next.position;
        if (end > w->ready_to || !tape__window_has(&w->window, w->next.position, need)) {
            int rc = tape__roll_make_ready(w, need + POPULATE_STEP);
            if (rc != TAPE_OK) return rc;
        }
        if (tape__excerpt_observe(tape__window_at(&w->window, *at), w->store.aligned) == 0)
            return TAPE_OK;
    }
}

static int taken(const tape__writer_t *w)
{
    return tape__fail(TAPE_ETAKEN, w->store.file.path, (int64_t)w->next.position,
                      "%s at offset %" PRIu64 ": the lock was broken while it was made clean",
                      w->store.file.path, w->next.position);
}

int tape__roll_make_clean(tape__writer_t *w, uint64_t at)
{
    int rc = find_clean(w, &at);
    if (rc != TAPE_OK) return rc;
    uint64_t length = at - w->next.position - 4;
    if (length > TAPE__LENGTH_MAX)
        return tape__fail(TAPE_ECORRUPT, w->store.file.path, (int64_t)w->next.position,
                          "%s at offset %" PRIu64 ": what follows is neither a message nor zero",
                          w->store.file.path, w->next.position);
    uint8_t *header = tape__window_at(&w->window, w->next.position);
    if (!tape__excerpt_reserve(header, (uint32_t)length)) return taken(w);
    SYNC_POINT(room_reserved);
    /* Java may have our lock, and be writing in here with the header word still 0. */
    if (tape__write_lock_is_ours(&w->lock)) memset(header + 4, 0, (size_t)length);
    SYNC_POINT(room_cleaned);
    return tape__excerpt_abandon(header, (uint32_t)length) ? TAPE_OK : taken(w);
}
