/* shelf.c - see shelf.h. */
#include "file/shelf.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/platform.h"

static const char *const suffixes[] = {".zst", ".gz"}; /* the first one that is there is read */

enum { SUFFIXES = sizeof suffixes / sizeof *suffixes, ROOM_LEAST = 64 };

void tape__shelf_begin(tape__shelf_t *shelf, tape__listing_t *listing)
{
    shelf->listing = listing;
    pthread_mutex_init(&shelf->lock, NULL);
}

void tape__shelf_end(tape__shelf_t *shelf)
{
    tape__free(shelf->packed);
    shelf->packed = NULL;
    pthread_mutex_destroy(&shelf->lock);
}

/* ---- which there are ---- */

/* Adds one, in order. False: out of memory. */
static bool put(tape__shelf_t *shelf, int64_t cycle)
{
    size_t at = shelf->count;
    while (at > 0 && shelf->packed[at - 1].cycle > cycle) at--;
    if (at > 0 && shelf->packed[at - 1].cycle == cycle) return true; /* it has both suffixes */
    if (shelf->count == shelf->room) {
        size_t room = shelf->room ? shelf->room * 2 : ROOM_LEAST;
        tape__packed_t *more = tape__alloc(room * sizeof *more);
        if (!more) return false;
        if (shelf->count) memcpy(more, shelf->packed, shelf->count * sizeof *more);
        tape__free(shelf->packed);
        shelf->packed = more;
        shelf->room = room;
    }
    memmove(shelf->packed + at + 1, shelf->packed + at,
            (shelf->count - at) * sizeof *shelf->packed);
    shelf->packed[at] = (tape__packed_t){.cycle = cycle};
    shelf->count++;
    return true;
}

static int look_at_name(void *user, const char *name)
{
    tape__shelf_t *shelf = user;
    const size_t length = strlen(name);
    char plain[TAPE__NAME_MAX];
    for (int i = 0; i < SUFFIXES; i++) {
        const size_t suffix = strlen(suffixes[i]);
        if (length <= suffix || length - suffix >= sizeof plain ||
            strcmp(name + length - suffix, suffixes[i]) != 0)
            continue;
        memcpy(plain, name, length - suffix);
        plain[length - suffix] = 0;
        int64_t cycle;
        if (tape__roll_cycle_suffix(plain) &&
            tape__roll_cycle_parse(shelf->listing->roll_cycle, shelf->listing->epoch_ms, plain,
                                   &cycle) &&
            tape__listing_can_have(shelf->listing, cycle))
            return put(shelf, cycle) ? 0 : -ENOMEM;
    }
    return 0;
}

/* What was measured before the directory was read again. */
static void keep_measured(tape__shelf_t *shelf, const tape__packed_t *before, size_t were)
{
    for (size_t i = 0, k = 0; i < shelf->count && k < were;) {
        tape__packed_t *p = &shelf->packed[i];
        if (p->cycle == before[k].cycle) *p = before[k];
        if (p->cycle <= before[k].cycle) i++;
        else k++;
    }
}

/* With the lock: reads the directory if it changed. */
static int look(tape__shelf_t *shelf)
{
    const char *directory = shelf->listing->directory;
    const int64_t now_ms = tape__now_ms();
    tape__stat_t st;
    int rc = tape__stat_path(directory, &st);
    if (rc == 0 && shelf->modified_ns != 0 && st.modified_ns == shelf->modified_ns) return TAPE_OK;
    tape__packed_t *before = shelf->packed;
    const size_t were = shelf->count;
    shelf->packed = NULL;
    shelf->count = shelf->room = 0;
    shelf->modified_ns = 0;
    if (rc == 0) rc = tape__list_directory(directory, look_at_name, shelf);
    keep_measured(shelf, before, were);
    tape__free(before);
    if (rc < 0) return tape__fail_errno(-rc, directory, "listing the directory");
    if (!tape__listing_too_fresh(&st, now_ms)) shelf->modified_ns = st.modified_ns;
    return TAPE_OK;
}

/* With the lock: the first that is not below `from`. */
static size_t place_of(const tape__shelf_t *shelf, int64_t from)
{
    size_t low = 0, high = shelf->count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (shelf->packed[middle].cycle < from) low = middle + 1;
        else high = middle;
    }
    return low;
}

