/* directory_listing.c - see directory_listing.h. */
#define _POSIX_C_SOURCE 200809L
#include "file/directory_listing.h"

#include <errno.h>
#include <stdio.h>

#include "base/atomics.h"
#include "base/error.h"
#include "base/platform.h"
#include "base/sync_point.h"

#define LOOK_LASTS_NS UINT64_C(60000000000) /* as in Java (format.md 9.4) */
/* Two changes within one tick of the kernel's clock bear one modification time; on file systems
 * that keep whole seconds (FAT: every other one), all of two seconds. */
#define TOO_FRESH_NS UINT64_C(100000000)
#define TOO_FRESH_COARSE_NS UINT64_C(3000000000)
#define SECOND_NS UINT64_C(1000000000)

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
    SYNC_POINT(lowest_listed);
    raise(l->highest, cycle);
    SYNC_POINT(highest_listed);
    (void)BUMP64(listing, l->mod_count, 1);
    SYNC_POINT(listing_counted);
}

/* Only a cycle at the lower end: the words say nothing of those between them. */
void tape__listing_forget(const tape__listing_t *l, int64_t cycle, int64_t next)
{
    for (;;) {
        uint64_t seen = OBSERVE64(listing, l->lowest);
        if (sensible(seen) != TAPE__NO_CYCLE && (int64_t)seen != cycle) break;
        if (CLAIM64(listing, l->lowest, seen, (uint64_t)next)) break;
    }
    (void)BUMP64(listing, l->mod_count, 1);
}

/* Larger ones would have negative indexes. */
bool tape__listing_can_have(const tape__listing_t *l, int64_t cycle)
{
    return cycle >= 0 && cycle <= INT32_MAX && cycle <= INT64_MAX >> l->roll_cycle->shift;
}

typedef struct {
    const tape__listing_t *l;
    int64_t from, below;
    tape__each_cycle_t *each;
    void *user;
    int rc; /* of `each` */
} scan_t;

static int scan_name(void *user, const char *name)
{
    scan_t *s = user;
    int64_t cycle;
    if (!tape__roll_cycle_suffix(name)) return 0;
    if (!tape__roll_cycle_parse(s->l->roll_cycle, s->l->epoch_ms, name, &cycle)) return 0;
    if (cycle < s->from || cycle >= s->below || !tape__listing_can_have(s->l, cycle)) return 0;
    s->rc = s->each(s->user, cycle);
    return s->rc != TAPE_OK;
}

static int scan(const tape__listing_t *l, int64_t from, int64_t below, tape__each_cycle_t *each,
                void *user)
{
    scan_t s = {l, from < 0 ? 0 : from, below, each, user, TAPE_OK};
    int rc = tape__list_directory(l->directory, scan_name, &s);
    return rc < 0 ? tape__fail_errno(-rc, l->directory, "listing the directory") : s.rc;
}

int tape__listing_each(const tape__listing_t *l, int64_t from, int64_t below,
                       tape__each_cycle_t *each, void *user)
{
    if (below > from && (uint64_t)below - (uint64_t)from > TAPE__FEW_NAMES)
        return scan(l, from, below, each, user);
    int rc = TAPE_OK;
    for (int64_t c = from; c < below && rc == TAPE_OK; c++) rc = each(user, c);
    return rc;
}

typedef struct {
    int64_t first, last;
} ends_t;

static int stretch(void *user, int64_t cycle)
{
    ends_t *e = user;
    if (e->first == TAPE__NO_CYCLE || cycle < e->first) e->first = cycle;
    if (e->last == TAPE__NO_CYCLE || cycle > e->last) e->last = cycle;
    return TAPE_OK;
}

int tape__listing_scan(const tape__listing_t *l, int64_t *first, int64_t *last)
{
    ends_t e = {TAPE__NO_CYCLE, TAPE__NO_CYCLE};
    int rc = scan(l, 0, INT64_MAX, stretch, &e);
    if (rc != TAPE_OK) return rc;
    *first = e.first;
    *last = e.last;
    return TAPE_OK;
}

bool tape__listing_path(const tape__listing_t *l, int64_t cycle, char *out, size_t size)
{
    char name[TAPE__NAME_MAX];
    if (!tape__roll_cycle_spell(l->roll_cycle, l->epoch_ms, cycle, name, sizeof name)) return false;
    return (size_t)snprintf(out, size, "%s/%s", l->directory, name) < size;
}

int tape__listing_exists(const tape__listing_t *l, int64_t cycle)
{
    char path[TAPE__PATH_SIZE];
    tape__stat_t st;
    if (!tape__listing_path(l, cycle, path, sizeof path)) return TAPE__NO;
    int rc = tape__stat_path(path, &st);
    if (rc == 0) return tape__answer(!st.is_directory);
    return rc == -ENOENT ? TAPE__NO : tape__fail_errno(-rc, path, "looking for a cycle file");
}

