/* tailer.h - the tailer object, shared by the files that make up its verbs.
 *
 *     tailer.c           what callers call
 *     tailer_open.c      opening, shutting and closing
 *     tailer_walk.c      to the next message, forward or backward
 *     tailer_seek.c      to a given one
 *     tailer_time.c      to the first of a time
 *     tailer_places.c    where some of those lie that were passed
 *     tailer_file.c      the cycle file in hand
 *     tailer_cycles.c    which one that is, and the next
 *     tailer_copy.c      and whether a file that took its place is a copy
 *     named_tailer.c     where one with a name begins
 *     tailer_batch.c     many messages in one call, copied
 *     tailer_spans.c     the same where they lie
 *     tailer_info.c      how far it is behind
 *
 * A tailer maps cycle files read-only and takes no lock: it cannot harm a queue.
 *
 *     at 0 or NOT_COMPLETE: nothing yet        at END_OF_DATA: the next cycle that exists
 */
#ifndef TAPE_TAILER_H
#define TAPE_TAILER_H

#include "file/cycle_store.h"
#include "format/wire.h"
#include "file/site.h"
#include "read/tailer_places.h"

/* What makes a tailer a named one. */
typedef struct {
    char *id;              /* NULL: it has no name */
    uint64_t *cell;        /* `index.<id>` in the table store */
    int64_t looked_ms;     /* when the table store was last seen to have its name */
    uint64_t pulse;        /* listing.modCount then */
    uint64_t hash;
    bool marked;           /* the name is marked as in use */
    bool taken;            /* and somebody took it over */
    const uint64_t *thefts; /* how many names were taken over, ... */
    uint64_t seen;         /* ... and so many it was when this was not among them */
} tape__name_t;

/* Messages that the tailer had yet to read and that are gone. */
typedef struct {
    int64_t from, to;
    bool untold;           /* TAPE_EGAP is due */
    bool unasked;          /* tape_tailer_gap() has not given it yet */
} tape__gap_t;

enum { TAPE__TRAIL_MAX = 1024 };
#define TAPE__TAILER_WINDOW_LEAST (INT64_C(64) << 10)

/* Positions of messages first .. first + count - 1 of the tailer's cycle: a chain can only be
 * walked forward, so going backward one walks a stretch once and keeps it. */
typedef struct {
    int64_t first;
    int64_t count;
    uint64_t *positions; /* TAPE__TRAIL_MAX of them; NULL until the first step backward */
} tape__trail_t;

/* Where it found nothing although the write position lies further on, and since when. */
typedef struct {
    int64_t cycle;
    uint64_t position;
    int64_t since_ns; /* 0: nowhere */
} tape__hole_t;

/* What the last call gave that can be taken back; those that only tell or commit leave it. */
typedef struct {
    enum { TAPE__GAVE_NOTHING, TAPE__GAVE_MESSAGE, TAPE__GAVE_MANY, TAPE__GAVE_GAP } gave;
    int64_t many; /* so many messages */
} tape__last_call_t;

/* What wait/ hangs on a tailer. While a tailer is armed, the thread that waits for it may use it,
 * so each call on the tailer disturbs that first. */
typedef struct tape__watch tape__watch_t;
typedef struct {
    void (*disturb)(tape_tailer_t *t); /* a call begins, or the tailer is shut */
    void (*nothing)(tape_tailer_t *t); /* a read found nothing */
    void (*release)(tape_tailer_t *t); /* the tailer goes */
} tape__watch_hooks_t;

/* Messages of which nobody told. A writer of tape rings a moment after it has published, so what
 * was found without a ring is a foreign writer's only if none came until somebody waits again. */
typedef struct {
    int64_t last_ns;       /* when one was found last; 0: never */
    int64_t found_ns;      /* one that may be, and the notice word then; 0: none */
    uint32_t word;
} tape__foreign_t;

/* For tape_tailer_wait(). */
#define TAPE__POLL_INTERVAL INT64_C(50000000) /* unless another is wished */
typedef struct {
    int64_t poll_ns;       /* the longest pause between looks for what nobody tells of */
    tape__foreign_t foreign;
    uint64_t pulse;        /* of the listing, at the last look */
    int64_t looked_ns;     /* at all that can have changed */
    uint32_t waiting;      /* somebody is in tape_tailer_wait(); order[waiting] */
    uint32_t stop;         /* and shall leave it, because the tailer is being shut */
} tape__waiting_t;

