/* shelf.h - the cycles that a reader sees: the files there are, and the compressed ones that stand
 * in for files there are not.
 *
 *     20240516F.cq4       the file: what writers and the listing know
 *     20240516F.cq4.zst   the same compressed, by tape
 *     20240516F.cq4.gz    by tape or by Clojure's tape
 *
 * Writers, Java and the listing's words know nothing of compressed files, so these are for reading
 * alone. What decompresses them is the caller's (tape_unpack_fn); without it they are not seen.
 * Which there are is remembered until the directory changes.
 */
#ifndef TAPE_SHELF_H
#define TAPE_SHELF_H

#include <pthread.h>

#include "file/cycle_store.h"
#include "file/directory_listing.h"

/* A cycle with a compressed file; what is in that one, once it was measured: it never changes, but
 * another may take its place. */
typedef struct {
    int64_t cycle;
    uint64_t inode, modified_ns, size; /* of the file that was measured; 0: none was */
    tape__extent_t extent;
} tape__packed_t;

typedef struct {
    tape__listing_t *listing;
    tape__unpacker_t unpacker;
    pthread_mutex_t lock;  /* guards the rest */
    tape__packed_t *packed; /* by cycle, ascending */
    size_t count, room;
    uint64_t modified_ns;  /* of the directory when it was read; 0: never, or it was too fresh */
} tape__shelf_t;

void tape__shelf_begin(tape__shelf_t *shelf, tape__listing_t *listing);
void tape__shelf_end(tape__shelf_t *shelf);

/* As those of the listing, of all that a reader sees. */
int tape__shelf_exists(tape__shelf_t *shelf, int64_t cycle);
int tape__shelf_ends(tape__shelf_t *shelf, int64_t *first, int64_t *last);
int tape__shelf_above(tape__shelf_t *shelf, int64_t from, tape__neighbours_t **keep,
                      int64_t *cycle);
int tape__shelf_below(tape__shelf_t *shelf, int64_t from, tape__neighbours_t **keep,
                      int64_t *cycle);
int tape__shelf_each(tape__shelf_t *shelf, int64_t from, int64_t below, tape__each_cycle_t *each,
                     void *user);

/* Whether a compressed file lies beside the cycle file `path`, or would if that were there; whoever
 * can decompress it. An answer. */
int tape__shelf_has_packed(const char *path);

/* Opens the file of a cycle for reading, the compressed one when there is no other. TAPE_OK,
 * TAPE__NOT_READY, TAPE_ENOTFOUND or another code. */
int tape__shelf_open(tape__shelf_t *shelf, int64_t cycle, tape__cycle_store_t *store);

/* Whether there is a file of a cycle, and how much is in it: an answer. Nothing is in one that is
 * half-made. */
int tape__shelf_measure(tape__shelf_t *shelf, int64_t cycle, tape__extent_t *out);

#endif
