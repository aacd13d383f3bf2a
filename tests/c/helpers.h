/* helpers.h - directories, files, processes and counts for the C tests. */
#ifndef TAPE_HELPERS_H
#define TAPE_HELPERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "check.h"
#include "tape.h"

/* A new empty directory; it and all in it are removed when the program (not a child) ends. */
const char *t_directory(void);
/* A path in static memory, one of four in turn: "<directory>/<name>". */
const char *t_path(const char *directory, const char *name);
/* Reads a whole file; the caller frees. */
uint8_t *t_read_file(const char *path, size_t *size);
/* Removes the files of a directory, not its subdirectories; creates it when there is none. */
void t_empty(const char *directory);

/* Waits for a child; its exit code, or 128 + signal. */
int t_wait(pid_t child);
/* Descriptors and mappings of regular files under `directory` that this process has. */
int t_descriptors(const char *directory);
int t_mappings(const char *directory);

int64_t t_now_ns(void);

/* Whether TAPE_TEST_SCALE=1 asks for the long run. */
bool t_full_scale(void);

/* Begins a random test: the seed is the program's argument or the time, and is printed. */
void t_seed(int argc, char **argv);

/* A clock that a test sets: pass &ms as clock_user. */
int64_t t_clock(void *ms);

/* Options with struct_size set, block size 128 KiB, and a clock at `ms` when that is not NULL. */
tape_queue_options_t t_options(const char *roll_cycle, int64_t *ms);

/* An open queue and an appender of it; both must open and close. */
typedef struct {
    tape_queue_t *queue;
    tape_appender_t *appender;
} t_writer_t;

t_writer_t t_open_writer(const char *directory, const tape_queue_options_t *options);
void t_close_writer(t_writer_t w);
/* A tailer that looks by itself so often. */
tape_tailer_t *t_open_tailer(tape_queue_t *q, int64_t poll_ns);
/* A message made in place, of these bytes: its index, or a code. */
int64_t t_write_in_place(tape_appender_t *a, const void *data, size_t size);
/* A process that has the table store mapped for writing, until it is killed or this one ends. */
pid_t t_mapping_process(const char *directory);
/* The same, and the write lock. */
pid_t t_lock_holder(const char *directory);

#endif
