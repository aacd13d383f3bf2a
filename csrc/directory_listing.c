/* directory_listing.c - see directory_listing.h. */
#define _POSIX_C_SOURCE 200809L
#include "directory_listing.h"

#include <stdio.h>
#include <string.h>

#include "atomics.h"
#include "error.h"
#include "platform.h"

/* Cycles are 31-bit numbers in an index (format.md 7); anything else is a word that nobody has
 * set. */
static int64_t sensible(uint64_t word)
{
    int64_t cycle = (int64_t)word;
    return cycle > 0 && cycle < INT32_MAX ? cycle : TAPE__NO_CYCLE;
}

int64_t tape__listing_lowest_word(const tape__listing_t *l)
{
    return l->lowest ? sensible(OBSERVE64(listing, l->lowest)) : TAPE__NO_CYCLE;
}

int64_t tape__listing_highest_word(const tape__listing_t *l)
{
    return l->highest ? sensible(OBSERVE64(listing, l->highest)) : TAPE__NO_CYCLE;
}

uint64_t tape__listing_pulse(const tape__listing_t *l)
{
    return l->mod_count ? OBSERVE64(listing, l->mod_count) : 0;
}

/* order[listing]: the file before the words, so that whoever sees the words finds the file. Java
 * lowers and raises them by CAS from any process that looks at the directory, hence the loops. */
static void lower(uint64_t *word, int64_t cycle)
{
    for (;;) {
        uint64_t seen = OBSERVE64(listing, word);
        if (sensible(seen) != TAPE__NO_CYCLE && (int64_t)seen <= cycle) return;
        if (CLAIM64(listing, word, seen, (uint64_t)cycle)) return;
    }
}

static void raise(uint64_t *word, int64_t cycle)
{
    for (;;) {
        uint64_t seen = OBSERVE64(listing, word);
        if (sensible(seen) != TAPE__NO_CYCLE && (int64_t)seen >= cycle) return;
        if (CLAIM64(listing, word, seen, (uint64_t)cycle)) return;
    }
}

void tape__listing_add(const tape__listing_t *l, int64_t cycle)
{
    lower(l->lowest, cycle);
    raise(l->highest, cycle);
    (void)BUMP64(listing, l->mod_count, 1);
}

typedef struct {
    const tape__listing_t *l;
    int64_t from, to, first, last;
} scan_t;

static int scan_name(void *user, const char *name)
{
    scan_t *s = user;
    int64_t cycle;
    size_t length = strlen(name);
    if (length < 5 || strcmp(name + length - 4, ".cq4") != 0) return 0;
    if (!tape__cycle_of_file_name(s->l->roll_cycle, s->l->epoch_ms, name, &cycle)) return 0;
    if (cycle < s->from || cycle > s->to) return 0;
    if (cycle > INT64_MAX >> s->l->roll_cycle->shift) return 0; /* its indexes would be negative */
    if (s->first == TAPE__NO_CYCLE || cycle < s->first) s->first = cycle;
    if (s->last == TAPE__NO_CYCLE || cycle > s->last) s->last = cycle;
    return 0;
}

int tape__listing_scan(const tape__listing_t *l, int64_t from, int64_t to, int64_t *first,
                       int64_t *last)
{
    scan_t s = {l, from, to, TAPE__NO_CYCLE, TAPE__NO_CYCLE};
    int rc = tape__list_directory(l->directory, scan_name, &s);
    if (rc < 0) return tape__fail_errno(-rc, l->directory, "listing the directory");
    if (first) *first = s.first;
    if (last) *last = s.last;
    return TAPE_OK;
}

bool tape__listing_path(const tape__listing_t *l, int64_t cycle, char *out, size_t size)
{
    char name[TAPE__NAME_MAX];
    if (!tape__cycle_file_name(l->roll_cycle, l->epoch_ms, cycle, name, sizeof name)) return false;
    return (size_t)snprintf(out, size, "%s/%s", l->directory, name) < size;
}

bool tape__listing_exists(const tape__listing_t *l, int64_t cycle)
{
    char path[1024];
    tape__stat_t st;
    return tape__listing_path(l, cycle, path, sizeof path) && tape__stat_path(path, &st) == 0;
}
