/* recovery.h - what to do about what writers left, dead ones and robbed ones: facts -> row ->
 * actions.
 *
 * Deciding is pure and done by one table, for every cycle file that a writer meets on its way: an
 * older one that is to be ended, that of the cycle to be written, one of a cycle to come. The
 * actions are verbs of their own, called by roll*.c with the write lock held. Under the lock an
 * unfinished thing can only be that of a writer which has it no more (format.md 8.5), so nothing is
 * waited for. A test enumerates all facts: each combination fits exactly one row, or cannot be.
 */
#ifndef TAPE_RECOVERY_H
#define TAPE_RECOVERY_H

#include <stdbool.h>

#include "format/header_word.h"

/* Against the cycle that is to be written: the clock's, until a newer one turns out to be it. */
typedef enum { TAPE__AGE_OLDER, TAPE__AGE_CURRENT, TAPE__AGE_NEWER } tape__age_t;
typedef enum { TAPE__FILE_MISSING, TAPE__FILE_HALF_MADE, TAPE__FILE_READY } tape__file_state_t;
typedef enum { TAPE__MESSAGES_NONE, TAPE__MESSAGES_SOME } tape__messages_state_t;
typedef enum { TAPE__PAIR_RIGHT, TAPE__PAIR_WRONG } tape__pair_state_t; /* 0, behind or torn */
typedef enum { TAPE__INDEX_RIGHT, TAPE__INDEX_BEHIND } tape__index_state_t;

/* Whether the cycle to be written has its END_OF_DATA; asked for newer ones. */
typedef enum { TAPE__OWN_GOES_ON, TAPE__OWN_ENDED } tape__own_state_t;

typedef struct {
    tape__age_t age;
    tape__file_state_t file;
    tape__end_state_t end;
    tape__messages_state_t messages;
    tape__pair_state_t pair;
    tape__index_state_t index;
    tape__own_state_t own;
} tape__facts_t;

typedef enum {
    TAPE__DO_NOTHING = 0,
    TAPE__DO_MOVE_ASIDE = 1, /* rename the file to .discard */
    TAPE__DO_MAKE = 2,       /* a new file */
    TAPE__DO_GIVE_UP = 4,    /* make a metadata document of the reservation, and look again */
    TAPE__DO_CLEAR = 8,      /* set the word to 0, and look again */
    TAPE__DO_SET_PAIR = 16,  /* write position and sequence word of the last message */
    TAPE__DO_INDEX = 32,     /* entries for messages that were never indexed */
    TAPE__DO_SEAL = 64,      /* write END_OF_DATA over what stands at the end */
    TAPE__DO_GO_THERE = 128, /* write into this cycle, not into the clock's */
    TAPE__DO_WAIT = 256      /* the cycle was ended before our clock says so: wait for the clock */
} tape__action_t;

typedef struct {
    const char *row;  /* its label, as in docs/recovery.md; NULL when the facts cannot be */
    unsigned actions; /* of tape__action_t */
} tape__decision_t;

tape__decision_t tape__recovery_decide(const tape__facts_t *facts);

/* How many rows fit the facts, for the test: 1, or 0 when they cannot be. */
int tape__recovery_count(const tape__facts_t *facts);

#endif
