/* writer.h - what the process knows of the queue it writes; only used with the guard held.
 *
 *     writer.c         the cycle in hand let go, and sizes
 *     writer_open.c    creating a queue, and the words that writers need
 */
#ifndef TAPE_WRITER_H
#define TAPE_WRITER_H

#include "file/cycle_store.h"
#include "file/site.h"
#include "write/held_up.h"
#include "write/write_lock.h"

/* What is to be synced, and by whom (durable.h). */
typedef struct tape__durable tape__durable_t;
typedef struct tape__unsynced tape__unsynced_t;

typedef struct {
    tape__site_t *site;
    tape__write_lock_t lock;
    uint64_t *append_lock;
    int64_t block_size;
    uint64_t body_max;      /* the largest body that this gives (format.md 11) */
    int64_t repairs, rolls, clock_went_back, files_lost;
    uint32_t durability;    /* TAPE_DURABILITY_..., of appenders that have none of their own */
    int64_t sync_interval_ns;
    int64_t newest_at_opening; /* the cycle */
    tape_slow_append_fn slow_append; /* who is told of slow appends; NULL: nobody */
    void *slow_append_user;
    int64_t slow_append_ns;
    tape__held_up_t held_up; /* the append under way */

    /* The cycle in hand. */
    bool open;
    tape__cycle_store_t store;
    int64_t index_base;     /* the index of its message 0 */
    int64_t max_messages;   /* that a cycle can number */
    tape__window_t window;  /* on the end of the chain */
    tape__cursor_t next;    /* the slot of the next message, when nobody else wrote meanwhile */
    uint64_t ready_to;      /* up to here: in the file, on disk, in the window, faulted in */
    uint64_t lane_to;       /* so far the lane may put a word behind a message; 0: not at all */
    uint64_t reserved_to;   /* blocks are reserved up to here */
    uint64_t reserve_step;
    int64_t trusted_from_ns; /* from here on the coarse clock alone decides the cycle, ... */
    uint64_t trusted_ns;     /* ... for so long; 0 while none is open */
    bool noted;             /* the two below are of this cycle (times_write.h) */
    int64_t noted_ms;       /* by the queue's clock: all that we wrote since was within a second */
    int64_t noted_sequence; /* what came next then */
    bool note_due, note_alone; /* the append under way is to be noted, with this time */
    int64_t note_ms;
    int64_t looked_ms;      /* when it was seen last that nobody deleted the files, by that clock */
    uint64_t listing_seen;  /* listing.modCount then */
    int64_t sealed_below;   /* every file of a cycle below this has its END_OF_DATA */
    uint64_t newer_seen;    /* listing.modCount when no newer cycle had messages */
    bool foresees;          /* an appender tries: what it will need is made ready by who waits */
    bool tidied;            /* temporary files of dead writers were removed */
    bool doubtful;          /* what we know may be wrong: look at the file again */
    tape__unsynced_t *unsynced; /* it is one of those that are synced; NULL: nobody wanted that */
    tape__durable_t *durable;   /* where that is */
} tape__writer_t;

/* How far all is ready from `next` on. The lane is for files of data format 1. */
static inline void tape__writer_set_ready(tape__writer_t *w, uint64_t to)
{
    const bool fits = w->store.aligned && w->next.position % 4 == 0 && to >= TAPE__END_ROOM;
    w->ready_to = to;
    w->lane_to = fits ? to - TAPE__END_ROOM : 0;
}

/* Nothing is open yet. */
void tape__writer_begin(tape__writer_t *w, tape__site_t *site);
/* Lets go of the cycle in hand, if there is one. */
void tape__writer_leave_cycle(tape__writer_t *w);
/* Lets go of a cycle file that somebody deleted, unless a thread is writing just now. */
void tape__writer_let_go(tape__writer_t *w);
/* Lets go of all; who waits for the lock gets TAPE_ECLOSED. */
void tape__writer_close(tape__writer_t *w);

/* Sets the block size by a wish (0: none) and the roll cycle's least, and what follows from it. */
void tape__writer_set_block_size(tape__writer_t *w, int64_t wish, const tape_roll_cycle_t *r);
/* How far a file is enlarged (format.md 11). */
uint64_t tape__writer_file_size(const tape__writer_t *w, uint64_t needed);
/* Opens the files at the site's path for writing, and creates what is missing unless
 * TAPE_OPEN_EXISTING; `roll_cycle` is that of a new queue, NULL: the default. TAPE_OK or a code. */
int tape__writer_open_files(tape__writer_t *w, const tape_queue_options_t *o,
                            const tape_roll_cycle_t *roll_cycle);
/* Finds or makes the words in the table store that writers work on. TAPE_OK or a code. */
int tape__writer_bind(tape__writer_t *w, const tape_queue_options_t *o);
/* Takes the lock of a writer proven dead over and does away with what it left, so that readers need
 * not wait for the next message to come by. Without such a one, nothing; a failure is no failure of
 * opening. */
void tape__writer_mend(tape__writer_t *w);

#endif
