/* cycle_times.c - see cycle_times.h. */
#include "file/cycle_times.h"

#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/platform.h"
#include "format/file_names.h"

enum { NOTE = 32, AT_ONCE = TAPE__BLOCK / NOTE };
static const char magic[8] = "TAPETIM1";
const tape__time_note_t tape__no_time_note = {0, 0, -1};

void tape__cycle_times_name(const char *path, char *out, size_t size)
{
    snprintf(out, size, "%s" TAPE__TIMES_SUFFIX, path);
}

/* ---- one note ---- */

static uint64_t mixed(uint64_t hash, uint64_t word)
{
    hash = (hash ^ word) * UINT64_C(0x9E3779B97F4A7C15);
    return hash ^ (hash >> 29);
}

static uint64_t check_of(int64_t cycle, const tape__time_note_t *n)
{
    uint64_t hash = mixed(UINT64_C(0x54494D45), (uint64_t)cycle);
    hash = mixed(hash, (uint64_t)n->not_after_ms);
    hash = mixed(hash, (uint64_t)n->at_ms);
    return mixed(hash, (uint64_t)n->sequence);
}

static bool parse(const uint8_t *bytes, int64_t cycle, tape__time_note_t *out)
{
    out->not_after_ms = (int64_t)tape__get_u64(bytes);
    out->at_ms = (int64_t)tape__get_u64(bytes + 8);
    out->sequence = (int64_t)tape__get_u64(bytes + 16);
    return out->at_ms >= 0 && out->not_after_ms >= 0 && out->sequence >= 0 &&
           tape__get_u64(bytes + 24) == check_of(cycle, out);
}

int tape__cycle_times_put(int fd, int64_t cycle, int64_t count, const tape__time_note_t *notes,
                          int number)
{
    uint8_t bytes[3 * NOTE] = {0}, *at = bytes + NOTE;
    memcpy(bytes, magic, sizeof magic);
    tape__put_u64(bytes + 8, (uint64_t)cycle);
    for (int i = 0; i < number; i++, at += NOTE) {
        tape__put_u64(at, (uint64_t)notes[i].not_after_ms);
        tape__put_u64(at + 8, (uint64_t)notes[i].at_ms);
        tape__put_u64(at + 16, (uint64_t)notes[i].sequence);
        tape__put_u64(at + 24, check_of(cycle, &notes[i]));
    }
    const size_t size = (size_t)number * NOTE;
    if (count < 0) return tape__file_write(fd, 0, bytes, NOTE + size);
    return tape__file_write(fd, NOTE + (uint64_t)count * NOTE, bytes + NOTE, size);
}

/* ---- many ---- */

/* How many whole notes there are, good or not; -1: it is no such file. */
static int64_t count_of(int fd, int64_t cycle)
{
    uint8_t head[NOTE];
    tape__stat_t st;
    if (tape__stat_fd(fd, &st) < 0 || !st.is_regular || st.size < NOTE || st.size > INT64_MAX / 2)
        return -1;
    if (tape__file_read(fd, 0, head, NOTE) != NOTE || memcmp(head, magic, sizeof magic) != 0 ||
        (int64_t)tape__get_u64(head + 8) != cycle)
        return -1;
    return (int64_t)(st.size / NOTE) - 1;
}

/* The notes of a file that are looked at together. */
typedef struct {
    uint8_t bytes[AT_ONCE * NOTE];
    int64_t from, count;
} some_t;

/* From number `from` on, below `to`. */
static void read_some(int fd, int64_t from, int64_t to, some_t *s)
{
    const int64_t wanted = to - from < AT_ONCE ? to - from : AT_ONCE;
    const int64_t got =
        tape__file_read(fd, NOTE + (uint64_t)from * NOTE, s->bytes, (size_t)wanted * NOTE);
    s->from = from;
    s->count = got < 0 ? 0 : got / NOTE;
}

