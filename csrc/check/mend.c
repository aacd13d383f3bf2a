/* mend.c - see mend.h: one file. */
#include "check/mend.h"

#include <inttypes.h>
#include <string.h>

#include "base/error.h"
#include "base/platform.h"
#include "write/cycle_build.h"

enum { HEADER_ROOM = 1024 };

/* What the header of a new file of this roll cycle says, with the words at their places. */
static bool suppose_header(tape__mend_t *m, uint8_t *bytes, tape__cycle_places_t *places)
{
    memset(bytes, 0, HEADER_ROOM);
    if (!tape__cycle_build_header(bytes, HEADER_ROOM, m->facts->roll_cycle, places)) return false;
    const uint32_t length = tape__word_length(tape__get_u32(bytes));
    return tape__cycle_store_parse(&m->look.store, bytes + 4, length) == TAPE_OK;
}

/* Whether one page of the index begins there; or anything that leads on to an end. */
static bool begins(tape__mend_t *m, uint64_t at)
{
    const uint32_t word = tape__file_bytes_u32(&m->look.in, at);
    if (!tape__mend_step_fits(m, at, word, m->look.in.size)) return false;
    if (tape__word_kind(word) == TAPE__WORD_META)
        return tape__cycle_look_kind(&m->look, at, tape__word_length(word)) != 0;
    return tape__mend_step_goes_on(m, at);
}

/* Whether what stands there is the header, but for some bytes. */
static bool same_for_the_most(tape__mend_t *m, const uint8_t *bytes, uint32_t size)
{
    const uint8_t *old = tape__file_bytes_at(&m->look.in, 0, size);
    uint32_t other = 0;
    for (uint32_t n = 0; n < size; n++) other += bytes[n] != old[n];
    return other <= size / 8;
}

/* The first place in [end, limit) where something begins, `end` being that of a header. */
static uint64_t first_in(tape__mend_t *m, uint64_t end, uint64_t limit)
{
    uint64_t at = end;
    m->steps = INT64_C(20000000);
    while (at < limit && !(at == end || at >= end + 8 ? begins(m, at) : false))
        at = m->steps > 0 ? tape__mend_hole_candidate(m, at, limit) : limit;
    return at;
}

/* What seems to be a document that is full of documents, to its very end, was something else. */
static uint64_t without_chains(tape__mend_t *m, uint64_t at)
{
    for (uint64_t in = at; m->steps > 0;) {
        const uint32_t word = tape__file_bytes_u32(&m->look.in, at);
        const uint64_t end = tape__cycle_look_next(&m->look, at, tape__word_length(word));
        in = tape__mend_hole_candidate(m, in, end);
        if (in >= end || tape__word_kind(word) != TAPE__WORD_DATA) break;
        const tape__steps_t w = tape__mend_step_to(m, in, end, INT64_MAX - 1);
        if (w.end == TAPE__STEPS_REACHED && w.count >= 2) at = in;
    }
    return at;
}

/* A header that is lost: that of a new file, and what follows it as far as it can be found. False
 * when nothing can. */
static bool make_header(tape__mend_t *m)
{
    uint8_t bytes[HEADER_ROOM];
    tape__cycle_places_t places;
    if (!suppose_header(m, bytes, &places)) return false;
    const uint64_t end = places.end, size = m->look.in.size;
    uint64_t at = size;
    for (int pass = 0; pass < 2; pass++) {
        m->framed = pass == 0; /* first as if messages had frames, which few other bytes seem to */
        const uint64_t found = first_in(m, end, at);
        if (pass == 0 && found < at && tape__cycle_look_framed(&m->look, found + 4)) {
            at = found;
            break;
        }
        at = found; /* a page; perhaps messages without frames stand before it */
    }
    m->framed = false;
    if (at >= size) return false;
    at = without_chains(m, at);
    tape__findings_add(m->f, TAPE__FOUND_MENDED, TAPE_NOTE, 0, -1,
                       "the header was made anew; what can be had begins at 0x%" PRIx64, at);
    tape__mend_hole_put(m, 0, bytes, (size_t)end);
    if (at > end) tape__mend_hole_fill(m, end, at, 0);
    const uint32_t word = tape__file_bytes_u32(&m->look.in, at);
    if (at > end && !tape__cycle_look_kind(&m->look, at, tape__word_length(word)))
        m->f->report.renumbered = 1; /* messages may have stood before */
    return true;
}

/* A header that has the length of one, and differs from it in some bytes. */
static int restore_header(tape__mend_t *m, int rc)
{
    uint8_t bytes[TAPE__CYCLE_LOOK_HEADER];
    uint32_t size;
    if (rc == TAPE_EUNSUPPORTED) return rc;
    const uint64_t at =
        tape__cycle_look_compare(&m->look, m->facts->roll_cycle, rc == TAPE_OK, bytes, &size);
    if (at == 0 || size == 0) return rc;
    if (rc != TAPE_OK && !same_for_the_most(m, bytes, size)) return rc;
    tape__findings_add(m->f, TAPE__FOUND_MENDED, TAPE_NOTE, (int64_t)at, -1,
                       "the header was put right");
    tape__mend_hole_put(m, 0, bytes, size);
    return tape__cycle_look_header(&m->look);
}

static int mend(tape__mend_t *m, const char *shown)
{
    m->last_byte = tape__file_bytes_last(&m->look.in);
    const int rc = restore_header(m, tape__cycle_look_header(&m->look));
    if (rc != TAPE_OK && !make_header(m))
        return tape__fail(TAPE_ENOTFOUND, shown, 0, "%s: nothing can be had of it", shown);
    tape__mend_chain(m);
    if (m->failure == 0) tape__mend_index(m);
    if (m->failure == 0) m->failure = m->look.in.failure;
    /* In place it gets the file's name next, and must not have it with bytes of before. */
    if (m->failure == 0) m->failure = -tape__file_sync(m->look.in.fd);
    return m->failure ? tape__fail_errno(m->failure, shown, "writing the mended file") : TAPE_OK;
}

int tape__mend_file(tape__findings_t *f, const char *path, const char *shown,
                    const tape__cycle_facts_t *facts, int64_t *count)
{
    tape__mend_t *m = tape__alloc(sizeof *m);
    if (!m) return tape__fail(TAPE_ENOMEM, path, -1, "out of memory");
    m->f = f;
    m->facts = facts;
    tape__findings_begin_file(f, shown);
    int rc = tape__cycle_look_open(&m->look, path, true);
    rc = rc < 0 ? tape__fail_errno(-rc, path, "opening the copy") : mend(m, shown);
    *count = m->count;
    /* Zeros stood in for what could not be read: that is no damage of the queue. */
    if (m->look.in.failure) rc = tape__fail_errno(m->look.in.failure, path, "reading the copy");
    if (rc == TAPE_OK) f->report.mended_files++;
    tape__free(m->root.body);
    tape__free(m->page.body);
    tape__cycle_look_close(&m->look);
    tape__free(m);
    return rc;
}
