/* table_look.h - the table store by one pread: its header, and the chain of its entries. */
#ifndef TAPE_TABLE_LOOK_H
#define TAPE_TABLE_LOOK_H

#include "check/findings.h"
#include "file/table_store.h"
#include "format/wire.h"

typedef struct {
    tape__text_t key;
    uint64_t at; /* offset of the cell */
    uint64_t value;
} tape__table_entry_t;

typedef struct {
    uint8_t *bytes;  /* the first TAPE__TABLE_SIZE bytes; zeros behind the end of the file */
    uint64_t size;   /* of the file */
    tape__table_store_t store; /* settings and first_entry alone; nothing is mapped */
    bool header_is_sound;
    tape__table_entry_t *entries;
    int count;
    uint64_t end;    /* of the chain */
    bool chain_is_sound;
} tape__table_look_t;

/* Reads the file: 0 or a negative errno. */
int tape__table_look_read(tape__table_look_t *t, const char *path);
void tape__table_look_free(tape__table_look_t *t);
/* Reads the header and follows the chain. `f`, which may be NULL, is told what is wrong. */
void tape__table_look_parse(tape__table_look_t *t, tape__findings_t *f);
/* The entry at `at`; *next is where the one after it stands. False when there is none. */
bool tape__table_look_entry(const tape__table_look_t *t, uint64_t at, tape__table_entry_t *e,
                            uint64_t *next);
/* The entry of a key, or NULL. */
const tape__table_entry_t *tape__table_look_find(const tape__table_look_t *t, const char *key);
/* The name of the tailer whose position an entry is; an empty text when it is something else. */
tape__text_t tape__table_look_tailer(const tape__table_entry_t *e);
/* Whether an entry is a lock. */
bool tape__table_look_is_lock(const tape__table_entry_t *e);

#endif
