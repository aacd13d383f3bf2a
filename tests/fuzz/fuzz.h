/* fuzz.h - the targets of the fuzzer of libtape, and what those that make files have in common. */
#ifndef TAPE_FUZZ_H
#define TAPE_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tape.h"

typedef struct {
    const char *name;
    void (*begin)(void); /* once, before the first input; NULL: nothing to do */
    void (*one)(const uint8_t *data, size_t size);
} fuzz_target_t;

extern const fuzz_target_t wire_target, fressian_target, table_target, index_target,
    directory_target, repair_target;

/* A finding: prints, with the trail of the last failure, and aborts. */
_Noreturn void fuzz_found(const char *format, ...) __attribute__((format(printf, 1, 2)));
#define FUZZ_SURE(condition)                                                                       \
    do {                                                                                           \
        if (!(condition)) fuzz_found("%s:%d: not so: %s", __FILE__, __LINE__, #condition);         \
    } while (0)

/* The result of a call of libtape; an error that is not well told is a finding. */
int64_t fuzz_call(const char *name, int64_t result);
#define FUZZ_CALL(f, ...) fuzz_call(#f, f(__VA_ARGS__))

/* ---- a sound queue, and a place where damaged ones are made of it ---- */

enum { FUZZ_TABLE, FUZZ_FULL, FUZZ_LAST, FUZZ_FILES, FUZZ_FIRST_CYCLE = 1600000000,
       FUZZ_FULL_COUNT = 150, FUZZ_LAST_COUNT = 9 };
typedef struct {
    char name[64];
    uint8_t *bytes;
    size_t used; /* behind the last byte that is not 0 */
    size_t size;
} fuzz_file_t;

extern fuzz_file_t fuzz_sound[FUZZ_FILES]; /* metadata.cq4t, and the files of two cycles */
extern char fuzz_queue[300], fuzz_copy[300];

/* Makes the sound queue, and the folder of fuzz_queue and fuzz_copy, removed at exit. */
void fuzz_begin(void);
/* An empty directory fuzz_queue, and no fuzz_copy. */
void fuzz_clear(void);
/* A file of it: `used` bytes and zeros up to `size`; one that is there is replaced. */
void fuzz_put(const char *name, const uint8_t *bytes, size_t used, size_t size);
/* The sound files. */
void fuzz_put_sound(void);
/* One of them, with patches laid over it: each a byte of kind, three of place, two of what. Those
 * whose kind has another remainder by `parts` than `part` are for other files. */
enum { FUZZ_PATCH = 6 };
void fuzz_put_patched(int file, const uint8_t *data, size_t size, int part, int parts);

/* Reads fuzz_queue in every way, appends to it and reads again, with the clock in its last cycle
 * and behind it. What of the sound queue's messages could be read must stay so, and what was
 * acknowledged must be there. `there`: of which cycles all messages must be readable,
 * because nothing but their index was damaged. */
typedef enum { FUZZ_ANYTHING, FUZZ_ALL_OF_ONE, FUZZ_ALL_OF_BOTH } fuzz_there_t;
void fuzz_use(fuzz_there_t there);
/* Verifies fuzz_queue, mends it into fuzz_copy, and verifies that: it must be sound. */
void fuzz_mend(void);

#endif
