/* mend_chain.c - from anchor to anchor: what does not lead to the next one is put right. */
#include <inttypes.h>

#include "check/mend.h"
#include "file/excerpt_index.h"

enum { STEPS_FOR_A_HOLE = 20 * 1000 * 1000, BITS = 32 };

static bool is_message(uint32_t word) { return tape__word_kind(word) == TAPE__WORD_DATA; }

/* ---- one bit ---- */

/* Whether the document at `at` would, with this word, be followed by what leads to the anchor with
 * `need` messages, its own included. */
static bool would_do(tape__mend_t *m, uint64_t at, uint32_t word, const tape__anchor_t *a,
                     int64_t need)
{
    if (!tape__mend_step_fits(m, at, word, a->position)) return false;
    const int64_t rest = need - is_message(word);
    const uint64_t next = tape__cycle_look_next(&m->look, at, tape__word_length(word));
    const tape__steps_t w = tape__mend_step_to(m, next, a->position, rest);
    return w.end == TAPE__STEPS_REACHED && w.count == rest;
}

/* The word at `at` with one bit turned so that everything fits, if all such words lead to the same
 * place: then the longest, which cuts nothing off. */
static bool one_bit(tape__mend_t *m, uint64_t at, const tape__anchor_t *a, int64_t need,
                    uint32_t *out)
{
    const uint32_t word = tape__file_bytes_u32(&m->look.in, at);
    uint64_t next = 0;
    *out = word;
    for (int bit = 0; bit < BITS; bit++) {
        const uint32_t other = word ^ (UINT32_C(1) << bit);
        if (!would_do(m, at, other, a, need)) continue;
        const uint64_t to = tape__cycle_look_next(&m->look, at, tape__word_length(other));
        if (next && to != next) return false;
        if (!next || other > *out) *out = other;
        next = to;
    }
    return next != 0;
}

/* Every document of the stretch in turn: one of them has swallowed others, or fallen apart. */
static bool one_bit_of_any(tape__mend_t *m, const tape__anchor_t *a, int64_t need)
{
    uint64_t at = m->at;
    int64_t passed = 0;
    uint32_t word;
    while (at < a->position && m->steps > 0) {
        const uint32_t here = tape__file_bytes_u32(&m->look.in, at);
        if (one_bit(m, at, a, need - passed, &word)) {
            tape__mend_hole_restore(m, at, word);
            return true;
        }
        if (!tape__mend_step_fits(m, at, here, a->position)) return false;
        passed += is_message(here);
        at = tape__cycle_look_next(&m->look, at, tape__word_length(here));
    }
    return false;
}

/* ---- the length that a frame says, or an array of the index ---- */

static bool by_content(tape__mend_t *m, uint64_t at, uint64_t limit)
{
    const uint64_t framed = tape__cycle_look_framed(&m->look, at + 4);
    const uint64_t length = framed ? framed : tape__cycle_look_arrayed(&m->look, at + 4);
    if (length == 0 || length > TAPE__LENGTH_MAX) return false;
    const uint32_t word = (uint32_t)length | (framed ? 0 : TAPE__META_DATA);
    if (word == tape__file_bytes_u32(&m->look.in, at)) return false;
    if (!tape__mend_step_fits(m, at, word, limit)) return false;
    const uint64_t next = tape__cycle_look_next(&m->look, at, (uint32_t)length);
    if (next != limit && !tape__mend_step_goes_on(m, next)) return false;
    tape__mend_hole_restore(m, at, word);
    return true;
}

/* ---- holes ---- */

/* Where the chain goes on behind a hole at `from`, so that most messages are had, and at most
 * `most`. Only the anchor itself is certain. */
static uint64_t resume(tape__mend_t *m, uint64_t from, const tape__anchor_t *a, int64_t most,
                       int64_t *had)
{
    uint64_t best = a->position;
    *had = 0;
    for (uint64_t at = from + tape__mend_hole_least(m) - (m->look.store.aligned ? 4 : 1);
         (at = tape__mend_hole_candidate(m, at, a->position)) < a->position && m->steps > 0;) {
        const tape__steps_t w = tape__mend_step_to(m, at, a->position, most);
        if (w.end != TAPE__STEPS_REACHED || w.count > most || w.count <= *had) continue;
        best = at;
        *had = w.count;
        if (w.count >= most - 1) break; /* one message was lost, no less */
    }
    return best;
}

static void leave(tape__mend_t *m, const tape__anchor_t *a, int64_t count)
{
    m->count += count;
    m->at = a->position;
    m->number = a->sequence;
}

