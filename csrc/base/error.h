/* error.h - codes, texts, and the per-thread trail of the last failure.
 *
 * The first frame is set where the failure is noticed, with the facts (file, position, errno); each
 * caller that knows more may append a line. A success does not clear the trail.
 */
#ifndef TAPE_ERROR_H
#define TAPE_ERROR_H

#include <stdbool.h>

#include "tape.h"

/* What a question answers that can fail as well: "an answer" is one of these or a code. Neither is
 * TAPE_OK or an outcome of another kind, so what is taken for the wrong one is nothing at all. */
typedef enum { TAPE__NO = 41, TAPE__YES = 42 } tape__answer_t;
static inline int tape__answer(bool yes) { return yes ? TAPE__YES : TAPE__NO; }
/* The same as callers of the library are told: as a number, 1 or 0. */
static inline int tape__answer_given(int answer)
{
    return answer == TAPE__YES ? 1 : answer == TAPE__NO ? 0 : answer;
}

/* Starts a trail and returns `code`. `file` may be NULL, `position` -1. */
int tape__fail(int code, const char *file, int64_t position, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* As tape__fail(), with an errno whose text is added; ENOSPC, EACCES, ... choose the code. */
int tape__fail_errno(int system_errno, const char *file, const char *doing);

/* TAPE_ESYNC, with an errno. */
int tape__fail_sync(int system_errno, const char *file);

/* The code that an errno chooses. */
int tape__error_of_errno(int system_errno);

/* Appends a line about what was being done; returns `code` so that callers can pass it on. */
int tape__while(int code, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The code of the failure just set, for callers of what answers NULL. */
int tape__error_code(void);

/* Adds facts to the failure just set. */
void tape__error_index(int64_t index);
void tape__error_holder(int64_t pid, int alive, int64_t held_for_ns);

#endif
