/* index_write.c - see index_write.h. */
#include "write/index_write.h"

#include <inttypes.h>

#include "base/atomics.h"
#include "base/bytes.h"
#include "base/error.h"
#include "base/sync_point.h"
#include "file/excerpt.h"
#include "format/wire.h"

uint64_t tape__index_write_put(uint8_t *file, size_t capacity, uint64_t *at, const char *event,
                               int64_t count)
{
    tape__wire_out_t o = {file + *at + 4, capacity - (size_t)*at - 4, 0, *at + 4, false};
    tape__wire_put_event(&o, event);
    uint64_t first = tape__wire_put_array(&o, (uint64_t)count);
    if (o.overflow) return 0;
    tape__put_u32(file + *at, TAPE__META_DATA | (uint32_t)o.at);
    *at = tape__word_next(*at, (uint32_t)o.at, true);
    return first;
}

/* The blocks of an array, from `used` on. */
static int reserve_array(tape__cycle_store_t *s, const tape__window_t *w, uint64_t first)
{
    return tape__mapping_reserve(&s->file, w, first - TAPE__USED_SIZE,
                                 TAPE__USED_SIZE + (uint64_t)s->index_count * TAPE__ENTRY_SIZE);
}

/* An index page and index2index of a file that Java made are holes for the most part; who writes
 * there needs their blocks first. Once a page. */
static int reserve(tape__cycle_store_t *s, int64_t page, uint64_t first)
{
    uint64_t outer;
    if (s->page_reserved == page + 1) return TAPE_OK;
    int rc = reserve_array(s, &s->page, first);
    if (rc == TAPE_OK && tape__excerpt_index_open_outer(s, &outer) == TAPE_OK)
        rc = reserve_array(s, &s->outer, outer);
    if (rc == TAPE_OK) s->page_reserved = page + 1;
    return rc;
}

int tape__index_write_needs_page(tape__cycle_store_t *s, int64_t sequence)
{
    uint64_t outer;
    int64_t page = sequence / s->index_spacing / s->index_count;
    /* A full index: the caller has refused, or counts on. */
    if (page >= s->index_count) return TAPE__NO;
    int rc = tape__excerpt_index_open_outer(s, &outer);
    if (rc == TAPE__BEYOND_END) return TAPE__NO; /* no index at all: readers walk (6.2) */
    if (rc < 0) return rc;
    return tape__answer(PEEK64(index_entry, tape__excerpt_index_page_cell(s, outer, page)) == 0);
}

int tape__index_write_check_free(tape__cycle_store_t *s, int64_t sequence)
{
    uint64_t first, outer;
    int64_t entry = sequence / s->index_spacing, page = entry / s->index_count;
    int rc = tape__excerpt_index_open_page(s, page, &first);
    if (rc == TAPE__BEYOND_END) {
        rc = tape__excerpt_index_open_outer(s, &outer);
        if (rc != TAPE_OK) return rc < 0 ? rc : TAPE_OK; /* no index at all */
        return tape__cycle_store_bad(s, outer + (uint64_t)page * TAPE__ENTRY_SIZE,
                                     "an entry of index2index leads to no page");
    }
    if (rc == TAPE_OK) rc = reserve(s, page, first); /* before the message is written */
    if (rc < 0) return rc;
    uint64_t at = first + (uint64_t)(entry % s->index_count) * TAPE__ENTRY_SIZE;
    if (PEEK64(index_entry, tape__window_u64(&s->page, at)) == 0) return TAPE_OK;
    return tape__cycle_store_bad(s, at,
                                 "the index has an entry for a message that is not written yet");
}

/* ---- pages ---- */

/* Event name and counts before the elements: 8 bytes each but for the padding, which depends on
 * where the document stands. */
uint32_t tape__index_write_page_length(const tape__cycle_store_t *s, uint64_t position)
{
    uint8_t head[TAPE__ARRAY_HEAD_MAX];
    tape__wire_out_t o = {head, sizeof head, 0, position + 4, false};
    tape__wire_put_event(&o, "index");
    tape__wire_put_array(&o, 0);
    return (uint32_t)(o.at + (uint64_t)s->index_count * TAPE__ENTRY_SIZE);
}

