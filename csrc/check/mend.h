/* mend.h - making a damaged cycle file one that Java and tape read and write.
 *
 * It works on a copy that nobody else has. What is sound stays where it is, byte for byte, so that
 * the index still leads to it. A place where the chain of documents breaks is a hole: what can be
 * had of it is put right, and the rest becomes empty messages, as many as are lost, and one
 * metadata document. The entries of the index and the write position, which say where a message of
 * some number lies, are the anchors: between two of them it is known how many there were.
 */
#ifndef TAPE_MEND_H
#define TAPE_MEND_H

#include "check/cycle_check.h"
#include "check/cycle_look.h"

typedef struct {
    uint64_t position;
    int64_t sequence;
} tape__anchor_t;

typedef struct {
    tape__findings_t *f;
    const tape__cycle_facts_t *facts;
    tape__cycle_look_t look;
    int failure;          /* errno of a write that failed */
    int lenient;          /* 1: what stands in paddings does not matter; 2: nor do frames */
    bool framed;          /* messages have frames, as far as can be seen */
    uint64_t last_byte;   /* of the file that is not 0 */
    int64_t steps;        /* that may still be made while searching */

    bool pair_agrees;     /* with what stands in the header */
    tape__anchor_t pair;
    tape__index_array_t root, page;
    bool has_root;
    int64_t page_number;  /* in hand; -1 none */
    int64_t next_entry;   /* of the index as a whole, to be looked at next */
    bool pair_given;

    uint64_t at;          /* made sound up to here */
    int64_t number;       /* of the message at `at`, as the old file numbered it */
    int64_t count;        /* messages before it in the new one */
    bool has_eof;
} tape__mend_t;

/* Mends the file at `path`, whose messages it counts. TAPE_OK, TAPE_ENOTFOUND when nothing can be
 * had of it, or a code. `shown` is the file's path for what is told. */
int tape__mend_file(tape__findings_t *f, const char *path, const char *shown,
                    const tape__cycle_facts_t *facts, int64_t *count);

/* ---- mend_anchor.c ---- */

void tape__mend_anchor_begin(tape__mend_t *m);
/* The next one behind m->at. False when there are no more. */
bool tape__mend_anchor_next(tape__mend_t *m, tape__anchor_t *a);

/* ---- mend_step.c ---- */

typedef enum {
    TAPE__STEPS_REACHED, /* the wanted place, exactly */
    TAPE__STEPS_OVER,    /* a document leads beyond it */
    TAPE__STEPS_STUCK    /* what is here is no document */
} tape__steps_end_t;

typedef struct {
    tape__steps_end_t end;
    uint64_t at, before; /* where it ended, and the document before that; 0: none */
    int64_t count;       /* messages passed */
} tape__steps_t;

/* Whether a document may begin at `at` that ends within `limit`, as if its word were `word`. */
bool tape__mend_step_fits(tape__mend_t *m, uint64_t at, uint32_t word, uint64_t limit);
/* Walks from `from` to `target`; gives up after more than `most` messages. */
tape__steps_t tape__mend_step_to(tape__mend_t *m, uint64_t from, uint64_t target, int64_t most);
/* Whether walking from `at` comes to an end that is one, or passes several documents. */
bool tape__mend_step_goes_on(tape__mend_t *m, uint64_t at);
/* Set bits in the paddings from `from` to `to`, of a chain that can be walked. */
int tape__mend_step_dirty_bits(tape__mend_t *m, uint64_t from, uint64_t to);
/* Whether nothing follows the word at `at`. */
bool tape__mend_step_is_end(tape__mend_t *m, uint64_t at);

/* ---- mend_hole.c ---- */

void tape__mend_hole_put(tape__mend_t *m, uint64_t at, const void *bytes, size_t size);
void tape__mend_hole_put_u64(tape__mend_t *m, uint64_t at, uint64_t value);
/* Paddings become zeros. */
void tape__mend_hole_clean(tape__mend_t *m, uint64_t from, uint64_t to);
/* Room that the smallest document takes. */
static inline uint64_t tape__mend_hole_least(const tape__mend_t *m)
{
    return m->look.store.aligned ? 8 : 5;
}
/* Makes metadata of [at, to), which is no smaller: readers pass over it. */
void tape__mend_hole_blank(tape__mend_t *m, uint64_t at, uint64_t to);
/* Fills [from, to) with `lost` empty messages and one metadata document. */
void tape__mend_hole_fill(tape__mend_t *m, uint64_t from, uint64_t to, int64_t lost);
/* A header word is put right. */
void tape__mend_hole_restore(tape__mend_t *m, uint64_t at, uint32_t word);
/* The next place behind `at` where a document may begin: blank stretches are passed over. */
uint64_t tape__mend_hole_candidate(tape__mend_t *m, uint64_t at, uint64_t limit);

/* ---- mend_chain.c, mend_index.c ---- */

/* Mends the chain; afterwards m->at is its end. */
void tape__mend_chain(tape__mend_t *m);
/* Makes the index and the header's words anew for what is there, and ends the file. */
void tape__mend_index(tape__mend_t *m);

#endif
