/* table_build.c - makes a metadata.cq4t that is complete before anyone can see it (format.md 5).
 *
 *     0000  header: settings                    ....  the eight words that Java makes, then 0
 */
#define _POSIX_C_SOURCE 200809L
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/platform.h"
#include "base/sync_point.h"
#include "file/table_store.h"
#include "format/file_names.h"
#include "format/header_word.h"
#include "format/wire.h"

enum { IMAGE_SIZE = 4096 }; /* header and first entries end before */

size_t tape__table_build_entry(uint8_t *body, size_t capacity, uint64_t origin, const char *key,
                               uint64_t value, uint64_t *cell)
{
    tape__wire_out_t o = {body, capacity, 0, origin, false};
    tape__wire_put_event(&o, key);
    *cell = tape__wire_put_bound(&o, (int64_t)value);
    return o.overflow ? 0 : o.at;
}

size_t tape__table_build_header(uint8_t *file, size_t capacity, const tape__settings_t *s)
{
    tape__wire_out_t o = {file + 4, capacity - 4, 0, 4, false};
    tape__wire_put_event(&o, "header");
    tape__wire_put_type(&o, "STStore");
    size_t store = tape__wire_begin_block(&o);
    tape__wire_put_field(&o, "wireType");
    tape__wire_put_type(&o, "WireType");
    tape__wire_put_text(&o, "BINARY_LIGHT");
    tape__wire_put_field(&o, "metadata");
    tape__wire_put_type(&o, "SCQMeta");
    size_t meta = tape__wire_begin_block(&o);
    tape__wire_put_field(&o, "roll");
    tape__wire_put_type(&o, "SCQSRoll");
    size_t roll = tape__wire_begin_block(&o);
    tape__wire_put_field(&o, "length");
    tape__wire_put_int(&o, s->roll_cycle->length_ms);
    tape__wire_put_field(&o, "format");
    tape__wire_put_text(&o, s->roll_cycle->pattern);
    tape__wire_put_field(&o, "epoch");
    tape__wire_put_int(&o, s->epoch_ms);
    tape__wire_end_block(&o, roll);
    /* 5.26 and older refuse to append without this field; 5.27 ignores it (format.md 5.1). */
    tape__wire_put_field(&o, "deltaCheckpointInterval");
    tape__wire_put_int(&o, 64);
    tape__wire_put_field(&o, "sourceId");
    tape__wire_put_int(&o, s->source_id);
    tape__wire_end_block(&o, meta);
    tape__wire_pad(&o, 4, 0);
    tape__wire_end_block(&o, store);
    tape__put_u32(file, TAPE__META_DATA | (uint32_t)o.at);
    return (size_t)tape__word_next(0, (uint32_t)o.at, true);
}

static void fill_table(uint8_t *file, size_t capacity, const tape__settings_t *settings,
                       int64_t lowest, int64_t highest)
{
    bool any = lowest <= highest;
    const struct {
        const char *key;
        uint64_t value;
    } cells[] = {
        {TAPE__KEY_HIGHEST, (uint64_t)(any ? highest : INT32_MIN)},
        {TAPE__KEY_LOWEST, (uint64_t)(any ? lowest : INT32_MAX)},
        {TAPE__KEY_MOD_COUNT, 0},
        {TAPE__KEY_WRITE_LOCK, TAPE__LOCK_FREE},
        {TAPE__KEY_APPEND_LOCK, TAPE__LOCK_FREE},
        {"chronicle.lastIndexReplicated", (uint64_t)-1},
        {"chronicle.lastAcknowledgedIndexReplicated", (uint64_t)-1},
        {"chronicle.lastIndexMSynced", (uint64_t)-1},
    };
    size_t at = tape__table_build_header(file, capacity, settings);
    for (size_t i = 0; i < sizeof cells / sizeof *cells; i++) {
        uint64_t cell;
        size_t length = tape__table_build_entry(file + at + 4, capacity - at - 4, at + 4,
                                                cells[i].key, cells[i].value, &cell);
        tape__put_u32(file + at, (uint32_t)length);
        at = (size_t)tape__word_next(at, (uint32_t)length, true);
    }
}

