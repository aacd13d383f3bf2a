/* side_file.c - see side_file.h. */
#define _POSIX_C_SOURCE 200809L
#include "file/side_file.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/atomics.h"
#include "base/error.h"
#include "base/platform.h"
#include "base/sync_point.h"
#include "format/file_names.h"
#include "format/table_keys.h"

enum { SLOTS = 1024, SLOT_SIZE = 64, SLOTS_AT = 64, SLOTS_AT_ONCE = 32 };
enum { NOTICE_AT = 32, FAILED_AT = 40 };
#define WRITERS_AT (UINT64_C(1) << 40)
#define OWNERS_AT (WRITERS_AT + (UINT64_C(1) << 20))
#define JUDGE_AT (UINT64_C(1) << 42)
#define LEASE_AT ((UINT64_C(1) << 42) + 2)
#define SIDE_SIZE ((uint64_t)TAPE__SIDE_HOLDERS + TAPE__SIDE_PAGE)

typedef struct {
    int64_t pid;
    uint64_t start;
    uint64_t pid_namespace;
    uint64_t writer; /* 1 once it may have held the write lock */
    uint64_t boot;
    uint64_t unused[3];
} slot_t;
_Static_assert(sizeof(slot_t) == SLOT_SIZE, "slots are numbered by their place in the file");
_Static_assert(SLOTS_AT + SLOTS * SLOT_SIZE <= TAPE__SIDE_THEFTS, "pages lie behind the slots");
_Static_assert(sizeof(tape__thefts_t) == TAPE__SIDE_PAGE, "the list is a page of the file");

typedef struct {
    uint64_t boot, inode, system_errno;
} failed_sync_t;
_Static_assert(FAILED_AT + sizeof(failed_sync_t) <= SLOTS_AT, "it stands before the slots");

static uint64_t slot_at(int slot) { return SLOTS_AT + (uint64_t)slot * SLOT_SIZE; }

static slot_t ourselves(bool writer)
{
    return (slot_t){.pid = tape__pid(),
                    .start = tape__process_start(tape__pid()),
                    .pid_namespace = tape__pid_namespace(),
                    .writer = writer,
                    .boot = tape__boot()};
}

/* ---- the file, with tape__process_lock() held ---- */

/* By calls, not through a mapping: somebody may cut the file, or the disk be full. */
static bool write_slot(int fd, int slot, const slot_t *value)
{
    return tape__file_write(fd, slot_at(slot), value, sizeof *value) == 0;
}

static void side_path(const char *directory, char *out)
{
    snprintf(out, TAPE__PATH_SIZE, "%s/" TAPE__SIDE_NAME, directory);
}

/* A descriptor, or a negative errno. */
static int open_side(const char *directory)
{
    char path[TAPE__PATH_SIZE];
    tape__stat_t st;
    side_path(directory, path);
    int fd = tape__open_file(path, TAPE__RDWR);
    if (fd == -ENOENT) {
        fd = tape__open_file(path, TAPE__CREATE_NEW);
        if (fd == -EEXIST) fd = tape__open_file(path, TAPE__RDWR);
    }
    if (fd < 0) return fd;
    int rc = tape__stat_fd(fd, &st);
    if (rc == 0 && !st.is_regular) rc = -EINVAL;
    /* Growing to one and the same size is harmless from several processes at once. */
    if (rc == 0 && st.size < SIDE_SIZE) {
        rc = tape__file_truncate(fd, SIDE_SIZE);
        if (rc == 0) rc = tape__file_write(fd, 0, "TAPESID1", 8);
    }
    if (rc == 0) return fd;
    tape__close_file(fd);
    return rc;
}

/* On a full disk touching a page without a block kills, so blocks are asked for. The descriptor is
 * not kept: a mapping needs none. Closing it drops no lock of ours, since locks belong to the open
 * file description that took them. */
