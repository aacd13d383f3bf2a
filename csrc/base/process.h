/* process.h - the one mutable global of libtape: what this process has open.
 *
 * Why it must be:
 *  - The write lock holds a pid and no thread id, so two threads of one process would both believe
 *    to hold it (format.md 8.5): per queue file there is one guard for the whole process.
 *  - The kernel lock that proves this process alive belongs to a descriptor; it must be one for the
 *    process, and a forked child must let go of its copy, or the parent would seem to live on in
 *    it.
 *  - Handles made before fork() must say so in the child: a counter that fork raises.
 */
#ifndef TAPE_PROCESS_H
#define TAPE_PROCESS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/guard.h"

typedef struct tape__process_entry tape__process_entry_t;

/* Raised by one in every forked child, whose one thread it then is that raises it. Looked at by
 * tape__process_generation() alone, which stands on every hot path. */
extern uint64_t tape__process_generation_word;
static inline uint64_t tape__process_generation(void)
{
    return PEEK64(generation, &tape__process_generation_word);
}

/* The entry of a queue, by device and inode of its table store; counted. NULL: out of memory. */
tape__process_entry_t *tape__process_acquire(uint64_t device, uint64_t inode);
void tape__process_release(tape__process_entry_t *entry);

/* The guard: one thread of this process at a time. timeout_ns -1: for ever. False: timed out.
 * *contended is set when it was not free at once. */
tape__guard_t *tape__process_guard_of(tape__process_entry_t *entry);
bool tape__process_guard(tape__process_entry_t *entry, int64_t timeout_ns, bool *contended);
void tape__process_unguard(tape__process_entry_t *entry);
/* While a message is made in place its maker, who may be the caller, holds the guard: then it is
 * not waited for. */
void tape__process_set_in_place(tape__process_entry_t *entry, bool held);
bool tape__process_is_in_place(const tape__process_entry_t *entry);

/* What is below is guarded by this lock, which is held for a few system calls at most, never while
 * one waits for somebody; and fork() waits for it, so that no child is born with a descriptor that
 * is not in an entry yet. */
void tape__process_lock(void);
void tape__process_unlock(void);

/* Names of tailers that are in use in this process, by hash (file/tailer_names.h). */
typedef struct tape__held_name {
    uint64_t hash;
    const void *owner; /* the tailer that has it now */
    int place;         /* which of the name's bytes in the side file is locked; -1: none */
    struct tape__held_name *next;
} tape__held_name_t;
tape__held_name_t **tape__process_names(tape__process_entry_t *entry);

/* Which names were taken from a tailer that had them, the newest ones; one page. */
enum { TAPE__THEFTS_KEPT = 511 };
typedef struct {
    uint64_t count;                    /* of all that there ever were */
    uint64_t names[TAPE__THEFTS_KEPT]; /* number n is at n % TAPE__THEFTS_KEPT */
} tape__thefts_t;
/* Where the entry has them; NULL: not yet. `mapped`: in the side file. */
typedef struct {
    tape__thefts_t *all;
    bool mapped;
} tape__thefts_place_t;
tape__thefts_place_t *tape__process_thefts(tape__process_entry_t *entry);

/* What side_file.c knows, kept here because it is one per process. */
typedef struct {
    int fd;      /* -1: not open */
    int slot;
    bool writer; /* the slot's owner is known to take the write lock */
} tape__side_t;
tape__side_t *tape__process_side(tape__process_entry_t *entry);

/* What another floor keeps with an entry, and how it is given back with the last handle. In a
 * forked child that is a copy: its locks and threads are the parent's. Looked at with the lock. */
typedef struct tape__companion tape__companion_t;
struct tape__companion {
    void (*let_go)(tape__companion_t *companion);
};
tape__companion_t **tape__process_companion(tape__process_entry_t *entry);
/* The thread that syncs for all queues (write/durable_thread.c): a place, as the next one. */
void **tape__process_syncer(void);

/* The threads that sleep for tailers (wait/service.c): a place for what they share, which is NULL
 * again in a forked child, where they do not exist. Returns it locked. */
void **tape__process_services(void);
void tape__process_services_done(void);

#endif
