/* excerpt_index.h - index2index and index pages: sequence -> position (format.md 6).
 *
 *     index2index   event, i64 array: entry i -> position of page i, or 0
 *     page i        event, i64 array: entry j -> position of message (i*count + j) * spacing, or 0
 *
 * Validity: an entry that is not 0 is right; any may be 0 (foreign writers, deaths), then one walks
 * from an earlier one. `used` of an array is 1 + its highest filled entry.
 * Writers (write/index_write.h): with the write lock held, after the message was published: entry,
 * then `used`, because Java's readers make a page for a 0 below `used` (6.2).
 */
#ifndef TAPE_EXCERPT_INDEX_H
#define TAPE_EXCERPT_INDEX_H

#include "file/cycle_store.h"

/* The nearest indexed message at or before `sequence`; the first document when there is none. What
 * leads to no message, or out of order, is passed over: the walk is then longer. An entry that
 * leads to another message between its neighbours is not seen here: cycle_chain.h tells where a
 * walk ends as it should, and `tape verify` all. Entries are looked after through `w`, by which the
 * caller then walks on. */
int tape__excerpt_index_find(tape__cycle_store_t *s, tape__window_t *w, int64_t sequence,
                             tape__cursor_t *out);

/* The same for those who will write behind: TAPE_ECORRUPT when an entry or page was passed that
 * leads nowhere. It may lead to a message that is written later. */
int tape__excerpt_index_find_sound(tape__cycle_store_t *s, tape__window_t *w, int64_t sequence,
                                   tape__cursor_t *out);

/* Whether message `sequence` gets an entry. */
static inline bool tape__excerpt_index_wants(const tape__cycle_store_t *s, int64_t sequence)
{
    return (sequence & (s->index_spacing - 1)) == 0;
}
/* Whether the index has no room for it: the cycle is full. */
static inline bool tape__excerpt_index_full(const tape__cycle_store_t *s, int64_t sequence)
{
    return sequence / s->index_spacing / s->index_count >= s->index_count;
}

/* lastIndex: the sequence that gets the next entry. */
int64_t tape__excerpt_index_next(const tape__cycle_store_t *s);

/* ---- for who adds entries (write/index_write.h) ---- */

enum {
    TAPE__ENTRY_SIZE = 8,
    TAPE__USED_SIZE = 8, /* `used`, directly before the elements */
    TAPE__ARRAY_HEAD_MAX = 64 /* of index2index and of a page: event name, padding and counts */
};
/* Largest document that an array of so many entries can be. */
static inline uint64_t tape__excerpt_index_bound(int64_t index_count)
{
    return (uint64_t)index_count * TAPE__ENTRY_SIZE + TAPE__ARRAY_HEAD_MAX;
}
/* Open index2index and page number `page`; *first is the offset of the first element in the window
 * `outer` or `page` of the store, and `used` stands 8 bytes before it. TAPE_OK, TAPE__BEYOND_END
 * (there is none) or a code. */
int tape__excerpt_index_open_outer(tape__cycle_store_t *s, uint64_t *first);
int tape__excerpt_index_open_page(tape__cycle_store_t *s, int64_t page, uint64_t *first);
/* In the open index2index, the word that leads to page number `page`. */
static inline uint64_t *tape__excerpt_index_page_cell(const tape__cycle_store_t *s, uint64_t outer,
                                                      int64_t page)
{
    return tape__window_u64(&s->outer, outer + (uint64_t)page * TAPE__ENTRY_SIZE);
}

#endif
