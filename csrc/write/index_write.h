/* index_write.h - adding to index2index and index pages; see file/excerpt_index.h. */
#ifndef TAPE_INDEX_WRITE_H
#define TAPE_INDEX_WRITE_H

#include "file/excerpt_index.h"
#include "write/write_lock.h"

/* Whether message `sequence` needs a page that does not exist: an answer. */
int tape__index_write_needs_page(tape__cycle_store_t *s, int64_t sequence);
/* TAPE_ECORRUPT when message `sequence`, which is not written yet, seems to have an entry, or its
 * page is none: readers would be led astray once it is written. */
int tape__index_write_check_free(tape__cycle_store_t *s, int64_t sequence);

/* Length of the document that an index page at `position` is. */
uint32_t tape__index_write_page_length(const tape__cycle_store_t *s, uint64_t position);
/* Puts page number `page` at `position` through `w`: room for it and the next header word, and both
 * that word and the page's are 0. TAPE_OK and the position of the next header; TAPE_ETAKEN when our
 * lock was broken meanwhile; or another code. */
int tape__index_write_add_page(tape__cycle_store_t *s, tape__window_t *w,
                               const tape__write_lock_t *lock, int64_t page, uint64_t *position);
/* Stores where message `sequence` is; its page exists. Raises lastIndex. */
int tape__index_write_add(tape__cycle_store_t *s, int64_t sequence, uint64_t position);

/* Writes an empty array document (index2index or index) at offset `at` of a file being built;
 * returns the offset of its first element. */
uint64_t tape__index_write_put(uint8_t *file, size_t capacity, uint64_t *at, const char *event,
                               int64_t count);

/* Whether tape__index_write_add() of a message to come maps and reserves nothing, and finds its
 * place free. */
static inline bool tape__index_write_is_at_hand(const tape__cycle_store_t *s, int64_t sequence)
{
    const int64_t entry = sequence / s->index_spacing;
    if (!s->outer_first || !s->page_first || s->page_number != entry / s->index_count ||
        s->page_reserved != s->page_number + 1)
        return false;
    const uint64_t at = s->page_first + (uint64_t)(entry % s->index_count) * 8;
    return PEEK64(index_entry, tape__window_u64(&s->page, at)) == 0;
}

#endif
