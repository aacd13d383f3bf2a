/* excerpt_index.c - see excerpt_index.h. */
#include "file/excerpt_index.h"

#include <string.h>

#include "base/atomics.h"
#include "base/bytes.h"
#include "base/error.h"
#include "file/excerpt.h"
#include "format/wire.h"

/* So many entries and pages that lead nowhere are tried. A damaged index could have 2^40 of them;
 * one walks then from the first document, which is slow at worst, and right. */
enum { TRIES_MAX = 64 };
/* No window of a reader is smaller, so looking at an entry stays within what it may map. */
enum { PROBE_WINDOW = 64 << 10 };

/* Opens the array document at `position` through `w`; *first is the offset of its first element,
 * and `used` stands 8 bytes before it. TAPE_OK, TAPE__BEYOND_END (no such document), or a code. */
static int open_array(tape__cycle_store_t *s, tape__window_t *w, uint64_t position,
                      const char *event, uint64_t *first)
{
    if (position < s->first_document || (s->aligned && position % 4 != 0)) return TAPE__BEYOND_END;
    const uint64_t bound = tape__excerpt_index_bound(s->index_count);
    int rc = tape__window_cover(w, &s->file, position, 4, bound);
    if (rc != TAPE_OK) return rc;
    uint32_t word = tape__excerpt_observe(tape__window_at(w, position), s->aligned);
    uint64_t length = tape__word_length(word);
    if (tape__word_kind(word) != TAPE__WORD_META || length > bound)
        return TAPE__BEYOND_END;
    rc = tape__window_cover(w, &s->file, position, 4 + length, bound);
    if (rc != TAPE_OK) return rc;
    tape__wire_t in = {tape__window_at(w, position + 4), (size_t)length, 0, position + 4};
    tape__text_t name;
    tape__wire_array_t array;
    if (!tape__wire_name(&in, &name) || !tape__wire_is(name, event) ||
        !tape__wire_array(&in, &array) || array.capacity != (uint64_t)s->index_count)
        return TAPE__BEYOND_END;
    *first = array.position;
    return tape__mapping_make_readable(&s->file, w, position, 4 + length);
}

/* The windows `outer` and `page` are moved only here, so what was found in them stays found. */
int tape__excerpt_index_open_outer(tape__cycle_store_t *s, uint64_t *first)
{
    *first = s->outer_first;
    if (*first) return TAPE_OK;
    uint64_t position = OBSERVE64(index_entry, tape__window_u64(&s->head, s->index2index_at));
    if (position == 0) return TAPE__BEYOND_END;
    int rc = open_array(s, &s->outer, position, "index2index", first);
    if (rc == TAPE_OK) s->outer_first = *first;
    return rc;
}

/* Where index2index says that page `page` is; 0: there is none. */
static uint64_t page_position(const tape__cycle_store_t *s, uint64_t outer, int64_t page)
{
    return OBSERVE64(index_entry, tape__excerpt_index_page_cell(s, outer, page));
}

/* Opens page `page`. */
int tape__excerpt_index_open_page(tape__cycle_store_t *s, int64_t page, uint64_t *first)
{
    uint64_t outer;
    *first = s->page_first;
    if (*first && s->page_number == page) return TAPE_OK;
    if (page < 0 || page >= s->index_count) return TAPE__BEYOND_END;
    int rc = tape__excerpt_index_open_outer(s, &outer);
    if (rc != TAPE_OK) return rc;
    uint64_t position = page_position(s, outer, page);
    if (position == 0) return TAPE__BEYOND_END;
    s->page_first = 0; /* the window moves */
    rc = open_array(s, &s->page, position, "index", first);
    if (rc != TAPE_OK) return rc;
    s->page_number = page;
    s->page_first = *first;
    return TAPE_OK;
}

/* Whether an entry can be started from, as the position of a complete message that can have this
 * sequence: an answer. */
static int is_message(tape__cycle_store_t *s, tape__window_t *w, uint64_t position,
                      int64_t sequence)
{
    tape__cursor_t c = {position, 0, 0};
    if (!tape__cycle_store_has_room(s, position, sequence)) return TAPE__NO;
    if (s->aligned && position % 4 != 0) return TAPE__NO;
    int rc = tape__cycle_store_observe(s, w, &c, PROBE_WINDOW);
    if (rc == TAPE_ECORRUPT) return TAPE__NO;
    return rc == TAPE_OK ? tape__answer(tape__word_kind(c.word) == TAPE__WORD_DATA) : rc;
}

/* Whether an entry of the open page stands between its neighbours, as far as these are made: who
 * wrote over one has to hit upon a place of these messages to lead astray unseen. */
