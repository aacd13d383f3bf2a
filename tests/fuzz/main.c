/* main.c - Description: runs one target of the fuzzer, under libFuzzer or over a kept corpus.
 *
 * $FUZZ_TARGET names it under libFuzzer. With FUZZ_REPLAY defined this is an ordinary program:
 * `replay TARGET FILE`, the file having an input a line, in hexadecimal digits. */
#include "fuzz.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const fuzz_target_t *const targets[] = {&wire_target,  &fressian_target,  &table_target,
                                               &index_target, &directory_target, &repair_target};
static const fuzz_target_t *target;
extern int fuzz_plant;
int fuzz_plant; /* the planted bug that is switched on, where they are linked in (workshop.py) */

_Noreturn void fuzz_found(const char *format, ...)
{
    char trail[2000];
    va_list list;
    va_start(list, format);
    fputs("found: ", stderr);
    vfprintf(stderr, format, list);
    va_end(list);
    tape_error_trail(trail, sizeof trail);
    fprintf(stderr, "\nthe last failure's trail: %s\n", trail);
    abort();
}

int64_t fuzz_call(const char *name, int64_t result)
{
    tape_error_facts_t facts;
    if (result >= 0) return result;
    tape_error_last(&facts);
    if (result < TAPE_ESYNC || result > TAPE_EINVAL) fuzz_found("%s: %d is no code", name,
                                                                (int)result);
    if (result == TAPE_EINTERNAL) fuzz_found("%s: a defect", name);
    if (facts.code != result) fuzz_found("%s: %s with the trail of another", name,
                                         tape_code_name((int)result));
    if (result == TAPE_ECORRUPT && (!facts.file || !strstr(facts.message, facts.file)))
        fuzz_found("%s: damage without its file: %s", name, facts.message);
    return result;
}

static void choose(const char *name)
{
    for (size_t i = 0; i < sizeof targets / sizeof *targets; i++)
        if (name && strcmp(name, targets[i]->name) == 0) target = targets[i];
    if (!target) {
        fprintf(stderr, "there is no target \"%s\"\n", name ? name : "");
        exit(2);
    }
    if (target->begin) target->begin();
}

#ifndef FUZZ_REPLAY

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    choose(getenv("FUZZ_TARGET"));
    fuzz_plant = atoi(getenv("FUZZ_PLANT") ? getenv("FUZZ_PLANT") : "0");
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    target->one(data, size);
    return 0;
}

#else

/* The bytes of a line of digits, allocated to their exact size. */
static uint8_t *bytes_of(const char *line, size_t digits)
{
    uint8_t *bytes = malloc(digits / 2 ? digits / 2 : 1);
    for (size_t i = 0; bytes && i < digits / 2; i++) {
        unsigned value;
        if (sscanf(line + 2 * i, "%2x", &value) != 1) exit(2);
        bytes[i] = (uint8_t)value;
    }
    return bytes;
}

int main(int argc, char **argv)
{
    char *line = NULL;
    size_t room = 0, inputs = 0;
    ssize_t got;
    FILE *f = argc == 3 ? fopen(argv[2], "r") : NULL;
    if (!f) {
        fprintf(stderr, "usage: replay TARGET FILE\n");
        return 2;
    }
    choose(argv[1]);
    for (; (got = getline(&line, &room, f)) >= 0; inputs++) {
        const size_t digits = strspn(line, "0123456789abcdef");
        uint8_t *bytes = bytes_of(line, digits);
        fprintf(stderr, "\r%zu", inputs + 1);
        target->one(bytes, digits / 2);
        free(bytes);
    }
    free(line);
    fclose(f);
    fprintf(stderr, " inputs of %s\n", target->name);
    return inputs == 0;
}

#endif
