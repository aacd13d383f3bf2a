/* cycle_check.c - see cycle_check.h: the walk, and waiting for what is in flight. */
#define _POSIX_C_SOURCE 200809L
#include "check/cycle_check.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "check/cycle_walk.h"
#include "format/table_keys.h"

bool tape__cycle_check_lock_lives(const tape__cycle_facts_t *facts)
{
    uint64_t word = TAPE__LOCK_FREE;
    if (facts->at_rest || !facts->lock_at) return false;
    int fd = tape__open_file(facts->table, TAPE__RDONLY);
    if (fd < 0) return false;
    int64_t got = tape__file_read(fd, facts->lock_at, &word, sizeof word);
    tape__close_file(fd);
    if (got != (int64_t)sizeof word) return false;
    int64_t holder = tape__table_keys_holder(word);
    return holder != 0 && tape__process_alive(holder);
}

/* ---- the write position's pair and lastIndex ---- */

static bool pair_fits(const tape__cycle_walk_t *w)
{
    const tape__cycle_store_t *s = &w->look.store;
    if (w->words.position == 0) return w->count == 0 && w->words.sequence == 0;
    if (w->words.position != w->last_position) return false;
    return !s->has_pair || tape__cycle_walk_pair_is_of(w, w->count - 1);
}

static int64_t wanted_last_index(const tape__cycle_walk_t *w)
{
    return (int64_t)tape__align_up((uint64_t)w->count, (uint64_t)w->look.store.index_spacing);
}

static bool is_settled(tape__cycle_walk_t *w)
{
    if (w->broken) return true; /* a chain that breaks is no matter of time */
    if (!pair_fits(w) || w->words.last_index != (uint64_t)wanted_last_index(w)) return false;
    if (!tape__cycle_walk_index_is_whole(w)) return false;
    w->tail = tape__cycle_walk_tail(w);
    if (w->tail < w->look.in.size) return false;
    return w->end_word == TAPE__END_OF_DATA || (w->facts->newest && w->end_word == 0);
}

enum { LOOKS = 5, PAUSE_NS = 2000000 };

/* Looks again while something is unfinished. Afterwards `moving` says whether somebody is at it. */
static void settle(tape__cycle_walk_t *w)
{
    bool settled = is_settled(w);
    for (int look = 0; !settled && !w->facts->at_rest && look < LOOKS; look++) {
        const tape__cycle_words_t before = w->words;
        const uint64_t end = w->at;
        if (w->moving && look > 2) break;
        tape__sleep_ns(PAUSE_NS);
        tape__cycle_walk_refresh(w);
        tape__cycle_walk_on(w);
        if (memcmp(&before, &w->words, sizeof before) != 0 || end != w->at ||
            tape__cycle_check_lock_lives(w->facts))
            w->moving = true;
        settled = is_settled(w);
    }
    if (settled) w->moving = false;
    else w->tail = tape__cycle_walk_tail(w);
}

/* ---- telling ---- */

static void tell_pair(tape__cycle_walk_t *w)
{
    const tape__cycle_store_t *s = &w->look.store;
    const int64_t at = (int64_t)s->write_position_at, sequence = w->position_sequence;
    const uint64_t position = w->words.position;
    if (position == 0) {
        if (w->count > 0)
            tape__findings_add(w->f, TAPE__FOUND_WRITE_POSITION, TAPE_DAMAGE, at, -1,
                               "the write position is 0, but there are %" PRId64
                               " messages: Java would number from 0 again", w->count);
        else if (w->words.sequence)
            tape__findings_add(w->f, TAPE__FOUND_SEQUENCE_WORD, TAPE_DAMAGE, at + 8, -1,
                               "0x%" PRIx64 " beside a write position of 0", w->words.sequence);
        return;
    }
    if (sequence < 0) {
        tape__findings_add(w->f, TAPE__FOUND_WRITE_POSITION, TAPE_DAMAGE, at, -1,
                           "the write position 0x%" PRIx64 " is not that of a message", position);
        return;
    }
    const int64_t behind = w->count - 1 - sequence;
    const bool ended = w->end_word == TAPE__END_OF_DATA;
    if (behind > 0 && !w->moving)
        tape__findings_add(w->f, TAPE__FOUND_WRITE_POSITION,
                           behind > 1 ? TAPE_DAMAGE : ended ? TAPE_NOTE : TAPE_UNFINISHED, at, -1,
                           "the write position is %" PRId64 " messages behind the last", behind);
    if (!s->has_pair || w->moving || tape__cycle_walk_pair_is_of(w, sequence)) return;
    const bool stale = tape__cycle_walk_pair_is_of_before(w);
    tape__findings_add(w->f, TAPE__FOUND_SEQUENCE_WORD,
                       !stale ? TAPE_DAMAGE : ended ? TAPE_NOTE : TAPE_UNFINISHED, at + 8, -1,
                       "0x%" PRIx64 " is not the sequence word of message %" PRId64
                       ", which the write position names%s", w->words.sequence, sequence,
                       stale ? ", but of the one before" : "");
}

