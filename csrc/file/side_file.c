/* side_file.c - see side_file.h. */
#define _POSIX_C_SOURCE 200809L
#include "file/side_file.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/platform.h"
#include "format/file_names.h"

enum { SLOTS = 1024, SLOT_SIZE = 64, SLOTS_AT = 64 };
#define LOCKS_AT (UINT64_C(1) << 40)
#define NAMES_AT (UINT64_C(1) << 41)

typedef struct {
    int64_t pid;
    uint64_t start;
    uint64_t pid_namespace;
    uint64_t unused[5];
} slot_t;
_Static_assert(sizeof(slot_t) == SLOT_SIZE, "slots are numbered by their place in the file");

static uint64_t slot_at(int slot) { return SLOTS_AT + (uint64_t)slot * SLOT_SIZE; }

static bool read_slot(int fd, int slot, slot_t *out)
{
    return tape__file_read(fd, slot_at(slot), out, sizeof *out) == (int64_t)sizeof *out;
}

static bool write_slot(int fd, int slot, const slot_t *value)
{
    uint8_t *page;
    const size_t size = SLOTS_AT + SLOTS * SLOT_SIZE;
    if (tape__map(fd, 0, size, true, &page) < 0) return false;
    memcpy(page, "TAPESID1", 8);
    memcpy(page + slot_at(slot), value, sizeof *value);
    tape__unmap(page, size);
    return true;
}

static int open_side(const char *directory)
{
    char path[TAPE__PATH_SIZE];
    snprintf(path, sizeof path, "%s/" TAPE__SIDE_NAME, directory);
    int fd = tape__open_file(path, TAPE__RDWR);
    if (fd == -ENOENT) {
        fd = tape__open_file(path, TAPE__CREATE_NEW);
        if (fd == -EEXIST) fd = tape__open_file(path, TAPE__RDWR);
    }
    if (fd < 0) return -1;
    const uint64_t size = SLOTS_AT + SLOTS * SLOT_SIZE;
    tape__stat_t st;
    /* Growing to one and the same size is harmless from several processes at once. The blocks are
     * reserved because a full disk must not kill us when the page is touched. */
    if (tape__stat_fd(fd, &st) < 0 || (st.size < size && tape__file_truncate(fd, size) < 0) ||
        tape__file_reserve(fd, 0, size) == -ENOSPC) {
        tape__close_file(fd);
        return -1;
    }
    return fd;
}

void tape__side_file_enter(tape__process_entry_t *entry, const char *directory, int64_t spare_pid)
{
    int mine;
    if (tape__process_side(entry, &mine) >= 0) return;
    int fd = open_side(directory);
    if (fd < 0) return;
    for (int slot = 0; slot < SLOTS; slot++) {
        slot_t old;
        if (tape__lock_range(fd, LOCKS_AT + (uint64_t)slot, 1, true) != 0) continue;
        bool spared = read_slot(fd, slot, &old) && old.pid != 0 && old.pid == spare_pid;
        slot_t self = {.pid = tape__pid(),
                       .start = tape__process_start(tape__pid()),
                       .pid_namespace = tape__pid_namespace()};
        if (!spared && write_slot(fd, slot, &self)) {
            tape__process_set_side(entry, fd, slot);
            return;
        }
        tape__unlock_range(fd, LOCKS_AT + (uint64_t)slot, 1);
    }
    tape__close_file(fd);
}

typedef struct {
    bool live;           /* a slot with the pid has its lock held */
    bool dead_here;      /* one of our pid namespace has not */
    uint64_t dead_start; /* when that process had started */
} evidence_t;

static evidence_t look(tape__process_entry_t *entry, int64_t pid)
{
    evidence_t e = {false, false, 0};
    int mine, fd = tape__process_side(entry, &mine);
    uint64_t here = tape__pid_namespace();
    for (int slot = 0; fd >= 0 && slot < SLOTS; slot++) {
        slot_t s;
        if (!read_slot(fd, slot, &s)) break;
        if (slot == mine || s.pid != pid) continue;
        if (tape__range_is_locked(fd, LOCKS_AT + (uint64_t)slot, 1) != 0) {
            e.live = true; /* or it cannot be known: the same care */
        } else if (s.pid_namespace == here) {
            e.dead_here = true;
            e.dead_start = s.start;
        }
    }
    return e;
}

tape__holder_t tape__side_file_judge(tape__process_entry_t *entry, int64_t pid,
                                     uint64_t table_inode)
{
    evidence_t e = look(entry, pid);
    if (e.live) return TAPE__HOLDER_LIVE;
    /* The caller has the guard, so this process does not hold the lock: its pid in the word was
     * left by an earlier process that had the same one. */
    bool exists = pid != tape__pid() && tape__process_alive(pid);
    if (exists) {
        if (tape__process_maps(pid, table_inode) != 0) return TAPE__HOLDER_LIVE;
        if (!e.dead_here || e.dead_start == tape__process_start(pid)) return TAPE__HOLDER_NOT_SEEN;
    }
    return e.dead_here ? TAPE__HOLDER_DEAD : TAPE__HOLDER_NOT_SEEN;
}

static uint64_t byte_of_name(uint64_t name) { return NAMES_AT + (name & (NAMES_AT - 1)); }

bool tape__side_file_claim_name(tape__process_entry_t *entry, uint64_t name)
{
    int slot, fd = tape__process_side(entry, &slot);
    return fd < 0 || tape__lock_range(fd, byte_of_name(name), 1, true) != -EAGAIN;
}

void tape__side_file_give_name(tape__process_entry_t *entry, uint64_t name)
{
    int slot, fd = tape__process_side(entry, &slot);
    if (fd >= 0) tape__unlock_range(fd, byte_of_name(name), 1);
}