/* The nearest compressed one at or above (below) `from`; TAPE__NO_CYCLE when there is none. */
static int nearest(tape__shelf_t *shelf, bool above, int64_t from, int64_t *cycle)
{
    *cycle = TAPE__NO_CYCLE;
    if (!shelf->unpacker.call) return TAPE_OK;
    pthread_mutex_lock(&shelf->lock);
    int rc = look(shelf);
    const size_t at = place_of(shelf, from);
    if (above && at < shelf->count) *cycle = shelf->packed[at].cycle;
    if (!above && at < shelf->count && shelf->packed[at].cycle == from) *cycle = from;
    else if (!above && at > 0) *cycle = shelf->packed[at - 1].cycle;
    pthread_mutex_unlock(&shelf->lock);
    return rc;
}

/* ---- with the listing ---- */

int tape__shelf_exists(tape__shelf_t *shelf, int64_t cycle)
{
    int64_t packed;
    int rc = tape__listing_exists(shelf->listing, cycle);
    if (rc != TAPE__NO) return rc;
    rc = nearest(shelf, true, cycle, &packed);
    return rc == TAPE_OK ? tape__answer(packed == cycle) : rc;
}

int tape__shelf_ends(tape__shelf_t *shelf, int64_t *first, int64_t *last)
{
    int64_t lowest, highest;
    int rc = tape__listing_ends(shelf->listing, first, last);
    if (rc == TAPE_OK) rc = nearest(shelf, true, 0, &lowest);
    if (rc == TAPE_OK) rc = nearest(shelf, false, INT64_MAX, &highest);
    if (rc != TAPE_OK || lowest == TAPE__NO_CYCLE) return rc;
    if (first && (*first == TAPE__NO_CYCLE || lowest < *first)) *first = lowest;
    if (last && (*last == TAPE__NO_CYCLE || highest > *last)) *last = highest;
    return TAPE_OK;
}

int tape__shelf_above(tape__shelf_t *shelf, int64_t from, tape__neighbours_t **keep,
                      int64_t *cycle)
{
    int64_t packed;
    int rc = nearest(shelf, true, from, &packed);
    *cycle = packed;
    if (rc != TAPE_OK || packed == from) return rc;
    rc = tape__listing_above(shelf->listing, from, keep, cycle);
    if (packed != TAPE__NO_CYCLE && (*cycle == TAPE__NO_CYCLE || packed < *cycle)) *cycle = packed;
    return rc;
}

int tape__shelf_below(tape__shelf_t *shelf, int64_t from, tape__neighbours_t **keep,
                      int64_t *cycle)
{
    int64_t packed;
    int rc = nearest(shelf, false, from, &packed);
    *cycle = packed;
    if (rc != TAPE_OK || packed == from) return rc;
    rc = tape__listing_below(shelf->listing, from, keep, cycle);
    if (packed != TAPE__NO_CYCLE && (*cycle == TAPE__NO_CYCLE || packed > *cycle)) *cycle = packed;
    return rc;
}

int tape__shelf_each(tape__shelf_t *shelf, int64_t from, int64_t below, tape__each_cycle_t *each,
                     void *user)
{
    int64_t cycle = from;
    int rc = tape__listing_each(shelf->listing, from, below, each, user);
    if (below <= from || (uint64_t)below - (uint64_t)from <= TAPE__FEW_NAMES) return rc;
    while (rc == TAPE_OK) { /* the directory was read for files; few cycles are met by number */
        rc = nearest(shelf, true, cycle, &cycle);
        if (rc != TAPE_OK || cycle == TAPE__NO_CYCLE || cycle >= below) break;
        int exists = tape__listing_exists(shelf->listing, cycle);
        if (exists < 0) return exists;
        if (exists == TAPE__NO) rc = each(user, cycle); /* else it was met */
        cycle++;
    }
    return rc;
}

/* The compressed file that lies beside `plain`, and is read when that is not there: 0, -ENOENT, or
 * what else *path failed with. */
static int packed_file(const char *plain, char path[TAPE__PATH_SIZE], tape__stat_t *st)
{
    int rc = -ENOENT;
    for (int i = 0; i < SUFFIXES && rc == -ENOENT; i++) {
        const int length = snprintf(path, TAPE__PATH_SIZE, "%s%s", plain, suffixes[i]);
        rc = length < TAPE__PATH_SIZE ? tape__stat_path(path, st) : -ENAMETOOLONG;
    }
    return rc;
}

