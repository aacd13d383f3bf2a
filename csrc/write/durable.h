/* durable.h - what was written reaches the disk, and who waits for that (docs/durability.md).
 *
 *     durable.c          one sync for all who wait; what must be synced
 *     durable_files.c    the files that were written to
 *     durable_thread.c   the thread that syncs in intervals
 *     durable_sync.c     sync() of appender and queue
 *
 * There is one of these for a queue in a process, however many handles have it open. A file is in
 * it, with a descriptor of its own, from before the first message that is to be synced until a sync
 * has begun behind the last: the writer may have rolled on, or be closed.
 *
 * Who wrote a message says so under the write lock (note), lets the lock go, and then waits until a
 * sync is complete that began later (wait): the first who waits syncs for all. So nobody syncs with
 * the write lock held, and those who write meanwhile share the next sync.
 *
 * A sync that failed is the last: the kernel forgets what it could not write, and would answer the
 * next one with success. From then on nothing is acknowledged any more, by no process, until the
 * machine has started anew: it stands in the side file, too.
 */
#ifndef TAPE_DURABLE_H
#define TAPE_DURABLE_H

#include <pthread.h>

#include "base/platform.h"
#include "write/writer.h"

/* A file that was written to. */
struct tape__unsynced {
    tape__unsynced_t *next;
    uint64_t device, inode;
    int fd;
    int users;      /* writers that have it in hand */
    uint32_t dirty; /* order[unsynced]: since the last sync began, somebody noted a message */
    bool chosen;    /* the sync under way is about it */
    bool named;     /* its name is on disk, and so is what leads readers to it */
    char path[TAPE__PATH_SIZE];
};

struct tape__durable {
    tape__companion_t companion;
    uint64_t generation;      /* of the process (fork) */
    pthread_mutex_t lock;     /* guards what follows, but for what the one who syncs owns */
    pthread_cond_t changed;   /* a sync is complete, or failed */
    pthread_cond_t arrived;   /* one more waits */
    uint64_t begun, done;     /* numbers of the last sync that began, and that is complete */
    int64_t syncs;            /* how many were complete */
    bool leading;             /* somebody syncs, or gathers others first */
    bool all;                 /* the next sync is about all files, and the table store */
    int waiting, expected;    /* who waits; how many did when the last sync ended */
    int64_t took_ns;          /* the last sync */
    uint32_t failed;          /* order[sync_failed]: the errno of a sync that failed; 0: none did */
    bool told;                /* ... and a caller knows */
    char failed_file[TAPE__PATH_SIZE];
    tape__unsynced_t *files;
    tape__unsynced_t *kept;   /* one of them, for sync() */
    int64_t entered;          /* with the write lock, which all handles share: the newest cycle
                               * that was entered */
    int64_t synced_below;     /* cycles below this were synced by sync() */

    int directory, table;     /* descriptors */
    bool ancestors_synced;    /* before the first message */
    bool named;               /* the directory was synced */
    char path[TAPE__DIRECTORY_MAX + 1];
    char table_path[TAPE__PATH_SIZE];

    void (*run)(tape__durable_t *d); /* for the thread: waits, and tells nobody */
    /* Guarded by the thread's lock (durable_thread.c). */
    tape__durable_t *next;
    int64_t interval_ns;      /* the shortest that was asked for; 0: none */
    int64_t due_ns;           /* when to sync next; 0: nothing is to be synced */
    bool listed, visited;
};

/* ---- durable.c ---- */

/* That of the writer's queue, made when first asked for. TAPE_OK or a code. */
int tape__durable_of(const tape__writer_t *w, tape__durable_t **out);
/* TAPE_OK, or TAPE_ESYNC when a sync failed before: nothing shall be written that is to be
 * synced. */
int tape__durable_check(tape__durable_t *d);
/* Waits until a sync is complete that began after this call: of all files in which something was
 * noted or, with `all`, of all files and the table store. TAPE_OK or TAPE_ESYNC. Without the write
 * lock. */
int tape__durable_wait(tape__durable_t *d, bool all);
/* Remembers a failure of whoever synced by himself. TAPE_ESYNC. */
int tape__durable_fail(tape__durable_t *d, int system_errno, const char *path);
/* TAPE_ESYNC when a sync failed and nobody was told yet; else TAPE_OK. */
int tape__durable_tell(tape__durable_t *d);

/* ---- durable_files.c: with the write lock held, but for the last three ---- */

/* The file in hand is one of those to be synced; all that can fail comes before a message. */
int tape__durable_enter(tape__durable_t *d, tape__writer_t *w);
/* The writer lets go of the file in hand. */
void tape__durable_leave(tape__writer_t *w);
/* Something is in the file that was not when the last sync began. */
void tape__durable_mark(tape__unsynced_t *file, tape__durable_t *d);
/* order[unsynced]: the message was published before, by CLAIM. */
static inline void tape__durable_note(tape__durable_t *d, tape__unsynced_t *file)
{
    if (LOOK32(unsynced, &file->dirty) == 0) tape__durable_mark(file, d);
}
/* After a message, also one with which a new file was made: enters that, and notes it. TAPE_OK, or
 * a code: the message is there and nobody will sync it. */
int tape__durable_note_in_hand(tape__durable_t *d, tape__writer_t *w);
/* The file is synced with each sync() from now on, in place of the one before. */
int tape__durable_keep(tape__durable_t *d, const tape__file_t *file);
/* The file of a cycle: an answer, TAPE__NO when it was deleted meanwhile. */
int tape__durable_open_cycle(const tape__listing_t *l, int64_t cycle, tape__file_t *file);
/* With the lock: takes out those that are synced and in nobody's hand. */
void tape__durable_drop_synced(tape__durable_t *d);

/* ---- durable_thread.c ---- */

/* From now on the thread syncs at least every interval_ns after something was noted. */
int tape__durable_every(tape__durable_t *d, int64_t interval_ns);
/* Something was noted. */
void tape__durable_is_due(tape__durable_t *d);
/* The last handle is closed: the thread, which may be in a sync, knows it no more. */
void tape__durable_unlist(tape__durable_t *d);

/* ---- durable_sync.c ---- */

/* TAPE_EINVAL for what is no durability, and an interval out of range. */
int tape__durable_check_options(uint32_t durability, int64_t interval_ns, const char *path);

/* All that stands in the queue is on disk, from the cycle on that was the newest when it was
 * opened. */
int tape__durable_sync_queue(tape__writer_t *w);
/* When a handle is closed: what was noted is synced; a failure of which nobody was told is. */
int tape__durable_finish(tape__durable_t *d);
int tape__durable_finish_queue(const tape__site_t *site);
/* What tape_queue_info() says of syncs. */
void tape__durable_show(const tape__site_t *site, tape_queue_info_t *out);

#endif
