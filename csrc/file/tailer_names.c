/* tailer_names.c - see tailer_names.h. */
#define _POSIX_C_SOURCE 200809L
#include "file/tailer_names.h"

#include <errno.h>

#include "base/error.h"
#include "base/platform.h"
#include "base/sync_point.h"
#include "file/side_file.h"

enum { PLACES = 8, TRIES = 50 };
#define TRY_EVERY_NS INT64_C(1000000)

/* ---- the bytes of a name, with tape__process_lock() held ---- */

static uint64_t byte_of(uint64_t name, int place)
{
    const uint64_t names = TAPE__SIDE_NAMES / PLACES; /* the range is as long as its start */
    return TAPE__SIDE_NAMES + PLACES * (name % names) + (uint64_t)place;
}

/* A failing call means that it cannot be known; then names are kept apart in this process alone. */
static bool lock(int fd, uint64_t name, int place)
{
    return tape__lock_range(fd, byte_of(name, place), 1, true) != -EAGAIN;
}

/* Which byte of the name is locked now, or -1. *taken: somebody else has the name, too. */
static int lock_any(int fd, uint64_t name, bool steal, bool *taken)
{
    int place = -1;
    *taken = false;
    if (fd < 0) return -1;
    if (lock(fd, name, 0)) place = 0;
    *taken = place < 0 ||
             tape__range_state(fd, byte_of(name, 1), PLACES - 1) == TAPE__RANGE_LOCKED;
    if (*taken && !steal && place == 0) tape__unlock_range(fd, byte_of(name, 0), 1);
    if (*taken && !steal) return -1;
    for (int other = 1; place < 0 && other < PLACES; other++)
        if (lock(fd, name, other)) place = other;
    return place;
}

/* ---- who has it: for messages, so two names in one place may hide one another ---- */

typedef struct {
    uint64_t name;
    int64_t pid;
} holder_t;

static uint64_t holder_at(uint64_t name)
{
    return TAPE__SIDE_HOLDERS + name % (TAPE__SIDE_PAGE / sizeof(holder_t)) * sizeof(holder_t);
}

static void write_holder(int fd, uint64_t name)
{
    const holder_t holder = {name, tape__pid()};
    if (fd >= 0) (void)tape__file_write(fd, holder_at(name), &holder, sizeof holder);
}

static int64_t read_holder(int fd, uint64_t name)
{
    holder_t holder;
    bool read = tape__file_read(fd, holder_at(name), &holder, sizeof holder) == sizeof holder;
    return read && holder.name == name ? holder.pid : 0;
}

/* ---- the list of thefts ---- */

static const tape__thefts_t *open_thefts(tape__process_entry_t *entry, const char *directory)
{
    tape__thefts_place_t *place = tape__process_thefts(entry);
    if (place->all) return place->all;
    uint8_t *page = NULL;
    if (tape__process_side(entry)->fd >= 0) page = tape__side_file_map_thefts(directory);
    place->mapped = page != NULL;
    place->all = page ? (tape__thefts_t *)(void *)page : tape__alloc(sizeof *place->all);
    return place->all;
}

/* One process at a time writes the list; the kernel ends the turn of one that dies. False: one was
 * stopped in its turn. */
static bool begin_theft(int fd)
{
    for (int n = 0; fd >= 0 && n < TRIES; n++) {
        if (tape__lock_range(fd, TAPE__SIDE_THEFT, 1, true) != -EAGAIN) return true;
        tape__sleep_ns(TRY_EVERY_NS);
    }
    return fd < 0;
}

static bool note_theft(tape__process_entry_t *entry, uint64_t name, uint64_t *seen)
{
    tape__thefts_t *list = tape__process_thefts(entry)->all;
    const int fd = tape__process_side(entry)->fd;
    if (!begin_theft(fd)) return false;
    const uint64_t count = OBSERVE64(thefts, &list->count);
    PUBLISH64(thefts, &list->names[count % TAPE__THEFTS_KEPT], name);
    SYNC_POINT(theft_named);
    PUBLISH64(thefts, &list->count, count + 1);
    if (fd >= 0) tape__unlock_range(fd, TAPE__SIDE_THEFT, 1);
    *seen = count + 1;
    return true;
}

