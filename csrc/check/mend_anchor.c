/* mend_anchor.c - places of which it is known which message lies there. */
#include "check/mend.h"

static void read_pair(tape__mend_t *m)
{
    const tape__cycle_store_t *s = &m->look.store;
    const uint64_t position = tape__file_bytes_u64(&m->look.in, s->write_position_at);
    const uint64_t word =
        s->has_pair ? tape__file_bytes_u64(&m->look.in, s->write_position_at + 8) : 0;
    const int shift = s->sequence_shift;
    m->pair = (tape__anchor_t){position, tape__pair_sequence(shift, word)};
    m->pair_agrees = tape__pair_agrees(shift, position, word) && position < UINT64_C(1) << 62 &&
                     tape__pair_is_proof(shift, position) &&
                     tape__cycle_store_has_room(s, position, m->pair.sequence);
}

/* Without index2index the first page of the chain is page 0. */
static void find_first_page(tape__mend_t *m)
{
    uint64_t at = m->look.store.first_document;
    for (int n = 0; n < 3 && at < m->look.in.size; n++) {
        const uint32_t word = tape__file_bytes_u32(&m->look.in, at);
        if (!tape__mend_step_fits(m, at, word, m->look.in.size)) return;
        if (tape__cycle_look_kind(&m->look, at, tape__word_length(word)) == 1 &&
            !tape__cycle_look_array(&m->look, &m->page, "index", at)) {
            m->page_number = 0;
            return;
        }
        at = tape__cycle_look_next(&m->look, at, tape__word_length(word));
    }
}

void tape__mend_anchor_begin(tape__mend_t *m)
{
    const uint64_t root = tape__file_bytes_u64(&m->look.in, m->look.store.index2index_at);
    m->page_number = -1;
    m->next_entry = 1; /* entry 0 is where we begin */
    read_pair(m);
    m->has_root = !tape__cycle_look_array(&m->look, &m->root, "index2index", root);
    if (!m->has_root) find_first_page(m);
}

/* Brings a page into hand. False when there is none. */
static bool take_page(tape__mend_t *m, int64_t number)
{
    if (m->page_number == number) return true;
    if (!m->has_root || number >= m->root.capacity) return false;
    m->page_number = -1;
    if (tape__cycle_look_array(&m->look, &m->page, "index",
                               tape__cycle_look_entry(&m->root, number)))
        return false;
    m->page_number = number;
    return true;
}

/* Whether a message may lie there: behind what is sound, with room for those in between. */
static bool is_possible(tape__mend_t *m, const tape__anchor_t *a)
{
    const uint64_t least = m->look.store.aligned ? 8 : 5;
    if (a->position <= m->at || a->position >= m->look.in.size) return false;
    if (a->sequence <= m->number) return false;
    if (m->look.store.aligned && a->position % 4) return false;
    if ((uint64_t)(a->sequence - m->number) > (a->position - m->at) / least) return false;
    const uint32_t word = tape__file_bytes_u32(&m->look.in, a->position);
    return tape__word_kind(word) == TAPE__WORD_DATA &&
           tape__mend_step_fits(m, a->position, word, m->look.in.size);
}

bool tape__mend_anchor_next(tape__mend_t *m, tape__anchor_t *a)
{
    const tape__cycle_store_t *s = &m->look.store;
    const int64_t pages = m->has_root ? m->root.capacity : m->page_number == 0 ? 1 : 0;
    const int64_t past = m->number / s->index_spacing + 1;
    if (m->next_entry < past) m->next_entry = past;
    while (m->next_entry / s->index_count < pages) {
        if (!take_page(m, m->next_entry / s->index_count)) {
            m->next_entry = (m->next_entry / s->index_count + 1) * s->index_count;
            continue;
        }
        const int64_t entry = m->next_entry++;
        a->sequence = entry * s->index_spacing;
        a->position = tape__cycle_look_entry(&m->page, entry % s->index_count);
        if (a->position && is_possible(m, a)) return true;
    }
    *a = m->pair;
    if (m->pair_given || !m->pair_agrees) return false;
    m->pair_given = true;
    return is_possible(m, a);
}
