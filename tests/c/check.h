/* check.h - the few words that the C tests are written with.
 *
 * A failed check prints file, line and both values, and ends the program with 1; a program that
 * cannot run here ends with 77.
 */
#ifndef TAPE_CHECK_H
#define TAPE_CHECK_H

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* _exit(): a failing child must not run its parent's exit handlers. */
#define CHECK_FAILED(...)                                                                          \
    do {                                                                                           \
        fprintf(stderr, "%s:%d: ", __FILE__, __LINE__);                                            \
        fprintf(stderr, __VA_ARGS__);                                                              \
        fputc('\n', stderr);                                                                       \
        fflush(NULL);                                                                              \
        _exit(1);                                                                                  \
    } while (0)

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) CHECK_FAILED("not so: %s", #condition);                                  \
    } while (0)

#define CHECK_EQ(got, wanted)                                                                      \
    do {                                                                                           \
        int64_t got_ = (int64_t)(got), wanted_ = (int64_t)(wanted);                                \
        if (got_ != wanted_)                                                                       \
            CHECK_FAILED("%s is %" PRId64 " (0x%" PRIx64 "), not %s, %" PRId64 " (0x%" PRIx64 ")", \
                         #got, got_, (uint64_t)got_, #wanted, wanted_, (uint64_t)wanted_);         \
    } while (0)

#define CHECK_TEXT(got, wanted)                                                                    \
    do {                                                                                           \
        const char *got_ = (got), *wanted_ = (wanted);                                             \
        if (strcmp(got_, wanted_) != 0)                                                            \
            CHECK_FAILED("%s is \"%s\", not \"%s\"", #got, got_, wanted_);                         \
    } while (0)

/* A call of libtape that must succeed (0 or more); shows the trail when it does not. */
#define CHECK_OK(call)                                                                             \
    do {                                                                                           \
        int64_t rc_ = (int64_t)(call);                                                             \
        if (rc_ < 0) {                                                                             \
            char trail_[1100];                                                                     \
            tape_error_trail(trail_, sizeof trail_);                                               \
            CHECK_FAILED("%s: %s: %s", #call, tape_code_name((int)rc_), trail_);                   \
        }                                                                                          \
    } while (0)

#define SKIP(why)                                                                                  \
    do {                                                                                           \
        fprintf(stderr, "skipped: %s\n", why);                                                     \
        _exit(77);                                                                                 \
    } while (0)

#endif
