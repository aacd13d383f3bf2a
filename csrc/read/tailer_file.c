/* tailer_file.c - the cycle file that a tailer has in hand: opened, entered and let go. */
#include "base/platform.h"
#include "read/tailer.h"

void tape__tailer_leave_cycle(tape_tailer_t *t)
{
    if (!t->open) return;
    tape__window_close(&t->window);
    tape__window_close(&t->wide);
    tape__places_forget(&t->places);
    tape__cycle_store_close(&t->store);
    t->open = false;
    t->believed_until_ms = 0;
    t->trail.count = 0;
}

void tape__tailer_end(tape_tailer_t *t)
{
    tape__tailer_leave_cycle(t);
    tape__free(t->trail.positions);
    tape__free(t->neighbours);
    t->trail.positions = NULL;
    t->neighbours = NULL;
}

int tape__tailer_open_file(tape__site_t *site, int64_t cycle, tape__cycle_store_t *store)
{
    int rc = tape__shelf_open(&site->shelf, cycle, store);
    if (rc == TAPE_OK) return TAPE__YES;
    return rc == TAPE__NOT_READY || rc == TAPE_ENOTFOUND ? TAPE__NO : rc;
}

void tape__tailer_enter_cycle(tape_tailer_t *t, const tape__cycle_store_t *store)
{
    tape__tailer_leave_cycle(t);
    t->store = *store;
    t->window = (tape__window_t){0};
    t->open = true;
    /* The header is a metadata document like others (format.md 12.4). */
    t->at = (tape__cursor_t){t->metadata ? 0 : t->store.first_document, 0, 0};
    t->looked_ns = 0; /* at this cycle's end the directory is looked at at once */
}

int tape__tailer_open_cycle(tape_tailer_t *t, int64_t cycle)
{
    tape__cycle_store_t store;
    int rc = tape__tailer_open_file(t->site, cycle, &store);
    if (rc == TAPE__YES) tape__tailer_enter_cycle(t, &store);
    return rc;
}
