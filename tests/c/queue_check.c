/* queue_check.c - see queue_check.h. */
#include "queue_check.h"

#include "base/atomics.h"
#include "file/cycle_store.h"
#include "file/directory_listing.h"
#include "file/excerpt_index.h"
#include "file/table_store.h"
#include "format/wire.h"
#include "helpers.h"

/* The entry of message `sequence` in the file's index pages, 0 when there is none, or when one that
 * may be missing lies behind `used`, where Java does not look. */
static uint64_t entry_of(const tape__cycle_store_t *s, const uint8_t *bytes, size_t size,
                         int64_t sequence, int flags)
{
    int64_t entry = sequence / s->index_spacing;
    uint64_t at = 0;
    memcpy(&at, bytes + s->index2index_at, 8);
    const char *event = "index2index";
    int64_t columns[] = {entry / s->index_count, entry % s->index_count};
    for (int level = 0; level < 2; level++, event = "index") {
        if (at == 0) return 0;
        CHECK(at % 4 == 0 && at + 4 < size);
        uint32_t word;
        memcpy(&word, bytes + at, 4);
        CHECK_EQ(tape__word_kind(word), TAPE__WORD_META);
        tape__wire_t w = {bytes + at + 4, tape__word_length(word), 0, at + 4};
        tape__text_t name;
        tape__wire_array_t a;
        CHECK(tape__wire_name(&w, &name) && tape__wire_is(name, event));
        CHECK(tape__wire_array(&w, &a));
        CHECK_EQ(a.capacity, s->index_count);
        CHECK(columns[level] < s->index_count);
        memcpy(&at, bytes + a.position + 8 * columns[level], 8);
        if (at == 0 || a.used > (uint64_t)columns[level]) continue;
        CHECK(flags & T_MAY_LACK_ENTRY);
        return 0;
    }
    return at;
}

static void check_end(const tape__cursor_t *c, const uint8_t *bytes, size_t size, bool newest)
{
    if (!newest) {
        CHECK_EQ(c->word, TAPE__END_OF_DATA);
        return;
    }
    CHECK_EQ(c->word, 0);
    for (uint64_t at = c->position; at < c->position + 4 && at < size; at++) CHECK_EQ(bytes[at], 0);
}

static void check_file(const char *path, int64_t cycle, bool newest, int flags, t_findings_t *f)
{
    tape__cycle_store_t s;
    tape__window_t w = {0};
    size_t size;
    CHECK_EQ(tape__cycle_store_open(&s, path, cycle, false), TAPE_OK);
    CHECK(s.aligned && s.has_pair);
    uint8_t *bytes = t_read_file(path, &size);
    tape__cursor_t c = {s.first_document, 0, 0};
    uint64_t last = 0;
    int64_t missing = 0;
    for (;; tape__cycle_store_step(&s, &c)) {
        CHECK_EQ(tape__cycle_store_observe(&s, &w, &c, 1 << 20), TAPE_OK);
        tape__word_kind_t kind = tape__word_kind(c.word);
        if (kind != TAPE__WORD_DATA && kind != TAPE__WORD_META) break;
        if (kind != TAPE__WORD_DATA) continue;
        last = c.position;
        f->messages++;
        if (!tape__excerpt_index_wants(&s, c.sequence)) continue;
        uint64_t entry = entry_of(&s, bytes, size, c.sequence, flags);
        if (entry != 0) CHECK_EQ(entry, c.position);
        f->indexed += entry != 0;
        missing += entry == 0;
    }
    check_end(&c, bytes, size, newest);
    uint64_t pair[2];
    memcpy(pair, bytes + s.write_position_at, sizeof pair);
    CHECK(last != 0); /* a file is linked with its first message, never without */
    CHECK(pair[0] != 0);
    bool lags = (flags & T_MAY_LAG) || !newest;
    if (!lags) {
        CHECK(missing <= ((flags & T_MAY_LACK_ENTRY) != 0));
        CHECK_EQ(pair[0], last);
        CHECK_EQ(pair[1], tape__cycle_store_pair_word(&s, last, c.sequence - 1));
        int64_t next = (c.sequence - 1) / s.index_spacing * s.index_spacing + s.index_spacing;
        CHECK_EQ(tape__excerpt_index_next(&s), next);
    } else {
        CHECK(missing <= 1);
        CHECK(pair[0] <= last);
    }
    tape__window_close(&w);
    tape__cycle_store_close(&s);
    free(bytes);
}

t_findings_t t_check_queue(const char *directory, int flags)
{
    t_findings_t f = {0, 0, 0};
    tape__table_store_t t;
    CHECK_OK(tape__table_store_open(&t, directory, false));
    tape__listing_t l = {
        .directory = directory,
        .roll_cycle = t.settings.roll_cycle,
        .epoch_ms = tape__roll_cycle_epoch(t.settings.roll_cycle, t.settings.epoch_ms),
        .lowest = tape__table_store_cell(&t, "listing.lowestCycle"),
        .highest = tape__table_store_cell(&t, "listing.highestCycle"),
    };
    uint64_t *lock = tape__table_store_cell(&t, "chronicle.write.lock");
    CHECK(lock != NULL);
    if (!(flags & T_MAY_LAG)) CHECK_EQ(*lock, TAPE__MIN64);
    int64_t first, last;
    CHECK_OK(tape__listing_scan(&l, &first, &last));
    for (int64_t cycle = first; cycle != TAPE__NO_CYCLE;) {
        char path[1024];
        CHECK(tape__listing_path(&l, cycle, path, sizeof path));
        check_file(path, cycle, cycle == last, flags, &f);
        f.cycles++;
        if (cycle == last) break;
        CHECK_OK(tape__listing_above(&l, cycle + 1, NULL, &cycle));
    }
    if (f.cycles > 0 && !(flags & T_MAY_LAG)) {
        CHECK_EQ(tape__listing_lowest_word(&l), first);
        CHECK_EQ(tape__listing_highest_word(&l), last);
    }
    tape__table_store_close(&t);
    return f;
}
