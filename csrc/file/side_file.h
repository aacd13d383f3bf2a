/* side_file.h - tape.side: proof that a writer lives, beside Java's files; losing it loses nothing.
 *
 *     0000  "TAPESID1"                       magic
 *     0020  notice: u32, see notice.h        who waits for messages, and how often it was told
 *     0028  boot, inode of this file, errno: three u64, a sync of the queue failed, see below
 *     0040  slots of 64 bytes: pid, start time of the process, pid namespace, 1 for a writer, boot
 *           (five i64, rest 0)
 *     11000 thefts of names of tailers: how many, and 511 names (u64 each), see tailer_names.h
 *     12000 which process got a name last: 256 of (name, pid) (u64 each)
 *
 * Kernel locks, which are dropped when their process dies, however it dies:
 *
 *     2^40 + n          the owner of slot n lives, and may hold the write lock
 *     2^40 + 2^20 + n   it lives, and has the queue open
 *     2^41 + 8 x hash   the name of a tailer is in use (eight bytes a name, see tailer_names.h)
 *     2^42              somebody judges a holder, and takes the lock over if it is dead
 *     2^42 + 1          somebody adds to the thefts
 *     2^42 + 2          somebody mends the queue in place: nobody may open it for writing
 *
 * Writers: a process takes a slot when it opens the queue for writing, and the first of these locks
 * before it first takes the write lock; it never touches a slot whose locks it does not hold.
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

/* Takes a slot for this process unless it has one. `word` is the write lock's: the slot that proves
 * the death of who stands there must not be used again. Failing is no error: the pid is then our
 * only mark. */
void tape__side_file_attach(tape__process_entry_t *entry, const char *directory,
                            const uint64_t *word);
/* Before the write lock is taken for the first time: attaches, and says so in the slot. */
void tape__side_file_enter(tape__process_entry_t *entry, const char *directory,
                           const uint64_t *word);

/* Maps the page with the notice word, making the file if need be: where the word is, or NULL. */
uint32_t *tape__side_file_map_notice(const char *directory, uint8_t **page);
enum { TAPE__NOTICE_PAGE = 4096 };

/* To mend the queue in place: TAPE_OK, and *fd keeps others from opening it for writing until it is
 * closed. TAPE_EBUSY when somebody mends it already, or has it open for writing, who is found here
 * also where he cannot be seen otherwise: another user's, or in another container. */
int tape__side_file_lease(const char *directory, int *fd);
/* TAPE_EBUSY: somebody has it open; `pid` 0: it is not known who. */
int tape__side_file_fail_in_use(const char *directory, int64_t pid);
/* For who opens for writing, after he attached: TAPE_OK, or TAPE_EBUSY when it is being mended. Of
 * the two who do this at once one at least sees the other. */
int tape__side_file_check_lease(tape__process_entry_t *entry, const char *directory);

/* A sync of this queue failed with that errno. Whoever opens it later would be told nothing: the
 * kernel has forgotten what it could not write, and the pages in memory look like those on disk.
 * So it stands here for all processes until this boot is over, after which memory is what the disk
 * had. A copy of the directory has a file with another inode, and does not inherit it. */
void tape__side_file_mark_failed_sync(const char *directory, int system_errno);
/* That errno, or 0. */
int tape__side_file_failed_sync(const char *directory);

/* What is known of the process `pid` that the lock word names. `table_inode`: a holder must have
 * the table store mapped for writing, so one that has not is somebody else who got the pid later.
 * With the guard held. */
tape__holder_t tape__side_file_judge(tape__process_entry_t *entry, int64_t pid,
                                     uint64_t table_inode);
/* One process judges at a time: a holder that was judged dead might be robbed by another one, and
 * a living process with the same pid get the lock, before the word is changed. False: another one
 * is at it. With the guard held. */
bool tape__side_file_begin_judging(tape__process_entry_t *entry);
void tape__side_file_end_judging(tape__process_entry_t *entry);

/* For tailer_names.c: what it locks, and where its pages are. */
#define TAPE__SIDE_NAMES (UINT64_C(1) << 41)
#define TAPE__SIDE_THEFT ((UINT64_C(1) << 42) + 1)
enum { TAPE__SIDE_PAGE = 4096, TAPE__SIDE_THEFTS = 0x11000, TAPE__SIDE_HOLDERS = 0x12000 };
/* Maps the page of thefts, or gives NULL. */
uint8_t *tape__side_file_map_thefts(const char *directory);

#endif
