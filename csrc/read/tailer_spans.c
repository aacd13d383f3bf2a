/* tailer_spans.c - many messages in one call, where they lie.
 *
 * A run is what can be given without moving a window: messages of one cycle, one behind the other,
 * in memory that stays mapped until the next call. Their indexes follow one another, so one number
 * tells all of them, and they are framed alike, so one word tells that.
 */
#include "base/error.h"
#include "read/tailer.h"

static int check(const tape_tailer_t *t, const tape_span_t *spans, size_t count,
                 const tape_run_t *run)
{
    return t && spans && run && count > 0
               ? TAPE_OK
               : tape__fail(TAPE_EINVAL, NULL, -1, "no tailer, or no room for messages");
}

/* Puts the message in hand into spans[n] and passes it. False, and not passed, when it is framed
 * otherwise than those before it. */
static bool take(tape_tailer_t *t, tape_span_t *spans, size_t n, tape_run_t *run)
{
    const uint8_t *data;
    size_t size;
    uint32_t framing = tape__tailer_body(t, &data, &size);
    if (n == 0) run->framing = framing;
    if (framing != run->framing) return false;
    spans[n] = (tape_span_t){data, size};
    tape__tailer_step(t);
    return true;
}

/* Forward, in a file of data format 1: the rest of the run, from place `n` on; returns its length.
 * What is not whole in the window, or not complete, is left to the next call. */
static size_t walk(tape_tailer_t *t, tape_span_t *spans, size_t n, size_t count, uint32_t framing)
{
    const uint8_t *base = t->window.base;
    const uint64_t window = t->window.size;
    const size_t begun = n;
    uint64_t at = t->at.position - t->window.start;
    while (n < count && at + 4 <= window) {
        /* order[publish]: a complete word, then its body. */
        const uint32_t word = OBSERVE32(publish, (const uint32_t *)(const void *)(base + at));
        const uint32_t length = tape__word_length(word);
        if (at + 4 + length > window) break;
        if (tape__word_is_message(word)) {
            const uint8_t *data;
            size_t size;
            if (tape__tailer_unframe(t, base + at + 4, length, &data, &size) != framing) break;
            spans[n++] = (tape_span_t){data, size};
        } else if (tape__word_kind(word) != TAPE__WORD_META) {
            break;
        }
        at = tape__word_next(at, length, true);
    }
    t->at.position = t->window.start + at; /* windows begin at multiples of 4 */
    t->at.sequence += (int64_t)(n - begun);
    return n;
}

/* The document that comes next, if the window holds the whole of it: moving it would pull the
 * messages before it from under the caller. Backward only the trail tells where it is. */
static bool look(const tape_tailer_t *t, tape__cursor_t *c)
{
    *c = t->at;
    if (t->backward) {
        const int64_t place = c->sequence - t->trail.first;
        if (place < 0 || place >= t->trail.count) return false;
        c->position = t->trail.positions[place];
    }
    if (!tape__window_has(&t->window, c->position, 4)) return false;
    c->word = OBSERVE32_UNALIGNED(publish, tape__window_at(&t->window, c->position));
    return tape__window_has(&t->window, c->position, 4 + (uint64_t)tape__word_length(c->word));
}

/* Backward, or in a file of data format 0, whose words lie anywhere. */
static size_t walk_by_all_rules(tape_tailer_t *t, tape_span_t *spans, size_t n, size_t count,
                                tape_run_t *run)
{
    tape__cursor_t c;
    while (n < count && look(t, &c)) {
        if (!tape__word_is_document(c.word)) break;
        t->at = c;
        if (!tape__word_is_message(c.word)) tape__cycle_store_step(&t->store, &t->at);
        else if (take(t, spans, n, run)) n++;
        else break;
    }
    return n;
}

static int64_t read_spans(tape_tailer_t *t, tape_span_t *spans, size_t count, tape_run_t *run)
{
    int rc = tape__tailer_find_message(t);
    if (rc != TAPE__YES) return tape__answer_given(rc);
    t->before = t->at;
    *run = (tape_run_t){.first_index = tape__tailer_next_index(t)};
    (void)take(t, spans, 0, run);
    size_t n = 1;
    n = !t->backward && t->store.aligned ? walk(t, spans, n, count, run->framing)
                                         : walk_by_all_rules(t, spans, n, count, run);
    return (int64_t)n;
}

int64_t tape_tailer_next_spans(tape_tailer_t *t, tape_span_t *spans, size_t count, tape_run_t *run)
{
    int64_t result = check(t, spans, count, run);
    if (result == TAPE_OK) result = tape__tailer_enter(t);
    if (result != TAPE_OK) return result;
    result = read_spans(t, spans, count, run);
    if (result > 0) {
        t->before_last_read = t->last_read;
        t->last_read = run->first_index + (t->backward ? 1 - result : result - 1);
        t->last_call = (tape__last_call_t){TAPE__GAVE_MANY, result};
        t->delivered = true;
    }
    if (t->watch && result == 0) t->hooks->nothing(t);
    tape__tailer_leave(t);
    return result;
}
