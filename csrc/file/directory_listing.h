/* directory_listing.h - which cycles there are: the listing words and the directory itself.
 *
 * listing.lowestCycle, listing.highestCycle and listing.modCount (format.md 5.4, 9.4) tell Java
 * which cycles to look for. Writers raise them after a file is linked; they are hints that may be
 * stale or (WEEKLY, 1.8) nonsense, so a file's existence is always what counts.
 *
 * Reading a directory of many cycles takes long. So the words are believed while the files that
 * they name exist, and a look at the directory is remembered until the directory changes (its
 * modification time) or LOOK_LASTS_NS have passed, as in Java.
 */
#ifndef TAPE_DIRECTORY_LISTING_H
#define TAPE_DIRECTORY_LISTING_H

#include "base/platform.h"
#include "format/roll_cycle.h"

typedef struct {
    const char *directory;
    const tape_roll_cycle_t *roll_cycle;
    int64_t epoch_ms;      /* effective */
    uint64_t *lowest;      /* NULL: no table store (read-only without metadata) */
    uint64_t *highest;
    uint64_t *mod_count;
    bool may_repair;       /* words that a look finds wrong are set right, as Java does */
    /* The last look: by whichever thread. */
    uint64_t looked_ns;    /* when; 0: never */
    uint64_t scanned;  /* the directory itself was read, not only its listing words */
    uint64_t looked_at;    /* the directory's modification time then; 0: it was too fresh to tell */
    uint64_t first, last;  /* what it found, as int64 */
    uint64_t seen_highest; /* the highest word then */
} tape__listing_t;

#define TAPE__NO_CYCLE INT64_MIN

/* So many files are asked for by name; more, and the directory is read. */
enum { TAPE__FEW_NAMES = 64 };

/* The word's cycle, or TAPE__NO_CYCLE when there is none or it makes no sense. */
int64_t tape__listing_lowest_word(const tape__listing_t *l);
int64_t tape__listing_highest_word(const tape__listing_t *l);
/* Moves when a cycle was added or somebody looked at the directory again. */
uint64_t tape__listing_pulse(const tape__listing_t *l);

/* After a file was linked: raises the words and the count. With the write lock held. */
void tape__listing_add(const tape__listing_t *l, int64_t cycle);

/* Before the file of `cycle` is removed, `next` being the one after it that has a file: raises the
 * lowest word over it, if it is not above it already. With the write lock held. */
void tape__listing_forget(const tape__listing_t *l, int64_t cycle, int64_t next);

/* Before the first use, when the words are bound: believes them, without reading the directory. */
void tape__listing_begin(tape__listing_t *l);
/* The lowest and highest cycle with a file; TAPE__NO_CYCLE when there are none. Either may be NULL.
 * TAPE_OK or a code. */
int tape__listing_ends(tape__listing_t *l, int64_t *first, int64_t *last);
/* Reads the directory now, and lets others know that there may be something to see. */
int tape__listing_refresh(tape__listing_t *l);

/* The cycles nearest to one, in order of distance, as somebody found them who goes from each to the
 * next. Right as long as the directory has not changed since. */
enum { TAPE__NEIGHBOURS_MAX = 256 };
typedef struct {
    bool above;             /* or below */
    int64_t from;
    int count;
    uint64_t modified_ns;   /* of the directory; 0: it was too fresh to tell */
    int64_t cycles[TAPE__NEIGHBOURS_MAX];
} tape__neighbours_t;

/* The nearest cycle with a file, at or above (below) `from`; TAPE__NO_CYCLE when there is none.
 * `keep`, which may be NULL, is where the caller keeps what the directory told for the next time:
 * it is allocated when the directory is read, and the caller's to free. TAPE_OK or a code. */
int tape__listing_above(tape__listing_t *l, int64_t from, tape__neighbours_t **keep,
                        int64_t *cycle);
int tape__listing_below(tape__listing_t *l, int64_t from, tape__neighbours_t **keep,
                        int64_t *cycle);

/* Calls `each` for the cycles in [from, below) that have a file, in any order, until it answers
 * other than TAPE_OK, which is then returned; or a code. Few are asked for by name, for more the
 * directory is read, once; so `each` also meets cycles whose file is gone, or never was. */
typedef int tape__each_cycle_t(void *user, int64_t cycle);
int tape__listing_each(const tape__listing_t *l, int64_t from, int64_t below,
                       tape__each_cycle_t *each, void *user);

/* Reads the directory: the first cycle and the last; TAPE__NO_CYCLE when there are none. TAPE_OK or
 * a code. */
int tape__listing_scan(const tape__listing_t *l, int64_t *first, int64_t *last);

/* The full path of a cycle's file. False when it is no cycle that can have one. */
bool tape__listing_path(const tape__listing_t *l, int64_t cycle, char *out, size_t size);
/* Whether a cycle can be one of the queue: there are indexes for its messages. */
bool tape__listing_can_have(const tape__listing_t *l, int64_t cycle);
/* Whether the directory may change once more without its modification time doing so. */
bool tape__listing_too_fresh(const tape__stat_t *directory, int64_t now_ms);
/* Whether there is a file of that cycle: an answer. */
int tape__listing_exists(const tape__listing_t *l, int64_t cycle);

#endif
