/* stage.h - processes that go from one sync point to the next, one at a time, as they are told.
 *
 * An actor is a forked process. It plays by itself until it comes to a step that counts, and stops
 * there until it is let go on; so exactly one of the actors runs, or none, and what each finds in
 * memory and files depends on the order of steps alone.
 */
#ifndef TAPE_STAGE_H
#define TAPE_STAGE_H

#include <stdbool.h>
#include <sys/types.h>

enum { T_ACTORS_MAX = 4 };

typedef enum { T_RUNS, T_STANDS, T_OVER, T_DEAD } t_actor_state_t;

/* Once a program, before the first actor. `counts`: whether an actor stops at that sync point. */
void t_stage_set_up(bool (*counts)(const char *point));
/* Begins an actor, and waits until it stands somewhere. */
void t_stage_enter(int actor, void (*play)(int actor));
/* Within an actor: as if it came to a sync point of that name. */
void t_stage_stand(const char *point);
/* Lets one go on to where it stands again, or is over. */
void t_stage_go(int actor);
void t_stage_kill(int actor);

t_actor_state_t t_stage_state(int actor); /* of one that never entered: T_OVER */
const char *t_stage_point(int actor); /* where it stands */
pid_t t_stage_pid(int actor);

#endif
