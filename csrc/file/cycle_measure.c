/* cycle_measure.c - how much is in a finished file, without mapping it. */
#include <string.h>

#include "base/bytes.h"
#include "base/platform.h"
#include "file/cycle_chain.h"

enum { HEADER_READ = 1024 }; /* those of Java and of tape end before */

/* The pair as it stands in the first bytes of the file; false when the two do not belong together
 * for certain, are not among them, or the sequence is one for which there is no room before the
 * position. */
static bool pair_of(const tape__cycle_store_t *s, const uint8_t *head, size_t size,
                    uint64_t *position, int64_t *sequence)
{
    const int shift = s->sequence_shift;
    if (!s->has_pair || s->write_position_at + TAPE__PAIR_SIZE > size) return false;
    *position = tape__get_u64(head + s->write_position_at);
    uint64_t word = tape__get_u64(head + s->write_position_at + 8);
    *sequence = tape__pair_sequence(shift, word);
    return tape__pair_agrees(shift, *position, word) && tape__pair_is_proof(shift, *position) &&
           tape__cycle_store_has_room(s, *position, *sequence);
}

/* The word behind the message at `position`, and where it is; false when there is no message. */
static bool word_behind(const tape__cycle_store_t *s, int fd, uint64_t position, uint64_t *at,
                        uint32_t *next)
{
    uint8_t bytes[256]; /* most messages end in here */
    int64_t size = tape__file_read(fd, position, bytes, sizeof bytes);
    if (size < 8) return false;
    uint32_t word = tape__get_u32(bytes);
    if (tape__word_kind(word) != TAPE__WORD_DATA) return false;
    *at = tape__word_next(position, tape__word_length(word), s->aligned);
    if (*at - position + 4 <= (uint64_t)size) {
        *next = tape__get_u32(bytes + (*at - position));
        return true;
    }
    if (tape__file_read(fd, *at, bytes, 4) != 4) return false;
    *next = tape__get_u32(bytes);
    return true;
}

/* Plain reads may tear what is being written. Here nothing is: an END_OF_DATA directly behind the
 * message that the pair names proves that it was the last one. */
static bool measure_finished(tape__cycle_store_t *s, int fd, tape__extent_t *out)
{
    uint8_t head[HEADER_READ];
    uint64_t position, end;
    int64_t sequence;
    uint32_t word;
    int64_t size = tape__file_read(fd, 0, head, sizeof head);
    if (size < 4) return false;
    uint32_t first = tape__get_u32(head), length = tape__word_length(first);
    if (tape__word_kind(first) != TAPE__WORD_META || length + 4 > (uint64_t)size) return false;
    if (tape__cycle_store_parse(s, head + 4, length) != TAPE_OK) return false;
    if (!pair_of(s, head, (size_t)size, &position, &sequence)) return false;
    if (!word_behind(s, fd, position, &end, &word)) return false;
    if (tape__word_kind(word) != TAPE__WORD_EOF) return false;
    *out = (tape__extent_t){sequence + 1, end - s->first_document};
    return true;
}

bool tape__cycle_measure_finished(const char *path, tape__extent_t *out)
{
    tape__cycle_store_t s;
    int fd = tape__open_file(path, TAPE__RDONLY);
    if (fd < 0) return false;
    memset(&s, 0, sizeof s);
    bool known = measure_finished(&s, fd, out);
    tape__close_file(fd);
    return known;
}

int tape__cycle_measure_extent(tape__cycle_store_t *s, tape__extent_t *out)
{
    tape__window_t window = {0};
    tape__chain_end_t end;
    int rc = tape__cycle_chain_find_end(s, &window, &end);
    tape__window_close(&window);
    if (rc == TAPE_OK)
        *out = (tape__extent_t){end.end.sequence, end.end.position - s->first_document};
    return rc;
}
