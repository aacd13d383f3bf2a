/* cycle_times.h - when messages were written, beside the file of a cycle; losing it loses nothing.
 *
 * A message bears no time. So writers note now and then, about once a second while they write, up
 * to which message the cycle was written, in a file of the cycle's name with ".times" behind it:
 *
 *     0000  "TAPETIM1"    magic
 *     0008  cycle: i64    whose it is
 *     0020  notes of 32 bytes, four i64 each:
 *           not_after     ms: every message before `sequence` was written then or earlier
 *           at            ms: it was noted then; every other message was written then or later
 *           sequence      the number in the cycle of the message that came next
 *           check         of the three and the cycle
 *
 * Neither `not_after` nor `sequence` becomes less from note to note, also when the clock does: the
 * time of a message is the latest that any message up to it was written at. What has a wrong check,
 * or is less than a note, is passed over.
 *
 * Writers (write/times_write.c): with the write lock held, behind the last whole note. Readers: as
 * they like. JVMs know nothing of it and note nothing: their messages lie between two notes.
 */
#ifndef TAPE_CYCLE_TIMES_H
#define TAPE_CYCLE_TIMES_H

#include "tape.h"

typedef struct {
    int64_t not_after_ms;
    int64_t at_ms;
    int64_t sequence;
} tape__time_note_t;
extern const tape__time_note_t tape__no_time_note; /* sequence -1 */

/* Where in a cycle the first message lies that was written at some time or later. */
typedef struct {
    int64_t first; /* not before this message */
    int64_t limit; /* and not behind this one; -1: nothing is known of that */
} tape__stretch_t;

/* The name of the notes of the cycle file `path`. */
void tape__cycle_times_name(const char *path, char *out, size_t size);

/* By the notes of the cycle file `path`, as far as there are any. */
void tape__cycle_times_find(const char *path, int64_t cycle, int64_t ms, tape__stretch_t *out);

/* The number of whole notes in a file, or -1 when it is not one of notes of that cycle. *last is
 * the last of them that counts, or tape__no_time_note. */
int64_t tape__cycle_times_last(int fd, int64_t cycle, tape__time_note_t *last);

/* Adds one or two notes behind `count` others; with -1 they begin the file. 0 or a negative
 * errno. */
int tape__cycle_times_put(int fd, int64_t cycle, int64_t count, const tape__time_note_t *notes,
                          int number);

#endif
