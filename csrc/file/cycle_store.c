/* cycle_store.c - opening and walking a cycle file; see cycle_store.h. */
#include "file/cycle_store.h"

#include <string.h>

#include "base/atomics.h"
#include "file/excerpt.h"

/* ---- opening ---- */

static int read_header(tape__cycle_store_t *s)
{
    int rc = tape__window_cover(&s->head, &s->file, 0, 8, TAPE__CYCLE_HEADER_MAX);
    if (rc == TAPE__BEYOND_END) return TAPE__NOT_READY;
    if (rc != TAPE_OK) return rc;
    uint32_t word = tape__excerpt_observe(tape__window_at(&s->head, 0), true);
    if (word == 0 || word == TAPE__NOT_COMPLETE) return TAPE__NOT_READY;
    uint32_t length = tape__word_length(word);
    if (tape__word_kind(word) != TAPE__WORD_META || length > TAPE__CYCLE_HEADER_MAX)
        return tape__cycle_store_bad(s, 0, "the first document is no header");
    rc = tape__window_cover(&s->head, &s->file, 0, 4 + (uint64_t)length, TAPE__CYCLE_HEADER_MAX);
    if (rc == TAPE__BEYOND_END)
        return tape__cycle_store_bad(s, 0, "the file ends inside its header");
    if (rc != TAPE_OK) return rc;
    rc = tape__cycle_store_parse(s, tape__window_at(&s->head, 4), length);
    if (rc != TAPE_OK) return rc;
    s->pair = tape__window_u64(&s->head, s->write_position_at);
    s->pair_at_once = s->has_pair && tape__can_claim_pair(s->pair);
    return TAPE_OK;
}

/* `opened`: what opening the file gave. */
static int begin(tape__cycle_store_t *s, int64_t cycle, int opened)
{
    s->cycle = cycle;
    if (opened != TAPE_OK) return opened;
    int rc = read_header(s);
    if (rc == TAPE_OK && s->file.writable) /* in a copy whose zeros were made holes */
        rc = tape__mapping_reserve(&s->file, &s->head, 0, s->first_document);
    if (rc != TAPE_OK) tape__cycle_store_close(s);
    return rc;
}

int tape__cycle_store_open(tape__cycle_store_t *s, const char *path, int64_t cycle, bool writable)
{
    memset(s, 0, sizeof *s);
    return begin(s, cycle, tape__mapping_open(&s->file, path, writable));
}

int tape__cycle_store_open_packed(tape__cycle_store_t *s, const char *path, int64_t cycle,
                                  tape__unpacker_t unpacker)
{
    memset(s, 0, sizeof *s);
    return begin(s, cycle, tape__mapping_open_packed(&s->file, path, unpacker));
}

void tape__cycle_store_close(tape__cycle_store_t *s)
{
    tape__window_close(&s->head);
    tape__window_close(&s->outer);
    tape__window_close(&s->page);
    tape__mapping_close(&s->file);
}

/* ---- the chain ---- */

int tape__cycle_store_observe(tape__cycle_store_t *s, tape__window_t *w, tape__cursor_t *c,
                              uint64_t prefer)
{
    int rc = tape__window_cover(w, &s->file, c->position, 4, prefer);
    if (rc == TAPE__BEYOND_END) {
        c->word = 0;
        return TAPE_OK;
    }
    if (rc != TAPE_OK) return rc;
    c->word = tape__excerpt_observe(tape__window_at(w, c->position), s->aligned);
    if (!tape__word_is_document(c->word)) return TAPE_OK;
    uint64_t length = tape__word_length(c->word);
    rc = tape__window_cover(w, &s->file, c->position, 4 + length, prefer);
    if (rc == TAPE__BEYOND_END)
        return tape__cycle_store_bad(s, c->position,
                                     "a document reaches beyond the end of the file");
    return rc;
}
