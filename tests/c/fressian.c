/* The Fressian writer and reader in C: bytes as Clojure writes them, limits, hostile input. */

#include <stdlib.h>

#include "check.h"
#include "tape_fressian.h"

static unsigned char buffer[1 << 18];
static tape_fressian_writer_t w;
static tape_fressian_reader_t r;
static tape_fressian_item_t item;

/* The message so far, as hexadecimal digits. */
static const char *written(void)
{
    static char hex[4096];
    size_t size;
    CHECK_OK(tape_fressian_finish(&w, &size));
    CHECK(size < sizeof hex / 2);
    for (size_t i = 0; i < size; i++)
        snprintf(hex + 2 * i, 3, "%02x", buffer[i]);
    return hex;
}

static void start(void)
{
    tape_fressian_write_to(&w, buffer, sizeof buffer);
}

static void integers_have_the_shortest_form(void)
{
    static const struct {
        int64_t value;
        const char *hex;
    } cases[] = {
        {0, "00"}, {63, "3f"}, {-1, "ff"}, {64, "5040"}, {-2, "4ffe"}, {4095, "5fff"},
        {-4096, "4000"}, {4096, "681000"}, {-524288, "600000"}, {524288, "72080000"},
        {33554432, "7602000000"}, {-33554433, "75fdffffff"}, {INT64_C(8589934592), "7a0200000000"},
        {INT64_C(2199023255552), "7e020000000000"}, {INT64_MAX, "f87fffffffffffffff"},
        {INT64_C(562949953421312), "f80002000000000000"}, {INT64_MIN, "f88000000000000000"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        start();
        CHECK_OK(tape_fressian_put_int(&w, cases[i].value));
        CHECK_TEXT(written(), cases[i].hex);
        tape_fressian_read_from(&r, buffer, strlen(cases[i].hex) / 2);
        CHECK_OK(tape_fressian_next(&r, &item));
        CHECK_EQ(item.type, TAPE_FRESSIAN_INT);
        CHECK_EQ(item.integer, cases[i].value);
        CHECK_OK(tape_fressian_next(&r, &item));
        CHECK_EQ(item.type, TAPE_FRESSIAN_DONE);
    }
}

static void a_keyword_that_comes_again_is_a_reference(void)
{
    start();
    CHECK_OK(tape_fressian_put_map(&w, 2));
    CHECK_OK(tape_fressian_put_keyword(&w, "order", "id"));
    CHECK_OK(tape_fressian_put_double(&w, 1.5));
    CHECK_OK(tape_fressian_put_keyword(&w, NULL, "order"));
    CHECK_OK(tape_fressian_put_nil(&w));
    CHECK_TEXT(written(), "c0e8cacddf6f72646572cddc6964fa3ff8000000000000caf780f7");
}

static void what_is_written_wrong_is_refused_and_stays_refused(void)
{
    size_t size;
    start();
    CHECK_EQ(tape_fressian_finish(&w, &size), TAPE_EINVAL);         /* no value */
    start();
    CHECK_OK(tape_fressian_put_nil(&w));
    CHECK_EQ(tape_fressian_put_nil(&w), TAPE_EINVAL);               /* a second one */
    CHECK_EQ(tape_fressian_finish(&w, &size), TAPE_EINVAL);
    start();
    CHECK_OK(tape_fressian_put_list(&w, 2));
    CHECK_OK(tape_fressian_put_nil(&w));
    CHECK_EQ(tape_fressian_put_end(&w), TAPE_EINVAL);               /* of a counted list */
    start();
    CHECK_OK(tape_fressian_put_list(&w, 2));
    CHECK_OK(tape_fressian_put_nil(&w));
    CHECK_EQ(tape_fressian_finish(&w, &size), TAPE_EINVAL);         /* one is missing */
    start();
    CHECK_OK(tape_fressian_put_map(&w, TAPE_FRESSIAN_OPEN));
    CHECK_OK(tape_fressian_put_nil(&w));
    CHECK_EQ(tape_fressian_put_end(&w), TAPE_EINVAL);               /* a key without its value */
    static const char *const wrong[] = {"\xff", "\xc0\x80", "\xed\xa0\x80", "a\xe2\x82",
                                        "\xf4\x90\x80\x80"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        start();
        CHECK_EQ(tape_fressian_put_string(&w, wrong[i], strlen(wrong[i])), TAPE_EINVAL);
        start();
        CHECK_EQ(tape_fressian_put_keyword(&w, wrong[i], "a"), TAPE_EINVAL);
    }
    start();
    CHECK_EQ(tape_fressian_put_keyword(&w, "a", NULL), TAPE_EINVAL);
    CHECK_EQ(tape_fressian_put_int(&w, 1), TAPE_EINVAL);
    start();
    CHECK_EQ(tape_fressian_put_list(&w, -2), TAPE_EINVAL);
    start();
    CHECK_EQ(tape_fressian_put_map(&w, INT64_C(1) << 31), TAPE_EINVAL);
    start();
    for (int i = 0; i < TAPE_FRESSIAN_DEPTH; i++)
        CHECK_OK(tape_fressian_put_list(&w, 1));
    CHECK_EQ(tape_fressian_put_list(&w, 1), TAPE_EINVAL);           /* too deep */
}

static void a_buffer_that_is_too_small_tells_what_is_enough(void)
{
    size_t needed, size;
    tape_fressian_write_to(&w, NULL, 0);
    for (int round = 0; round < 2; round++) {
        CHECK_OK(tape_fressian_put_list(&w, 3));
        CHECK_OK(tape_fressian_put_string(&w, "a text", 6));
        CHECK_OK(tape_fressian_put_keyword(&w, "a", "b"));
        CHECK_OK(tape_fressian_put_keyword(&w, "a", "b"));
        if (round)
            break;
        CHECK_EQ(tape_fressian_finish(&w, &needed), TAPE_ETOOBIG);
        memset(buffer, 0xAA, sizeof buffer);
        tape_fressian_write_to(&w, buffer, needed);
    }
    CHECK_OK(tape_fressian_finish(&w, &size));
    CHECK(size <= needed);
    for (size_t i = needed; i < needed + 100; i++)
        CHECK_EQ(buffer[i], 0xAA);
    for (size_t capacity = 0; capacity < size; capacity++) {        /* never a byte too far */
        memset(buffer, 0xAA, sizeof buffer);
        tape_fressian_write_to(&w, buffer, capacity);
        CHECK_OK(tape_fressian_put_list(&w, 3));
        CHECK_OK(tape_fressian_put_string(&w, "a text", 6));
        CHECK_OK(tape_fressian_put_keyword(&w, "a", "b"));
        CHECK_OK(tape_fressian_put_keyword(&w, "a", "b"));
        CHECK_EQ(tape_fressian_finish(&w, &needed), TAPE_ETOOBIG);
        CHECK_EQ(buffer[capacity], 0xAA);
    }
}

static void a_text_in_parts_with_pairs_comes_back_whole(void)
{
    static char text[1 << 17], back[1 << 17];
    size_t size = 0, bytes;
    while (size < sizeof text - 8) {
        memcpy(text + size, "\xf0\x9f\x98\x80y", 5);                /* a pair on the wire */
        size += 5;
    }
    start();
    CHECK_OK(tape_fressian_put_string(&w, text, size));
    CHECK_OK(tape_fressian_finish(&w, &bytes));
    tape_fressian_read_from(&r, buffer, bytes);
    CHECK_OK(tape_fressian_next(&r, &item));
    CHECK_EQ(item.type, TAPE_FRESSIAN_STRING);
    CHECK_EQ(item.text.size, size);
    CHECK(item.text.data == NULL);
    CHECK_EQ(tape_fressian_copy(&item.text, back, size - 1), TAPE_ETOOBIG);
    CHECK_OK(tape_fressian_copy(&item.text, back, size));
    CHECK(!memcmp(back, text, size));
    CHECK_EQ(tape_fressian_equals(&item.text, text, size), 1);
    text[size - 1] ^= 1;
    CHECK_EQ(tape_fressian_equals(&item.text, text, size), 0);
}

static void half_a_pair_is_no_text_in_c(void)
{
    tape_fressian_read_from(&r, "\xdd\xed\xa0\x80", 4);
    CHECK_OK(tape_fressian_next(&r, &item));
    CHECK_EQ(item.text.halved, 1);
    CHECK_EQ(tape_fressian_copy(&item.text, buffer, 10), TAPE_EINVAL);
    CHECK_EQ(tape_fressian_equals(&item.text, "\xed\xa0\x80", 3), 0);
}

static void other_types_come_in_one_piece(void)
{
    /* [a uuid, a set of two, an int array, 5], and the end */
    static const unsigned char list[] = {
        0xE8, 0xC3, 0xD9, 0x10, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16,
        0xC1, 0xE6, 0xE5, 7, 8, 0xB3, 2, 0x50, 0x40, 1, 5};
    static const size_t sizes[] = {19, 5, 5};
    tape_fressian_read_from(&r, list, sizeof list);
    CHECK_OK(tape_fressian_next(&r, &item));
    CHECK_EQ(item.type, TAPE_FRESSIAN_LIST);
    CHECK_EQ(item.count, 4);
    for (int i = 0; i < 3; i++) {
        CHECK_OK(tape_fressian_next(&r, &item));
        CHECK_EQ(item.type, TAPE_FRESSIAN_OTHER);
        CHECK_EQ(item.wire_size, sizes[i]);
        CHECK_EQ(item.wire[0], item.code);
    }
    CHECK_OK(tape_fressian_next(&r, &item));
    CHECK_EQ(item.integer, 5);
    CHECK_OK(tape_fressian_next(&r, &item));
    CHECK_EQ(item.type, TAPE_FRESSIAN_END);
    CHECK_OK(tape_fressian_next(&r, &item));
    CHECK_EQ(item.type, TAPE_FRESSIAN_DONE);
    CHECK_EQ(tape_fressian_skip(&r), TAPE_ESTATE);
}

static void skipping_leaves_the_list_around(void)
{
    static const unsigned char lists[] = {0xE6, 0xE7, 1, 0xE5, 2, 3, 4};     /* [[1 [2] 3] 4] */
    tape_fressian_read_from(&r, lists, sizeof lists);
    CHECK_OK(tape_fressian_next(&r, &item));
    CHECK_OK(tape_fressian_next(&r, &item));
    CHECK_OK(tape_fressian_next(&r, &item));
    CHECK_OK(tape_fressian_skip(&r));
    CHECK_OK(tape_fressian_next(&r, &item));
    CHECK_EQ(item.integer, 4);
}

static void hostile_bytes_are_refused_where_they_are_wrong(void)
{
    static const struct {
        const char *bytes;
        size_t size;
        int code;
    } cases[] = {
        {"\xe5", 1, TAPE_ECORRUPT},             /* an element is missing */
        {"\xec\x5f\xff", 3, TAPE_ECORRUPT},     /* 4095 elements in no bytes */
        {"\xec\xf8\x7f\xff\xff\xff\xff\xff\xff\xff", 10, TAPE_ECORRUPT},
        {"\xc0\xe5\x01", 3, TAPE_ECORRUPT},     /* a map of one element */
        {"\xcd\x80", 2, TAPE_ECORRUPT},         /* an entry that refers to itself */
        {"\xcd\xcd\x81", 3, TAPE_ECORRUPT},
        {"\xcd", 1, TAPE_ECORRUPT},
        {"\xfd", 1, TAPE_ECORRUPT},
        {"\xca\x01\xdb\x61", 4, TAPE_ECORRUPT}, /* a namespace that is a number */
        {"\xca\xcd\x80\xdb\x61", 5, TAPE_ECORRUPT},
        {"\xdb\xff", 2, TAPE_ECORRUPT},
        {"\xcf\xcf\xcf\xcf\0\0\0\x01\0\0\0\0", 12, TAPE_ECORRUPT},
        {"\xa0", 1, TAPE_ECORRUPT},
        {"\xef\xdd\x6d\x61\x70\x01\xe4", 7, TAPE_EUNSUPPORTED},     /* a struct "map" */
        {"\xef\xde\x63\x68\x61\x72\x02\x01\x01", 9, TAPE_EUNSUPPORTED},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int rc = 0;
        tape_fressian_read_from(&r, cases[i].bytes, cases[i].size);
        for (int steps = 0; !rc && steps < 100; steps++)
            rc = tape_fressian_next(&r, &item);
        CHECK_EQ(rc, cases[i].code);
        CHECK_EQ(tape_fressian_next(&r, &item), cases[i].code);     /* and stays so */
    }
    memset(buffer, 0xE5, 1000);
    tape_fressian_read_from(&r, buffer, 1000);
    for (int i = 0; i < TAPE_FRESSIAN_DEPTH; i++)
        CHECK_OK(tape_fressian_next(&r, &item));
    CHECK_EQ(tape_fressian_next(&r, &item), TAPE_EUNSUPPORTED);
}

static void references_to_much_end_soon(void)
{
    /* one long text in the cache, then as many references to it as fit */
    memset(buffer, 0x80, sizeof buffer);
    static const unsigned char head[] = {0xEE, 0xCD, 0xE3, 0x69, 0, 0};      /* 65536 bytes */
    memcpy(buffer, head, sizeof head);
    memset(buffer + sizeof head, 'a', 65536);
    tape_fressian_read_from(&r, buffer, sizeof buffer);
    int rc = 0, steps = 0;
    for (; !rc && steps < 1000000; steps++)
        rc = tape_fressian_next(&r, &item);
    CHECK_EQ(rc, TAPE_EUNSUPPORTED);
    CHECK(steps < 1000);
}

/* Random bytes, and random changes of a good message, each in memory of exactly its size, so that
 * AddressSanitizer sees a byte too far. */
static void no_bytes_lead_the_reader_astray(unsigned seed)
{
    static const unsigned char good[] = {
        0xC0, 0xEA, 0xCA, 0xCD, 0xDF, 'o', 'r', 'd', 'e', 'r', 0xCD, 0xDC, 'i', 'd', 0x50, 0x40,
        0xCA, 0xF7, 0x80, 0xE6, 0xCD, 0xDD, 'a', 'b', 'c', 0x82, 0xDB, 'x', 0xC1, 0xED, 1, 0xFD};
    srand(seed);
    for (int round = 0; round < 200000; round++) {
        size_t size = (size_t)rand() % (sizeof good + 1);
        unsigned char *data = malloc(size + !size);
        CHECK(data);
        memcpy(data, good, size);
        for (int changes = rand() % 6; size && changes; changes--)
            data[(size_t)rand() % size] = (unsigned char)(rand() % 4 ? 0x80 | rand() : rand());
        tape_fressian_read_from(&r, data, size);
        size_t steps = 0;
        do {
            int rc = rand() % 16 ? tape_fressian_next(&r, &item) : tape_fressian_skip(&r);
            if (rc && rc != TAPE_ESTATE)
                break;
            CHECK(r.p >= data && r.p <= data + size);
            if (rc == 0 && item.text.size && item.text.size <= sizeof buffer)
                tape_fressian_copy(&item.text, buffer, sizeof buffer);
            CHECK(++steps < 1000);
        } while (r.p < r.end || r.depth);
        free(data);
    }
}

int main(int argc, char **argv)
{
    unsigned seed = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 0) : 20261125;
    printf("seed %u\n", seed);
    integers_have_the_shortest_form();
    a_keyword_that_comes_again_is_a_reference();
    what_is_written_wrong_is_refused_and_stays_refused();
    a_buffer_that_is_too_small_tells_what_is_enough();
    a_text_in_parts_with_pairs_comes_back_whole();
    half_a_pair_is_no_text_in_c();
    other_types_come_in_one_piece();
    skipping_leaves_the_list_around();
    hostile_bytes_are_refused_where_they_are_wrong();
    references_to_much_end_soon();
    no_bytes_lead_the_reader_astray(seed);
    return 0;
}
