/* queue_check.h - is a queue directory whole? Looks at the files with floors 1 to 3, not with the
 * verbs under test. */
#ifndef TAPE_QUEUE_CHECK_H
#define TAPE_QUEUE_CHECK_H

#include <stdbool.h>
#include <stdint.h>

enum {
    T_WHOLE = 0,
    T_MAY_LAG = 1, /* the newest cycle may lack its last index entry, or its pair may be behind */
    T_MAY_LACK_ENTRY = 2 /* one message may have no index entry for ever, or one that does not
                          * count: Java went on behind a death (6.2) */
};

typedef struct {
    int cycles;
    int64_t messages; /* of all cycles */
    int64_t indexed;  /* entries that are set */
} t_findings_t;

/* Ends the program when something is wrong: every chain ends in 0 (newest cycle) or END_OF_DATA
 * (all older); the word and the 3 behind it are clear; the pair names the last message; every index
 * entry leads to its message and none is missing; lastIndex fits; the lock is free; the listing
 * words are right. */
t_findings_t t_check_queue(const char *directory, int flags);

#endif
