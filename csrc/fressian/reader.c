/* reader.c - the reader as callers see it: whole values of seven types, all else in one piece. */

#include "tape_fressian.h"

#include <string.h>

#include "base/error.h"
#include "fressian/tokens.h"

void tape_fressian_read_from(tape_fressian_reader_t *r, const void *data, size_t size)
{
    static const unsigned char nothing;
    r->base = r->p = r->start = data ? data : &nothing;
    r->end = r->base + (data ? size : 0);
    r->error = r->depth = 0;
    r->entries = r->structs = 0;
    r->again = 0;
}

int tape_fressian_next(tape_fressian_reader_t *r, tape_fressian_item_t *item)
{
    int rc = tape__tokens_next(r, item), depth = r->depth;
    if (rc || item->type != TAPE_FRESSIAN_OTHER || !depth ||
        r->open[depth - 1].kind != TAPE__OPEN_OTHER)
        return rc;
    /* its parts are stepped over here, so that whatever is open afterwards is the caller's */
    for (tape_fressian_item_t part; r->depth >= depth;)
        if ((rc = tape__tokens_next(r, &part)))
            return rc;
    item->wire_size = (size_t)(r->p - item->wire);
    return TAPE_OK;
}

int tape_fressian_skip(tape_fressian_reader_t *r)
{
    int depth = r->depth;
    if (r->error)
        return r->error;
    if (!depth)
        return tape__fail(TAPE_ESTATE, NULL, r->p - r->base,
                          "Fressian: no list or map is open to be skipped");
    for (tape_fressian_item_t part; r->depth >= depth;) {
        int rc = tape__tokens_next(r, &part);
        if (rc)
            return rc;
    }
    return TAPE_OK;
}
