/* jvm_writer.c - see jvm_writer.h; the numbers are those of format.md. */
#include "jvm_writer.h"

#include <errno.h>
#include <signal.h>
#include <sys/mman.h>

#include "base/atomics.h"
#include "base/bytes.h"
#include "format/wire.h"
#include "helpers.h"

enum { ZEROS_BEHIND = 8 };

static uint32_t *word_at(const t_jvm_t *j, uint64_t at)
{
    CHECK(at % 4 == 0 && at + TAPE__WORD_SIZE + ZEROS_BEHIND <= j->store.file.size);
    return (uint32_t *)(void *)(j->file + at);
}

static uint64_t *cell_at(const t_jvm_t *j, uint64_t at)
{
    CHECK(at % 8 == 0 && at + 8 <= j->store.file.size);
    return (uint64_t *)(void *)(j->file + at);
}

void t_jvm_open(t_jvm_t *j, const char *directory, const char *cycle_path, int64_t first_index,
                t_jvm_stand_t *stand)
{
    *j = (t_jvm_t){.stand = stand, .first_index = first_index, .own = (uint64_t)getpid()};
    CHECK_OK(tape__table_store_open(&j->table, directory, true));
    j->lock = tape__table_store_cell(&j->table, TAPE__KEY_WRITE_LOCK);
    j->append_lock = tape__table_store_cell(&j->table, TAPE__KEY_APPEND_LOCK);
    CHECK(j->lock && j->append_lock);
    CHECK_OK(tape__cycle_store_open(&j->store, cycle_path, 0, true));
    CHECK(j->store.aligned && j->store.has_pair);
    j->file = mmap(NULL, j->store.file.size, PROT_READ | PROT_WRITE, MAP_SHARED, j->store.file.fd,
                   0);
    CHECK(j->file != MAP_FAILED);
    j->pair = cell_at(j, j->store.write_position_at);
}

/* ---- the lock (8.1) ---- */

static bool is_dead(uint64_t holder) { return kill((pid_t)holder, 0) != 0 && errno == ESRCH; }

static void acquire(t_jvm_t *j)
{
    while (!CLAIM64(write_lock, j->lock, TAPE__LOCK_FREE, j->own)) {
        j->stand("lock_awaited", true);
        const uint64_t holder = OBSERVE64(write_lock, j->lock);
        if (holder == TAPE__LOCK_FREE || !is_dead(holder)) continue;
        if (!CLAIM64(write_lock, j->lock, holder, TAPE__LOCK_FREE)) continue;
        j->unlocked = true;
        j->stand("java_unlocked", true);
    }
    j->stand("lock_taken", false);
}

static void release(t_jvm_t *j)
{
    (void)CLAIM64(write_lock, j->lock, j->own, TAPE__LOCK_FREE); /* a failure is only logged */
    j->stand("java_released", true);
}

/* ---- the end of the chain (6.4, 8.2) ---- */

static uint64_t next_of(const t_jvm_t *j, uint64_t at, uint32_t word)
{
    return tape__word_next(at, tape__word_length(word), j->store.aligned);
}

/* By the pair, or by counting from the file's header on; and what was published since. */
static int64_t last_sequence(const t_jvm_t *j)
{
    uint64_t at = OBSERVE64(write_position, j->pair);
    const uint64_t pair_word = OBSERVE64(write_position, j->pair + 1);
    const int shift = j->store.sequence_shift;
    int64_t sequence = -1;
    if (tape__pair_agrees(shift, at, pair_word)) {
        sequence = tape__pair_sequence(shift, pair_word);
        at = next_of(j, at, OBSERVE32(publish, word_at(j, at)));
    } else {
        at = 0;
    }
    for (;;) {
        const uint32_t word = OBSERVE32(publish, word_at(j, at));
        if (!tape__word_is_document(word)) return sequence;
        sequence += tape__word_is_message(word);
        at = next_of(j, at, word);
    }
}

static uint64_t find_slot(t_jvm_t *j)
{
    uint64_t at = OBSERVE64(write_position, j->pair);
    uint32_t word = OBSERVE32(publish, word_at(j, at));
    for (; tape__word_is_document(word); word = OBSERVE32(publish, word_at(j, at)))
        at = next_of(j, at, word);
    CHECK(word != TAPE__END_OF_DATA);
    if (word != 0) { /* "Incomplete header found, overwriting" */
        j->stand("java_unfinished_met", false);
        PUBLISH32(reserve, word_at(j, at), 0);
    }
    j->stand("java_slot_found", false);
    return at;
}

/* Raised as Java does: nobody sets it back. */
static void raise_cell(uint64_t *cell, uint64_t value)
{
    for (;;) {
        const uint64_t seen = OBSERVE64(write_position, cell);
        if (seen >= value || CLAIM64(write_position, cell, seen, value)) return;
    }
}

/* ---- the index (6.1, 6.2) ---- */

