/* table_store.h - metadata.cq4t: the queue's settings and its named 64-bit cells (format.md 5).
 *
 *     0000  header word 0x40000000|n, then "header" !STStore { wireType, metadata !SCQMeta {...} }
 *     ....  entries: data documents of one event name (the key) and one aligned i64 (the cell)
 *     ....  a zero word ends them; the file is 128 KiB (64 KiB before 5.20.110)
 *
 * Validity: keys compare ignoring case, the first one wins, unknown ones are kept. Entries are
 * never removed, so an offset found once stays right.
 * Writers: adding an entry takes the byte lock at 2^63-2 and publishes by CLAIM 0 -> length; values
 * are changed in place, each by its own protocol (write_lock.c, directory_listing.c).
 */
#ifndef TAPE_TABLE_STORE_H
#define TAPE_TABLE_STORE_H

#include "file/mapping.h"
#include "format/table_keys.h"
#include "tape.h"

#define TAPE__MIN64 UINT64_C(0x8000000000000000)
#define TAPE__EPOCH_MAX INT64_C(315569520000000) /* 10000 years: arithmetic cannot overflow */

typedef struct {
    const tape_roll_cycle_t *roll_cycle;
    int64_t epoch_ms; /* as stored */
    int32_t source_id;
    int32_t delta_checkpoint_interval; /* -1: not stored, as in files of 5.27 */
    bool other_roll_time; /* cycles begin at another time than midnight in UTC: only read (1.7) */
} tape__settings_t;

typedef struct {
    tape__file_t file;
    tape__window_t window; /* the whole file */
    uint64_t first_entry;
    tape__settings_t settings;
} tape__table_store_t;

/* Opens and checks the table store in `directory`; waits while another process is creating it.
 * TAPE_ENOTFOUND when there is none; TAPE__NEVER_FILLED when it is empty or all zeros, or its
 * creator died before the header was complete: then there is none, as for Java. */
enum { TAPE__NEVER_FILLED = 71 };
int tape__table_store_open(tape__table_store_t *table, const char *directory, bool writable);
void tape__table_store_close(tape__table_store_t *table);

/* Makes a complete metadata.cq4t and links it into place; TAPE_OK also when another process was
 * faster (its settings then count). `lowest` > `highest` when there are no cycles yet. */
int tape__table_store_create(const char *directory, const tape__settings_t *settings,
                             int64_t lowest, int64_t highest);

/* Fills one that was never filled, under the lock that creators take; TAPE_OK also when somebody
 * else was faster. */
int tape__table_store_fill(const char *directory, const tape__settings_t *settings, int64_t lowest,
                           int64_t highest);

/* The cell of `key`, or NULL. The pointer is good as long as the table is open. */
uint64_t *tape__table_store_cell(tape__table_store_t *table, const char *key);
/* As above; when there is none, adds it with `initial`. NULL: failed, see the trail. */
uint64_t *tape__table_store_make_cell(tape__table_store_t *table, const char *key,
                                      uint64_t initial);
/* The `n`th entry's cell, with its key; NULL when there are not so many. */
uint64_t *tape__table_store_entry(tape__table_store_t *table, size_t n, char *key, size_t size);
/* A cell's value, for showing it. */
int64_t tape__table_store_value(const uint64_t *cell);
/* Stores one in the cell of a named tailer: all that the reading wing ever writes. */
void tape__table_store_set(uint64_t *cell, int64_t value);

/* ---- between table_store.c, table_header.c, table_build.c and table_lock.c ---- */

enum { TAPE__TABLE_SIZE = 128 * 1024 };
/* Takes the lock of creators and of those who add an entry; waits for it, 10 s at most. */
int tape__table_lock(tape__file_t *file);
void tape__table_lock_release(tape__file_t *file);

/* Reads the settings; `word` is the complete header word at 0. TAPE_OK or a code. */
int tape__table_header_read(tape__table_store_t *table, uint32_t word);
/* Puts a header of these settings; returns where the first entry stands. */
size_t tape__table_build_header(uint8_t *file, size_t capacity, const tape__settings_t *settings);
/* One entry's body, at file offset `origin`; returns its length, 0 when it does not fit. */
size_t tape__table_build_entry(uint8_t *body, size_t capacity, uint64_t origin, const char *key,
                               uint64_t value, uint64_t *cell);

#endif