static void tell_last_index(tape__cycle_walk_t *w)
{
    const int64_t wanted = wanted_last_index(w), found = (int64_t)w->words.last_index;
    if (found == wanted || (w->moving && found >= 0 && found < wanted)) return;
    const bool behind = found >= 0 && found == wanted - w->look.store.index_spacing;
    tape__findings_add(w->f, TAPE__FOUND_INDEX_LAST, behind ? TAPE_UNFINISHED : TAPE_DAMAGE,
                       (int64_t)w->look.store.last_index_at, -1,
                       "lastIndex is %" PRId64 ", %" PRId64 " messages need %" PRId64, found,
                       w->count, wanted);
}

static void tell_tail(tape__cycle_walk_t *w)
{
    if (w->tail >= w->look.in.size) return;
    if (w->end_word == TAPE__END_OF_DATA)
        tape__findings_add(w->f, TAPE__FOUND_TAIL, TAPE_DAMAGE, (int64_t)w->tail, -1,
                           "bytes behind the end of data at 0x%" PRIx64, w->at);
    else if (!w->moving)
        tape__findings_add(w->f, TAPE__FOUND_TAIL, TAPE_UNFINISHED, (int64_t)w->tail, -1,
                           "bytes behind the end of the messages at 0x%" PRIx64
                           ": a writer died in mid-message, or a header word was lost", w->at);
}

static void tell_end(tape__cycle_walk_t *w)
{
    const int64_t at = (int64_t)w->at;
    const bool newest = w->facts->newest;
    if (w->end_word == TAPE__END_OF_DATA) {
        if (newest && !w->moving)
            tape__findings_add(w->f, TAPE__FOUND_EOF, TAPE_NOTE, at, -1,
                               "the newest cycle is finished");
    } else if (w->end_word != 0) {
        if (!w->moving)
            tape__findings_add(w->f, TAPE__FOUND_RESERVED, TAPE_UNFINISHED, at, -1,
                               "the word 0x%08x: a writer died before its message was complete",
                               w->end_word);
        return;
    } else if (!newest && !w->moving) {
        tape__findings_add(w->f, TAPE__FOUND_EOF, TAPE_UNFINISHED, at, -1,
                           "no end of data in an older cycle: a Java tailer stays here");
    }
    if (w->at + TAPE__WORD_SIZE > w->look.in.size)
        tape__findings_add(w->f, TAPE__FOUND_SIZE, TAPE_NOTE, at, -1,
                           "the file ends before the word that ends its messages");
    tell_tail(w);
}

static void tell_all(tape__cycle_walk_t *w)
{
    if (w->moving)
        tape__findings_add(w->f, TAPE__FOUND_IN_FLIGHT, TAPE_NOTE, (int64_t)w->at, -1,
                           "a writer is at work behind message %" PRId64, w->count - 1);
    if (!w->broken) { /* else all of these would tell the same once more */
        tell_end(w);
        tell_pair(w);
        tell_last_index(w);
    }
    tape__cycle_walk_tell_index(w);
    if (w->count > w->facts->roll_cycle->max_messages)
        tape__findings_add(w->f, TAPE__FOUND_FULL, TAPE_DAMAGE, (int64_t)w->at, -1,
                           "%" PRId64 " messages, and %s has room for %" PRId64, w->count,
                           w->facts->roll_cycle->name, w->facts->roll_cycle->max_messages);
}

