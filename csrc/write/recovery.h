/* recovery.h - what to do about what a dead writer left: facts -> row -> action.
 *
 * Deciding is pure and done by one table, which a test enumerates over all combinations of facts;
 * the actions are verbs of the floors below, called by roll.c with the write lock held. Under the
 * lock an unfinished thing can only be a dead process's (format.md 8.5), so nothing is waited for.
 */
#ifndef TAPE_RECOVERY_H
#define TAPE_RECOVERY_H

#include <stdbool.h>

#include "format/header_word.h"

typedef enum { TAPE__FILE_READY, TAPE__FILE_HALF_MADE } tape__file_state_t;
typedef enum { TAPE__PAIR_RIGHT, TAPE__PAIR_WRONG } tape__pair_state_t; /* 0, behind or torn */
typedef enum { TAPE__INDEX_RIGHT, TAPE__INDEX_BEHIND } tape__index_state_t;

typedef struct {
    bool older; /* the cycle is older than the one to be written */
    tape__file_state_t file;
    tape__word_kind_t end; /* the first word of the chain that is not a complete document */
    tape__pair_state_t pair;
    tape__index_state_t index;
} tape__facts_t;

typedef enum {
    TAPE__DO_NOTHING = 0,
    TAPE__DO_MOVE_ASIDE = 1, /* rename the file to .discard */
    TAPE__DO_CLEAR = 2,      /* set the dead reservation to 0 */
    TAPE__DO_SEAL = 4,       /* write END_OF_DATA */
    TAPE__DO_SET_PAIR = 8,   /* write position and sequence word of the last message */
    TAPE__DO_INDEX = 16,     /* entries for messages that were never indexed */
    TAPE__DO_WAIT = 32       /* the cycle was ended before our clock says so: wait for the clock */
} tape__action_t;

typedef struct {
    const char *row;  /* its label, as in docs/recovery.md */
    unsigned actions; /* of tape__action_t */
} tape__decision_t;

tape__decision_t tape__recovery_decide(const tape__facts_t *facts);

#endif