/* ---- the ends, without reading the directory more often than needed ---- */

bool tape__listing_too_fresh(const tape__stat_t *directory, int64_t now_ms)
{
    bool coarse = directory->modified_ns % SECOND_NS == 0;
    return directory->modified_ns + (coarse ? TOO_FRESH_COARSE_NS : TOO_FRESH_NS) >
           (uint64_t)now_ms * 1000000;
}

void tape__listing_begin(tape__listing_t *l)
{
    int64_t lowest = tape__listing_lowest_word(l), highest = tape__listing_highest_word(l);
    tape__stat_t st;
    l->looked_ns = 0;
    /* Java's words for weeks are nonsense (1.8). */
    if (lowest == TAPE__NO_CYCLE || highest < lowest || l->roll_cycle->default_epoch_ms != 0)
        return;
    if (tape__stat_path(l->directory, &st) < 0) return;
    l->first = (uint64_t)lowest;
    l->last = l->seen_highest = (uint64_t)highest;
    l->looked_at = tape__listing_too_fresh(&st, tape__now_ms()) ? 0 : st.modified_ns;
    l->looked_ns = (uint64_t)tape__monotonic_ns();
}

/* order[look]: what was found before when it was; a reader of a torn mixture finds a file that does
 * not exist, or looks again. */
static bool look_is_good(const tape__listing_t *l)
{
    tape__stat_t st;
    uint64_t looked = OBSERVE64(look, &l->looked_ns);
    if (looked == 0 || (uint64_t)tape__monotonic_ns() - looked > LOOK_LASTS_NS) return false;
    /* A cycle was made since: file times may be too coarse to tell. */
    if (l->highest && OBSERVE64(listing, l->highest) != OBSERVE64(look, &l->seen_highest))
        return false;
    return tape__stat_path(l->directory, &st) == 0 &&
           st.modified_ns == OBSERVE64(look, &l->looked_at);
}

/* The words as they should be, by CLAIM from what they were before the look: whoever changed them
 * meanwhile knows better. True when the highest was changed. */
static bool repair(tape__listing_t *l, uint64_t low, uint64_t high, int64_t first, int64_t last)
{
    bool lowered = false, raised = false;
    if (!l->may_repair || first == TAPE__NO_CYCLE) return false;
    if (low != (uint64_t)first) lowered = CLAIM64(listing, l->lowest, low, (uint64_t)first);
    if (high != (uint64_t)last) raised = CLAIM64(listing, l->highest, high, (uint64_t)last);
    if (lowered || raised) (void)BUMP64(listing, l->mod_count, 1);
    return raised;
}

static int look(tape__listing_t *l, int64_t *first, int64_t *last)
{
    tape__stat_t st;
    uint64_t low = l->lowest ? OBSERVE64(listing, l->lowest) : 0;
    uint64_t high = l->highest ? OBSERVE64(listing, l->highest) : 0;
    uint64_t began = (uint64_t)tape__monotonic_ns();
    int64_t now_ms = tape__now_ms();
    int rc = tape__stat_path(l->directory, &st);
    if (rc < 0) return tape__fail_errno(-rc, l->directory, "looking at the directory");
    rc = tape__listing_scan(l, first, last);
    if (rc != TAPE_OK) return rc;
    PUBLISH64(look, &l->first, (uint64_t)*first);
    PUBLISH64(look, &l->last, (uint64_t)*last);
    PUBLISH64(look, &l->looked_at, tape__listing_too_fresh(&st, now_ms) ? 0 : st.modified_ns);
    PUBLISH64(look, &l->looked_ns, began);
    PUBLISH64(look, &l->scanned, 1);
    PUBLISH64(look, &l->seen_highest, high);
    if (repair(l, low, high, *first, *last)) PUBLISH64(look, &l->seen_highest, (uint64_t)*last);
    return TAPE_OK;
}

int tape__listing_ends(tape__listing_t *l, int64_t *first, int64_t *last)
{
    int64_t lowest = TAPE__NO_CYCLE, highest = TAPE__NO_CYCLE;
    if (look_is_good(l)) {
        lowest = (int64_t)OBSERVE64(look, &l->first);
        highest = (int64_t)OBSERVE64(look, &l->last);
        int good = TAPE__YES;
        if (first && lowest != TAPE__NO_CYCLE) good = tape__listing_exists(l, lowest);
        if (good == TAPE__YES && last && highest != TAPE__NO_CYCLE)
            good = tape__listing_exists(l, highest);
        if (good < 0) return good;
        if (good == TAPE__YES) {
            if (first) *first = lowest;
            if (last) *last = highest;
            return TAPE_OK;
        }
    }
    int rc = look(l, &lowest, &highest);
    if (first) *first = lowest;
    if (last) *last = highest;
    return rc;
}

