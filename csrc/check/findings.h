/* findings.h - what is told while a queue is checked or mended: kinds, remedies, counts.
 *
 * One kind stands for one thing that should hold. A file with the same fault a million times does
 * not bury its reader: of each kind the first ones of a file are told, all are counted.
 */
#ifndef TAPE_FINDINGS_H
#define TAPE_FINDINGS_H

#include <stdbool.h>

#include "base/platform.h"
#include "tape.h"

typedef enum {
    TAPE__FOUND_FOREIGN_NAME,
    TAPE__FOUND_FOREIGN_FILE,
    TAPE__FOUND_LEFTOVER,
    TAPE__FOUND_COMPRESSED,
    TAPE__FOUND_VERSION_4,
    TAPE__FOUND_UNREADABLE,
    TAPE__FOUND_NO_TABLE,
    TAPE__FOUND_TABLE_HEADER,
    TAPE__FOUND_TABLE_ENTRY,
    TAPE__FOUND_TABLE_TAIL,
    TAPE__FOUND_TABLE_KEY,
    TAPE__FOUND_TABLE_SIZE,
    TAPE__FOUND_LOCK,
    TAPE__FOUND_LISTING,
    TAPE__FOUND_NORMALISED,
    TAPE__FOUND_TAILER,
    TAPE__FOUND_HALF_MADE,
    TAPE__FOUND_HEADER,
    TAPE__FOUND_SETTINGS,
    TAPE__FOUND_CHAIN,
    TAPE__FOUND_RESERVED,
    TAPE__FOUND_EMPTY,
    TAPE__FOUND_PADDING,
    TAPE__FOUND_FRAME,
    TAPE__FOUND_EOF,
    TAPE__FOUND_TAIL,
    TAPE__FOUND_FULL,
    TAPE__FOUND_WRITE_POSITION,
    TAPE__FOUND_SEQUENCE_WORD,
    TAPE__FOUND_INDEX_ROOT,
    TAPE__FOUND_INDEX_PAGE,
    TAPE__FOUND_INDEX_ENTRY,
    TAPE__FOUND_INDEX_MISSING,
    TAPE__FOUND_INDEX_USED,
    TAPE__FOUND_INDEX_LAST,
    TAPE__FOUND_INDEX_ORPHAN,
    TAPE__FOUND_SIZE,
    TAPE__FOUND_IN_FLIGHT,
    TAPE__FOUND_MENDED,
    TAPE__FOUND_KINDS
} tape__found_t;

enum { TAPE__FINDINGS_SHOWN = 100 }; /* of one kind in one file */

typedef struct {
    tape_check_options_t options;
    tape_check_report_t report;
    char file[TAPE__PATH_SIZE]; /* the one being looked at */
    uint32_t seen[TAPE__FOUND_KINDS];
    int64_t done, total, told;  /* bytes */
    bool stopped;               /* by a callback */
} tape__findings_t;

/* From here on it is about this file. */
void tape__findings_begin_file(tape__findings_t *f, const char *path);
/* `offset` and `index` may be -1. */
void tape__findings_add(tape__findings_t *f, tape__found_t kind, int level, int64_t offset,
                        int64_t index, const char *format, ...)
    __attribute__((format(printf, 6, 7)));
/* So many bytes more were looked at. */
void tape__findings_progress(tape__findings_t *f, int64_t bytes);

#endif