/* The last good note of [low, high), of those that a read brings: its number, or the number of the
 * first one that was looked at when none is good. */
static int64_t last_good(int fd, int64_t cycle, int64_t low, int64_t high, tape__time_note_t *out,
                         bool *good)
{
    some_t s;
    const int64_t from = high - low > AT_ONCE ? high - AT_ONCE : low;
    read_some(fd, from, high, &s);
    *good = false;
    for (int64_t n = s.count - 1; n >= 0; n--)
        if (parse(s.bytes + n * NOTE, cycle, out)) {
            *good = true;
            return from + n;
        }
    return from;
}

int64_t tape__cycle_times_last(int fd, int64_t cycle, tape__time_note_t *last)
{
    const int64_t count = count_of(fd, cycle);
    bool good = false;
    if (count > 0) (void)last_good(fd, cycle, 0, count, last, &good);
    if (!good) *last = tape__no_time_note;
    return count;
}

/* ---- finding ---- */

/* The same among few: [low, high). -1: none of them. */
static int64_t newest_of_few(int fd, int64_t cycle, int64_t low, int64_t high, int64_t ms,
                             tape__time_note_t *found)
{
    some_t s;
    tape__time_note_t note;
    read_some(fd, low, high, &s);
    for (int64_t n = s.count - 1; n >= 0; n--)
        if (parse(s.bytes + n * NOTE, cycle, &note) && note.not_after_ms < ms) {
            *found = note;
            return low + n;
        }
    return -1;
}

/* The newest note by which messages were written before `ms`: its number, -1 when there is none.
 * Each note is true by itself, so one that is missed makes the answer come earlier, never later. */
static int64_t newest_before(int fd, int64_t cycle, int64_t count, int64_t ms,
                             tape__time_note_t *found)
{
    int64_t low = 0, high = count, number = -1;
    while (high - low > AT_ONCE) {
        const int64_t middle = low + (high - low) / 2;
        tape__time_note_t note;
        uint8_t bytes[NOTE];
        bool good = tape__file_read(fd, NOTE + (uint64_t)middle * NOTE, bytes, NOTE) == NOTE &&
                    parse(bytes, cycle, &note);
        const int64_t at = good ? middle : last_good(fd, cycle, low, middle + 1, &note, &good);
        if (good && note.not_after_ms < ms) {
            *found = note;
            number = at;
            low = middle + 1;
        } else {
            high = at;
        }
    }
    const int64_t near = newest_of_few(fd, cycle, low, high, ms, found);
    return near < 0 ? number : near;
}

/* The first message before which a note from number `from` on was made at `ms` or later; -1 when
 * none is near. */
static int64_t limit_from(int fd, int64_t cycle, int64_t from, int64_t count, int64_t ms)
{
    enum { READS = 16 };
    some_t s;
    tape__time_note_t note;
    for (int reads = 0; from < count && reads < READS; reads++, from += AT_ONCE) {
        read_some(fd, from, count, &s);
        for (int64_t n = 0; n < s.count; n++)
            if (parse(s.bytes + n * NOTE, cycle, &note) && note.at_ms >= ms) return note.sequence;
    }
    return -1;
}

void tape__cycle_times_find(const char *path, int64_t cycle, int64_t ms, tape__stretch_t *out)
{
    char name[TAPE__PATH_SIZE];
    tape__time_note_t note = {0, 0, 0};
    *out = (tape__stretch_t){0, -1};
    tape__cycle_times_name(path, name, sizeof name);
    const int fd = tape__open_file(name, TAPE__RDONLY);
    if (fd < 0) return;
    const int64_t count = count_of(fd, cycle);
    const int64_t number = count > 0 ? newest_before(fd, cycle, count, ms, &note) : -1;
    out->first = note.sequence;
    if (count > 0) out->limit = limit_from(fd, cycle, number < 0 ? 0 : number, count, ms);
    if (out->limit >= 0 && out->limit < out->first) out->limit = -1;
    tape__close_file(fd);
}
