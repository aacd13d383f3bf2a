/* queue.h - the queue object that appenders and tailers share. */
#ifndef TAPE_QUEUE_H
#define TAPE_QUEUE_H

#include <pthread.h>

#include "base/atomics.h"
#include "file/cycle_store.h"
#include "file/directory_listing.h"
#include "file/table_store.h"
#include "write/write_lock.h"

/* What the process knows of the cycle being written; only used with the guard held. */
typedef struct {
    bool open;
    tape__cycle_store_t store;
    tape__window_t window;  /* on the end of the chain */
    tape__cursor_t next;    /* the slot of the next message, when nobody else wrote meanwhile */
    uint64_t ready_to;      /* up to here: in the file, on disk, in the window, faulted in */
    uint64_t reserved_to;   /* blocks are reserved up to here */
    uint64_t reserve_step;
    int64_t trusted_from_ms; /* while the coarse clock is in here, it alone decides the cycle */
    int64_t trusted_to_ms;
    int64_t looked_ms;      /* when it was seen last that nobody deleted the files, by that clock */
    uint64_t listing_seen;  /* listing.modCount then */
    int64_t sealed_below;   /* every file of a cycle below this has its END_OF_DATA */
    bool tidied;            /* temporary files of dead writers were removed */
    bool doubtful;          /* what we know may be wrong: look at the file again */
} tape__writer_t;

struct tape_queue {
    uint64_t generation;    /* of the process that opened it (fork) */
    uint32_t closed;
    uint32_t users;         /* threads inside calls on the queue itself */
    int32_t children;       /* open appenders and tailers; guarded by children_lock */
    bool handle_released;   /* free with the last child */
    pthread_mutex_t children_lock;
    tape_tailer_t *tailers;

    char path[1024];
    bool read_only;
    bool never_break;
    int32_t mismatch;
    int64_t block_size;
    tape_clock_fn clock;
    void *clock_user;

    tape__settings_t settings;
    bool has_table;
    tape__table_store_t table;
    tape__listing_t listing;
    tape__process_entry_t *entry;
    tape__write_lock_t lock;
    uint64_t *append_lock;
    tape__writer_t writer;
    int64_t repairs, rolls, clock_went_back, files_lost;
};

/* Begins and ends a call on the queue itself. TAPE_OK, TAPE_ECLOSED or TAPE_EFORKED. */
int tape__queue_enter(tape_queue_t *q);
void tape__queue_leave(tape_queue_t *q);
/* TAPE_OK, TAPE_ECLOSED or TAPE_EFORKED, without holding it open. */
int tape__queue_check(const tape_queue_t *q);
/* The same as a question, for hot paths: true when tape__queue_check() would say TAPE_OK. */
static inline bool tape__queue_is_usable(const tape_queue_t *q)
{
    return q->generation == tape__process_generation() && !OBSERVE32(closed, &q->closed);
}

void tape__queue_add_child(tape_queue_t *q, tape_tailer_t *tailer);
/* May free the queue: do not use it afterwards. */
void tape__queue_remove_child(tape_queue_t *q, tape_tailer_t *tailer);

/* Milliseconds by the clock that decides cycles (format.md 9.7); negative when it gives no time. */
int64_t tape__queue_clock_ms(const tape_queue_t *q);

/* The largest body, and how far a file is enlarged (format.md 11). */
uint64_t tape__queue_body_max(const tape_queue_t *q);
uint64_t tape__queue_file_size(const tape_queue_t *q, uint64_t needed);

/* Gives everything back and frees it; nobody uses it any more, or it was never complete. */
void tape__queue_destroy(tape_queue_t *q);

/* tailer.c: for shutting down; TAPE_EBUSY while another thread is inside. */
int tape__tailer_shut(tape_tailer_t *tailer);
tape_tailer_t **tape__tailer_link(tape_tailer_t *tailer);

#endif
