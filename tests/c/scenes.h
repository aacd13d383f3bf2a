/* scenes.h - what a process does that dies in it, what it finds, and a judge of what it leaves.
 *
 * Messages are numbered from 0, and made of their number. A second process, which finds what the
 * first one left and may die, too, sends T_SECOND; the judge T_JUDGE.
 */
#ifndef TAPE_SCENES_H
#define TAPE_SCENES_H

#include "helpers.h"

enum { T_SECOND = -1, T_JUDGE = -2 };

/* What is found, behind some messages. */
typedef enum {
    T_NOTHING,
    T_NEXT_DAY,       /* and the clock goes on by a day */
    T_FULL,           /* no room for another message in the file */
    T_DIRT,           /* a JVM died in mid-message: bytes behind a word that is 0 */
    T_RESERVATION,    /* one of ours did: a reservation, and bytes within and behind it */
    T_NO_LENGTH,      /* a reservation that tells no length */
    T_PAIR_BEHIND,    /* the write position is that of an older message */
    T_NO_ENTRY,       /* the last index entry is missing */
    T_HALF_MADE,      /* a file of the clock's cycle without header */
    T_HALF_MADE_OLDER,
    T_OLDER_RESERVED, /* T_RESERVATION, in a cycle that is over */
    T_TABLE_EMPTY,    /* the table store has not been filled */
    T_TEMPORARY,      /* files under their temporary names */
    T_DAMAGED,        /* write positions of two cycles lead nowhere */
    T_GARBAGE         /* a newer cycle file of which nothing can be had */
} t_leftover_t;

/* `play`: o opens the queue and an appender, w writes, m writes three at once, p makes a message in
 * place, d lets the clock go on by a day, r repairs in place; what stands behind | is looked at. */
typedef struct {
    const char *name, *roll_cycle;
    int before; /* messages */
    t_leftover_t leftover;
    bool clock; /* the test's own; else the system's */
    const char *play;
    bool slow; /* by single instructions */
} t_scene_t;

extern const t_scene_t t_scenes[];
extern const int t_scene_count;

/* What outlives the processes. */
typedef struct {
    int64_t ms;
    int acknowledged, sent;               /* of the messages that have numbers */
    int second_acknowledged, second_sent; /* by one of those that came second, at most */
    int64_t counts[8];                    /* as the program likes */
    char where[200];                      /* told when a check fails */
} t_shared_t;
extern t_shared_t *t_shared;

/* Memory of all processes to come. */
void t_scenes_set_up(void);
/* Runs it in a process, and ends the program when that fails, with what `where` says. */
void t_scenes_run(void (*run)(void));

/* An empty directory becomes what the scene finds. */
void t_scene_prepare(const t_scene_t *s, const char *directory);
/* Plays it; begin() is called at the |. Nothing is closed. */
void t_scene_play(const t_scene_t *s, const char *directory, void (*begin)(void));
/* Opens the queue and sends one T_SECOND; or repairs, where that is what was played. */
void t_scene_play_second(const t_scene_t *s, const char *directory);
/* What was acknowledged is read, in order, with at most what was sent; the queue can be written,
 * and its files are whole. A new cycle is begun when `rolls`. */
void t_scene_judge(const t_scene_t *s, const char *directory, bool rolls);

/* A header word, and bytes behind it, at the end of the queue's newest file. */
void t_leave_behind(tape_queue_t *q, const char *directory, uint32_t word, int bytes);

#endif
