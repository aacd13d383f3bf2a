/* cycle_walk.h - a walk over the documents of a cycle file, with its index beside it. */
#ifndef TAPE_CYCLE_WALK_H
#define TAPE_CYCLE_WALK_H

#include "check/cycle_check.h"
#include "check/cycle_look.h"

/* The words that a writer moves. */
typedef struct {
    uint64_t position, sequence; /* the pair; sequence is 0 in files without one */
    uint64_t last_index;
} tape__cycle_words_t;

enum { TAPE__CYCLE_WALK_LATE = 16, TAPE__CYCLE_WALK_BEHIND = 4 };

typedef struct {
    tape__findings_t *f;
    const tape__cycle_facts_t *facts;
    tape__cycle_look_t look;
    tape__cycle_words_t words;

    /* the walk: `at` is the next header word, `count` the messages before it */
    uint64_t at, previous, last_position;
    int64_t count;
    uint32_t end_word;
    bool broken;               /* the chain does not lead to an end */
    bool moving;               /* somebody writes meanwhile */
    uint64_t tail;             /* the first byte behind the end that is not 0 */
    int64_t position_sequence; /* of words.position; -1: no message was met there */
    uint64_t behind[TAPE__CYCLE_WALK_BEHIND]; /* places of the last messages, by count */

    /* the index */
    bool has_root;             /* one that can be used */
    bool no_root;              /* there is none at all */
    tape__index_array_t root, page;
    int64_t page_number;       /* of `page`; -1: none in hand */
    uint64_t *pages;           /* sorted; the lowest bit, which no position has, once it was met */
    int64_t page_count;
    int64_t late[TAPE__CYCLE_WALK_LATE]; /* sequences whose entry was 0 and may come yet */
    uint64_t late_position[TAPE__CYCLE_WALK_LATE];
    int late_count;
    bool late_more;
    uint64_t last_index;       /* as before the walk: entries below must be there */
} tape__cycle_walk_t;

/* With the header read. False: there is no memory. */
bool tape__cycle_walk_begin(tape__cycle_walk_t *w);
void tape__cycle_walk_end(tape__cycle_walk_t *w);
/* Goes on to the end of the chain. */
void tape__cycle_walk_on(tape__cycle_walk_t *w);
/* Reads the words again, and forgets what else may be old. */
void tape__cycle_walk_refresh(tape__cycle_walk_t *w);

/* Whether the words are those of message `sequence` at words.position. */
bool tape__cycle_walk_pair_is_of(const tape__cycle_walk_t *w, int64_t sequence);
/* Whether the sequence word is that of the message before the one at words.position. */
bool tape__cycle_walk_pair_is_of_before(const tape__cycle_walk_t *w);
/* Offset of the first byte behind the end that should be 0 and is not; the size of the file when
 * all are. */
uint64_t tape__cycle_walk_tail(tape__cycle_walk_t *w);

/* ---- cycle_walk_index.c ---- */

void tape__cycle_walk_open_index(tape__cycle_walk_t *w);
/* Message `count` stands at `at`, and gets an entry. */
void tape__cycle_walk_index_message(tape__cycle_walk_t *w);
/* A metadata document at `at`, which may be a page. */
void tape__cycle_walk_index_document(tape__cycle_walk_t *w, uint32_t length);
/* Whether every entry is there that should be, after another look. */
bool tape__cycle_walk_index_is_whole(tape__cycle_walk_t *w);
/* What is wrong with the index as a whole, after the walk. */
void tape__cycle_walk_tell_index(tape__cycle_walk_t *w);

#endif
