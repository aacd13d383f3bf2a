/* steps.h - a forked process that goes on by one machine instruction at a time. */
#ifndef TAPE_STEPS_H
#define TAPE_STEPS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

void t_steps_begin(void);        /* within the child: it stops here, and is led from now on */
void t_steps_await(pid_t child); /* until it has come there */
/* One instruction; false: it has ended, well. */
bool t_steps_next(pid_t child);
/* The same up to the next beginning or end of a system call. */
bool t_steps_next_call(pid_t child);
/* Whether the next one is a system call; true also where that cannot be told. */
bool t_steps_is_call(pid_t child);
void t_steps_let_go(pid_t child); /* it goes on by itself, if it has not ended */

#endif
