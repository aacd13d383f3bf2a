/* mend_step.c - walking over documents of which nothing is taken for granted. */
#include "check/mend.h"
#include "file/excerpt_index.h"

static bool is_padded(tape__mend_t *m, uint64_t end, uint64_t next)
{
    if (next == end) return true;
    const uint8_t *p = tape__file_bytes_at(&m->look.in, end, (size_t)(next - end));
    for (uint64_t i = 0; i < next - end; i++)
        if (p[i]) return false;
    return true;
}

bool tape__mend_step_fits(tape__mend_t *m, uint64_t at, uint32_t word, uint64_t limit)
{
    const uint32_t length = tape__word_length(word);
    if (!tape__word_is_document(word) || length == 0) return false;
    const uint64_t end = at + TAPE__WORD_SIZE + length;
    const uint64_t next = tape__cycle_look_next(&m->look, at, length);
    if (end > m->look.in.size || next > limit) return false;
    if (!m->lenient && !is_padded(m, end, next)) return false;
    if (tape__word_kind(word) == TAPE__WORD_META) {
        const uint64_t arrayed = tape__cycle_look_arrayed(&m->look, at + 4);
        if (arrayed) return m->lenient > 1 || arrayed == length;
        const int kind = tape__cycle_look_kind(&m->look, at, length);
        return kind == 0 || length <= tape__excerpt_index_bound(m->look.store.index_count);
    }
    return !m->framed || m->lenient > 1 || tape__cycle_look_framed(&m->look, at + 4) == length;
}

tape__steps_t tape__mend_step_to(tape__mend_t *m, uint64_t from, uint64_t target, int64_t most)
{
    tape__steps_t w = {TAPE__STEPS_STUCK, from, 0, 0};
    while (w.at < target && w.count <= most && m->steps > 0) {
        m->steps--;
        const uint32_t word = tape__file_bytes_u32(&m->look.in, w.at);
        if (!tape__mend_step_fits(m, w.at, word, m->look.in.size + 3)) return w;
        if (tape__word_kind(word) == TAPE__WORD_DATA) w.count++;
        w.before = w.at;
        w.at = tape__cycle_look_next(&m->look, w.at, tape__word_length(word));
    }
    if (w.at >= target) w.end = w.at == target ? TAPE__STEPS_REACHED : TAPE__STEPS_OVER;
    return w;
}

bool tape__mend_step_is_end(tape__mend_t *m, uint64_t at)
{
    const uint64_t size = m->look.in.size;
    if (at >= size) return at <= size + 3;
    const uint32_t word = tape__file_bytes_u32(&m->look.in, at);
    if (word == TAPE__END_OF_DATA) return true;
    return word == 0 && tape__file_bytes_nonzero(&m->look.in, at, size) >= size;
}

enum { ZEROS_AT_AN_END = 64, ENOUGH = 8, ENOUGH_WITHOUT_FRAMES = 32 };

bool tape__mend_step_goes_on(tape__mend_t *m, uint64_t at)
{
    for (int n = 0; n < (m->framed ? ENOUGH : ENOUGH_WITHOUT_FRAMES); n++) {
        /* Any number leads to somewhere in the zeros behind the last message. */
        if (tape__mend_step_is_end(m, at)) return at <= m->last_byte + ZEROS_AT_AN_END;
        const uint32_t word = tape__file_bytes_u32(&m->look.in, at);
        if (m->steps-- <= 0 || !tape__mend_step_fits(m, at, word, m->look.in.size)) return false;
        at = tape__cycle_look_next(&m->look, at, tape__word_length(word));
    }
    return true;
}

int tape__mend_step_dirty_bits(tape__mend_t *m, uint64_t from, uint64_t to)
{
    int bits = 0;
    for (uint64_t at = from; at < to;) {
        const uint32_t length = tape__word_length(tape__file_bytes_u32(&m->look.in, at));
        const uint64_t end = at + TAPE__WORD_SIZE + length;
        at = tape__cycle_look_next(&m->look, at, length);
        const uint8_t *p = tape__file_bytes_at(&m->look.in, end, 4);
        for (uint64_t n = end; n < at; n++) bits += __builtin_popcount(p[n - end]);
    }
    return bits;
}