struct tape_tailer {
    tape__child_t child;       /* first: shutting down finds the tailer by it */
    tape__site_t *site;
    uint32_t busy;
    bool shut;
    bool open;                 /* `store` is */
    tape__cycle_store_t store;
    tape__window_t window;
    tape__window_t wide;       /* over the whole file, once something was sought in it */
    uint64_t window_size;
    bool bounded;              /* `window_size` was asked for: nothing larger is mapped */
    bool documents;            /* whole ones are wanted, frames are not looked for */
    bool metadata;             /* metadata documents are wanted, too */
    bool tell_gaps;            /* by TAPE_EGAP */
    bool backward;
    bool quick;                /* the next message can be taken without asking (tailer.c), ... */
    int64_t quick_below;       /* ... while its sequence is below this */
    int64_t quick_base;        /* index of sequence 0 of its cycle */
    int64_t nothing_from_ms;   /* by the coarse clock: between these two who finds no message ... */
    int64_t nothing_until_ms;  /* ... has nothing else to do than to say so */
    tape__cursor_t at;         /* of the next read; backward only its sequence counts */
    tape__neighbours_t *neighbours; /* of its cycle, when the directory had to be read */
    tape__places_t places;     /* of its cycle, when it seeks there */
    int64_t believed_until_ms; /* so long the file in hand counts as not deleted, ... */
    uint64_t believed_listing; /* ... if the listing does not move */
    tape__trail_t trail;       /* where the messages before it are, for going backward */
    int64_t last_read;         /* TAPE_ENOINDEX: none */
    tape__cursor_t before;     /* the last call for reading, while it can be taken back */
    int64_t before_last_read;
    tape__last_call_t last_call;
    tape__last_call_t call_before; /* as last_call was when the call in hand began */
    bool delivered;            /* the caller may still look at what the last call gave */
    int64_t looked_ns;
    tape__hole_t hole;
    tape__gap_t gap;
    tape__name_t name;
    tape__waiting_t wait;
    tape__watch_t *watch;      /* NULL: nobody waits for it through a waiter */
    const tape__watch_hooks_t *hooks;
};

/* As tape_tailer_open(), at the site of a queue. */
int tape__tailer_make(tape__site_t *site, const tape_tailer_options_t *options,
                      tape_tailer_t **out);

/* Begins and ends a call: one thread at a time. */
int tape__tailer_enter(tape_tailer_t *t);
/* The same for calls that only tell, which a tailer whose name was taken over still does. */
int tape__tailer_enter_to_tell(tape_tailer_t *t);
/* Only who is inside changes a 1, so no CLAIM is needed, which would cost as much as reading. */
static inline void tape__tailer_leave(tape_tailer_t *t) { PUBLISH32(busy, &t->busy, 0); }
/* Ends one that only told: what the call before it gave can still be taken back. */
void tape__tailer_leave_unchanged(tape_tailer_t *t);

/* tailer_walk.c: to the next message in the direction of reading, without passing it. Whether there
 * is one now: an answer (base/error.h), TAPE_EGAP among its codes. Backward that is at->sequence or
 * the nearest before it; beyond the start the sequence is -1, and the index the number before the
 * first one. */
int tape__tailer_find_forward(tape_tailer_t *t);
int tape__tailer_find_backward(tape_tailer_t *t);
static inline int tape__tailer_find(tape_tailer_t *t)
{
    return t->backward ? tape__tailer_find_backward(t) : tape__tailer_find_forward(t);
}
/* The same passing over metadata, whether the tailer is asked for it or not. */
static inline int tape__tailer_find_message(tape_tailer_t *t)
{
    const bool metadata = t->metadata;
    t->metadata = false;
    int rc = tape__tailer_find(t);
    t->metadata = metadata;
    return rc;
}
/* A message without its frame, if that is wanted; returns which framing it is then. */
static inline uint32_t tape__tailer_unframe(const tape_tailer_t *t, const uint8_t *body,
                                            size_t length, const uint8_t **data, size_t *size)
{
    size_t offset = 0, inside;
    *data = body;
    *size = length;
    if (t->documents || !tape__wire_unframe(body, length, &offset, &inside))
        return TAPE_FRAMING_DOCUMENT;
    *data = body + offset;
    *size = inside;
    return TAPE_FRAMING_BYTES;
}
/* The same of the document that was found. */
static inline uint32_t tape__tailer_body(const tape_tailer_t *t, const uint8_t **data, size_t *size)
{
    const uint8_t *body = tape__window_at(&t->window, t->at.position + 4);
    *data = body;
    *size = tape__word_length(t->at.word);
    if (tape__word_kind(t->at.word) == TAPE__WORD_META) return TAPE_FRAMING_DOCUMENT;
    return tape__tailer_unframe(t, body, *size, data, size);
}
/* Over the message that was found. */
static inline void tape__tailer_step(tape_tailer_t *t)
{
    if (t->backward) t->at.sequence--;
    else tape__cycle_store_step(&t->store, &t->at);
}
/* As tape__tailer_find() within the cycle in hand, for a message and no metadata: TAPE__NO when the
 * next one, if there is any, lies in another. */
