/* cycle_look.h - a cycle file by pread: its header, and the arrays of its index (format.md 4, 6).
 */
#ifndef TAPE_CYCLE_LOOK_H
#define TAPE_CYCLE_LOOK_H

#include "base/bytes.h"
#include "check/file_bytes.h"
#include "file/cycle_store.h"

typedef struct {
    tape__file_bytes_t in;
    tape__cycle_store_t store; /* what the header says; nothing of it is open */
} tape__cycle_look_t;

/* 0 or a negative errno. */
int tape__cycle_look_open(tape__cycle_look_t *l, const char *path, bool writable);
void tape__cycle_look_close(tape__cycle_look_t *l);
/* Reads the header: TAPE_OK, TAPE__NOT_READY, TAPE_EUNSUPPORTED (Chronicle Queue 4) or
 * TAPE_ECORRUPT, with a trail. */
int tape__cycle_look_header(tape__cycle_look_t *l);

/* The header as a writer of today makes it, by what this one says: the offset of the first byte
 * that is another one though the length is the same, words that change left out; 0: none. With
 * `out`, room for TAPE__CYCLE_LOOK_HEADER bytes, the header is put there, with these words as they
 * are.
 * Before a header that could be read, the counts of `roll_cycle` stand for its own. */
enum { TAPE__CYCLE_LOOK_HEADER = 1024 };
uint64_t tape__cycle_look_compare(tape__cycle_look_t *l, const tape_roll_cycle_t *roll_cycle,
                                  bool readable, uint8_t *out, uint32_t *size);

/* index2index or an index page. */
typedef struct {
    uint8_t *body;     /* the document's; allocated once, for the largest that there is */
    uint64_t position; /* of its header word */
    uint64_t first;    /* file offset of entry 0; `used` stands 8 bytes before it */
    uint32_t entries;  /* and where it is in `body` */
    uint64_t used;
    int64_t capacity;
    uint32_t length;
} tape__index_array_t;

/* Reads the array document at `position`; NULL, or what is wrong with it: then a->position is 0. */
const char *tape__cycle_look_array(tape__cycle_look_t *l, tape__index_array_t *a, const char *name,
                                   uint64_t position);
static inline uint64_t tape__cycle_look_entry(const tape__index_array_t *a, int64_t n)
{
    return tape__get_u64(a->body + a->entries + (uint64_t)n * 8);
}
/* Which array a metadata document is: 0 none, 1 index, 2 index2index. */
int tape__cycle_look_kind(tape__cycle_look_t *l, uint64_t position, uint32_t length);

/* How long the body at `at` is by its frame (13.1); 0: it has none. */
uint64_t tape__cycle_look_framed(tape__cycle_look_t *l, uint64_t at);

/* How long the body at `at` is by the array of the index that it is; 0: it is none. */
uint64_t tape__cycle_look_arrayed(tape__cycle_look_t *l, uint64_t at);

/* Offset of the next header word. */
static inline uint64_t tape__cycle_look_next(const tape__cycle_look_t *l, uint64_t at,
                                             uint32_t length)
{
    return tape__word_next(at, length, l->store.aligned);
}

#endif
