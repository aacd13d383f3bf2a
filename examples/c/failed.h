/* What all these programs do when a call failed: they tell what happened, where, and the remedy. */
#ifndef FAILED_H
#define FAILED_H

#include <stdint.h>
#include <stdio.h>

#include "tape.h"

static inline int failed(int64_t code)
{
    char trail[1024];
    tape_error_trail(trail, sizeof trail);
    fprintf(stderr, "%s\n%s\nhint: %s\n", tape_code_name((int)code), trail, tape_hint((int)code));
    return 1;
}

#endif