bool tape__name_was_taken(const uint64_t *thefts, uint64_t name, uint64_t *seen)
{
    const tape__thefts_t *list = (const tape__thefts_t *)(const void *)thefts; /* its first word */
    const uint64_t count = OBSERVE64(thefts, &list->count);
    bool taken = false;
    for (uint64_t n = *seen; n != count && count - n <= TAPE__THEFTS_KEPT; n++)
        taken |= OBSERVE64(thefts, &list->names[n % TAPE__THEFTS_KEPT]) == name;
    /* Meanwhile others may have been written over those. The one at the count may be half done. */
    if (OBSERVE64(thefts, &list->count) - *seen >= TAPE__THEFTS_KEPT) return true;
    if (!taken) *seen = count;
    return taken;
}

/* ---- asking and giving back ---- */

static tape__held_name_t **find(tape__process_entry_t *entry, uint64_t name)
{
    tape__held_name_t **at = tape__process_names(entry);
    while (*at && (*at)->hash != name) at = &(*at)->next;
    return at;
}

static void forget(tape__process_entry_t *entry, tape__held_name_t **at)
{
    tape__held_name_t *held = *at;
    const int fd = tape__process_side(entry)->fd;
    if (fd >= 0 && held->place >= 0) tape__unlock_range(fd, byte_of(held->hash, held->place), 1);
    *at = held->next;
    tape__free(held);
}

/* A name that no tailer of this process has. The count is read first: who takes the name over from
 * now on is seen. */
static int claim_new(tape__process_entry_t *entry, uint64_t name, const void *owner, bool steal,
                     tape__name_claim_t *out)
{
    const int fd = tape__process_side(entry)->fd;
    bool taken;
    tape__held_name_t *held = tape__alloc(sizeof *held);
    if (!held) return TAPE_ENOMEM;
    out->seen = OBSERVE64(thefts, out->thefts);
    const int place = lock_any(fd, name, steal, &taken);
    if (taken && !steal) {
        out->holder = read_holder(fd, name);
        tape__free(held);
        return TAPE_EBUSY;
    }
    tape__held_name_t **names = tape__process_names(entry);
    *held = (tape__held_name_t){name, owner, place, *names};
    *names = held;
    SYNC_POINT(name_claimed);
    if (taken && !note_theft(entry, name, &out->seen)) {
        forget(entry, names);
        return TAPE_EBUSY;
    }
    write_holder(fd, name);
    return TAPE_OK;
}

static int claim(tape__process_entry_t *entry, const char *directory, uint64_t name,
                 const void *owner, bool steal, tape__name_claim_t *out)
{
    *out = (tape__name_claim_t){NULL, 0, 0};
    const tape__thefts_t *list = open_thefts(entry, directory);
    if (!list) return TAPE_ENOMEM;
    out->thefts = &list->count;
    tape__held_name_t *held = *find(entry, name);
    if (!held) return claim_new(entry, name, owner, steal, out);
    out->holder = tape__pid();
    if (!steal || !note_theft(entry, name, &out->seen)) return TAPE_EBUSY;
    held->owner = owner;
    return TAPE_OK;
}

int tape__name_claim(tape__process_entry_t *entry, const char *directory, uint64_t name,
                     const void *owner, bool steal, tape__name_claim_t *out)
{
    tape__process_lock();
    int rc = claim(entry, directory, name, owner, steal, out);
    tape__process_unlock();
    return rc;
}

void tape__name_give(tape__process_entry_t *entry, uint64_t name, const void *owner)
{
    tape__process_lock();
    tape__held_name_t **at = find(entry, name);
    if (*at && (*at)->owner == owner) forget(entry, at);
    tape__process_unlock();
}
