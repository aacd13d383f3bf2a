/* tailer_names.h - who has the name of a tailer, on this host; Java knows nothing of it.
 *
 * In the process a list tells who, across processes kernel locks in tape.side, which are dropped
 * when their process dies. Who takes a name over from somebody alive cannot take his lock, so a
 * name has eight bytes to lock: the first for who found it free, the others for those who took it
 * over; it is free while none is locked.
 *
 * A tailer whose name was taken must learn of it before it reads or stores again. That is the list
 * of thefts, a page of tape.side: their count, and the names of the newest. A tailer keeps the
 * count of the moment at which it got its name; as long as that has not moved, which is one load,
 * nobody took anything. Without a side file the list is this process's own.
 */
#ifndef TAPE_TAILER_NAMES_H
#define TAPE_TAILER_NAMES_H

#include "base/process.h"

/* What comes of asking for a name. */
typedef struct {
    const uint64_t *thefts; /* their count, ... */
    uint64_t seen;          /* ... when the name was got */
    int64_t holder;         /* who has it instead; 0: not known */
} tape__name_claim_t;

/* Asks for a name, by hash, for the tailer `owner`. TAPE_OK; TAPE_EBUSY when somebody alive has it
 * (with `steal`: when another process is just taking one over, and was stopped); TAPE_ENOMEM. The
 * caller tells the story. Takes tape__process_lock(). */
int tape__name_claim(tape__process_entry_t *entry, const char *directory, uint64_t name,
                     const void *owner, bool steal, tape__name_claim_t *out);
/* Gives it back, unless `owner` has it no more. */
void tape__name_give(tape__process_entry_t *entry, uint64_t name, const void *owner);

/* The count has moved: whether this name is among those taken since *seen, which moves on when it
 * is not. When so many were taken that the list does not know any more, it counts as taken. */
bool tape__name_was_taken(const uint64_t *thefts, uint64_t name, uint64_t *seen);

#endif
