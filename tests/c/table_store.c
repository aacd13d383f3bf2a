/* Description: metadata.cq4t as tape makes it equals the annotated bytes of Java 5.25 and 5.26
 * (format.md 5.1), is read back, finds keys in any case, and takes new ones. */
#include "file/table_store.h"
#include "format/file_names.h"

#include "base/atomics.h"
#include "format/roll_cycle.h"
#include "helpers.h"

/* The first 0x100 bytes: header, and the first two entries, of a FAST_DAILY queue. */
static const uint8_t annotated[] =
    "\xB0\x00\x00\x40"
    "\xB9\x06header\xB6\x07STStore\x82\x9A\x00\x00\x00"
    "\xC8wireType\xB6\x08WireType\xEC" "BINARY_LIGHT"
    "\xC8metadata\xB6\x07SCQMeta\x82\x60\x00\x00\x00"
    "\xC4roll\xB6\x08SCQSRoll\x82\x27\x00\x00\x00"
    "\xC6length\xA6\x00\x5C\x26\x05"
    "\xC6" "format\xEByyyyMMdd'F'"
    "\xC5" "epoch\xA1\x00"
    "\xD7" "deltaCheckpointInterval\xA1\x40"
    "\xC8sourceId\xA1\x00"
    "\x8F\x8F\x8F"
    "\x20\x00\x00\x00\xB9\x14listing.highestCycle\x8F\xA7\xDD\x4C\x00\x00\x00\x00\x00\x00"
    "\x24\x00\x00\x00\xB9\x13listing.lowestCycle\x8E\x01\x00\x00\x00\x00\xA7"
    "\xDD\x4C\x00\x00\x00\x00\x00\x00";
enum { ANNOTATED = sizeof annotated - 1 };
_Static_assert(ANNOTATED == 0x100, "the annotated example ends with the value at 0xF8");

static tape__settings_t settings(void)
{
    return (tape__settings_t){.roll_cycle = tape_roll_cycle_named("FAST_DAILY")};
}

static void bytes_equal(const char *directory)
{
    tape__settings_t s = settings();
    size_t size;
    CHECK_OK(tape__table_store_create(directory, &s, 0x4CDD, 0x4CDD));
    uint8_t *bytes = t_read_file(t_path(directory, TAPE__TABLE_NAME), &size);
    CHECK_EQ(size, 131072);
    for (size_t i = 0; i < ANNOTATED; i++)
        if (bytes[i] != annotated[i])
            CHECK_FAILED("byte %zX is %02X, not %02X", i, bytes[i], annotated[i]);
    free(bytes);
}

static void cells(const char *directory)
{
    tape__table_store_t t;
    CHECK_OK(tape__table_store_open(&t, directory, true));
    CHECK(t.settings.roll_cycle == tape_roll_cycle_named("FAST_DAILY"));
    CHECK_EQ(t.settings.epoch_ms, 0);
    CHECK_EQ(t.settings.source_id, 0);
    CHECK_EQ(t.first_entry, 0xB4);
    uint64_t *highest = tape__table_store_cell(&t, "listing.highestCycle");
    CHECK(highest && *highest == 0x4CDD);
    CHECK(tape__table_store_cell(&t, "LISTING.highestcycle") == highest);
    CHECK(tape__table_store_cell(&t, "listing.highestCycl") == NULL);
    CHECK_EQ(*tape__table_store_cell(&t, "chronicle.write.lock"), TAPE__MIN64);
    CHECK(tape__table_store_cell(&t, "index.mine") == NULL);
    uint64_t *mine = tape__table_store_make_cell(&t, "index.mine", 7);
    CHECK(mine && *mine == 7);
    CHECK(tape__table_store_make_cell(&t, "Index.Mine", 9) == mine);
    CHECK_EQ(*mine, 7);
    char key[600];
    memset(key, 'k', sizeof key);
    key[599] = 0;
    CHECK(tape__table_store_make_cell(&t, key, 0) == NULL);
    /* Another opener sees it; a second creator leaves it alone. */
    tape__settings_t s = settings();
    s.roll_cycle = tape_roll_cycle_named("HOURLY");
    CHECK_OK(tape__table_store_create(directory, &s, 0, -1));
    tape__table_store_t again;
    CHECK_OK(tape__table_store_open(&again, directory, false));
    CHECK(again.settings.roll_cycle == tape_roll_cycle_named("FAST_DAILY"));
    CHECK_EQ(*tape__table_store_cell(&again, "index.mine"), 7);
    tape__table_store_close(&again);
    tape__table_store_close(&t);
}

static void full(const char *directory)
{
    tape__table_store_t t;
    CHECK_OK(tape__table_store_open(&t, directory, true));
    int n = 0;
    for (char key[32]; n < 5000; n++) {
        snprintf(key, sizeof key, "key.number.%d", n);
        if (!tape__table_store_make_cell(&t, key, (uint64_t)n)) break;
    }
    CHECK(n > 1500 && n < 2500); /* 64 KiB of entries of about 32 bytes */
    CHECK(tape__table_store_make_cell(&t, "key.number.7", 0) != NULL);
    CHECK_EQ(*tape__table_store_cell(&t, "key.number.1000"), 1000);
    tape__table_store_close(&t);
}

static void empty_queue(void)
{
    const char *directory = t_directory();
    tape__settings_t s = settings();
    tape__table_store_t t;
    s.epoch_ms = 3600000;
    s.source_id = 5;
    CHECK_OK(tape__table_store_create(directory, &s, 0, -1));
    CHECK_OK(tape__table_store_open(&t, directory, false));
    CHECK_EQ(t.settings.epoch_ms, 3600000);
    CHECK_EQ(t.settings.source_id, 5);
    CHECK_EQ(*tape__table_store_cell(&t, "listing.highestCycle"), INT32_MIN);
    CHECK_EQ(*tape__table_store_cell(&t, "listing.lowestCycle"), INT32_MAX);
    CHECK_EQ(*tape__table_store_cell(&t, "listing.modCount"), 0);
    CHECK_EQ(*tape__table_store_cell(&t, "chronicle.lastIndexMSynced"), -1);
    tape__table_store_close(&t);
}

int main(void)
{
    const char *directory = t_directory();
    bytes_equal(directory);
    cells(directory);
    full(directory);
    empty_queue();
    return 0;
}
