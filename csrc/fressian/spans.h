/* spans.h - texts and byte strings where they stand in the input, perhaps in parts. */
#ifndef TAPE_FRESSIAN_SPANS_H
#define TAPE_FRESSIAN_SPANS_H

#include "tape_fressian.h"

/* What is told of a part whose length is a cached integer: no writer makes one. */
extern const char tape__spans_cached_length[];

/* Measures and checks the text or byte string whose code stands at *p, which moves behind it. NULL,
 * or what is wrong at *p. */
const char *tape__spans_take(const unsigned char **p, const unsigned char *end,
                             tape_fressian_span_t *span);

/* An integer in its own form, whose code stands at *p, which moves behind it: 1, or 0 when there is
 * none in the input. */
int tape__spans_number(const unsigned char **p, const unsigned char *end, int64_t *value);

#endif