static uint8_t *map_page(const char *directory, uint64_t offset)
{
    uint8_t *page;
    int fd = open_side(directory);
    if (fd < 0) return NULL;
    int rc = tape__file_reserve(fd, offset, TAPE__SIDE_PAGE) == -ENOSPC ? -ENOSPC : 0;
    if (rc == 0) rc = tape__map(fd, offset, TAPE__SIDE_PAGE, true, &page);
    tape__close_file(fd);
    if (rc < 0) return NULL;
    rc = tape__populate(page, TAPE__SIDE_PAGE); /* where no blocks can be reserved */
    if (rc != -EFAULT && rc != -ENOMEM) return page;
    tape__unmap(page, TAPE__SIDE_PAGE);
    return NULL;
}

uint32_t *tape__side_file_map_notice(const char *directory, uint8_t **page)
{
    *page = map_page(directory, 0);
    return *page ? (uint32_t *)(void *)(*page + NOTICE_AT) : NULL;
}

uint8_t *tape__side_file_map_thefts(const char *directory)
{
    return map_page(directory, TAPE__SIDE_THEFTS);
}

/* Takes both locks of a slot whose owner is dead. */
static bool lock_slot(int fd, int slot)
{
    if (tape__lock_range(fd, OWNERS_AT + (uint64_t)slot, 1, true) != 0) return false;
    if (tape__lock_range(fd, WRITERS_AT + (uint64_t)slot, 1, true) == 0) return true;
    tape__unlock_range(fd, OWNERS_AT + (uint64_t)slot, 1);
    return false;
}

/* What became of taking one: somebody has it, or it must stay; or the file cannot be written. */
typedef enum { SLOT_IN_USE, SLOT_TAKEN, SLOT_FAILED } taking_t;

static taking_t take_slot(int fd, int slot, const uint64_t *word)
{
    slot_t old = {0}, self = ourselves(false);
    if (!lock_slot(fd, slot)) return SLOT_IN_USE;
    /* order[write_lock]: read now that the slot's owner is dead. Whom it does not name by now, it
     * will not any more; before, he might have taken the lock, and died, since. */
    const int64_t spare_pid = tape__table_keys_holder(OBSERVE64(write_lock, word));
    taking_t got = SLOT_TAKEN;
    if (tape__file_read(fd, slot_at(slot), &old, sizeof old) < 0) got = SLOT_FAILED;
    else if (old.pid != 0 && old.pid == spare_pid) got = SLOT_IN_USE;
    else if (!write_slot(fd, slot, &self)) got = SLOT_FAILED;
    SYNC_POINT(slot_written);
    tape__unlock_range(fd, WRITERS_AT + (uint64_t)slot, 1);
    if (got != SLOT_TAKEN) tape__unlock_range(fd, OWNERS_AT + (uint64_t)slot, 1);
    return got;
}

static void attach(tape__side_t *side, const char *directory, const uint64_t *word)
{
    if (side->fd >= 0) return;
    int fd = open_side(directory);
    SYNC_POINT(side_file_opened);
    taking_t got = SLOT_IN_USE;
    int slot = -1;
    while (fd >= 0 && got == SLOT_IN_USE && ++slot < SLOTS) got = take_slot(fd, slot, word);
    if (got == SLOT_TAKEN) *side = (tape__side_t){fd, slot, false};
    else tape__close_file(fd);
}

void tape__side_file_attach(tape__process_entry_t *entry, const char *directory,
                            const uint64_t *word)
{
    tape__process_lock();
    attach(tape__process_side(entry), directory, word);
    tape__process_unlock();
}

void tape__side_file_enter(tape__process_entry_t *entry, const char *directory,
                           const uint64_t *word)
{
    tape__process_lock();
    tape__side_t *side = tape__process_side(entry);
    attach(side, directory, word);
    if (side->fd >= 0 && !side->writer) {
        slot_t self = ourselves(true);
        side->writer =
            tape__lock_range(side->fd, WRITERS_AT + (uint64_t)side->slot, 1, true) == 0;
        SYNC_POINT(slot_locked);
        if (side->writer) write_slot(side->fd, side->slot, &self);
        SYNC_POINT(slot_marked);
    }
    tape__process_unlock();
}

