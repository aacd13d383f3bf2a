/* Description: the cycle file that tape makes has Java's bytes at Java's offsets (format.md 4.2),
 * with its first message, write position and index entry; opening refuses what is no cycle file. */
#include <fcntl.h>

#include "base/bytes.h"
#include "file/cycle_chain.h"
#include "file/excerpt_index.h"
#include "write/cycle_build.h"
#include "write/cycle_end.h"
#include "helpers.h"

static const uint8_t annotated[] =
    "\xC1\x00\x00\x40"
    "\xB9\x06header\xB6\x08SCQStore\x82\xAA\x00\x00\x00"
    "\xCDwritePosition\x8E\x01\x00\x00\x00\x00\x8D"
    "\x02\x00\x00\x00\x00\x00\x00\x00\x02\x00\x00\x00\x00\x00\x00\x00"
    "\x10\x01\x01\x00\x00\x00\x00\x00" /* the first message at 0x10110, sequence 0 */
    "\x00\x00\x00\x00\x10\x01\x01\x00"
    "\xC8indexing\xB6\x0CSCQSIndexing\x82\x4C\x00\x00\x00"
    "\xCAindexCount\xA5\x00\x10\xCCindexSpacing\xA5\x00\x01"
    "\xCBindex2Index\x8F\xA7\xC8\x00\x00\x00\x00\x00\x00\x00"
    "\xC9lastIndex\x8E\x00\x00\x00\x00\xA7\x00\x01\x00\x00\x00\x00\x00\x00"
    "\xCA" "dataFormat\xA1\x01\x00\x00\x00"
    "\x24\x80\x00\x40\xB9\x0Bindex2index\x8E\x01\x00\x00\x00\x00\x8D"
    "\x00\x10\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00"
    "\xF0\x80\x00\x00\x00\x00\x00\x00";

static void like_java(void)
{
    const char *path = t_path(t_directory(), "20200101F.cq4");
    tape__new_file_t n = {
        .roll_cycle = tape_roll_cycle_named("FAST_DAILY"),
        .file_size = 80 << 20,
        .frame = "\xC0\x80\x01\x8A",
        .frame_size = 4,
        .data = "",
        .size = 0,
        .path = path,
    };
    CHECK_OK(tape__cycle_build(&n));
    size_t size;
    uint8_t *bytes = t_read_file(path, &size);
    CHECK_EQ(size, 83886080);
    for (size_t i = 0; i < sizeof annotated - 1; i++)
        if (bytes[i] != annotated[i])
            CHECK_FAILED("byte %zX is %02X, not %02X", i, bytes[i], annotated[i]);
    CHECK(memcmp(bytes + 0x80F0, "\x1C\x80\x00\x40\xB9\x05index\x8F\x8F\x8F\x8F\x8D", 16) == 0);
    CHECK_EQ(tape__get_u64(bytes + 0x8100), 4096);
    CHECK_EQ(tape__get_u64(bytes + 0x8108), 1);
    CHECK_EQ(tape__get_u64(bytes + 0x8110), 0x10110);
    CHECK(memcmp(bytes + 0x10110, "\x04\x00\x00\x00\xC0\x80\x01\x8A\x00\x00\x00\x00", 12) == 0);
    free(bytes);

    tape__cycle_store_t s;
    tape__window_t w = {0};
    tape__chain_end_t end;
    CHECK_OK(tape__cycle_store_open(&s, path, 18262, true));
    CHECK(s.aligned && s.has_pair);
    CHECK_EQ(s.write_position_at, 0x40);
    CHECK_EQ(s.index2index_at, 0x98);
    CHECK_EQ(s.last_index_at, 0xB0);
    CHECK_EQ(s.first_document, 0xC8);
    CHECK_EQ(s.sequence_shift, 32);
    CHECK_OK(tape__cycle_chain_find_end(&s, &w, &end));
    CHECK_EQ(end.end.position, 0x10118);
    CHECK_EQ(end.end.sequence, 1);
    CHECK_EQ(end.last_position, 0x10110);
    CHECK(end.pair_matches);
    CHECK_EQ(tape__cycle_store_pair_word(&s, 0x0C0E98, 0x20), INT64_C(0x000C0E9800000020));
    bool certain;
    tape__cursor_t to_seal;
    CHECK_OK(tape__cycle_end_find_to_seal(&s, &w, &to_seal, &certain));
    CHECK(certain);
    CHECK_EQ(to_seal.position, 0x10118);
    CHECK_OK(tape__cycle_end_seal(&s, &to_seal));
    CHECK_EQ(tape__cycle_end_seal(&s, &to_seal), TAPE_ETAKEN); /* it is not 0 any more */
    CHECK(memcmp(tape__window_at(&w, 0x10118), "\x00\x00\x00\xC0\xC3" "EOF", 8) == 0);
    tape__window_close(&w);
    tape__cycle_store_close(&s);
}