/* Java's and our own readers never see these words shrink: a writer whose lock was broken just
 * before sets nothing back. Signed, as in Java: a negative one is raised, and not looked for in
 * every append. */
static void raise_word(uint64_t *word, uint64_t value)
{
    for (;;) {
        uint64_t seen = PEEK64(index_entry, word);
        if ((int64_t)seen >= (int64_t)value || CLAIM64(index_entry, word, seen, value)) return;
    }
}

static int taken(const tape__cycle_store_t *s, uint64_t at)
{
    return tape__fail(TAPE_ETAKEN, s->file.path, (int64_t)at,
                      "%s at offset %" PRIu64 ": the lock was broken while an index page was added",
                      s->file.path, at);
}

/* Under a reservation of the page's whole length, so that who finds it half done, after our death
 * or because our lock was broken, writes behind it; nothing leads to it then. */
static int put_page(tape__cycle_store_t *s, tape__window_t *w, const tape__write_lock_t *lock,
                    uint64_t at, uint32_t length)
{
    uint8_t *header = tape__window_at(w, at);
    if (!tape__excerpt_reserve(header, length)) return taken(s, at);
    if (!tape__write_lock_is_ours(lock)) {
        tape__excerpt_abandon(header, length);
        return taken(s, at);
    }
    SYNC_POINT(page_reserved);
    if (s->aligned) tape__excerpt_pad(header, length);
    tape__wire_out_t o = {header + 4, length, 0, at + 4, false};
    tape__wire_put_event(&o, "index");
    tape__wire_put_array(&o, (uint64_t)s->index_count);
    /* order[publish]: the empty page before its header word; then the entry that leads to it. */
    return tape__excerpt_publish(header, length, TAPE__META_DATA) ? TAPE_OK : taken(s, at);
}

int tape__index_write_add_page(tape__cycle_store_t *s, tape__window_t *w,
                               const tape__write_lock_t *lock, int64_t page, uint64_t *position)
{
    uint64_t outer;
    int rc = tape__excerpt_index_open_outer(s, &outer);
    if (rc == TAPE_OK)
        rc = reserve_array(s, &s->outer, outer);
    if (rc != TAPE_OK) return rc < 0 ? rc : TAPE_OK;
    const uint64_t at = *position;
    const uint32_t length = tape__index_write_page_length(s, at);
    rc = put_page(s, w, lock, at, length);
    if (rc != TAPE_OK) return rc;
    *position = tape__word_next(at, length, s->aligned);
    SYNC_POINT(page_published);
    if (!CLAIM64(index_entry, tape__excerpt_index_page_cell(s, outer, page), 0, at))
        return taken(s, at);
    SYNC_POINT(page_linked);
    raise_word(tape__window_u64(&s->outer, outer - TAPE__USED_SIZE), (uint64_t)page + 1);
    return TAPE_OK;
}

int tape__index_write_add(tape__cycle_store_t *s, int64_t sequence, uint64_t position)
{
    uint64_t first, outer;
    int64_t entry = sequence / s->index_spacing, page = entry / s->index_count;
    int rc = tape__excerpt_index_open_page(s, page, &first);
    if (rc == TAPE_OK) rc = reserve(s, page, first);
    if (rc != TAPE_OK) return rc < 0 ? rc : TAPE_OK; /* no page: a hole, over which readers walk */
    uint64_t column = (uint64_t)(entry % s->index_count);
    uint64_t *cell = tape__window_u64(&s->page, first + column * TAPE__ENTRY_SIZE);
    /* order[index_entry]: the message was published before; the entry before `used`. Another writer
     * may have died before any of these steps, so each is looked at for itself. */
    (void)CLAIM64(index_entry, cell, 0, position);
    SYNC_POINT(entry_added);
    raise_word(tape__window_u64(&s->page, first - TAPE__USED_SIZE), column + 1);
    if (tape__excerpt_index_open_outer(s, &outer) == TAPE_OK)
        raise_word(tape__window_u64(&s->outer, outer - TAPE__USED_SIZE), (uint64_t)page + 1);
    SYNC_POINT(used_raised);
    raise_word(tape__window_u64(&s->head, s->last_index_at),
               (uint64_t)(sequence + s->index_spacing));
    return TAPE_OK;
}
