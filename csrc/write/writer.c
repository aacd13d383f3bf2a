/* writer.c - letting go of what is written, and sizes; see writer.h. */
#include "write/writer.h"

#include "base/bytes.h"
#include "write/durable.h"

#define BLOCK_DEFAULT (INT64_C(64) << 20)
#define BLOCK_LEAST (INT64_C(64) << 10)   /* files of smaller ones have no overlap of their own */
#define OVERLAP_MAX (INT64_C(1) << 30)
enum { FRAME_MAX = 64 }; /* what a body's length leaves of the header word's for a frame */

void tape__writer_begin(tape__writer_t *w, tape__site_t *site)
{
    w->site = site;
    w->sealed_below = TAPE__NO_CYCLE;
}

/* Who waits for the lock watches a word of the file in hand; without one, that of the listing. */
void tape__writer_leave_cycle(tape__writer_t *w)
{
    if (!w->open) return;
    w->lock.pulse = w->site->listing.mod_count;
    w->trusted_ns = 0;
    w->noted = false;
    tape__durable_leave(w);
    tape__window_close(&w->window);
    tape__cycle_store_close(&w->store);
    w->open = false;
}

/* With the guard nobody writes, and nobody who waits for the lock looks at the file in hand. */
void tape__writer_let_go(tape__writer_t *w)
{
    if (!w->lock.guard || !tape__guard_try(w->lock.guard)) return;
    if (w->open && tape__mapping_has_its_name(&w->store.file) == TAPE__NO) {
        COUNT64(counters, &w->files_lost, 1);
        tape__writer_leave_cycle(w);
    }
    tape__guard_leave(w->lock.guard);
}

void tape__writer_close(tape__writer_t *w)
{
    tape__writer_leave_cycle(w);
    tape__notice_close(&w->lock.notice);
    w->lock.word = NULL; /* who waits for the guard finds the lock gone */
}

/* ---- sizes (format.md 11) ---- */

static int64_t overlap_of(int64_t block)
{
    if (block < BLOCK_LEAST) return block;
    if (block < 4 * BLOCK_LEAST) return BLOCK_LEAST;
    return block / 4 < OVERLAP_MAX ? block / 4 : OVERLAP_MAX;
}

uint64_t tape__writer_file_size(const tape__writer_t *w, uint64_t needed)
{
    uint64_t block = (uint64_t)w->block_size;
    uint64_t chunk = (needed + 3) / block;
    return (chunk + 1) * block + (uint64_t)overlap_of(w->block_size);
}

void tape__writer_set_block_size(tape__writer_t *w, int64_t wish, const tape_roll_cycle_t *r)
{
    int64_t least = 32 * (int64_t)r->index_count;
    if (least < BLOCK_LEAST) least = BLOCK_LEAST;
    int64_t block = wish > 0 ? wish : BLOCK_DEFAULT;
    block = (int64_t)tape__align_up((uint64_t)block, TAPE__BLOCK);
    w->block_size = block < least ? least : block;
    w->body_max = tape__min_u64((uint64_t)overlap_of(w->block_size), TAPE__LENGTH_MAX - FRAME_MAX);
}
