/* roll_guess.h - the roll cycle of a queue whose table store is gone, by the names of its files. */
#ifndef TAPE_ROLL_GUESS_H
#define TAPE_ROLL_GUESS_H

#include <stddef.h>

#include "format/roll_cycle.h"

/* That of most names, NULL when there is none, and in `name`, if that is not NULL, one such name.
 * A name counts when there is a file that holds anything: a strayed one, which may come first in
 * the directory, decides nothing. TAPE_OK or a code. */
int tape__roll_guess(const char *path, const tape_roll_cycle_t **roll_cycle, char *name,
                     size_t size);

#endif
