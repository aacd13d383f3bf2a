/* queue_look.h - a queue's directory as checking and mending see it: table store, settings, names.
 */
#ifndef TAPE_QUEUE_LOOK_H
#define TAPE_QUEUE_LOOK_H

#include "check/cycle_check.h"
#include "check/table_look.h"

typedef struct {
    char path[TAPE__PATH_SIZE];
    char table_path[TAPE__PATH_SIZE];
    bool has_table;
    tape__table_look_t table;
    const tape_roll_cycle_t *roll_cycle; /* NULL: neither settings nor names tell */
    int64_t epoch_ms;   /* effective */
    int64_t *cycles;    /* that have a file, ascending */
    size_t count, room;
    bool listing_4;     /* of Chronicle Queue 4 */
    bool any_file;      /* of a queue */
    tape__findings_t *f; /* told of names and of the table store; NULL: nobody */
} tape__queue_look_t;

/* Reads table store and directory. TAPE_OK, TAPE_ENOTFOUND, TAPE_ENOMEM, TAPE_EIO, ... */
int tape__queue_look_open(tape__queue_look_t *q, const char *path, tape__findings_t *f);
void tape__queue_look_close(tape__queue_look_t *q);
/* Reads both again. */
int tape__queue_look_again(tape__queue_look_t *q);
/* The path of a cycle's file. */
void tape__queue_look_path(const tape__queue_look_t *q, int64_t cycle, char *out, size_t size);
/* What a cycle file is checked by. */
tape__cycle_facts_t tape__queue_look_facts(const tape__queue_look_t *q, int64_t cycle,
                                           bool at_rest);
/* TAPE_OK, TAPE_EINVAL, ... of the options and the path. */
int tape__queue_look_begin(tape__findings_t *f, const char *path,
                           const tape_check_options_t *given);

#endif
