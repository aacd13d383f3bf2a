/* interleavings.h - what the actors of interleavings.c play, and where they stop. */
#ifndef TAPE_INTERLEAVINGS_H
#define TAPE_INTERLEAVINGS_H

#include <stdbool.h>
#include <string.h>

enum { WRITERS = 3, TAILER = WRITERS, ACTORS };

/* What an appender does, a letter each: w writes, m writes three at once, p makes one in place, d
 * lets the clock go on by a day; j writes as Java does, all of whose messages are so. The tailer: r
 * reads all there is, e goes to the end. */
typedef struct {
    const char *name, *roll_cycle;
    const char *plays[ACTORS];
    int before;              /* messages */
    bool clock;              /* by the test's; else by the system's, and through the lanes */
    bool kill, rob;          /* also with one of these, once */
    int changes;             /* at most; -1: not without argument */
} scene_t;

static const scene_t scenes[] = {
    {"both go on", "FAST_DAILY", {"ww", "ww", "", ""}, 0, false, false, false, 2},
    {"with a tailer", "FAST_DAILY", {"w", "w", "", "re"}, 0, false, false, false, 1},
    {"at an index page", "TEST_DAILY", {"w", "w", "", ""}, 5, false, false, false, 2},
    {"one dies", "FAST_DAILY", {"w", "w", "", ""}, 0, false, true, false, 1},
    {"one dies at an index page", "TEST_DAILY", {"w", "w", "", ""}, 5, false, true, false, 0},
    {"one is robbed", "FAST_DAILY", {"w", "w", "", ""}, 0, false, false, true, 2},
    {"one is robbed at an index page", "TEST_DAILY", {"w", "w", "", ""}, 5, false, false, true, 1},
    {"batches", "FAST_DAILY", {"m", "m", "", "r"}, 0, false, false, false, 1},
    {"one dies in a batch", "FAST_DAILY", {"m", "w", "", ""}, 0, false, true, false, 0},
    {"one is robbed in a batch", "FAST_DAILY", {"m", "w", "", ""}, 0, false, false, true, 1},
    {"a roll", "TEST4_DAILY", {"wdw", "ww", "", "r"}, 0, true, false, false, 1},
    {"one dies in a roll", "TEST4_DAILY", {"dw", "w", "", ""}, 0, true, true, false, 0},
    {"one is robbed in a roll", "TEST4_DAILY", {"dw", "w", "", ""}, 0, true, false, true, 1},
    {"two days, one is robbed", "TEST4_DAILY", {"dw", "dw", "", ""}, 0, true, false, true, 1},
    {"in place", "FAST_DAILY", {"p", "w", "", ""}, 0, false, false, true, 1},
    {"beside Java", "FAST_DAILY", {"ww", "jj", "", ""}, 0, false, false, false, 1},
    {"beside Java, with a tailer", "FAST_DAILY", {"w", "j", "", "re"}, 0, false, false, false, 1},
    {"beside Java at an index page", "TEST_DAILY", {"w", "j", "", ""}, 5, false, false, false, 1},
    {"beside Java in a batch", "FAST_DAILY", {"m", "j", "", "r"}, 0, false, false, false, 0},
    {"Java or one of us dies", "FAST_DAILY", {"w", "j", "", ""}, 0, false, true, false, 1},
    {"one of two dies beside Java", "FAST_DAILY", {"w", "j", "w", ""}, 0, false, true, false, 0},
    {"one of us dies beside two of Java", "FAST_DAILY", {"w", "j", "j", ""}, 0, false, true, false,
     0},
    {"Java or one of us dies at an index page", "TEST_DAILY", {"w", "j", "", ""}, 5, false, true,
     false, 0},
    {"Java or one of us is robbed", "FAST_DAILY", {"w", "j", "", ""}, 0, false, false, true, 1},
    {"Java or one of us is robbed at an index page", "TEST_DAILY", {"w", "j", "", ""}, 5, false,
     false, true, 1},
    {"one dies, one is robbed", "FAST_DAILY", {"w", "w", "w", ""}, 0, false, true, true, -1},
};

/* Steps that lie between two changes of what others see, and where nothing is held but the write
 * lock. */
static inline bool counts(const char *point)
{
    static const char *const steps[] = {
        "lock_awaited", "lock_taken", "lock_taken_over", "prepared", "header_reserved",
        "body_written", "published", "pair_set", "page_reserved", "page_published", "page_linked",
        "entry_added", "used_raised", "indexed", "before_release", "released", "end_marked",
        "sealed", "older_cycles_ended", "ended_noted", "cycle_file_built", "cycle_file_due",
        "cycle_file_linked", "lowest_listed", "highest_listed", "listing_counted", "cycle_entered",
        "given_up", "reservation_resized", "word_cleared", "pair_mended", "room_reserved",
        "room_cleaned", "moved_aside", "cycle_read", "end_looked_up", "tailer_at_end",
        "newer_looked_into"};
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++)
        if (strcmp(steps[i], point) == 0) return true;
    return false;
}

/* Changes, as against those of the scenes. */
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
enum { FEWER = -1 };
#else
enum { FEWER = 0 };
#endif

#endif
