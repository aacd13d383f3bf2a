/* excerpt_index.h - index2index and index pages: sequence -> position (format.md 6).
 *
 *     index2index   event, i64 array: entry i -> position of page i, or 0
 *     page i        event, i64 array: entry j -> position of message (i*count + j) * spacing, or 0
 *
 * Validity: an entry that is not 0 is right; any may be 0 (foreign writers, deaths), then one walks
 * from an earlier one. `used` of an array is 1 + its highest filled entry.
 * Writers: with the write lock held, after the message was published: entry, then `used`, because
 * Java's readers make a page for a 0 below `used` (6.2).
 */
#ifndef TAPE_EXCERPT_INDEX_H
#define TAPE_EXCERPT_INDEX_H

#include "file/cycle_store.h"

/* The nearest indexed message at or before `sequence`; the first document when there is none. A
 * damaged index is ignored: the walk is then longer, not wrong. Entries are looked after through
 * `w`, by which the caller then walks on. */
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

/* Bytes that an index page takes in the file, header word and padding included. */
uint64_t tape__excerpt_index_page_size(const tape__cycle_store_t *s);
/* Whether message `sequence` needs a page that does not exist; 1, 0 or a code. */
int tape__excerpt_index_needs_page(tape__cycle_store_t *s, int64_t sequence);
/* TAPE_ECORRUPT when message `sequence`, which is not written yet, seems to have an entry, or its
 * page is none: readers would be led astray once it is written. */
int tape__excerpt_index_check_free(tape__cycle_store_t *s, int64_t sequence);
/* Puts page number `page` at `position` (reserved room, header word 0) through `w`; returns TAPE_OK
 * and the position of the next header. */
int tape__excerpt_index_add_page(tape__cycle_store_t *s, tape__window_t *w, int64_t page,
                                 uint64_t *position);
/* Stores where message `sequence` is; its page exists. Raises lastIndex. */
int tape__excerpt_index_add(tape__cycle_store_t *s, int64_t sequence, uint64_t position);
/* lastIndex: the sequence that gets the next entry. */
int64_t tape__excerpt_index_next(tape__cycle_store_t *s);

/* Writes an empty array document (index2index or index) at offset `at` of a file being built;
 * returns the offset of its first element. */
uint64_t tape__excerpt_index_put(uint8_t *file, size_t capacity, uint64_t *at, const char *event,
                                 int64_t count);

#endif
