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

#include "base/atomics.h"

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
bool tape__process_guard(tape__process_entry_t *entry, int64_t timeout_ns, bool *contended);
void tape__process_unguard(tape__process_entry_t *entry);

/* Names of tailers that are in use in this process, by hash. Guarded by the guard. */
bool tape__process_claim_name(tape__process_entry_t *entry, uint64_t name);
void tape__process_give_name(tape__process_entry_t *entry, uint64_t name);

/* The side file's descriptor and slot of this process (side_file.c), kept here because they are one
 * per process; -1 when not open. Guarded by the guard. */
int tape__process_side(const tape__process_entry_t *entry, int *slot);
void tape__process_set_side(tape__process_entry_t *entry, int fd, int slot);

#endif
