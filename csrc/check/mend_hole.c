/* mend_hole.c - what is put where something was lost. */
#include <inttypes.h>
#include <string.h>

#include "base/platform.h"
#include "check/mend.h"

void tape__mend_hole_put(tape__mend_t *m, uint64_t at, const void *bytes, size_t size)
{
    int rc = tape__file_write(m->look.in.fd, at, bytes, size);
    if (rc < 0 && m->failure == 0) m->failure = -rc;
    tape__file_bytes_refresh(&m->look.in);
}

void tape__mend_hole_put_u64(tape__mend_t *m, uint64_t at, uint64_t value)
{
    tape__mend_hole_put(m, at, &value, sizeof value);
}

void tape__mend_hole_restore(tape__mend_t *m, uint64_t at, uint32_t word)
{
    m->f->report.recovered++;
    tape__findings_add(m->f, TAPE__FOUND_MENDED, TAPE_NOTE, (int64_t)at, -1,
                       "a header word was put right: a document of %u bytes",
                       tape__word_length(word));
    tape__mend_hole_put(m, at, &word, sizeof word);
}

void tape__mend_hole_clean(tape__mend_t *m, uint64_t from, uint64_t to)
{
    static const uint8_t zeros[4];
    if (from < to && tape__file_bytes_nonzero(&m->look.in, from, to) < to)
        tape__mend_hole_put(m, from, zeros, (size_t)(to - from));
}

/* An empty message is one byte of padding, as Java writes one (format.md 2.4); the last one takes a
 * rest that is too short for a document. */
static uint64_t put_empty(tape__mend_t *m, uint64_t at, uint64_t unit, uint64_t rest)
{
    uint8_t bytes[32];
    const uint64_t size = unit + rest;
    const uint32_t length = rest ? (uint32_t)(size - 4) : 1;
    memset(bytes, 0, sizeof bytes);
    memcpy(bytes, &length, 4);
    memset(bytes + 4, 0x8F, length);
    tape__mend_hole_put(m, at, bytes, (size_t)size);
    return at + size;
}

static void put_document(tape__mend_t *m, uint64_t at, uint64_t to)
{
    static const uint8_t zeros[4096];
    uint64_t length = to - at - TAPE__WORD_SIZE;
    const uint32_t word = TAPE__META_DATA | (uint32_t)length;
    for (uint64_t p = at + 4; p < to && m->failure == 0;) {
        const size_t n = (size_t)tape__min_u64(to - p, sizeof zeros);
        const uint64_t dirty = tape__file_bytes_nonzero(&m->look.in, p, p + n);
        if (dirty < p + n) tape__mend_hole_put(m, p, zeros, n);
        p += n;
    }
    tape__mend_hole_put(m, at, &word, sizeof word);
}

void tape__mend_hole_blank(tape__mend_t *m, uint64_t at, uint64_t to)
{
    while (at < to && m->failure == 0) { /* a document has less than 2^30 bytes */
        uint64_t part = tape__min_u64(to - at, UINT64_C(1) << 29);
        if (to - at > part && to - at - part < tape__mend_hole_least(m)) part -= 64;
        put_document(m, at, at + part);
        at += part;
    }
}

void tape__mend_hole_fill(tape__mend_t *m, uint64_t from, uint64_t to, int64_t lost)
{
    const uint64_t unit = tape__mend_hole_least(m), room = to - from;
    const int64_t most = (int64_t)(room / unit), fill = lost < most ? lost : most;
    const int64_t index = tape__index(m->facts->roll_cycle, m->facts->cycle, m->count);
    uint64_t rest = room - (uint64_t)fill * unit, at = from;
    if (fill < lost) m->f->report.renumbered = 1;
    tape__findings_add(m->f, TAPE__FOUND_MENDED, TAPE_NOTE, (int64_t)from, index,
                       "%" PRIu64 " bytes could not be had, with %" PRId64
                       " messages, which are empty now", room, lost);
    m->f->report.lost += lost;
    m->f->report.lost_bytes += (int64_t)room;
    m->f->report.placeholders += fill;
    for (int64_t n = 0; n < fill && m->failure == 0; n++)
        at = put_empty(m, at, unit, n == fill - 1 && rest < unit ? rest : 0);
    tape__mend_hole_blank(m, at, to);
    m->count += fill;
}

uint64_t tape__mend_hole_candidate(tape__mend_t *m, uint64_t at, uint64_t limit)
{
    const uint64_t unit = m->look.store.aligned ? 4 : 1;
    at += unit;
    if (at >= limit) return limit;
    if (tape__file_bytes_u32(&m->look.in, at) != 0) return at;
    const uint64_t next = tape__file_bytes_nonzero(&m->look.in, at, limit);
    if (next >= limit) return limit;
    /* The word that has this byte in it. */
    const uint64_t word = unit == 4 ? next & ~UINT64_C(3) : next < at + 3 ? at : next - 3;
    return word < at ? at : word;
}