/* Every row's new file opens, with the first message found by its index. */
static void every_roll_cycle(void)
{
    const char *directory = t_directory();
    for (size_t i = 0; i < 28; i++) {
        const char *path = t_path(directory, tape_roll_cycle_at(i)->name);
        tape__new_file_t n = {
            .roll_cycle = tape_roll_cycle_at(i), .file_size = 65536, .frame = "\xC0\x80\x02\x8A",
            .frame_size = 4, .data = "x", .size = 1, .path = path};
        CHECK_OK(tape__cycle_build(&n));
        tape__cycle_store_t s;
        tape__cursor_t c;
        CHECK_OK(tape__cycle_store_open(&s, path, 1, false));
        CHECK_EQ(s.index_count, tape_roll_cycle_at(i)->index_count);
        CHECK_EQ(s.index_spacing, tape_roll_cycle_at(i)->index_spacing);
        tape__window_t window = {0};
        CHECK_OK(tape__excerpt_index_find(&s, &window, 0, &c));
        tape__window_close(&window);
        CHECK(c.position > s.first_document);
        tape__cycle_store_close(&s);
    }
}

static int open_bytes(const char *directory, const void *bytes, size_t size)
{
    const char *path = t_path(directory, "try.cq4");
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0666);
    CHECK(fd >= 0 && write(fd, bytes, size) == (ssize_t)size);
    close(fd);
    tape__cycle_store_t s;
    int rc = tape__cycle_store_open(&s, path, 1, false);
    if (rc == TAPE_OK) tape__cycle_store_close(&s);
    return rc;
}

/* Half-made files are "not yet"; all others that are cut or bent are refused, never a crash. */
static void damaged(void)
{
    const char *directory = t_directory();
    uint8_t bytes[4096] = {0};
    CHECK_EQ(open_bytes(directory, bytes, 0), TAPE__NOT_READY);
    CHECK_EQ(open_bytes(directory, bytes, 4096), TAPE__NOT_READY);
    CHECK_EQ(open_bytes(directory, "\x00\x00\x00\x80\x00\x00\x00\x00", 8), TAPE__NOT_READY);
    CHECK_EQ(open_bytes(directory, "hello, world, no queue", 22), TAPE_ECORRUPT);
    memcpy(bytes, annotated, sizeof annotated - 1);
    CHECK_EQ(open_bytes(directory, bytes, sizeof bytes), TAPE_OK);
    for (size_t i = 0; i < 0xC5; i++) {
        uint8_t bent[4096];
        for (int bit = 0; bit < 8; bit++) {
            memcpy(bent, bytes, sizeof bent);
            bent[i] ^= (uint8_t)(1 << bit);
            (void)open_bytes(directory, bent, sizeof bent);
        }
        CHECK(open_bytes(directory, bytes, i) != TAPE_OK || i > 0xC0);
    }
}

int main(void)
{
    like_java();
    every_roll_cycle();
    damaged();
    return 0;
}