int tape__listing_refresh(tape__listing_t *l)
{
    int64_t first, last;
    int rc = look(l, &first, &last);
    if (rc == TAPE_OK && l->may_repair) (void)BUMP64(listing, l->mod_count, 1); /* as Java does */
    return rc;
}

/* ---- from one cycle to the next ---- */

static bool is_nearer(const tape__neighbours_t *n, int64_t a, int64_t b)
{
    return n->above ? a < b : a > b;
}

/* Keeps the nearest ones, sorted. */
static int gather(void *user, int64_t cycle)
{
    tape__neighbours_t *n = user;
    if (is_nearer(n, cycle, n->from)) return TAPE_OK; /* on the other side */
    int at = n->count;
    if (at == TAPE__NEIGHBOURS_MAX && !is_nearer(n, cycle, n->cycles[--at])) return TAPE_OK;
    for (; at > 0 && is_nearer(n, cycle, n->cycles[at - 1]); at--)
        n->cycles[at] = n->cycles[at - 1];
    n->cycles[at] = cycle;
    if (n->count < TAPE__NEIGHBOURS_MAX) n->count++;
    return TAPE_OK;
}

static bool look_up(const tape__neighbours_t *n, int64_t from, int64_t *cycle)
{
    for (int i = 0; i < n->count; i++)
        if (!is_nearer(n, n->cycles[i], from)) {
            *cycle = n->cycles[i];
            return true;
        }
    return false;
}

/* Whether what was kept tells. */
static bool is_known(const tape__listing_t *l, const tape__neighbours_t *n, bool above,
                     int64_t from, int64_t *cycle)
{
    tape__stat_t st;
    return n && n->above == above && n->modified_ns != 0 && !is_nearer(n, from, n->from) &&
           tape__stat_path(l->directory, &st) == 0 && st.modified_ns == n->modified_ns &&
           look_up(n, from, cycle);
}

static int read_directory(const tape__listing_t *l, tape__neighbours_t **keep, bool above,
                          int64_t from, int64_t *cycle)
{
    tape__neighbours_t here, *n = &here;
    tape__stat_t st = {.modified_ns = 0};
    int64_t now_ms = tape__now_ms();
    if (keep && !*keep) *keep = tape__alloc(sizeof **keep);
    if (keep && *keep) n = *keep; /* else it is not kept */
    n->above = above;
    n->from = from;
    n->count = 0;
    n->modified_ns = 0;
    bool known = tape__stat_path(l->directory, &st) == 0;
    int rc = scan(l, 0, INT64_MAX, gather, n);
    if (rc != TAPE_OK) return rc;
    if (known && !tape__listing_too_fresh(&st, now_ms)) n->modified_ns = st.modified_ns;
    if (!look_up(n, from, cycle)) *cycle = TAPE__NO_CYCLE;
    return TAPE_OK;
}

int tape__listing_above(tape__listing_t *l, int64_t from, tape__neighbours_t **keep,
                        int64_t *cycle)
{
    int64_t highest;
    *cycle = TAPE__NO_CYCLE;
    if (keep && is_known(l, *keep, true, from, cycle)) return TAPE_OK;
    int rc = tape__listing_ends(l, NULL, &highest);
    /* A file may have been there, unlisted, when the queue was opened: before a tailer is told that
     * there is nothing further on, the directory has been read once. */
    if (rc == TAPE_OK && highest < from && !OBSERVE64(look, &l->scanned)) {
        int64_t lowest;
        rc = look(l, &lowest, &highest);
    }
    if (rc != TAPE_OK || highest == TAPE__NO_CYCLE || highest < from) return rc;
    if (from < 0) from = 0;
    for (int64_t c = from; c <= highest && c < from + TAPE__FEW_NAMES; c++)
        if ((rc = tape__listing_exists(l, c)) != TAPE__NO) {
            *cycle = c;
            return rc < 0 ? rc : TAPE_OK;
        }
    return read_directory(l, keep, true, from, cycle);
}

int tape__listing_below(tape__listing_t *l, int64_t from, tape__neighbours_t **keep,
                        int64_t *cycle)
{
    int64_t lowest;
    *cycle = TAPE__NO_CYCLE;
    if (keep && is_known(l, *keep, false, from, cycle)) return TAPE_OK;
    int rc = tape__listing_ends(l, &lowest, NULL);
    if (rc != TAPE_OK || lowest == TAPE__NO_CYCLE || lowest > from) return rc;
    for (int64_t c = from; c >= lowest && c > from - TAPE__FEW_NAMES; c--)
        if ((rc = tape__listing_exists(l, c)) != TAPE__NO) {
            *cycle = c;
            return rc < 0 ? rc : TAPE_OK;
        }
    return read_directory(l, keep, false, from, cycle);
}