int tape__tailer_find_in_cycle(tape_tailer_t *t);
/* Stands behind the last message; whether there is a cycle: an answer. */
int tape__tailer_move_to_end(tape_tailer_t *t, tape__chain_end_t *end);

/* tailer_seek.c: where a forward read goes on after reading backward. */
int tape__tailer_turn_forward(tape_tailer_t *t);
/* Moves to a message: one of these, or a code. */
typedef enum {
    TAPE__SOUGHT_THERE = 11, /* the message is there */
    TAPE__SOUGHT_NEXT = 12,  /* it would be the next one of its cycle: the tailer waits there */
    TAPE__SOUGHT_BEYOND = 13 /* it is further away, or its file is not there: the tailer stays */
} tape__sought_t;
int tape__tailer_move(tape_tailer_t *t, int64_t cycle, int64_t sequence);
/* tailer_look.c: where a message is in a file, looked for through `w`; the tailer stays. One of
 * these, or a code. */
int tape__tailer_look_in(tape_tailer_t *t, tape__cycle_store_t *s, tape__window_t *w,
                         int64_t sequence, tape__cursor_t *c);
/* tailer_time.c: the same to the first message that was written at a time or later, or a little
 * before it, as far as is known; TAPE__SOUGHT_NEXT when there is none: it is behind the last. */
int tape__tailer_move_to_time(tape_tailer_t *t, int64_t ms);
/* Where the next message stands or will stand, found through `w`; the tailer stays. TAPE_OK or a
 * code. */
int tape__tailer_place(tape_tailer_t *t, tape__window_t *w, tape__cursor_t *out);

/* tailer_file.c: opens the file of a cycle; whether there is one (yet, or still): an answer. */
int tape__tailer_open_file(tape__site_t *site, int64_t cycle, tape__cycle_store_t *store);
/* Leaves the cycle in hand and stands before the first message of another one. */
void tape__tailer_enter_cycle(tape_tailer_t *t, const tape__cycle_store_t *store);
void tape__tailer_leave_cycle(tape_tailer_t *t);
/* Gives back all that it holds but its name. */
void tape__tailer_end(tape_tailer_t *t);
/* Both in one. */
int tape__tailer_open_cycle(tape_tailer_t *t, int64_t cycle);
/* tailer_cycles.c, all of it answers. Puts a tailer without a cycle before the first message;
 * whether there is a cycle. */
int tape__tailer_stand_at_start(tape_tailer_t *t);
/* Whether the file in hand has no name any more, so that nobody will write to it. */
int tape__tailer_is_deleted(const tape_tailer_t *t);
/* Enters the newest cycle below the one in hand, if there is one. */
int tape__tailer_enter_earlier(tape_tailer_t *t);
/* Enters the newest cycle below `below` whose file can be used, if there is one. */
int tape__tailer_open_last(tape_tailer_t *t, int64_t below);
/* At the END_OF_DATA of the file in hand: enters the next cycle, if there is one yet. */
int tape__tailer_enter_later(tape_tailer_t *t);
/* At the end of a file that is not finished: enters the next cycle if somebody deleted this one, as
 * far as it is time to ask. TAPE__YES also when the end has moved on. */
int tape__tailer_leave_deleted(tape_tailer_t *t);

/* tailer_copy.c: the file in hand has lost its name. If the one that has it now is a copy, grown
 * perhaps, enters it at the place where the tailer stands, and no message is lost. Whether it is
 * one: an answer. */
int tape__tailer_enter_copy(tape_tailer_t *t);

/* The index of the next read, when the tailer stands in a cycle. */
static inline int64_t tape__tailer_next_index(const tape_tailer_t *t)
{
    return tape__index(t->site->settings.roll_cycle, t->store.cycle, t->at.sequence);
}

/* named_tailer.c: finds the stored position and goes there. */
int tape__tailer_bind(tape_tailer_t *t, const char *id, bool steal);
void tape__tailer_unbind(tape_tailer_t *t);
void tape__tailer_be_nameless(tape_tailer_t *t);
/* Whether nobody took any name over: one load. Else the second one tells whether it was this one's:
 * TAPE_OK or TAPE_EBUSY. */
static inline bool tape__tailer_has_its_name(const tape_tailer_t *t)
{
    return OBSERVE64(thefts, t->name.thefts) == t->name.seen;
}

#endif
