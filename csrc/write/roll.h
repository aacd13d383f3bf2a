/* roll.h - which cycle is written now, and getting its file and its end ready (format.md 8.5, 9).
 *
 *     roll.c          the clock, and entering the cycle that is to be written
 *     roll_newer.c    whether that is the clock's, or one that others began
 *     roll_older.c    ending the cycles before it
 *     roll_make.c     making its file
 *     roll_end.c      the end of its chain: found, repaired, caught up with
 *     roll_room.c     room behind that end
 *
 * All with the write lock held.
 */
#ifndef TAPE_ROLL_H
#define TAPE_ROLL_H

#include "base/platform.h"
#include "write/writer.h"
#include "write/recovery.h"

/* A file that was linked when our lock had been broken (roll_make.c). */
typedef struct {
    bool doubtful; /* there is one, and it is to be judged */
    bool first;    /* right behind link() no newer cycle had messages */
    int64_t cycle;
    uint64_t inode;
} tape__made_t;

/* A message on its way. */
typedef struct {
    uint8_t frame[8];
    size_t frame_size;
    const void *data;
    size_t size;
    int64_t expect; /* the index that it must get; -1: any */
    tape__made_t *made; /* what is to be known of the file that it is the first one of */
} tape__message_t;

/* What came of a step that did not fail. */
typedef enum {
    TAPE__STEP_READY,   /* the writer stands at the end of the cycle to be written */
    TAPE__STEP_WRITTEN, /* a new file was made with the message as its first */
    TAPE__STEP_NO_FILE, /* a new file must be made, and there was no message for it */
    TAPE__STEP_WAIT     /* the cycle to be written is finished and there is no newer one: the clock
                           must leave it */
} tape__step_t;

/* All of these: TAPE_OK, TAPE_ETAKEN when our lock was broken meanwhile (nothing was written: look
 * again under a new one), or another code. */

/* Decides the cycle and makes the writer stand at the end of its chain. The quick path is
 * tape__roll_is_current(). `m` may be NULL: then no file is made. */
int tape__roll_to_now(tape__writer_t *w, const tape__message_t *m, tape__step_t *step);

/* After tape__roll_to_now() the message was written: its time is noted, if that is due. */
void tape__roll_note_append(tape__writer_t *w);

/* With the lock of a dead process taken over: anything may have been left half done. Names the
 * oldest file again that it did not come to remove. */
void tape__roll_doubt_all(tape__writer_t *w);

/* Whether the coarse clock alone says that the writer's cycle is the one to write. */
static inline bool tape__roll_is_current(const tape__writer_t *w)
{
    if (w->doubtful) return false;
    const uint64_t since = (uint64_t)tape__now_coarse_ns() - (uint64_t)w->trusted_from_ns;
    return since < w->trusted_ns && PEEK64(listing, w->site->listing.mod_count) == w->listing_seen;
}

/* The same by whichever clock the queue has, without a system call of ours: an answer, TAPE__NO
 * also when one must look at files to know. */
int tape__roll_goes_on(tape__writer_t *w);
/* Makes ready what the next messages will need, for who must not wait then. What fails now will
 * fail, and be told, when it is needed. */
void tape__roll_foresee(tape__writer_t *w);

/* TAPE_ECONFLICT unless the message may be number `sequence` of `cycle`. */
int tape__roll_check_expected(const tape__writer_t *w, const tape__message_t *m, int64_t cycle,
                              int64_t sequence);

/* Walks over what others wrote since. */
int tape__roll_catch_up(tape__writer_t *w, tape__step_t *step);

/* Slow half of making [next, next + need) ready to be written without a system call or page fault:
 * grows the file, reserves blocks, moves the window, faults in. */
int tape__roll_make_ready(tape__writer_t *w, uint64_t need);

/* Slow half of having 0 at `at`, where a header word behind the next document will stand: makes all
 * from the next header word to the first word that is 0, at `at` or later, zero. Under a
 * reservation, so that nothing is stored where somebody writes who broke our lock. TAPE_OK,
 * TAPE_ETAKEN or a code. */
int tape__roll_make_clean(tape__writer_t *w, uint64_t at);

/* Under a new lock: whether the file, with the message, stays. If not, it is to be written anew. */
int tape__roll_judge_made(tape__writer_t *w, tape__made_t *made, bool *stays);

/* ---- between the files above ---- */

#define TAPE__WRITER_WINDOW (UINT64_C(16) << 20)
#define TAPE__RESERVE_FIRST (UINT64_C(256) << 10)

/* What tape__recovery_decide() says; TAPE_EINTERNAL when the facts cannot be. */
int tape__roll_decide(const tape__writer_t *w, int64_t cycle, const tape__facts_t *facts,
                      unsigned *actions);
/* Makes the file of `cycle` with the message as its first; *made is false when somebody else did,
 * who broke our lock. */
int tape__roll_make(tape__writer_t *w, int64_t cycle, const tape__message_t *m, bool *made);
/* Files that writers left under their temporary names: no one else can be building one now. */
void tape__roll_remove_temporaries(tape__writer_t *w);
int tape__roll_no_file_name(const tape__writer_t *w, int64_t cycle);
/* Renames a half-made file out of the way, as Java does (1.1). */
int tape__roll_move_aside(tape__writer_t *w, const char *path);
/* END_OF_DATA into every file of a cycle below `cycle` that lacks it. */
int tape__roll_end_older(tape__writer_t *w, int64_t cycle);
/* Finds the end of the chain just opened, and does what the table says to what stands there. */
int tape__roll_find_the_end(tape__writer_t *w, tape__step_t *step);
/* The cycle to be written when the clock shows `cycle`, whose file may be ended (`own`): that one,
 * or a newer one that outranks it. */
int tape__roll_choose(tape__writer_t *w, int64_t cycle, tape__own_state_t own, int64_t *chosen);
/* The newest cycle with messages, if it is newer than `cycle`; else that one. */
int tape__roll_newest(tape__writer_t *w, int64_t cycle, int64_t *newest);
/* Calls `add` for each message from lastIndex on that should have an entry. Only up to the end as
 * it was found (a copy: adding a page moves it): if lastIndex is wrong, the walk may begin
 * anywhere. */
typedef int tape__add_entry_t(tape__writer_t *w, tape__cycle_store_t *s,
                              const tape__cursor_t *message);
int tape__roll_index_the_rest(tape__writer_t *w, tape__cycle_store_t *s, tape__cursor_t end,
                              tape__add_entry_t *add);

#endif
