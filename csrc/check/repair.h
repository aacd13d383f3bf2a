/* repair.h - what the files of repair have in common. */
#ifndef TAPE_REPAIR_H
#define TAPE_REPAIR_H

#include "check/queue_look.h"
#include "file/table_store.h"

/* A cycle of the result. */
typedef struct {
    int64_t cycle, count;
} tape__mended_cycle_t;

typedef struct {
    tape__findings_t *f;
    tape__queue_look_t q;          /* the queue as found */
    char into[TAPE__PATH_SIZE];    /* the directory of the result; the queue's own in place */
    bool in_place;
    int lease;                     /* in place: keeps tape's writers out; -1 */
    tape__table_store_t table;     /* in place: by its write lock JVMs wait */
    uint64_t *write_lock;          /* in it; NULL: there is none */
    bool table_replaced;
    tape__mended_cycle_t *cycles;  /* of the result, ascending */
    size_t count;
} tape__repair_t;

/* ---- repair_copy.c ---- */

/* Copies a file, its holes staying holes, and syncs it. TAPE_OK or a code. */
int tape__repair_copy(tape__repair_t *r, const char *from, const char *to);
/* The path of what is being made in place: one file at a time. */
void tape__repair_temporary(const tape__repair_t *r, char *out, size_t size);
/* Brings `made`, a file in the directory of the queue, in the place of `path`, which stays beside
 * it under another name. */
int tape__repair_replace(tape__repair_t *r, const char *made, const char *path);
int tape__repair_sync_directory(const char *path);

/* ---- repair_lease.c ---- */

/* In place: nobody else has the queue open, and nobody opens it for writing until the end. TAPE_OK
 * or TAPE_EBUSY, ... */
int tape__repair_keep_others_out(tape__repair_t *r);
/* And then all may come; TAPE_OK, or the code of what kept a JVM out that came already. */
int tape__repair_let_others_in(tape__repair_t *r);

/* ---- repair_table.c ---- */

/* Writes the table store of the result: settings, counters and names as far as they can be had,
 * locks free, listing and positions by what there is. */
int tape__repair_table(tape__repair_t *r);

#endif