/* ---- mending in place ---- */

int tape__side_file_fail_in_use(const char *directory, int64_t pid)
{
    char who[32] = "for writing";
    if (pid > 0) snprintf(who, sizeof who, "in process %" PRId64, pid);
    return tape__fail(TAPE_EBUSY, directory, -1,
                      "%s is open %s: a queue is mended in place when nobody has it open",
                      directory, who);
}

/* TAPE_OK when nobody has it open for writing. */
static int find_owner(int fd, const char *directory)
{
    slot_t s = {0};
    const int state = tape__range_state(fd, OWNERS_AT, SLOTS);
    if (state == TAPE__RANGE_FREE) return TAPE_OK;
    if (state < 0) return tape__fail_errno(-state, directory, "looking who has it open");
    for (int slot = 0; slot < SLOTS; slot++)
        if (tape__range_state(fd, OWNERS_AT + (uint64_t)slot, 1) == TAPE__RANGE_LOCKED &&
            tape__file_read(fd, slot_at(slot), &s, sizeof s) == sizeof s && s.pid > 0)
            return tape__side_file_fail_in_use(directory, s.pid);
    return tape__side_file_fail_in_use(directory, 0);
}

int tape__side_file_lease(const char *directory, int *fd)
{
    int rc = TAPE_OK;
    *fd = open_side(directory);
    if (*fd < 0)
        return tape__fail_errno(-*fd, directory,
                                "opening " TAPE__SIDE_NAME ", by which others are kept out");
    const int locked = tape__lock_range(*fd, LEASE_AT, 1, true);
    if (locked != 0 && locked != -EAGAIN) {
        rc = tape__fail_errno(-locked, directory, "keeping others out");
    } else if (locked != 0) {
        rc = tape__fail(TAPE_EBUSY, directory, -1, "%s is being mended by somebody else",
                        directory);
    } else {
        rc = find_owner(*fd, directory);
    }
    if (rc != TAPE_OK) tape__close_file(*fd);
    return rc;
}

int tape__side_file_check_lease(tape__process_entry_t *entry, const char *directory)
{
    tape__process_lock();
    const int fd = tape__process_side(entry)->fd;
    const int state = fd < 0 ? (int)TAPE__RANGE_FREE : tape__range_state(fd, LEASE_AT, 1);
    tape__process_unlock();
    if (state == TAPE__RANGE_FREE) return TAPE_OK;
    if (state < 0) return tape__fail_errno(-state, directory, "asking whether it is being mended");
    return tape__fail(TAPE_EBUSY, directory, -1,
                      "%s is being mended in place: open it when that is done", directory);
}

/* ---- a sync that failed ---- */

/* Where it cannot be written, no file can be: then nobody acknowledges anything. */
void tape__side_file_mark_failed_sync(const char *directory, int system_errno)
{
    tape__stat_t st;
    int fd = open_side(directory);
    if (fd < 0) return;
    if (tape__stat_fd(fd, &st) == 0) {
        const failed_sync_t mark = {tape__boot(), st.inode, (uint64_t)system_errno};
        (void)tape__file_write(fd, FAILED_AT, &mark, sizeof mark);
    }
    tape__close_file(fd);
}

int tape__side_file_failed_sync(const char *directory)
{
    char path[TAPE__PATH_SIZE];
    failed_sync_t mark = {0};
    tape__stat_t st;
    side_path(directory, path);
    int fd = tape__open_file(path, TAPE__RDONLY);
    if (fd < 0) return 0;
    bool here = tape__file_read(fd, FAILED_AT, &mark, sizeof mark) == sizeof mark &&
                tape__stat_fd(fd, &st) == 0 && mark.inode == st.inode &&
                mark.boot == tape__boot() && mark.system_errno < 4096;
    tape__close_file(fd);
    return here ? (int)mark.system_errno : 0;
}

/* ---- judging ---- */

static tape__side_t side_of(tape__process_entry_t *entry)
{
    tape__process_lock();
    tape__side_t side = *tape__process_side(entry);
    tape__process_unlock();
    return side;
}

