/* side_file.h - tape.side: proof that a writer lives, beside Java's files; losing it loses nothing.
 *
 *     0000  "TAPESID1"                       magic
 *     0040  slots of 64 bytes: pid, start time of the process, pid namespace (three i64, rest 0)
 *
 * Validity: slot n tells of a live process exactly as long as some process holds the kernel's lock
 * on byte 2^40 + n, which the kernel drops when that process dies, however it dies. Likewise bytes
 * from 2^41 on stand for names of tailers, by their hash.
 * Writers: a process takes the lock of a slot before it first takes the write lock, and writes the
 * slot; it never touches a slot whose lock it does not hold.
 * Readers: a waiter looks for the pid that it found in chronicle.write.lock.
 * Staleness costs nothing: a slot without lock only matters when its pid stands in the lock word.
 */
#ifndef TAPE_SIDE_FILE_H
#define TAPE_SIDE_FILE_H

#include "base/process.h"

typedef enum {
    TAPE__HOLDER_LIVE,       /* it lives: never robbed */
    TAPE__HOLDER_DEAD,       /* proven dead: its lock may be taken over at once */
    TAPE__HOLDER_NOT_SEEN    /* no such process can be seen from here: wait for a standstill */
} tape__holder_t;

/* Takes a slot for this process unless it has one. `spare_pid` is the pid in the lock word: the
 * slot that proves its death must not be used again. Failing is no error: the pid is then our only
 * mark. */
void tape__side_file_enter(tape__process_entry_t *entry, const char *directory, int64_t spare_pid);

/* What is known of the process `pid` that the lock word names. `table_inode`: a holder must have
 * the table store mapped, so one that has not is somebody else who got the pid later. */
tape__holder_t tape__side_file_judge(tape__process_entry_t *entry, int64_t pid,
                                     uint64_t table_inode);

/* Marks the name of a tailer (by hash) as in use on this host, until it is given back or the
 * process dies. False when another live process has it. Without a side file every claim
 * succeeds. */
bool tape__side_file_claim_name(tape__process_entry_t *entry, uint64_t name);
void tape__side_file_give_name(tape__process_entry_t *entry, uint64_t name);

#endif
