/* times_write.c - see times_write.h. */
#include "write/times_write.h"

#include <errno.h>

#include "base/platform.h"
#include "base/sync_point.h"
#include "file/cycle_times.h"
#include "file/excerpt.h"

enum { NOTES_SPARE = 1024 };

static int64_t later(int64_t a, int64_t b) { return a > b ? a : b; }

bool tape__times_write_is_due(const tape__writer_t *w, int64_t now)
{
    if (!w->open || w->site->settings.roll_cycle->length_ms <= TAPE__NOTE_EVERY_MS) return false;
    return !w->noted || now < w->noted_ms || now - w->noted_ms >= TAPE__NOTE_EVERY_MS;
}

bool tape__times_write_is_alone(const tape__writer_t *w)
{
    if (!w->open || w->next.word != 0 || !tape__window_has(&w->window, w->next.position, 4))
        return false;
    const uint32_t word =
        tape__excerpt_observe(tape__window_at(&w->window, w->next.position), w->store.aligned);
    return word == 0 || tape__word_kind(word) == TAPE__WORD_EOF;
}

/* By when all was written that this process wrote since a note at `ms`. The coarse clock, which the
 * lane trusts, lags by a tick. */
static int64_t bound_of(const tape__writer_t *w, int64_t ms)
{
    return ms + TAPE__NOTE_EVERY_MS - 1 + (w->site->clock ? 0 : tape__coarse_tick_ms());
}

/* More than this a clock that runs forward does not make in a cycle. */
static int64_t most_notes(const tape__writer_t *w)
{
    return 2 * w->site->settings.roll_cycle->length_ms / TAPE__NOTE_EVERY_MS + NOTES_SPARE;
}

static int open_notes(const tape__writer_t *w)
{
    char name[TAPE__PATH_SIZE];
    tape__cycle_times_name(w->store.file.path, name, sizeof name);
    int fd = tape__open_file(name, TAPE__RDWR);
    if (fd == -ENOENT) fd = tape__open_file(name, TAPE__CREATE_NEW);
    return fd;
}

/* Whether notes may be put into the file, which is begun when it is empty; or when its notes are of
 * more messages than there are, `there`: the file of the cycle was made anew, or lost its end with
 * the power. What is foreign stays as it is. */
static bool may_put(int fd, int64_t there, int64_t *count, tape__time_note_t *last)
{
    tape__stat_t st;
    if (*count >= 0 && last->sequence <= there) return true;
    if (*count < 0)
        return tape__stat_fd(fd, &st) == 0 && st.is_regular && st.size == 0;
    *last = tape__no_time_note;
    *count = -1;
    return tape__file_truncate(fd, 0) == 0;
}

/* When the clock went back, what was written before may have a later time than it shows. */
static void keep_order(const tape__writer_t *w, const tape__time_note_t *last,
                       tape__time_note_t *n)
{
    const int64_t before = w->noted ? later(w->noted_ms, last->at_ms) : last->at_ms;
    if (n->at_ms < before) n->not_after_ms = later(n->not_after_ms, bound_of(w, before));
    n->not_after_ms = later(n->not_after_ms, last->not_after_ms);
}

/* The last of the notes counts from now on; or one of another process that is fresh enough.
 * `there`: so many messages there were before this append. */
static void put(tape__writer_t *w, int64_t there, tape__time_note_t *notes, int number,
                bool at_the_end)
{
    tape__time_note_t last, *newest = &notes[number - 1];
    const int64_t cycle = w->store.cycle;
    const int fd = open_notes(w);
    int64_t count = fd < 0 ? -1 : tape__cycle_times_last(fd, cycle, &last);
    if (fd >= 0 && may_put(fd, there, &count, &last)) {
        const bool fresh = last.sequence >= 0 && newest->at_ms >= last.at_ms &&
                           newest->at_ms - last.at_ms < TAPE__NOTE_EVERY_MS;
        for (int i = 0; i < number; i++) keep_order(w, &last, &notes[i]);
        if (fresh && !at_the_end) *newest = last;
        else if (count < most_notes(w))
            (void)tape__cycle_times_put(fd, cycle, count, notes, number);
        SYNC_POINT(time_noted);
    }
    tape__close_file(fd);
    w->noted = true;
    w->noted_ms = newest->at_ms;
    w->noted_sequence = newest->sequence;
}

void tape__times_write_note(tape__writer_t *w, int64_t now, bool alone, int added)
{
    const int64_t before = w->next.sequence - added;
    int64_t bound = before > w->noted_sequence ? bound_of(w, w->noted_ms) : w->noted_ms;
    if (before == 0) bound = 0; /* of no message */
    tape__time_note_t notes[2] = {{bound, now, before}, {now, now, w->next.sequence}};
    const bool paused = before == 0 || (alone && w->noted && bound < now);
    if (!w->open || w->site->settings.roll_cycle->length_ms <= TAPE__NOTE_EVERY_MS) return;
    if (w->next.sequence == 0) {
        w->noted = true;
        w->noted_ms = now;
        w->noted_sequence = 0;
    } else if (paused) {
        put(w, before, notes, added ? 2 : 1, false);
    } else {
        put(w, before, notes + 1, 1, false);
    }
}

/* That it was before the end of the cycle is known without a note. */
void tape__times_write_end(tape__writer_t *w, int64_t now)
{
    const tape_roll_cycle_t *r = w->site->settings.roll_cycle;
    if (!w->noted || w->next.sequence <= w->noted_sequence) return;
    if (!tape__times_write_is_alone(w)) return;
    tape__time_note_t n = {bound_of(w, w->noted_ms), w->noted_ms, w->next.sequence};
    if (now >= n.at_ms) {
        n.at_ms = now;
        if (now < n.not_after_ms) n.not_after_ms = now;
    }
    const int64_t start = tape__roll_cycle_start_ms(r, w->site->listing.epoch_ms, w->store.cycle);
    if (n.not_after_ms < start + r->length_ms - 1) put(w, n.sequence, &n, 1, true);
}

void tape__times_write_forget(const char *path)
{
    char name[TAPE__PATH_SIZE];
    tape__cycle_times_name(path, name, sizeof name);
    (void)tape__unlink(name);
}
