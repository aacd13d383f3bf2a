/* jvm_writer.h - a writer that does what Java's does, step by step (format.md 8.2), for tests that
 * stop it at each step, or let it die there.
 *
 * It shares no code of the writing wing. The header word is 0 while it copies; the write position
 * and the sequence word are stored one after the other; the lock of a dead process is set free, and
 * what that one left is not mended: an unfinished word is set to 0, and its room used. All this in
 * one cycle file, which is there and has room.
 */
#ifndef TAPE_JVM_WRITER_H
#define TAPE_JVM_WRITER_H

#include "file/cycle_store.h"
#include "file/table_store.h"

/* Called behind each step, with its name; "lock_awaited" before each look at a lock that is held.
 * `harmless`: nothing comes to harm when somebody else gets the lock here. Java copies with the
 * header word still 0, so until it has published it may write over what others put there. */
typedef void t_jvm_stand_t(const char *step, bool harmless);

typedef struct {
    tape__table_store_t table;
    tape__cycle_store_t store; /* where the words are, and nothing else of it */
    uint8_t *file;             /* all of it, mapped */
    uint64_t *lock, *append_lock, *pair, own;
    int64_t first_index;
    bool unlocked;             /* it has set a dead one's lock to "free" */
    t_jvm_stand_t *stand;
} t_jvm_t;

/* `first_index`: of message 0 of the cycle. */
void t_jvm_open(t_jvm_t *j, const char *directory, const char *cycle_path, int64_t first_index,
                t_jvm_stand_t *stand);
/* The index, or -1: the word was not 0 any more when it was to be published ("overwritten?"). */
int64_t t_jvm_write(t_jvm_t *j, const void *data, size_t size);

#endif
