/* cycle_store.h - one .cq4 file: its header, its chain of documents, its end (format.md 4).
 *
 *     0000  header word 0x40000000|n, then "header" !SCQStore {
 *             writePosition   pair of i64: [0] last message's header position, [1] sequence word
 *             indexing        !SCQSIndexing { indexCount, indexSpacing, index2Index, lastIndex }
 *             dataFormat      1: documents are aligned to 4; absent: packed }
 *     ....  index2index page, first index page (metadata documents)
 *     ....  messages and further index pages
 *     ....  0 (the end) or END_OF_DATA (the end for good)
 *
 *     cycle_store.c      opening, walking          write/cycle_end.h      an end to write at
 *     cycle_header.c     the header                write/cycle_build.h    a new file
 *     cycle_measure.c    finished files, counted without mapping them
 *     cycle_chain.c      the end of the chain
 *
 * Bound words are found by parsing: their offsets differ between versions (3.6).
 *
 * writePosition[0], [1]: written by the holder of the write lock only, [0] first; a reader
 *   that sees them disagree (4.3) looks again or counts. Staleness costs a longer walk.
 */
#ifndef TAPE_CYCLE_STORE_H
#define TAPE_CYCLE_STORE_H

#include <inttypes.h>

#include "base/error.h"
#include "file/mapping.h"
#include "format/header_word.h"
#include "format/pair.h"
#include "format/roll_cycle.h"

enum { TAPE__NOT_READY = 31 }; /* the file is half-made: another process is creating it, or died */

typedef struct {
    tape__file_t file;
    tape__window_t head;  /* the header and the bound words */
    tape__window_t outer; /* index2index */
    tape__window_t page;  /* one index page */
    int64_t cycle;
    bool aligned;              /* dataFormat 1 */
    bool has_pair;             /* writePosition is a pair (since 4.6.48) */
    uint64_t *pair;            /* writePosition, in `head` */
    bool pair_at_once;         /* both its words can be changed together */
    uint64_t write_position_at; /* file offsets of the bound words */
    uint64_t index2index_at, last_index_at;
    uint64_t first_document;
    int64_t index_count, index_spacing;
    int sequence_shift;        /* of the sequence word, by the stored values (4.3) */
    /* index2index as last opened: offset of its first entry; 0: not yet */
    uint64_t outer_first;
    int64_t page_reserved;     /* the index page, plus 1, that is known to have its blocks */
    int64_t page_number;       /* the index page that `page` shows, when page_first is not 0 */
    uint64_t page_first;
} tape__cycle_store_t;

/* A place in the chain: the header at `position` is of message `sequence`, or of the metadata or
 * end before it. */
typedef struct {
    uint64_t position;
    int64_t sequence;
    uint32_t word; /* as last observed there */
} tape__cursor_t;

/* TAPE_OK, TAPE__NOT_READY, or a code: TAPE_ENOTFOUND, TAPE_ECORRUPT, TAPE_EUNSUPPORTED, ... */
int tape__cycle_store_open(tape__cycle_store_t *s, const char *path, int64_t cycle, bool writable);
/* The same of a compressed file, for reading. */
int tape__cycle_store_open_packed(tape__cycle_store_t *s, const char *path, int64_t cycle,
                                  tape__unpacker_t unpacker);
void tape__cycle_store_close(tape__cycle_store_t *s);

/* Observes the header word at c->position through `w`; a place behind the end of the file counts as
 * free. With a complete word the whole document is in the window (`prefer`: size of a new one).
 * TAPE_ECORRUPT when it reaches beyond the end of the file. */
int tape__cycle_store_observe(tape__cycle_store_t *s, tape__window_t *w, tape__cursor_t *c,
                              uint64_t prefer);
/* Steps over the complete document at the cursor. */
static inline void tape__cycle_store_step(const tape__cycle_store_t *s, tape__cursor_t *c)
{
    if (tape__word_kind(c->word) == TAPE__WORD_DATA) c->sequence++;
    c->position = tape__word_next(c->position, tape__word_length(c->word), s->aligned);
}

/* Whether `sequence` messages can stand before one at `position`: a message takes 5 bytes or more.
 * Numbers from damaged words are kept within the size of the file by this. */
static inline bool tape__cycle_store_has_room(const tape__cycle_store_t *s, uint64_t position,
                                              int64_t sequence)
{
    return position >= s->first_document && sequence >= 0 &&
           (uint64_t)sequence <= (position - s->first_document) / 5;
}

/* The end of the chain as cycle_chain.h finds it. */
typedef struct {
    tape__cursor_t end;     /* the first word that is not a complete document */
    uint64_t last_position; /* of the last message; 0 when there is none */
    uint64_t pair_position; /* writePosition[0] as found */
    bool pair_matches;      /* [1] belonged to [0] */
} tape__chain_end_t;

/* How much is in a file: messages, and bytes from the first document behind the header on. */
typedef struct {
    int64_t count;
    uint64_t bytes;
} tape__extent_t;

/* The extent of a finished file, by a few small reads; false when it is not finished or anything is
 * unusual: then open it and find the end. Leaves no trail that matters. */
bool tape__cycle_measure_finished(const char *path, tape__extent_t *out);

/* The extent of a file that is open: TAPE_OK or a code. */
int tape__cycle_measure_extent(tape__cycle_store_t *s, tape__extent_t *out);

/* The sequence word for a message (4.3). */
static inline uint64_t tape__cycle_store_pair_word(const tape__cycle_store_t *s, uint64_t position,
                                                   int64_t sequence)
{
    return tape__pair_word(s->sequence_shift, position, sequence);
}

/* ---- between the files that make this up ---- */

enum {
    TAPE__CYCLE_HEADER_MAX = 65536, /* Java refuses a longer first document (9.3) */
    TAPE__WALK_WINDOW = 4 << 20
};

/* TAPE_ECORRUPT about this file, with a text that names it and the place. */
static inline int tape__cycle_store_bad(const tape__cycle_store_t *s, uint64_t at, const char *what)
{
    return tape__fail(TAPE_ECORRUPT, s->file.path, (int64_t)at, "%s at offset %" PRIu64 ": %s",
                      s->file.path, at, what);
}
/* Reads the header's body. TAPE_OK or a code. */
int tape__cycle_store_parse(tape__cycle_store_t *s, const uint8_t *body, uint32_t length);

#endif