/* A hole, and how many messages follow it before the next one. */
typedef struct {
    uint64_t from, to;
    int64_t after;
} hole_t;
enum { HOLES_MAX = 32, ENOUGH_FOR_AN_ISLAND = 4 };

/* Messages between two holes, where `lost` are missing from `from` to `to`: each hole has lost one
 * at least. How many holes there are. */
static int find_islands(tape__mend_t *m, uint64_t from, uint64_t to, int64_t lost, hole_t *holes)
{
    const uint64_t unit = m->look.store.aligned ? 4 : 1;
    uint64_t at = from + tape__mend_hole_least(m) - unit;
    int n = 0;
    holes[0].from = from;
    while (n < HOLES_MAX - 1 && lost >= n + 3 && m->steps > 0) {
        at = tape__mend_hole_candidate(m, at, to);
        if (at >= to) break;
        const tape__steps_t w = tape__mend_step_to(m, at, to, lost);
        if (w.end != TAPE__STEPS_STUCK || w.at + tape__mend_hole_least(m) > to) continue;
        if (w.count == 0 || (!m->framed && w.count < ENOUGH_FOR_AN_ISLAND)) continue;
        if (lost - w.count < n + 2) continue;
        lost -= w.count;
        holes[n].to = at;
        holes[n++].after = w.count;
        holes[n].from = w.at;
        at = w.at + tape__mend_hole_least(m) - unit;
    }
    holes[n].to = to;
    holes[n].after = 0;
    return n + 1;
}

/* Fills all holes from `from` to `to`, where `lost` messages are missing. */
static void fill_holes(tape__mend_t *m, uint64_t from, uint64_t to, int64_t lost)
{
    hole_t holes[HOLES_MAX];
    const int count = find_islands(m, from, to, lost, holes);
    uint64_t bytes = 0;
    for (int n = 0; n < count; n++) {
        bytes += holes[n].to - holes[n].from;
        lost -= holes[n].after;
    }
    /* One each; of more nobody can tell which, and they go by the size of the holes. */
    int64_t more = lost - count;
    if (more > 0 && count > 1) m->f->report.renumbered = 1;
    for (int n = 0; n < count; n++) {
        const uint64_t size = holes[n].to - holes[n].from;
        int64_t part = more > 0 ? (int64_t)((double)more * (double)size / (double)bytes) : 0;
        if (n == count - 1 || part > more) part = more;
        tape__mend_hole_fill(m, holes[n].from, holes[n].to, part + 1);
        m->count += holes[n].after;
        more -= part;
        bytes -= size;
    }
}

/* The stretch up to the anchor, of which `w` tells where walking ended. */
static void fill_to(tape__mend_t *m, const tape__anchor_t *a, const tape__steps_t *w)
{
    const int64_t need = a->sequence - m->number;
    /* No document fits between: it is the one before that leads wrong. */
    const bool beyond = w->at + tape__mend_hole_least(m) > a->position;
    const bool suspect = w->before && (beyond || !m->framed);
    int64_t before = w->count, had, had_more = -1;
    uint64_t from = w->at, to = 0, to_more = 0;
    if (!beyond) to = resume(m, from, a, need - before, &had);
    else had = -1;
    if (suspect) { /* or its own length is wrong */
        const int64_t own = is_message(tape__file_bytes_u32(&m->look.in, w->before));
        to_more = resume(m, w->before, a, need - before + own, &had_more);
        if (had < 0 || had_more > had + own) {
            from = w->before;
            to = to_more;
            had = had_more;
            before -= own;
        }
    }
    m->count += before;
    fill_holes(m, from, to, need - before - had);
    m->count += had;
    m->at = a->position;
    m->number = a->sequence;
}

/* One bit in a padding, and nothing else: cleaned afterwards. */
static bool padding_is_all(tape__mend_t *m, const tape__anchor_t *a, int64_t need)
{
    m->lenient = 1;
    const tape__steps_t w = tape__mend_step_to(m, m->at, a->position, need);
    m->lenient = 0;
    return w.end == TAPE__STEPS_REACHED && w.count == need &&
           tape__mend_step_dirty_bits(m, m->at, a->position) == 1;
}

