/* disk_states.h - what is in a directory at one moment: copied, told apart, known again. */
#ifndef TAPE_DISK_STATES_H
#define TAPE_DISK_STATES_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Empties `to`, and makes it what `from` is. Holes stay holes. */
void t_disk_copy(const char *from, const char *to);

/* One number for the names and bytes of a directory: the same in another run. So what is the
 * process's own counts as equal: `pid` in any word, its slot in tape.side, clocks in names. */
uint64_t t_disk_hash(const char *directory, pid_t pid);

/* The numbers that were met. */
typedef struct {
    uint64_t *slots;
    int count;
} t_disk_met_t;
bool t_disk_is_new(t_disk_met_t *met, uint64_t hash); /* and is met from now on */

/* A directory that is looked at again and again; `mapped` when its files are changed not by calls
 * alone: then they are mapped all the time. */
typedef struct t_disk t_disk_t;
t_disk_t *t_disk_watch(const char *directory, bool mapped);
/* Whether any byte or name has changed since the last look. `called`: there was a system call, so
 * files may have been made, resized, renamed or removed. */
bool t_disk_has_changed(t_disk_t *disk, bool called);
void t_disk_unwatch(t_disk_t *disk);

#endif
