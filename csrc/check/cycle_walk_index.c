/* cycle_walk_index.c - the index against the messages that the walk meets (format.md 6). */
#include <inttypes.h>
#include <stdlib.h>

#include "check/cycle_walk.h"
#include "file/excerpt_index.h"

/* Positions are below 2^62: the highest bit marks a page that the walk has met. */
#define MET (UINT64_C(1) << 63)

static void bad_array(tape__cycle_walk_t *w, tape__found_t kind, uint64_t at, const char *name,
                      uint64_t position, const char *why)
{
    tape__findings_add(w->f, kind, TAPE_DAMAGE, (int64_t)at, -1, "%s at 0x%" PRIx64 ": %s", name,
                       position, why);
}

static int by_position(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static void open_pages(tape__cycle_walk_t *w)
{
    w->pages = tape__alloc((size_t)w->root.capacity * sizeof *w->pages);
    if (!w->pages) return;
    for (int64_t n = 0; n < w->root.capacity; n++) {
        const uint64_t at = tape__cycle_look_entry(&w->root, n);
        if (at != 0 && at < MET) w->pages[w->page_count++] = at;
    }
    qsort(w->pages, (size_t)w->page_count, sizeof *w->pages, by_position);
    for (int64_t n = 1; n < w->page_count; n++)
        if (w->pages[n] == w->pages[n - 1])
            bad_array(w, TAPE__FOUND_INDEX_PAGE, w->root.position, "an index page", w->pages[n],
                      "index2index names it twice");
}

void tape__cycle_walk_open_index(tape__cycle_walk_t *w)
{
    const uint64_t cell = w->look.store.index2index_at;
    const uint64_t at = tape__file_bytes_u64(&w->look.in, cell);
    w->no_root = at == 0;
    if (w->no_root) return;
    const char *why = tape__cycle_look_array(&w->look, &w->root, "index2index", at);
    if (why) bad_array(w, TAPE__FOUND_INDEX_ROOT, cell, "index2index", at, why);
    else w->has_root = true;
    if (w->has_root) open_pages(w);
}

/* ---- used ---- */

static int64_t filled(const tape__index_array_t *a)
{
    for (int64_t n = a->capacity; n > 0; n--)
        if (tape__cycle_look_entry(a, n - 1)) return n;
    return 0;
}

/* A writer may have gone on since the array was read; `used` is raised after the entry, and may be
 * behind for a moment. */
static void check_used(tape__cycle_walk_t *w, tape__index_array_t *a, const char *name,
                       const char *event)
{
    for (int look = 0; look < 3 && a->used != (uint64_t)filled(a); look++) {
        if (look > 0 && !w->facts->at_rest) tape__sleep_ns(1000000);
        if (tape__cycle_look_array(&w->look, a, event, a->position)) return;
    }
    const int64_t most = filled(a);
    if (a->used == (uint64_t)most || (w->moving && a->used < (uint64_t)most)) return;
    tape__findings_add(w->f, TAPE__FOUND_INDEX_USED,
                       a->used < (uint64_t)most ? TAPE_UNFINISHED : TAPE_DAMAGE,
                       (int64_t)a->first - 8, -1,
                       "%s: used is %" PRIu64 ", the entries make it %" PRId64, name, a->used,
                       most);
}

/* Whether somebody wrote behind the end that the walk found: what was read since may be newer. */
static bool went_on(tape__cycle_walk_t *w)
{
    if (w->end_word != 0) return false;
    tape__file_bytes_refresh(&w->look.in);
    if (tape__file_bytes_u32(&w->look.in, w->at) != 0) w->moving = true;
    return w->moving;
}

/* ---- entries ---- */

static int64_t entry_index(const tape__cycle_walk_t *w, int64_t sequence)
{
    return tape__index(w->facts->roll_cycle, w->facts->cycle, sequence);
}

/* Entries of the page in hand for messages that there are not. */
static void check_rest(tape__cycle_walk_t *w)
{
    const tape__cycle_store_t *s = &w->look.store;
    for (int64_t n = 0; n < w->page.capacity; n++) {
        const int64_t sequence = (w->page_number * s->index_count + n) * s->index_spacing;
        if (sequence < w->count || tape__cycle_look_entry(&w->page, n) == 0) continue;
        tape__findings_add(w->f, TAPE__FOUND_INDEX_ENTRY, TAPE_DAMAGE,
                           (int64_t)(w->page.first + (uint64_t)n * 8), -1,
                           "an entry for message %" PRId64 ", and there are %" PRId64, sequence,
                           w->count);
    }
}

static void leave_page(tape__cycle_walk_t *w)
{
    if (w->page_number >= 0 && w->page.position) check_used(w, &w->page, "an index page", "index");
}

/* Reads the page of message `count`. False when there is none that can be used. */
static bool take_page(tape__cycle_walk_t *w, int64_t number)
{
    if (w->page_number == number && w->page.position) return true;
    if (w->page_number != number) {
        leave_page(w);
        w->page_number = number;
        w->page.position = 0;
    } else if (!w->moving && (w->words.last_index > w->last_index) == 0) {
        return false; /* told before */
    }
    if (number >= w->root.capacity) return false;
    const uint64_t cell = w->root.first + (uint64_t)number * 8;
    const uint64_t at = tape__file_bytes_u64(&w->look.in, cell);
    if (at == 0) return false;
    const char *why = tape__cycle_look_array(&w->look, &w->page, "index", at);
    if (why) bad_array(w, TAPE__FOUND_INDEX_PAGE, cell, "an index page", at, why);
    return !why;
}

static void missing(tape__cycle_walk_t *w, int64_t sequence, uint64_t position)
{
    const int64_t at = w->page.position ? (int64_t)w->page.first : -1;
    tape__findings_add(w->f, TAPE__FOUND_INDEX_MISSING, TAPE_DAMAGE, at,
                       entry_index(w, sequence),
                       "no entry for message %" PRId64 " at 0x%" PRIx64, sequence, position);
}

static void late(tape__cycle_walk_t *w, int64_t sequence, uint64_t position)
{
    if (w->late_count == TAPE__CYCLE_WALK_LATE) {
        w->late_more = true;
        return;
    }
    w->late[w->late_count] = sequence;
    w->late_position[w->late_count++] = position;
}

void tape__cycle_walk_index_message(tape__cycle_walk_t *w)
{
    const tape__cycle_store_t *s = &w->look.store;
    const int64_t entry = w->count / s->index_spacing, number = entry / s->index_count;
    if (!w->has_root) return;
    const bool page = take_page(w, number);
    const uint64_t at = w->page.first + (uint64_t)(entry % s->index_count) * 8;
    uint64_t got = page ? tape__cycle_look_entry(&w->page, entry % s->index_count) : 0;
    if (page && got != w->at) got = tape__file_bytes_u64(&w->look.in, at); /* as it is now */
    if (got == w->at) return;
    if (got != 0)
        tape__findings_add(w->f, TAPE__FOUND_INDEX_ENTRY, TAPE_DAMAGE, (int64_t)at,
                           entry_index(w, w->count), "the entry of message %" PRId64
                           " is 0x%" PRIx64 ", and it lies at 0x%" PRIx64, w->count, got, w->at);
    else if ((uint64_t)w->count >= w->last_index)
        late(w, w->count, w->at);
    else
        missing(w, w->count, w->at);
}

void tape__cycle_walk_index_document(tape__cycle_walk_t *w, uint32_t length)
{
    const int kind = tape__cycle_look_kind(&w->look, w->at, length);
    if (kind == 0 || !w->has_root) return;
    if (kind == 2 && w->at == w->root.position) return;
    uint64_t *found = NULL;
    if (kind == 1 && w->pages)
        for (int64_t low = 0, high = w->page_count; low < high && !found;) {
            const int64_t middle = low + (high - low) / 2;
            const uint64_t at = w->pages[middle] & ~MET;
            if (at == w->at) found = &w->pages[middle];
            else if (at < w->at) low = middle + 1;
            else high = middle;
        }
    if (found) *found |= MET;
    else if (!w->moving && w->last_index >= (uint64_t)w->count)
        tape__findings_add(w->f, TAPE__FOUND_INDEX_ORPHAN, TAPE_NOTE, (int64_t)w->at, -1,
                           "an index page that nothing leads to");
}

/* ---- after the walk ---- */

bool tape__cycle_walk_index_is_whole(tape__cycle_walk_t *w)
{
    const tape__cycle_store_t *s = &w->look.store;
    int kept = 0;
    if (!w->has_root) return true;
    for (int i = 0; i < w->late_count; i++) {
        const int64_t entry = w->late[i] / s->index_spacing, number = entry / s->index_count;
        const uint64_t page =
            number < w->root.capacity
                ? tape__file_bytes_u64(&w->look.in, w->root.first + (uint64_t)number * 8) : 0;
        tape__index_array_t a = {.body = NULL};
        uint64_t got = 0;
        if (page && !tape__cycle_look_array(&w->look, &a, "index", page))
            got = tape__cycle_look_entry(&a, entry % s->index_count);
        tape__free(a.body);
        if (got == w->late_position[i]) continue;
        w->late[kept] = w->late[i];
        w->late_position[kept++] = w->late_position[i];
    }
    w->late_count = kept;
    return kept == 0 && !w->late_more;
}

/* The page in hand as it is now: entries may have been added since it was read. */
static void look_at_last_page(tape__cycle_walk_t *w)
{
    const uint64_t at = w->page.position;
    if (!at || w->moving || tape__cycle_look_array(&w->look, &w->page, "index", at)) return;
    if (went_on(w)) return;
    check_used(w, &w->page, "the last index page", "index");
    check_rest(w);
}

static void tell_pages(tape__cycle_walk_t *w)
{
    const tape__cycle_store_t *s = &w->look.store;
    const int64_t entries = (w->count + s->index_spacing - 1) / s->index_spacing;
    const int64_t needed = (entries + s->index_count - 1) / s->index_count;
    for (int64_t n = 0; n < w->page_count; n++)
        if (!(w->pages[n] & MET) && !w->broken)
            bad_array(w, TAPE__FOUND_INDEX_PAGE, w->root.position, "an index page", w->pages[n],
                      "the chain of documents does not pass it");
    for (int64_t n = needed > 1 ? needed : 1; n < w->root.capacity && !w->moving; n++) {
        const uint64_t at = tape__cycle_look_entry(&w->root, n);
        if (at == 0) continue;
        w->page_number = n;
        const char *why = tape__cycle_look_array(&w->look, &w->page, "index", at);
        if (why) bad_array(w, TAPE__FOUND_INDEX_PAGE, w->root.first + (uint64_t)n * 8,
                           "an index page", at, why);
        else check_rest(w);
    }
}

void tape__cycle_walk_tell_index(tape__cycle_walk_t *w)
{
    const int64_t cell = (int64_t)w->look.store.index2index_at;
    if (w->no_root && !w->moving)
        tape__findings_add(w->f, w->count ? TAPE__FOUND_INDEX_MISSING : TAPE__FOUND_INDEX_ROOT,
                           w->count ? TAPE_DAMAGE : TAPE_NOTE, cell, -1, "there is no index2index");
    if (!w->has_root) return;
    if (w->broken) return; /* entries behind the break are no fault of the index */
    if (w->count == 0) (void)take_page(w, 0);
    for (int i = 0; i < w->late_count && !w->moving; i++) {
        const bool last = w->late[i] + w->look.store.index_spacing >= w->count;
        if (last && w->words.last_index == (uint64_t)w->late[i]) continue; /* told by lastIndex */
        missing(w, w->late[i], w->late_position[i]);
    }
    look_at_last_page(w);
    const uint64_t at = w->root.position;
    const char *why = tape__cycle_look_array(&w->look, &w->root, "index2index", at);
    if (why && !w->look.in.failure && !went_on(w))
        bad_array(w, TAPE__FOUND_INDEX_ROOT, (uint64_t)cell, "index2index", at, why);
    if (!why && !went_on(w)) check_used(w, &w->root, "index2index", "index2index");
    if (w->root.position) tell_pages(w); /* else it could be read before, and not again */
}