/* Where the first element of the array document at `at` stands; `used` is the word before it. */
static uint64_t elements_of(const t_jvm_t *j, uint64_t at, const char *event)
{
    tape__wire_t w = {j->file + at + 4, tape__word_length(*word_at(j, at)), 0, at + 4};
    tape__text_t name;
    tape__wire_array_t array;
    CHECK(tape__wire_name(&w, &name) && tape__wire_is(name, event));
    CHECK(tape__wire_array(&w, &array) && array.capacity == (uint64_t)j->store.index_count);
    return array.position;
}

/* A page behind the last document; its elements begin at a multiple of 8. */
static uint64_t add_page(t_jvm_t *j)
{
    const uint64_t at = find_slot(j), count = (uint64_t)j->store.index_count;
    static const uint8_t event[] = {0xB9, 5, 'i', 'n', 'd', 'e', 'x'};
    uint64_t body = at + 4;
    memcpy(j->file + body, event, sizeof event);
    for (body += sizeof event; (body + 1) % 8 != 0;) j->file[body++] = 0x8F;
    j->file[body++] = 0x8D;
    CHECK(body + 16 + 8 * count + ZEROS_BEHIND <= j->store.file.size);
    tape__put_u64(j->file + body, count);
    memset(j->file + body + 8, 0, 8 + 8 * count + ZEROS_BEHIND);
    body += 16 + 8 * count;
    j->stand("java_page_written", false);
    CHECK(CLAIM32(publish, word_at(j, at), 0, TAPE__META_DATA | (uint32_t)(body - at - 4)));
    j->stand("java_page_published", false);
    return at;
}

static uint64_t *page_cell(const t_jvm_t *j, int64_t sequence)
{
    const uint64_t outer = OBSERVE64(index_entry, cell_at(j, j->store.index2index_at));
    const int64_t number = sequence / j->store.index_spacing / j->store.index_count;
    CHECK(outer != 0 && number < j->store.index_count);
    return cell_at(j, elements_of(j, outer, "index2index") + 8 * (uint64_t)number);
}

static bool wants_entry(const t_jvm_t *j, int64_t sequence)
{
    return sequence % j->store.index_spacing == 0 &&
           (int64_t)OBSERVE64(index_entry, cell_at(j, j->store.last_index_at)) <= sequence;
}

static void add_entry(t_jvm_t *j, int64_t sequence, uint64_t position)
{
    const int64_t count = j->store.index_count, entry = sequence / j->store.index_spacing;
    uint64_t *cell = page_cell(j, sequence), page = OBSERVE64(index_entry, cell);
    if (page == 0) {
        page = add_page(j);
        CHECK(CLAIM64(index_entry, cell, 0, page));
        j->stand("java_page_linked", true);
        raise_cell(cell - entry / count - 1, (uint64_t)(entry / count) + 1);
        j->stand("java_page_counted", true);
    }
    cell = cell_at(j, elements_of(j, page, "index") + 8 * (uint64_t)(entry % count));
    const bool is_new = PEEK64(index_entry, cell) == 0;
    PUBLISH64(index_entry, cell, position);
    j->stand("java_entry_stored", true);
    if (!is_new) return;
    raise_cell(cell - entry % count - 1, (uint64_t)(entry % count) + 1);
    j->stand("java_entry_counted", true);
    raise_cell(cell_at(j, j->store.last_index_at),
               (uint64_t)(sequence + j->store.index_spacing));
    j->stand("java_indexed", true);
}

/* ---- a message (8.2) ---- */

/* Body, and zeros where the next header word will stand, with this one 0. */
static uint32_t copy(t_jvm_t *j, uint64_t at, const void *data, size_t size)
{
    uint8_t frame[TAPE__FRAME_MAX];
    const size_t frame_size = tape__wire_frame(frame, size), length = frame_size + size;
    uint8_t *body = j->file + at + 4;
    CHECK(at + 4 + length + ZEROS_BEHIND <= j->store.file.size);
    memcpy(body, frame, frame_size);
    memcpy(body + frame_size, data, size);
    memset(body + length, 0, ZEROS_BEHIND);
    j->stand("java_body_written", false);
    return (uint32_t)length;
}

static void lead(t_jvm_t *j, uint64_t at, int64_t sequence)
{
    const bool indexes = wants_entry(j, sequence);
    const bool harmless = !indexes || OBSERVE64(index_entry, page_cell(j, sequence)) != 0;
    j->stand("java_published", harmless);
    raise_cell(j->pair, at);
    j->stand("java_position_set", harmless);
    PUBLISH64(write_position, j->pair + 1,
              tape__pair_word(j->store.sequence_shift, at, sequence));
    j->stand("java_pair_set", harmless);
    if (indexes) add_entry(j, sequence, at);
}

int64_t t_jvm_write(t_jvm_t *j, const void *data, size_t size)
{
    CHECK_EQ(OBSERVE64(append_lock, j->append_lock), TAPE__LOCK_FREE);
    acquire(j);
    const int64_t sequence = last_sequence(j) + 1;
    const uint64_t at = find_slot(j);
    const uint32_t length = copy(j, at, data, size);
    const bool ours = CLAIM32(publish, word_at(j, at), 0, length);
    if (ours) lead(j, at, sequence);
    release(j);
    return ours ? j->first_index + sequence : -1;
}
