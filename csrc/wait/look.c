/* look.c - see look.h. */
#include "wait/look.h"

#include <errno.h>

#include "base/atomics.h"
#include "base/error.h"
#include "base/platform.h"

#define PAUSE_LEAST_NS INT64_C(100000)

/* Without it nobody will ever write where we read: writers say the same (write/roll.c). */
static int check_directory(const tape__site_t *site)
{
    tape__stat_t st;
    int there = site->has_table ? tape__mapping_has_its_name(&site->table.file)
                             : tape__answer(tape__stat_path(site->path, &st) != -ENOENT);
    if (there != TAPE__NO) return there < 0 ? there : TAPE_OK;
    return tape__fail(TAPE_ENOTFOUND, site->path, -1,
                      "%s was deleted or replaced while the queue was open; close the queue and "
                      "open it again", site->path);
}

int tape__look(tape_tailer_t *t, int64_t now)
{
    const tape__site_t *site = t->site;
    const tape__last_call_t last = t->last_call; /* what can be taken back still can */
    if (site->listing.mod_count) t->wait.pulse = tape__listing_pulse(&site->listing);
    /* Whoever looks may hold a lock that the one who decompresses waits for. What is compressed is
     * there, so the reader shall look for himself. */
    tape__mapping_leave_packed(true);
    int rc = tape__tailer_find(t);
    tape__mapping_leave_packed(false);
    if (rc == TAPE_EAGAIN) rc = TAPE__YES;
    if (rc == TAPE_EGAP) t->gap.untold = true; /* it was only looked at */
    t->last_call = last;
    if (rc != TAPE__NO || now - t->wait.looked_ns < TAPE__LOOK_EVERY_NS) return rc;
    t->wait.looked_ns = now;
    rc = check_directory(site);
    return rc == TAPE_OK ? TAPE__NO : rc;
}

/* order[publish]: only whether it moved; tape__look() observes it again. */
static bool word_is_new(const tape_tailer_t *t)
{
    if (!tape__window_has(&t->window, t->at.position, 4)) return true;
    const uint32_t word =
        OBSERVE32_UNALIGNED(publish, tape__window_at(&t->window, t->at.position));
    switch (tape__word_kind(word)) {
    case TAPE__WORD_FREE:
    case TAPE__WORD_INCOMPLETE:
        return false;
    case TAPE__WORD_EOF: /* the listing's pulse tells of the next cycle */
        return t->at.word != word;
    default:
        return true;
    }
}

int tape__look_quickly(tape_tailer_t *t, int64_t now)
{
    const tape__listing_t *l = &t->site->listing;
    bool due = !l->mod_count || now - t->wait.looked_ns >= TAPE__LOOK_EVERY_NS ||
               tape__listing_pulse(l) != t->wait.pulse;
    if (!due && (!t->open || t->backward || !word_is_new(t))) return TAPE__NO;
    return tape__look(t, now);
}

void tape__look_found(tape__foreign_t *f, uint32_t word, int64_t now)
{
    f->found_ns = now;
    f->word = word;
}

void tape__look_judge(tape__foreign_t *f, uint32_t word)
{
    const bool rung = ((f->word ^ word) & ~(uint32_t)TAPE__NOTICE_ARMED) != 0;
    if (f->found_ns != 0 && !rung) f->last_ns = f->found_ns;
    f->found_ns = 0;
}

int64_t tape__look_pause(int64_t poll_ns, int64_t foreign_ns, int64_t now)
{
    int64_t pause = foreign_ns == 0 ? poll_ns : (now - foreign_ns) / 16;
    if (pause > poll_ns) pause = poll_ns;
    return pause < PAUSE_LEAST_NS ? PAUSE_LEAST_NS : pause;
}