static bool is_in_order(const tape__cycle_store_t *s, uint64_t first, int64_t column,
                        uint64_t position)
{
    const uint64_t at = first + (uint64_t)column * TAPE__ENTRY_SIZE;
    if (column > 0 &&
        OBSERVE64(index_entry, tape__window_u64(&s->page, at - TAPE__ENTRY_SIZE)) >= position)
        return false;
    if (column + 1 >= s->index_count) return true;
    const uint64_t next =
        OBSERVE64(index_entry, tape__window_u64(&s->page, at + TAPE__ENTRY_SIZE));
    return next == 0 || next > position;
}

/* A look-up on its way. */
typedef struct {
    tape__window_t *window; /* for looking at messages */
    int tries;          /* left; see TRIES_MAX */
    int code;           /* of a call that failed: then nothing is known */
    bool in_order;      /* what does not stand between its neighbours is passed over */
    uint64_t led_nowhere; /* where the first word stands that is neither 0 nor right; 0: none */
} search_t;

/* Notes a word that leads nowhere; false when that was the last try. */
static bool may_go_on(search_t *search, uint64_t at)
{
    if (search->led_nowhere == 0) search->led_nowhere = at;
    return --search->tries > 0;
}

/* The last entry of the page that `page` shows, from *entry (of the whole index) back, that is the
 * position of a message. False when there is none, or the tries are used up. */
static bool last_entry(tape__cycle_store_t *s, uint64_t first, int64_t *entry, search_t *search,
                       uint64_t *position)
{
    int64_t column = *entry & (s->index_count - 1);
    for (; column >= 0; column--, --*entry) {
        uint64_t at = first + (uint64_t)column * TAPE__ENTRY_SIZE;
        /* order[index_entry]: the message before its entry. */
        *position = OBSERVE64(index_entry, tape__window_u64(&s->page, at));
        if (*position == 0) continue;
        int rc = !search->in_order || is_in_order(s, first, column, *position)
                     ? is_message(s, search->window, *position, *entry * s->index_spacing)
                     : TAPE__NO;
        if (rc < 0) search->code = rc;
        if (rc == TAPE__YES) return true;
        if (rc < 0 || !may_go_on(search, at)) return false;
    }
    search->tries--; /* a page without an entry */
    return false;
}

static int find(tape__cycle_store_t *s, int64_t sequence, search_t *search, tape__cursor_t *out)
{
    *out = (tape__cursor_t){s->first_document, 0, 0};
    if (sequence < 0) return TAPE_OK;
    int64_t entry = sequence / s->index_spacing, page = s->index_count - 1;
    if (entry / s->index_count < s->index_count) page = entry / s->index_count;
    else entry = s->index_count * s->index_count - 1;
    uint64_t outer, first, position;
    int rc = tape__excerpt_index_open_outer(s, &outer);
    for (; rc == TAPE_OK && page >= 0 && search->tries > 0;
         entry = page-- * s->index_count - 1) {
        if (page_position(s, outer, page) == 0) continue;
        rc = tape__excerpt_index_open_page(s, page, &first);
        if (rc == TAPE_OK && last_entry(s, first, &entry, search, &position)) {
            out->position = position;
            out->sequence = entry * s->index_spacing;
            return TAPE_OK;
        }
        if (search->code < 0) return search->code;
        if (rc == TAPE__BEYOND_END) {
            may_go_on(search, outer + (uint64_t)page * TAPE__ENTRY_SIZE);
            rc = TAPE_OK;
        }
    }
    return rc < 0 ? rc : TAPE_OK;
}

int tape__excerpt_index_find(tape__cycle_store_t *s, tape__window_t *w, int64_t sequence,
                             tape__cursor_t *out)
{
    search_t search = {w, TRIES_MAX, TAPE_OK, true, 0};
    return find(s, sequence, &search, out);
}

int tape__excerpt_index_find_sound(tape__cycle_store_t *s, tape__window_t *w, int64_t sequence,
                                   tape__cursor_t *out)
{
    /* A wrong entry for a message to come harms nobody before it is needed. */
    search_t search = {w, TRIES_MAX, TAPE_OK, false, 0};
    int rc = find(s, sequence, &search, out);
    if (rc != TAPE_OK || search.led_nowhere == 0) return rc;
    return tape__cycle_store_bad(s, search.led_nowhere,
                                 "an entry of the index leads to no message");
}

int64_t tape__excerpt_index_next(const tape__cycle_store_t *s)
{
    return (int64_t)OBSERVE64(index_entry, tape__window_u64(&s->head, s->last_index_at));
}
