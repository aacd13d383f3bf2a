/* findings.c - see findings.h. */
#include "check/findings.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

typedef struct {
    const char *name;
    const char *remedy;
} row_t;

#define MEND "`tape repair` writes a mended copy"
#define NEXT_WRITER "the next write puts it right where it still looks, `tape repair` anywhere"
#define NONE "nothing need be done"

/* No default: -Wswitch reports a kind without a row. */
static row_t row_of(tape__found_t kind)
{
    switch (kind) {
    case TAPE__FOUND_FOREIGN_NAME:
        return (row_t){"foreign-name", "move it out of the directory: Java cannot open the queue "
                                       "while it is there"};
    case TAPE__FOUND_FOREIGN_FILE: return (row_t){"foreign-file", NONE};
    case TAPE__FOUND_LEFTOVER:
        return (row_t){"leftover", "it may be removed when nobody wants to look at it"};
    case TAPE__FOUND_COMPRESSED:
        return (row_t){"compressed", "Queue.thaw() brings it back; `tape verify` checks it so"};
    case TAPE__FOUND_VERSION_4:
        return (row_t){"version-4", "let Java's Chronicle Queue 5 read it, and write a new queue"};
    case TAPE__FOUND_UNREADABLE:
        return (row_t){"unreadable", "check owner and mode of the file, and the disk"};
    case TAPE__FOUND_NO_TABLE:
        return (row_t){"no-table-store", "the next writer makes it from its own settings; `tape "
                                         "repair` from the names of the files"};
    case TAPE__FOUND_TABLE_HEADER: return (row_t){"table-header", MEND};
    case TAPE__FOUND_TABLE_ENTRY: return (row_t){"table-entry", MEND};
    case TAPE__FOUND_TABLE_TAIL: return (row_t){"table-tail", NEXT_WRITER};
    case TAPE__FOUND_TABLE_KEY: return (row_t){"table-key", MEND};
    case TAPE__FOUND_TABLE_SIZE: return (row_t){"table-size", NONE};
    case TAPE__FOUND_LOCK: return (row_t){"lock", "the next write takes it over"};
    case TAPE__FOUND_LISTING:
        return (row_t){"listing", "Queue.refresh() of a queue opened for writing sets it right"};
    case TAPE__FOUND_NORMALISED: return (row_t){"normalised", MEND};
    case TAPE__FOUND_TAILER:
        return (row_t){"tailer-position", "seek that tailer to where it shall go on, and commit"};
    case TAPE__FOUND_HALF_MADE: return (row_t){"half-made", "the next write moves it aside"};
    case TAPE__FOUND_HEADER: return (row_t){"cycle-header", MEND};
    case TAPE__FOUND_SETTINGS: return (row_t){"index-settings", NONE};
    case TAPE__FOUND_CHAIN: return (row_t){"chain", MEND};
    case TAPE__FOUND_RESERVED: return (row_t){"unfinished", NEXT_WRITER};
    case TAPE__FOUND_EMPTY: return (row_t){"empty-document", MEND};
    case TAPE__FOUND_PADDING: return (row_t){"padding", MEND};
    case TAPE__FOUND_FRAME: return (row_t){"frame", MEND};
    case TAPE__FOUND_EOF: return (row_t){"end-of-data", NEXT_WRITER};
    case TAPE__FOUND_TAIL: return (row_t){"tail", MEND ", and saves what can be had of it"};
    case TAPE__FOUND_FULL: return (row_t){"cycle-full", "write in the next cycle"};
    case TAPE__FOUND_WRITE_POSITION: return (row_t){"write-position", MEND};
    case TAPE__FOUND_SEQUENCE_WORD: return (row_t){"sequence-word", MEND};
    case TAPE__FOUND_INDEX_ROOT: return (row_t){"index-root", MEND};
    case TAPE__FOUND_INDEX_PAGE: return (row_t){"index-page", MEND};
    case TAPE__FOUND_INDEX_ENTRY: return (row_t){"index-entry", MEND};
    case TAPE__FOUND_INDEX_MISSING: return (row_t){"index-missing", MEND};
    case TAPE__FOUND_INDEX_USED: return (row_t){"index-used", MEND};
    case TAPE__FOUND_INDEX_LAST: return (row_t){"index-last", MEND};
    case TAPE__FOUND_INDEX_ORPHAN: return (row_t){"index-orphan", NONE};
    case TAPE__FOUND_SIZE: return (row_t){"file-size", NONE};
    case TAPE__FOUND_IN_FLIGHT: return (row_t){"in-flight", "a writer is at work: look again"};
    case TAPE__FOUND_MENDED: return (row_t){"mended", NONE};
    case TAPE__FOUND_KINDS: break;
    }
    return (row_t){"", ""};
}

void tape__findings_begin_file(tape__findings_t *f, const char *path)
{
    snprintf(f->file, sizeof f->file, "%s", path);
    memset(f->seen, 0, sizeof f->seen);
}

static void tell(tape__findings_t *f, tape__found_t kind, int level, int64_t offset, int64_t index,
                 const char *text)
{
    const row_t row = row_of(kind);
    const tape_finding_t finding = {level, 0, row.name, f->file, offset, index, text, row.remedy};
    if (!f->options.finding || f->stopped) return;
    f->stopped = f->options.finding(f->options.finding_user, &finding) != 0;
}

void tape__findings_add(tape__findings_t *f, tape__found_t kind, int level, int64_t offset,
                        int64_t index, const char *format, ...)
{
    char text[400];
    va_list args;
    int64_t *count = level == TAPE_DAMAGE       ? &f->report.damage
                     : level == TAPE_UNFINISHED ? &f->report.unfinished
                                                : &f->report.notes;
    ++*count;
    if (f->seen[kind]++ > TAPE__FINDINGS_SHOWN) return;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (f->seen[kind] == TAPE__FINDINGS_SHOWN + 1)
        snprintf(text, sizeof text, "and more of this kind, which are only counted");
    tell(f, kind, level, offset, index, text);
}

enum { TELL_STEP = 16 << 20 };

void tape__findings_progress(tape__findings_t *f, int64_t bytes)
{
    f->done += bytes;
    if (!f->options.progress || f->stopped) return;
    if (f->told && f->done - f->told < TELL_STEP && f->done < f->total) return;
    f->told = f->done ? f->done : 1;
    f->stopped = f->options.progress(f->options.progress_user, f->file, f->done,
                                     f->total < f->done ? f->done : f->total) != 0;
}