typedef struct {
    bool live;      /* a writer of that pid lives */
    bool only_reads; /* the process that has the pid here never asked for the lock */
    bool dead_here; /* a writer of that pid, of this pid namespace or before the last boot, died */
    bool another;   /* and the process that has the pid here is not that one */
} evidence_t;

/* A lock is dropped with the last copy of its descriptor. A child has one when it was made by other
 * ways than fork(): then the kernel's lock says that somebody lives, who is not the owner. */
static bool owner_is_gone(const slot_t *s, const slot_t *now, bool here)
{
    if (!here || s->pid_namespace == 0) return false;
    if (s->start != 0 && now->start != 0 && s->start != now->start) return true;
    return !tape__process_alive(s->pid);
}

static void weigh(int fd, int slot, const slot_t *s, const slot_t *now, evidence_t *e)
{
    /* A failing call means that it cannot be known: the same care as for the living. */
    bool here = s->pid_namespace == now->pid_namespace && s->boot == now->boot;
    const bool gone = owner_is_gone(s, now, here);
    if (!gone && tape__range_state(fd, WRITERS_AT + (uint64_t)slot, 1) != TAPE__RANGE_FREE) {
        e->live = true;
    } else if (!gone &&
               tape__range_state(fd, OWNERS_AT + (uint64_t)slot, 1) != TAPE__RANGE_FREE) {
        if (here && s->start == now->start) e->only_reads = true;
    } else if (s->writer && (here || s->boot != now->boot)) {
        bool same = here && now->start != 0 && s->start == now->start;
        e->another = (e->another || !e->dead_here) && !same && now->start != 0;
        e->dead_here = true;
    }
}

static evidence_t look(const tape__side_t *side, int64_t pid)
{
    evidence_t e = {false, false, false, false};
    slot_t some[SLOTS_AT_ONCE];
    const slot_t now = {.pid = pid,
                        .start = tape__process_start(pid),
                        .pid_namespace = tape__pid_namespace(),
                        .boot = tape__boot()};
    for (int first = 0; side->fd >= 0 && first < SLOTS; first += SLOTS_AT_ONCE) {
        int64_t size = tape__file_read(side->fd, slot_at(first), some, sizeof some);
        for (int i = 0; i < size / SLOT_SIZE; i++)
            if (some[i].pid == pid && first + i != side->slot)
                weigh(side->fd, first + i, &some[i], &now, &e);
    }
    return e;
}

tape__holder_t tape__side_file_judge(tape__process_entry_t *entry, int64_t pid,
                                     uint64_t table_inode)
{
    const tape__side_t side = side_of(entry);
    evidence_t e = look(&side, pid);
    if (e.live) return TAPE__HOLDER_LIVE;
    const tape__holder_t gone = e.dead_here ? TAPE__HOLDER_DEAD : TAPE__HOLDER_NOT_SEEN;
    /* The caller has the guard, so this process does not hold the lock: its pid in the word was
     * left by an earlier process, or program, that had the same one. */
    if (pid == tape__pid() || !tape__process_alive(pid)) return gone;
    if (e.only_reads) return gone;
    switch (tape__process_maps(pid, table_inode)) {
    case TAPE__MAPS_IT: /* a JVM: it has no slot */
        return TAPE__HOLDER_LIVE;
    case TAPE__MAPS_NOT:
        return gone;
    default: /* not ours to look into: then only that it began later tells */
        return e.another ? TAPE__HOLDER_NOT_SEEN : TAPE__HOLDER_LIVE;
    }
}

bool tape__side_file_begin_judging(tape__process_entry_t *entry)
{
    const tape__side_t side = side_of(entry);
    return side.fd < 0 || tape__lock_range(side.fd, JUDGE_AT, 1, true) != -EAGAIN;
}

void tape__side_file_end_judging(tape__process_entry_t *entry)
{
    const tape__side_t side = side_of(entry);
    if (side.fd >= 0) tape__unlock_range(side.fd, JUDGE_AT, 1);
}