int tape__shelf_has_packed(const char *path)
{
    char packed[TAPE__PATH_SIZE];
    tape__stat_t st;
    const int rc = packed_file(path, packed, &st);
    if (rc < 0 && rc != -ENOENT) return tape__fail_errno(-rc, packed, "looking for the file");
    return tape__answer(rc == 0);
}

/* ---- opening ---- */

static int open_packed(const tape__shelf_t *shelf, const char *plain, int64_t cycle,
                       tape__cycle_store_t *store)
{
    char path[TAPE__PATH_SIZE];
    int rc = TAPE_ENOTFOUND;
    for (int i = 0; i < SUFFIXES && rc == TAPE_ENOTFOUND; i++)
        if ((size_t)snprintf(path, sizeof path, "%s%s", plain, suffixes[i]) < sizeof path)
            rc = tape__cycle_store_open_packed(store, path, cycle, shelf->unpacker);
    return rc;
}

static int open_at(tape__shelf_t *shelf, const char *path, int64_t cycle,
                   tape__cycle_store_t *store)
{
    int rc = tape__cycle_store_open(store, path, cycle, false);
    if (rc != TAPE_ENOTFOUND || !shelf->unpacker.call) return rc;
    int exists = tape__shelf_exists(shelf, cycle);
    if (exists != TAPE__YES) return exists < 0 ? exists : TAPE_ENOTFOUND;
    rc = open_packed(shelf, path, cycle, store);
    /* Thawed in between, perhaps. */
    return rc == TAPE_ENOTFOUND ? tape__cycle_store_open(store, path, cycle, false) : rc;
}

int tape__shelf_open(tape__shelf_t *shelf, int64_t cycle, tape__cycle_store_t *store)
{
    char path[TAPE__PATH_SIZE];
    if (!tape__listing_path(shelf->listing, cycle, path, sizeof path))
        return tape__fail(TAPE_ENOTFOUND, shelf->listing->directory, -1,
                          "a cycle that has no file name");
    return open_at(shelf, path, cycle, store);
}

/* ---- measuring ---- */

/* What is remembered of a file that was measured, or, with `store`, remembers it. */
static bool recall(tape__shelf_t *shelf, int64_t cycle, const tape__stat_t *st, bool store,
                   tape__extent_t *extent)
{
    bool known = false;
    pthread_mutex_lock(&shelf->lock);
    const size_t at = place_of(shelf, cycle);
    if (at < shelf->count && shelf->packed[at].cycle == cycle) {
        tape__packed_t *p = &shelf->packed[at];
        if (store)
            *p = (tape__packed_t){cycle, st->inode, st->modified_ns, st->size, *extent};
        known = p->inode == st->inode && p->modified_ns == st->modified_ns && p->size == st->size;
        if (known) *extent = p->extent;
    }
    pthread_mutex_unlock(&shelf->lock);
    return known;
}

/* A file that must be opened: one that is written to, or a compressed one, once. */
static int measure_at(tape__shelf_t *shelf, const char *path, int64_t cycle, tape__extent_t *out)
{
    char name[TAPE__PATH_SIZE];
    tape__cycle_store_t store;
    tape__stat_t st;
    const bool packed = shelf->unpacker.call && packed_file(path, name, &st) == 0;
    int rc = open_at(shelf, path, cycle, &store);
    if (rc == TAPE_ENOTFOUND) return TAPE__NO;
    if (rc != TAPE_OK) return rc == TAPE__NOT_READY ? TAPE__YES : rc;
    rc = tape__cycle_measure_extent(&store, out);
    if (rc == TAPE_OK && packed && store.file.unpacker.call)
        (void)recall(shelf, cycle, &st, true, out);
    tape__cycle_store_close(&store);
    return rc == TAPE_OK ? TAPE__YES : rc;
}

int tape__shelf_measure(tape__shelf_t *shelf, int64_t cycle, tape__extent_t *out)
{
    char path[TAPE__PATH_SIZE], name[TAPE__PATH_SIZE];
    tape__stat_t st;
    *out = (tape__extent_t){0, 0};
    if (!tape__listing_path(shelf->listing, cycle, path, sizeof path)) return TAPE__NO;
    if (tape__cycle_measure_finished(path, out)) return TAPE__YES;
    if (shelf->unpacker.call && tape__stat_path(path, &st) == -ENOENT &&
        packed_file(path, name, &st) == 0 && recall(shelf, cycle, &st, false, out))
        return TAPE__YES;
    return measure_at(shelf, path, cycle, out);
}
