/* cycle_build.c - makes a cycle file that is complete before anyone can see it (format.md 9.3).
 *
 *     0000  header word, !SCQStore ...                          as in format.md 4.2
 *     00C8  index2index: one page                               (offsets for FAST_DAILY)
 *     80F0  index page 0: entry 0 -> the first message
 *     10110 the first message, then 0
 *
 * The file has its first message, write position and index entry already when it is linked, so the
 * state "messages but write position 0", which Java misreads (6.4), never exists.
 */
#include "write/cycle_build.h"

#include <errno.h>
#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/platform.h"
#include "base/sync_point.h"
#include "format/wire.h"
#include "write/index_write.h"

enum { HEADER_ROOM = 1024, CACHE_LINE = 64, PADDING_MAX = 4 };

bool tape__cycle_build_header(uint8_t *file, size_t capacity, const tape_roll_cycle_t *r,
                              tape__cycle_places_t *p)
{
    tape__wire_out_t o = {file + 4, capacity - 4, 0, 4, false};
    tape__wire_put_event(&o, "header");
    tape__wire_put_type(&o, "SCQStore");
    size_t store = tape__wire_begin_block(&o);
    tape__wire_put_field(&o, "writePosition");
    p->pair = tape__wire_put_pair(&o, 0, 0);
    tape__wire_put_field(&o, "indexing");
    tape__wire_put_type(&o, "SCQSIndexing");
    size_t indexing = tape__wire_begin_block(&o);
    tape__wire_put_field(&o, "indexCount");
    tape__wire_put_int(&o, r->index_count);
    tape__wire_put_field(&o, "indexSpacing");
    tape__wire_put_int(&o, r->index_spacing);
    tape__wire_put_field(&o, "index2Index");
    p->index2index = tape__wire_put_bound(&o, 0);
    tape__wire_put_field(&o, "lastIndex");
    p->last_index = tape__wire_put_bound(&o, 0);
    tape__wire_end_block(&o, indexing);
    tape__wire_put_field(&o, "dataFormat");
    tape__wire_put_int(&o, 1);
    tape__wire_end_block(&o, store);
    const uint64_t in_line = (o.origin + o.at) % CACHE_LINE; /* format.md 4.2, last paragraph */
    if (in_line > CACHE_LINE - TAPE__WORD_SIZE) tape__wire_pad(&o, CACHE_LINE, 0);
    tape__put_u32(file, TAPE__META_DATA | (uint32_t)o.at);
    p->end = tape__word_next(0, (uint32_t)o.at, true);
    return !o.overflow;
}

static bool fill(uint8_t *file, size_t capacity, const tape__new_file_t *n)
{
    const tape_roll_cycle_t *r = n->roll_cycle;
    const int shift = tape__pair_shift(r->index_count, r->index_spacing);
    tape__cycle_places_t p;
    if (!tape__cycle_build_header(file, capacity, r, &p)) return false;
    uint64_t outer_at = p.end, at = p.end;
    uint64_t outer = tape__index_write_put(file, capacity, &at, "index2index", r->index_count);
    uint64_t page_at = at;
    uint64_t page = tape__index_write_put(file, capacity, &at, "index", r->index_count);
    uint32_t length = (uint32_t)(n->frame_size + n->size);
    if (!outer || !page || at + TAPE__WORD_SIZE + length + TAPE__END_ROOM > capacity) return false;
    tape__put_u32(file + at, length);
    memcpy(file + at + 4, n->frame, n->frame_size);
    memcpy(file + at + 4 + n->frame_size, n->data, n->size);
    tape__put_u64(file + p.index2index, outer_at);
    tape__put_u64(file + outer, page_at);
    tape__put_u64(file + outer - TAPE__USED_SIZE, 1); /* used */
    tape__put_u64(file + page, at);
    tape__put_u64(file + page - TAPE__USED_SIZE, 1);
    tape__put_u64(file + p.last_index, (uint64_t)r->index_spacing);
    tape__put_u64(file + p.pair, at);
    tape__put_u64(file + p.pair + 8, tape__pair_word(shift, at, 0));
    return true;
}

/* Where the blocks are reserved, through a mapping: only what is not zero is touched. */
static int write_mapped(int fd, uint64_t used, const tape__new_file_t *n, bool *fits)
{
    uint8_t *file = NULL;
    int rc = tape__map(fd, 0, (size_t)used, true, &file);
    if (rc == 0) *fits = fill(file, (size_t)used, n);
    tape__unmap(file, (size_t)used);
    return rc;
}

/* Where none can be, by calls: a full disk is an error then, and a signal in a mapping. */
static int write_by_calls(int fd, uint64_t used, const tape__new_file_t *n, bool *fits)
{
    uint8_t *image = tape__alloc((size_t)used);
    if (!image) return -ENOMEM;
    *fits = fill(image, (size_t)used, n);
    int rc = tape__file_write(fd, 0, image, (size_t)used);
    tape__free(image);
    return rc;
}

int tape__cycle_build(const tape__new_file_t *n)
{
    /* header, two arrays and the message, with room for paddings */
    uint64_t used = HEADER_ROOM + 2 * tape__excerpt_index_bound(n->roll_cycle->index_count) +
                    n->frame_size + n->size + TAPE__WORD_SIZE + TAPE__END_ROOM + PADDING_MAX;
    used = tape__align_up(used, tape__page_size());
    const char *doing = "creating a cycle file";
    bool fits = false;
    int fd = tape__open_file(n->path, TAPE__CREATE_NEW);
    if (fd < 0) return tape__fail_errno(-fd, n->path, doing);
    int rc = tape__file_truncate(fd, tape__max_u64(n->file_size, used));
    if (rc == 0) {
        doing = "reserving the first blocks of a cycle file";
        rc = tape__file_reserve(fd, 0, used);
    }
    SYNC_POINT(cycle_file_begun);
    if (rc == 0 || rc == -EOPNOTSUPP) {
        doing = "writing a new cycle file";
        rc = (rc == 0 ? write_mapped : write_by_calls)(fd, used, n, &fits);
    }
    tape__close_file(fd);
    if (rc == 0 && fits) return TAPE_OK;
    tape__unlink(n->path);
    if (rc < 0) return tape__fail_errno(-rc, n->path, doing);
    return tape__fail(TAPE_EINTERNAL, n->path, -1, "a new cycle file does not fit its plan");
}