static void mend_stretch(tape__mend_t *m, const tape__anchor_t *a)
{
    const int64_t need = a->sequence - m->number;
    for (int attempt = 0; attempt < 64; attempt++) {
        m->steps = STEPS_FOR_A_HOLE;
        tape__steps_t w = tape__mend_step_to(m, m->at, a->position, need);
        if (w.end == TAPE__STEPS_REACHED && w.count == need) {
            leave(m, a, need);
            return;
        }
        if (padding_is_all(m, a, need)) {
            leave(m, a, need);
            return;
        }
        if (one_bit_of_any(m, a, need)) continue;
        tape__steps_t easy = w;
        for (m->lenient = 2; m->lenient > 0; m->lenient--) {
            easy = tape__mend_step_to(m, m->at, a->position, need);
            if (easy.end == TAPE__STEPS_REACHED && easy.count == need) break;
        }
        m->lenient = 0;
        if (easy.end == TAPE__STEPS_REACHED && easy.count == need) { /* cleaned afterwards */
            leave(m, a, need);
            return;
        }
        if (easy.count > w.count && easy.end == TAPE__STEPS_STUCK) w = easy;
        if (w.end == TAPE__STEPS_STUCK && by_content(m, w.at, a->position)) continue;
        if (w.end != TAPE__STEPS_REACHED && w.before && by_content(m, w.before, a->position))
            continue;
        m->steps = STEPS_FOR_A_HOLE;
        if (w.end == TAPE__STEPS_REACHED) { /* a sound chain with another number of messages */
            m->f->report.renumbered = 1;
            leave(m, a, w.count);
        } else {
            fill_to(m, a, &w);
        }
        return;
    }
    m->steps = STEPS_FOR_A_HOLE;
    const tape__steps_t w = tape__mend_step_to(m, m->at, a->position, need);
    if (w.end == TAPE__STEPS_REACHED) leave(m, a, w.count);
    else fill_to(m, a, &w);
}

/* ---- behind the last anchor ---- */

static bool bit_of_tail(tape__mend_t *m, uint64_t at)
{
    const uint32_t word = tape__file_bytes_u32(&m->look.in, at);
    for (int bit = 0; bit < BITS; bit++) {
        const uint32_t other = word ^ (UINT32_C(1) << bit);
        if (!tape__mend_step_fits(m, at, other, m->look.in.size)) continue;
        const uint64_t next = tape__cycle_look_next(&m->look, at, tape__word_length(other));
        if (!tape__mend_step_goes_on(m, next)) continue;
        tape__mend_hole_restore(m, at, other);
        return true;
    }
    return false;
}

/* Where the chain goes on behind `from`, of which no anchor tells. 0: nowhere. */
static uint64_t resume_anywhere(tape__mend_t *m, uint64_t from)
{
    uint64_t at = from + tape__mend_hole_least(m) - (m->look.store.aligned ? 4 : 1);
    while ((at = tape__mend_hole_candidate(m, at, m->look.in.size)) < m->look.in.size &&
           m->steps > 0) {
        const uint32_t word = tape__file_bytes_u32(&m->look.in, at);
        if (tape__mend_step_fits(m, at, word, m->look.in.size) && tape__mend_step_goes_on(m, at))
            return at;
    }
    return 0;
}

/* The write position says that what was met is all. */
static bool is_all(const tape__mend_t *m, const tape__steps_t *w)
{
    return m->pair_agrees && m->pair.sequence < m->number + w->count;
}

static void tell_lost_end(tape__mend_t *m)
{
    const int64_t lost = m->pair_agrees ? m->pair.sequence + 1 - m->number : 0;
    if (lost <= 0) return;
    m->f->report.lost += lost;
    tape__findings_add(m->f, TAPE__FOUND_MENDED, TAPE_NOTE, (int64_t)m->at, -1,
                       "the last %" PRId64 " messages of the cycle could not be had", lost);
}

static void take(tape__mend_t *m, const tape__steps_t *w)
{
    m->count += w->count;
    m->number += w->count;
    m->at = w->at;
}

/* A document that was one before the file was cut in it: nothing is behind. */
static bool is_cut(tape__mend_t *m, uint64_t at)
{
    const uint32_t word = tape__file_bytes_u32(&m->look.in, at), length = tape__word_length(word);
    if (!tape__word_is_document(word) || at + TAPE__WORD_SIZE + length <= m->look.in.size)
        return false;
    if (is_message(word)) return tape__cycle_look_framed(&m->look, at + 4) == length;
    return tape__cycle_look_kind(&m->look, at, length) != 0 &&
           length <= tape__excerpt_index_bound(m->look.store.index_count);
}

