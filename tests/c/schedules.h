/* schedules.h - each order of steps once: depth first, over how many ways there are to go on.
 *
 * A run asks at each step which of the n ways it goes; the next run goes as far as the last one did
 * with another way left, and takes that. The same ways should lead to the same place.
 */
#ifndef TAPE_SCHEDULES_H
#define TAPE_SCHEDULES_H

#include <stdbool.h>

enum { T_DEPTH_MAX = 512 };

typedef struct {
    int choices[T_DEPTH_MAX], ways[T_DEPTH_MAX];
    int known, depth;
} t_schedule_t;

void t_schedule_begin(t_schedule_t *s); /* a run */
/* -1: there is no such way, since the same ways led to another place; then the run may begin
 * again. */
int t_schedule_choose(t_schedule_t *s, int ways);
/* After a run: makes the next one ready; false when that was the last. */
bool t_schedule_next(t_schedule_t *s);

#endif
