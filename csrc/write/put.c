/* put.c - the slow halves of put.h. */
#include "write/put.h"

#include <inttypes.h>

#include "base/error.h"

int tape__put_cycle_full(const tape__writer_t *w)
{
    return tape__fail(TAPE_ECYCLEFULL, w->store.file.path, -1,
                      "%s: cycle %" PRId64 " holds %" PRId64 " messages, as many as %s can number",
                      w->store.file.path, w->store.cycle, w->next.sequence,
                      w->site->settings.roll_cycle->name);
}

/* The slow half of tape__put_make_room(), and that for an index page behind the message, with the
 * word behind that. */
int tape__put_make_more_room(tape__writer_t *w, uint64_t behind, bool wants_page)
{
    uint64_t end = behind;
    if (wants_page)
        end = tape__word_next(behind, tape__index_write_page_length(&w->store, behind),
                              w->store.aligned);
    const uint64_t need = end + TAPE__END_ROOM - w->next.position;
    int rc = TAPE_OK;
    if (end + TAPE__END_ROOM > w->ready_to || !tape__window_has(&w->window, w->next.position, need))
        rc = tape__roll_make_ready(w, need);
    if (rc == TAPE_OK && !tape__put_is_clean(w, behind)) rc = tape__roll_make_clean(w, behind);
    if (rc == TAPE_OK && wants_page && !tape__put_is_clean(w, end))
        rc = tape__roll_make_clean(w, end);
    return rc;
}

/* The message is published; the entry may be missing for a while without harm (6.2): the next
 * append looks at the end again and fills it in. */
void tape__put_index(tape__writer_t *w, uint64_t position, int64_t sequence, bool wants_page)
{
    int rc = TAPE_OK;
    if (wants_page) {
        int64_t page = sequence / w->store.index_spacing / w->store.index_count;
        rc = tape__index_write_add_page(&w->store, &w->window, &w->lock, page, &w->next.position);
    }
    if (rc == TAPE_OK) rc = tape__index_write_add(&w->store, sequence, position);
    if (rc != TAPE_OK) w->doubtful = true;
}

int tape__put_taken(tape__writer_t *w)
{
    w->doubtful = true;
    return tape__fail(TAPE_ETAKEN, w->store.file.path, (int64_t)w->next.position,
                      "%s at offset %" PRIu64 ": the lock was broken while a message was written, "
                      "again and again", w->store.file.path, w->next.position);
}