/* ---- one file ---- */

static void tell_unreadable(tape__findings_t *f, int system_errno)
{
    char reason[128] = "";
    if (strerror_r(system_errno, reason, sizeof reason) != 0)
        snprintf(reason, sizeof reason, "errno %d", system_errno);
    tape__findings_add(f, TAPE__FOUND_UNREADABLE, TAPE_DAMAGE, -1, -1, "it cannot be read: %s",
                       reason);
}

static void tell_half_made(tape__findings_t *f, const tape__cycle_facts_t *facts)
{
    if (tape__cycle_check_lock_lives(facts))
        tape__findings_add(f, TAPE__FOUND_IN_FLIGHT, TAPE_NOTE, 0, -1, "it is being made");
    else
        tape__findings_add(f, TAPE__FOUND_HALF_MADE, TAPE_UNFINISHED, 0, -1,
                           "the file was never made to its end, and holds no message");
}

/* Whether the header can be read; what is wrong with it is told. */
static bool header_is_sound(tape__cycle_walk_t *w)
{
    int rc = tape__cycle_look_header(&w->look);
    for (int look = 0; rc == TAPE__NOT_READY && !w->facts->at_rest && look < LOOKS; look++) {
        tape__sleep_ns(PAUSE_NS);
        tape__file_bytes_refresh(&w->look.in);
        rc = tape__cycle_look_header(&w->look);
    }
    uint32_t size;
    if (rc == TAPE_OK) {
        const uint64_t at =
            tape__cycle_look_compare(&w->look, w->facts->roll_cycle, true, NULL, &size);
        if (at != 0)
            tape__findings_add(w->f, TAPE__FOUND_HEADER, TAPE_DAMAGE, (int64_t)at, -1,
                               "a header that no writer makes, though it can be read");
        return true;
    }
    if (rc == TAPE__NOT_READY) {
        tell_half_made(w->f, w->facts);
    } else if (rc == TAPE_EUNSUPPORTED) {
        tape__findings_add(w->f, TAPE__FOUND_VERSION_4, TAPE_NOTE, 0, -1,
                           "a cycle file of Chronicle Queue 4, which is not checked");
    } else {
        tape_error_facts_t facts;
        tape_error_last(&facts);
        tape__findings_add(w->f, TAPE__FOUND_HEADER, TAPE_DAMAGE, facts.position, -1, "%s",
                           facts.message);
    }
    return false;
}

bool tape__cycle_check_file(tape__findings_t *f, const char *path, const tape__cycle_facts_t *facts,
                            int64_t *count, bool *ended)
{
    tape__cycle_walk_t *w = tape__alloc(sizeof *w);
    *count = 0;
    if (ended) *ended = false;
    tape__findings_begin_file(f, path);
    if (!w) {
        tell_unreadable(f, ENOMEM);
        return true;
    }
    w->f = f;
    w->facts = facts;
    int rc = tape__cycle_look_open(&w->look, path, false);
    if (rc == 0) {
        f->report.files++;
        if (header_is_sound(w) && tape__cycle_walk_begin(w)) {
            tape__cycle_walk_on(w);
            if (!f->stopped) settle(w);
            if (!f->stopped) tell_all(w);
            *count = w->count;
            if (ended) *ended = w->end_word == TAPE__END_OF_DATA;
            f->report.messages += w->count;
        }
        if (w->look.in.failure) tell_unreadable(f, w->look.in.failure);
    } else if (rc != -ENOENT) {
        tell_unreadable(f, -rc);
    }
    tape__cycle_walk_end(w);
    tape__free(w);
    return rc != -ENOENT;
}