/* The last message has taken in the end, and what is behind it. */
static bool shorten_last(tape__mend_t *m, uint64_t at)
{
    const uint64_t framed = tape__cycle_look_framed(&m->look, at + 4);
    const uint32_t word = tape__file_bytes_u32(&m->look.in, at);
    if (framed == 0 || !is_message(word) || framed >= word) return false;
    const uint64_t next = tape__cycle_look_next(&m->look, at, (uint32_t)framed);
    const uint64_t end = at + TAPE__WORD_SIZE + word;
    const uint32_t behind = tape__file_bytes_u32(&m->look.in, next);
    if (behind != TAPE__END_OF_DATA &&
        tape__file_bytes_nonzero(&m->look.in, at + 4 + framed, end) < end)
        return false;
    tape__mend_hole_restore(m, at, (uint32_t)framed);
    return true;
}

static void mend_tail(tape__mend_t *m)
{
    for (int attempt = 0; m->failure == 0; attempt++) {
        m->steps = STEPS_FOR_A_HOLE;
        tape__steps_t w = tape__mend_step_to(m, m->at, UINT64_MAX, INT64_MAX - 1);
        m->steps = STEPS_FOR_A_HOLE;
        if (w.before && attempt < 64 && shorten_last(m, w.before)) continue;
        if (!tape__mend_step_is_end(m, w.at) && !is_cut(m, w.at) && attempt < 64) {
            if (!is_all(m, &w) && (bit_of_tail(m, w.at) || by_content(m, w.at, m->look.in.size)))
                continue;
            if (w.before && by_content(m, w.before, m->look.in.size)) continue;
            if (w.before && w.at >= m->look.in.size && bit_of_tail(m, w.before)) continue;
            const uint64_t next = is_all(m, &w) ? 0 : resume_anywhere(m, w.at);
            if (next) {
                take(m, &w);
                const int64_t known = m->pair_agrees ? m->pair.sequence - m->number : 1;
                m->f->report.renumbered = 1; /* nothing says how many there were */
                tape__mend_hole_fill(m, m->at, next, known > 0 ? 1 : 0);
                m->number++;
                m->at = next;
                continue;
            }
        }
        take(m, &w);
        break;
    }
    if (m->at < m->look.in.size)
        m->has_eof = tape__file_bytes_u32(&m->look.in, m->at) == TAPE__END_OF_DATA;
    tell_lost_end(m);
}

/* ---- all ---- */

/* Nearly all messages from the beginning on that can be walked over have frames, or they have not.
 */
static void look_at_frames(tape__mend_t *m)
{
    uint64_t at = m->look.store.first_document;
    int64_t messages = 0, without = 0;
    m->lenient = 1;
    for (;;) {
        const uint32_t word = tape__file_bytes_u32(&m->look.in, at);
        if (!tape__mend_step_fits(m, at, word, m->look.in.size)) break;
        const uint32_t length = tape__word_length(word);
        if (is_message(word)) {
            messages++;
            without += tape__cycle_look_framed(&m->look, at + 4) != length;
        }
        at = tape__cycle_look_next(&m->look, at, length);
    }
    m->lenient = 0;
    m->framed = messages > 2 && without * 16 <= messages;
}

void tape__mend_chain(tape__mend_t *m)
{
    tape__anchor_t a, b;
    tape__mend_anchor_begin(m);
    m->at = m->look.store.first_document;
    look_at_frames(m);
    bool more = tape__mend_anchor_next(m, &a);
    while (more && m->failure == 0) {
        const int64_t need = a.sequence - m->number;
        m->steps = INT64_MAX;
        tape__steps_t w = tape__mend_step_to(m, m->at, a.position, need);
        if (w.end == TAPE__STEPS_REACHED && w.count == need) {
            leave(m, &a, need);
            more = tape__mend_anchor_next(m, &a);
            continue;
        }
        /* Perhaps it is the anchor that is wrong: then the next one fits. */
        const bool another = tape__mend_anchor_next(m, &b);
        if (another) w = tape__mend_step_to(m, m->at, b.position, b.sequence - m->number);
        else w = tape__mend_step_to(m, m->at, UINT64_MAX, INT64_MAX - 1);
        const bool fits = another ? w.end == TAPE__STEPS_REACHED &&
                                        w.count == b.sequence - m->number
                                  : tape__mend_step_is_end(m, w.at) && !m->pair_given;
        if (!fits) mend_stretch(m, &a);
        a = b;
        more = another;
        while (more && (a.position <= m->at || a.sequence <= m->number))
            more = tape__mend_anchor_next(m, &a);
    }
    mend_tail(m);
}
