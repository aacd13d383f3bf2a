/* Description: roll cycles: the table, index arithmetic, time to cycle, and cycle <-> file name for
 * fixed examples and for random cycles and epochs of every row. */
#include "format/roll_cycle.h"

#include <time.h>

#include "check.h"

#define DAY INT64_C(86400000)

static void the_table(void)
{
    size_t n = 0;
    for (const tape_roll_cycle_t *r; (r = tape_roll_cycle_at(n)) != NULL; n++) {
        CHECK(tape_roll_cycle_named(r->name) == r);
        CHECK(tape__roll_cycle_by_pattern(r->pattern, strlen(r->pattern)) == r);
        CHECK(r->index_count >= 8 && (r->index_count & (r->index_count - 1)) == 0);
        CHECK(r->index_spacing >= 1 && (r->index_spacing & (r->index_spacing - 1)) == 0);
        CHECK(r->max_messages <= INT64_C(1) << r->shift);
        CHECK(r->max_messages <=
              (int64_t)r->index_count * r->index_count * (int64_t)r->index_spacing);
        CHECK_EQ(r->default_epoch_ms, strcmp(r->name, "WEEKLY") == 0 ? 259200000 : 0);
        for (size_t k = 0; k < n; k++)
            CHECK(strcmp(r->pattern, tape_roll_cycle_at(k)->pattern) != 0);
    }
    CHECK_EQ(n, 28);
    CHECK(tape_roll_cycle_at(SIZE_MAX) == NULL);
    CHECK(tape_roll_cycle_named("fast-daily") == tape_roll_cycle_named("FAST_DAILY"));
    CHECK(tape_roll_cycle_named("FastDaily") == tape_roll_cycle_named("FAST_DAILY"));
    CHECK(tape_roll_cycle_named("FAST_DAILYX") == NULL);
    CHECK(tape_roll_cycle_named("") == NULL);
    CHECK(tape_roll_cycle_named(NULL) == NULL);
    CHECK(tape__roll_cycle_by_pattern("yyyyMMdd-", 9) == NULL);
}

static void index_numbers(void)
{
    const tape_roll_cycle_t *r = tape_roll_cycle_named("FAST_DAILY");
    CHECK_EQ(tape__index(r, 0x4756, 7), INT64_C(0x475600000007));
    CHECK_EQ(tape__index_cycle(r, INT64_C(0x475600000007)), 0x4756);
    CHECK_EQ(tape__index_sequence(r, INT64_C(0x475600000007)), 7);
    CHECK_EQ(tape__index_sequence(r, INT64_C(0x4756FFFFFFFF)), INT64_C(0xFFFFFFFF));
    r = tape_roll_cycle_named("HUGE_DAILY_XSPARSE");
    CHECK_EQ(tape__index_cycle(r, tape__index(r, 18262, 5)), 18262);
}

static void file_name(const char *cycle_name, int64_t epoch, int64_t cycle, const char *wanted)
{
    const tape_roll_cycle_t *r = tape_roll_cycle_named(cycle_name);
    char name[TAPE__NAME_MAX];
    int64_t again;
    CHECK(tape__roll_cycle_spell(r, epoch, cycle, name, sizeof name));
    CHECK_TEXT(name, wanted);
    CHECK(tape__roll_cycle_parse(r, epoch, name, &again));
    CHECK_EQ(again, cycle);
}

/* Clock 2020-01-01T20:00Z, FAST_DAILY: epoch, cycle and file. */
static void named_examples(void)
{
    static const struct {
        int64_t epoch, cycle;
        const char *file;
    } rows[] = {
        {0, 18262, "20200101F.cq4"},        {75600000, 18261, "20191231F.cq4"},
        {10800000, 18262, "20200101F.cq4"}, {-3600000, 18262, "20191231F.cq4"},
        {DAY, 18261, "20200101F.cq4"},      {90000000, 18261, "20200101F.cq4"},
    };
    const tape_roll_cycle_t *r = tape_roll_cycle_named("FAST_DAILY");
    const int64_t now = 18262 * DAY + 20 * 3600000;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        CHECK_EQ(tape__roll_cycle_at_ms(r, rows[i].epoch, now), rows[i].cycle);
        file_name("FAST_DAILY", rows[i].epoch, rows[i].cycle, rows[i].file);
    }
    file_name("WEEKLY", 259200000, 2608, "2020W01.cq4"); /* the week of Sunday 2019-12-29 */
    file_name("TEST_SECONDLY", 0, 1577836805, "20200101-000005T.cq4");
    file_name("HOURLY", 0, 438288, "20200101-00.cq4");
    file_name("FIVE_MINUTELY", 0, 5259457, "20200101-0005V.cq4");
    CHECK_EQ(tape__roll_cycle_epoch(tape_roll_cycle_named("WEEKLY"), 0), 259200000);
    CHECK_EQ(tape__roll_cycle_epoch(tape_roll_cycle_named("WEEKLY"), 5), 5);
    /* Java truncates toward zero, also before the epoch. */
    CHECK_EQ(tape__roll_cycle_at_ms(r, 1000, 0), 0);
    CHECK_EQ(tape__roll_cycle_at_ms(r, 2 * DAY, 0), -2);
}