/* All that is not zero in a new table store. By calls, not through a mapping: without room these
 * are errors. */
static int write_new(int fd, uint64_t from, const uint8_t *image, const char **doing)
{
    tape__stat_t st;
    *doing = "making room for the table store";
    int rc = tape__stat_fd(fd, &st);
    if (rc == 0 && st.size < TAPE__TABLE_SIZE) rc = tape__file_truncate(fd, TAPE__TABLE_SIZE);
    if (rc == 0) rc = tape__file_try_reserve(fd, 0, TAPE__TABLE_SIZE);
    return rc == 0 ? tape__file_write(fd, from, image + from, IMAGE_SIZE - from) : rc;
}

int tape__table_store_create(const char *directory, const tape__settings_t *settings,
                             int64_t lowest, int64_t highest)
{
    char path[TAPE__PATH_SIZE], temporary[TAPE__PATH_SIZE];
    snprintf(path, sizeof path, "%s/" TAPE__TABLE_NAME, directory);
    /* Several threads may be at it, too: the clock makes the name their own. */
    snprintf(temporary, sizeof temporary,
             "%s/" TAPE__TEMPORARY_PREFIX "%" PRId64 "-%" PRIx64 TAPE__TEMPORARY_SUFFIX, directory,
             tape__pid(), (uint64_t)tape__monotonic_ns());
    int fd = tape__open_file(temporary, TAPE__CREATE_NEW);
    if (fd < 0) return tape__fail_errno(-fd, temporary, "creating the table store");
    uint8_t image[IMAGE_SIZE] = {0};
    const char *doing;
    fill_table(image, sizeof image, settings, lowest, highest);
    int rc = write_new(fd, 0, image, &doing);
    SYNC_POINT(table_written);
    if (rc == 0) {
        doing = "linking the table store into place";
        rc = tape__link(temporary, path);
        if (rc == -EEXIST) rc = 0;
        SYNC_POINT(table_linked);
    }
    tape__close_file(fd);
    tape__unlink(temporary);
    return rc == 0 ? TAPE_OK : tape__fail_errno(-rc, path, doing);
}

/* The word is NOT_COMPLETE until all else is there: whoever dies here leaves it to the next one. */
static int fill_file(int fd, const uint8_t *image, const char **doing)
{
    uint8_t word[TAPE__WORD_SIZE] = {0};
    *doing = "reading the table store";
    int64_t n = tape__file_read(fd, 0, word, sizeof word);
    if (n < 0) return (int)n;
    if (tape__get_u32(word) != 0 && tape__get_u32(word) != TAPE__NOT_COMPLETE) return 0;
    tape__put_u32(word, TAPE__NOT_COMPLETE);
    *doing = "filling the table store";
    int rc = tape__file_write(fd, 0, word, sizeof word);
    SYNC_POINT(table_begun);
    if (rc == 0) rc = write_new(fd, TAPE__WORD_SIZE, image, doing);
    SYNC_POINT(table_filled);
    return rc == 0 ? tape__file_write(fd, 0, image, TAPE__WORD_SIZE) : rc;
}

int tape__table_store_fill(const char *directory, const tape__settings_t *settings, int64_t lowest,
                           int64_t highest)
{
    char path[TAPE__PATH_SIZE];
    uint8_t image[IMAGE_SIZE] = {0};
    const char *doing;
    tape__file_t file;
    snprintf(path, sizeof path, "%s/" TAPE__TABLE_NAME, directory);
    fill_table(image, sizeof image, settings, lowest, highest);
    int rc = tape__mapping_open(&file, path, true);
    if (rc == TAPE_OK) rc = tape__table_lock(&file);
    if (rc == TAPE_OK) {
        int failed = fill_file(file.fd, image, &doing);
        if (failed < 0) rc = tape__fail_errno(-failed, path, doing);
        tape__table_lock_release(&file);
    }
    tape__mapping_close(&file);
    return rc;
}
