/* options.h - the one rule for options structs, which begin with `uint32_t struct_size`.
 *
 * A caller that was compiled against an older tape.h gives a smaller struct: what it does not have
 * is its default, which is 0. One compiled against a newer tape.h gives a larger one: what this
 * library does not know must be 0, or it would be ignored in silence.
 */
#ifndef TAPE_OPTIONS_H
#define TAPE_OPTIONS_H

#include <stddef.h>

/* Fills `own` (`own_size` bytes) from `given`, which may be NULL: all defaults. `path` is for the
 * message. TAPE_OK or TAPE_EINVAL. */
int tape__options_copy(void *own, size_t own_size, const void *given, const char *path);

#endif