static void refused_names(void)
{
    static const char *const names[] = {
        "",               "20200101F",        "20200101F.cq",      "20200101F.cq4t",
        "20201301F.cq4",
        "20200230F.cq4",  "20200101f.cq4",    "020200101F.cq4",    "2020010F.cq4",   "20200101.cq4",
        "20200101F.cq4 ", "20200100F.cq4",    "xxxxxxxxF.cq4",     "2020-101F.cq4",
    };
    int64_t cycle;
    const tape_roll_cycle_t *r = tape_roll_cycle_named("FAST_DAILY");
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        CHECK(!tape__roll_cycle_parse(r, 0, names[i], &cycle));
    /* No file of a two-hourly queue begins at an odd hour. */
    r = tape_roll_cycle_named("TWO_HOURLY");
    CHECK(tape__roll_cycle_parse(r, 0, "20200101-02II.cq4", &cycle));
    CHECK(!tape__roll_cycle_parse(r, 0, "20200101-03II.cq4", &cycle));
    char small[13];
    CHECK(!tape__roll_cycle_spell(tape_roll_cycle_named("FAST_DAILY"), 0, 18262, small,
                                  sizeof small));
    char name[TAPE__NAME_MAX];
    CHECK(!tape__roll_cycle_spell(tape_roll_cycle_named("WEEKLY"), 0, INT32_MAX,
                                  name, sizeof name));
    CHECK(!tape__roll_cycle_spell(r, 0, INT64_MAX, name, sizeof name));
}

static void random_names(unsigned seed)
{
    srand48(seed);
    for (size_t i = 0; i < 28; i++) {
        const tape_roll_cycle_t *r = tape_roll_cycle_at(i);
        for (int n = 0; n < 3000; n++) {
            /* A time from 1970 to 2100, an epoch of up to a year, negative ones too. */
            int64_t now = (int64_t)(drand48() * 130 * 365.25 * (double)DAY);
            int64_t epoch = n % 3 == 0 ? 0 : lrand48() % (365 * DAY);
            if (n % 3 == 2) epoch = -(lrand48() % DAY);
            if (r->length_ms > DAY) epoch = r->default_epoch_ms; /* WEEKLY: its own weeks only */
            int64_t cycle = tape__roll_cycle_at_ms(r, epoch, now), again;
            if (cycle < 0 || cycle > INT32_MAX) continue; /* one-second cycles end in 2038 */
            char name[TAPE__NAME_MAX];
            CHECK(tape__roll_cycle_spell(r, epoch, cycle, name, sizeof name));
            if (!tape__roll_cycle_parse(r, epoch, name, &again))
                CHECK_FAILED("%s: epoch %" PRId64 " cycle %" PRId64 " name %s is not read back",
                             r->name, epoch, cycle, name);
            CHECK_EQ(again, cycle);
            if (now >= epoch) {
                int64_t start = tape__roll_cycle_start_ms(r, epoch, cycle);
                CHECK(start <= now && now < start + r->length_ms);
                CHECK_EQ(tape__roll_cycle_at_ms(r, epoch, start), cycle);
            }
        }
    }
}

int main(int argc, char **argv)
{
    unsigned seed = argc > 1 ? (unsigned)atol(argv[1]) : (unsigned)time(NULL);
    printf("seed %u\n", seed);
    fflush(stdout);
    the_table();
    index_numbers();
    named_examples();
    refused_names();
    random_names(seed);
    return 0;
}
