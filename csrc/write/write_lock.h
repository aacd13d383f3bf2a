/* write_lock.h - chronicle.write.lock: one writer at a time, over all processes (format.md 8.1).
 *
 *     0x8000000000000000    free
 *     otherwise             the holder's pid in the low 32 bits
 *
 * Within this process the guard (process.h) comes first, because the word knows no threads; it is
 * given back while one waits for another process.
 * A holder proven dead is robbed at once; one that only cannot be seen, after the word and the
 * queue stood still for `stale_after`; a live one never. Robbing is CLAIM dead pid -> own pid,
 * never to "free": the caller repairs what the dead one left before any Java writer can see it.
 */
#ifndef TAPE_WRITE_LOCK_H
#define TAPE_WRITE_LOCK_H

#include "base/atomics.h"
#include "base/bytes.h"
#include "base/process.h"
#include "base/sync_point.h"
#include "file/notice.h"
#include "file/table_store.h"

typedef struct {
    uint64_t *word;      /* in the table store; NULL once the queue is shut down */
    const uint64_t *pulse; /* a word that moves when others work: listing.modCount */
    const uint32_t *closed; /* not 0: nobody may wait any longer */
    tape__process_entry_t *entry;
    tape__guard_t *guard; /* of `entry` */
    uint64_t own;        /* this process's pid */
    uint64_t generation; /* of this process (fork) */
    uint64_t table_inode;
    const char *directory;
    bool entered;        /* this process has its slot in the side file, or cannot have one */
    int64_t timeout_ns;  /* for a live holder; -1 for ever */
    int64_t stale_after_ns; /* -1 never */
    int (*interrupted)(void *user); /* whether to give up waiting; NULL: never */
    void *interrupted_user;
    bool *doubt;         /* raised, when not NULL, with a release that finds the lock broken */
    uint64_t robbed;     /* the word that was taken over last */
    int64_t waited_ns;   /* for the lock that is held: how long, and for whom */
    int64_t waited_for;
    int64_t acquired, contended, broken, lost;
    tape__notice_t notice; /* rung on releasing, with the guard held; opened on taking it first */
} tape__write_lock_t;

enum { TAPE__LOCK_OF_NOBODY = 0 }; /* never in the word: no process has this pid */

typedef enum {
    TAPE__LOCK_TAKEN = 51,     /* it was free */
    TAPE__LOCK_TAKEN_OVER = 52 /* it was a dead process's: repair before releasing */
} tape__lock_outcome_t;

/* An outcome, or TAPE_ELOCKED, TAPE_ECLOSED; TAPE_EBUSY while a thread of ours makes a message in
 * place. Takes the guard, too, and keeps it only on success. */
int tape__write_lock_acquire(tape__write_lock_t *lock);
/* Takes the lock over from a holder proven dead, without waiting for anything; false: it is free,
 * or there is no such proof. */
bool tape__write_lock_take_over(tape__write_lock_t *lock);
/* The quick half, for a lock that is free and a process that has entered. */
static inline bool tape__write_lock_try(tape__write_lock_t *lock)
{
    if (!tape__guard_try(lock->guard)) return false;
    /* order[write_lock] */
    if (lock->word && lock->entered &&
        CLAIM64(write_lock, lock->word, TAPE__LOCK_FREE, lock->own)) {
        COUNT64(counters, &lock->acquired, 1);
        return true;
    }
    tape__guard_leave(lock->guard);
    return false;
}
/* After a function of the caller's was called, which may have forked. In the child the lock is the
 * parent's, who goes on with it: here the word is then as if somebody had broken the lock, so that
 * no way out of the call touches it. */
static inline bool tape__write_lock_is_of_parent(tape__write_lock_t *lock)
{
    if (lock->generation == tape__process_generation()) return false;
    lock->own = TAPE__LOCK_OF_NOBODY;
    return true;
}
void tape__write_lock_was_lost(tape__write_lock_t *lock);
/* order[write_lock]: all that we wrote before the word. A CLAIM and no plain store: if somebody
 * broke the lock, the word is not ours to change. */
static TAPE__INLINE bool tape__write_lock_let_go(const tape__write_lock_t *lock)
{
    return CLAIM64(write_lock, lock->word, lock->own, TAPE__LOCK_FREE);
}
/* Then wakes those who wait for messages. False when somebody broke the lock meanwhile: what we
 * know of the file must be looked at again (see `doubt`). */
static TAPE__INLINE bool tape__write_lock_release(tape__write_lock_t *lock)
{
    const bool ours = tape__write_lock_let_go(lock);
    if (!ours) tape__write_lock_was_lost(lock);
    SYNC_POINT(released);
    tape__notice_ring(&lock->notice);
    tape__guard_leave(lock->guard);
    return ours;
}

/* After TAPE__LOCK_TAKEN_OVER, for who can do his work without repairing what the dead holder left:
 * the word is the dead one's again, and the next writer takes it over and repairs. */
void tape__write_lock_give_back(tape__write_lock_t *lock);

/* order[write_lock]: false when somebody broke it since we took it. Only a hint for who goes on. */
static inline bool tape__write_lock_is_ours(const tape__write_lock_t *lock)
{
    return OBSERVE64(write_lock, lock->word) == lock->own;
}

#endif
