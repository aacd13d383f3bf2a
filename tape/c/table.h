/* table.h - what tape._native lends to tape._fast: one library, one registry, two bindings.
 *
 * tape._fast has no copy of libtape and links with nothing: tape._native, which has it, gives the
 * address of this table (lib.tape_fast_table()). Both are built from the same tree; the version is
 * for a file that an older build left behind.
 */
#ifndef TAPE_FAST_TABLE_H
#define TAPE_FAST_TABLE_H

#include <stddef.h>
#include <stdint.h>

#include "tape.h"

#define TAPE_FAST_VERSION 4u

typedef struct tape_fast_table {
    uint32_t version, size; /* TAPE_FAST_VERSION, sizeof(tape_fast_table_t) */
    int (*next)(tape_tailer_t *, tape_excerpt_t *);
    int (*unread)(tape_tailer_t *);
    int64_t (*next_spans)(tape_tailer_t *, tape_span_t *, size_t, tape_run_t *);
    int (*unread_many)(tape_tailer_t *, size_t);
    int (*seek)(tape_tailer_t *, int64_t);
    int64_t (*write)(tape_appender_t *, const void *, size_t);
    int64_t (*try_write)(tape_appender_t *, const void *, size_t);
    int64_t (*write_many)(tape_appender_t *, const tape_span_t *, size_t, size_t *);
    int (*wait)(tape_tailer_t *, int64_t);
    int64_t (*waiter_take)(tape_waiter_t *, uint64_t *, size_t);
    int (*has_slow_append)(void); /* of this thread, for Appender._tell_slow() */
} tape_fast_table_t;

#define TAPE_FAST_TABLE                                                                            \
    {                                                                                              \
        TAPE_FAST_VERSION, sizeof(tape_fast_table_t), tape_tailer_next, tape_tailer_unread,        \
            tape_tailer_next_spans, tape_tailer_unread_many, tape_tailer_seek,                     \
            tape_appender_write, tape_appender_try_write, tape_appender_write_many,                \
            tape_tailer_wait, tape_waiter_take, tape_has_slow_append                               \
    }

#endif
