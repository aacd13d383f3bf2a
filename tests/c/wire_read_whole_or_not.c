/* Description: a value of the wire is read whole or not at all: every numeric code, names, texts,
 * blocks and arrays, and every truncation of each: false, and never a byte read behind the end
 * (each copy is allocated to its exact size for ASan). */
#include "format/wire.h"

#include "base/bytes.h"
#include "check.h"

typedef struct {
    uint8_t bytes[64];
    size_t size;
} sample_t;

#define SAMPLE(...)                                                                                \
    (&(sample_t){{__VA_ARGS__}, sizeof((uint8_t[]){__VA_ARGS__})})

typedef bool (*reader_t)(tape__wire_t *w);

static bool read_name(tape__wire_t *w) { tape__text_t t; return tape__wire_name(w, &t); }
static bool read_type(tape__wire_t *w) { tape__text_t t; return tape__wire_type(w, &t); }
static bool read_text(tape__wire_t *w) { tape__text_t t; return tape__wire_text(w, &t); }
static bool read_int(tape__wire_t *w) { int64_t v; return tape__wire_int(w, &v); }
static bool read_block(tape__wire_t *w) { tape__wire_t in; return tape__wire_block(w, &in); }
static bool read_bound(tape__wire_t *w) { uint64_t at; return tape__wire_bound(w, &at); }
static bool read_array(tape__wire_t *w) { tape__wire_array_t a; return tape__wire_array(w, &a); }
static const reader_t readers[] = {read_name,  read_type,  read_text,  read_int,
                                   read_block, read_bound, read_array, tape__wire_skip_value};

/* `reader` takes all of the sample, and none of its prefixes. */
static void whole_or_nothing(reader_t reader, const sample_t *s)
{
    for (size_t n = 0; n <= s->size; n++) {
        uint8_t *copy = malloc(n ? n : 1);
        memcpy(copy, s->bytes, n);
        for (size_t i = 0; i < sizeof readers / sizeof *readers; i++) {
            tape__wire_t w = {copy, n, 0, 7};
            bool ok = readers[i](&w);
            CHECK(w.at <= n);
            if (readers[i] != reader) continue;
            if (ok != (n == s->size)) CHECK_FAILED("%zu of %zu bytes: %d", n, s->size, ok);
            if (ok) CHECK_EQ(w.at, n);
        }
        free(copy);
    }
}

static int64_t int_of(const sample_t *s)
{
    int64_t value = 77;
    tape__wire_t w = {s->bytes, s->size, 0, 0};
    CHECK(tape__wire_int(&w, &value));
    CHECK_EQ(w.at, s->size);
    whole_or_nothing(read_int, s);
    whole_or_nothing(tape__wire_skip_value, s);
    return value;
}

static void integers(void)
{
    CHECK_EQ(int_of(SAMPLE(0x00)), 0);
    CHECK_EQ(int_of(SAMPLE(0x7F)), 127);
    CHECK_EQ(int_of(SAMPLE(0xA1, 0xFF)), 255);
    CHECK_EQ(int_of(SAMPLE(0xA2, 0xFF, 0xFF)), 65535);
    CHECK_EQ(int_of(SAMPLE(0xA3, 0xFF, 0xFF, 0xFF, 0xFF)), UINT32_MAX);
    CHECK_EQ(int_of(SAMPLE(0xA4, 0x80)), -128);
    CHECK_EQ(int_of(SAMPLE(0xA5, 0x00, 0x80)), -32768);
    CHECK_EQ(int_of(SAMPLE(0xA6, 0x00, 0x5C, 0x26, 0x05)), 86400000);
    CHECK_EQ(int_of(SAMPLE(0xA6, 0, 0, 0, 0x80)), INT32_MIN);
    CHECK_EQ(int_of(SAMPLE(0xA7, 0, 0, 0, 0, 0, 0, 0, 0x80)), INT64_MIN);
    CHECK_EQ(int_of(SAMPLE(0xAF, 1, 0, 0, 0, 0, 0, 0, 0)), 1);
    CHECK_EQ(int_of(SAMPLE(0x90, 0x00, 0x00, 0x80, 0x3F)), 1);                /* 1.0f */
    CHECK_EQ(int_of(SAMPLE(0x91, 0, 0, 0, 0, 0, 0, 0x00, 0xC0)), -2);         /* -2.0 */
    CHECK_EQ(int_of(SAMPLE(0x8F, 0x8E, 2, 0, 0, 0, 9, 9, 0xA1, 0x05)), 5); /* after padding */
    CHECK_EQ(int_of(SAMPLE(0xBE, 0x02, 'h', 'i', 0x05)), 5);                  /* after a comment */
    int64_t v;
    const sample_t *half = SAMPLE(0x90, 0, 0, 0, 0x3F); /* 0.5f is no integer */
    tape__wire_t w = {half->bytes, half->size, 0, 0};
    CHECK(!tape__wire_int(&w, &v));
    const sample_t *nan = SAMPLE(0x91, 0, 0, 0, 0, 0, 0, 0xF8, 0x7F);
    w = (tape__wire_t){nan->bytes, nan->size, 0, 0};
    CHECK(!tape__wire_int(&w, &v));
    const sample_t *huge = SAMPLE(0x90, 0xFF, 0xFF, 0x7F, 0x7F); /* FLT_MAX */
    w = (tape__wire_t){huge->bytes, huge->size, 0, 0};
    CHECK(!tape__wire_int(&w, &v));
}

/* Every first byte is either a value of a known size or refused; nothing crashes or loops. */
static void every_code(void)
{
    for (int code = 0; code < 256; code++)
        for (int fill = 0; fill < 256; fill += 51) {
            uint8_t *copy = malloc(40);
            memset(copy, fill, 40);
            copy[0] = (uint8_t)code;
            for (size_t i = 0; i < sizeof readers / sizeof *readers; i++)
                for (size_t n = 0; n <= 40; n += 1 + n / 8) {
                    uint8_t *exact = malloc(n ? n : 1);
                    memcpy(exact, copy, n);
                    tape__wire_t w = {exact, n, 0, 0};
                    readers[i](&w);
                    CHECK(w.at <= n);
                    free(exact);
                }
            free(copy);
        }
    static const uint8_t plain[] = {0xB0, 0xB1, 0xBB};
    for (size_t i = 0; i < sizeof plain; i++) {
        tape__wire_t w = {&plain[i], 1, 0, 0};
        CHECK(tape__wire_skip_value(&w));
        CHECK_EQ(w.at, 1);
    }
}

static void names_and_texts(void)
{
    whole_or_nothing(read_name, SAMPLE(0xC0));
    whole_or_nothing(read_name, SAMPLE(0xC3, 'a', 'b', 'c'));
    whole_or_nothing(read_name, SAMPLE(0xB7, 0x03, 'a', 'b', 'c'));
    whole_or_nothing(read_name, SAMPLE(0xB9, 0x03, 'a', 'b', 'c'));
    whole_or_nothing(read_type, SAMPLE(0xB6, 0x02, 'X', 'Y'));
    whole_or_nothing(read_text, SAMPLE(0xE2, 'h', 'i'));
    whole_or_nothing(read_text, SAMPLE(0xB8, 0x02, 'h', 'i'));
    whole_or_nothing(read_text, SAMPLE(0xB2, 0x05, '2', '1', ':', '0', '0'));
    whole_or_nothing(read_block, SAMPLE(0x80, 0x02, 1, 2));
    whole_or_nothing(read_block, SAMPLE(0x81, 0x02, 0x00, 1, 2));
    whole_or_nothing(read_block, SAMPLE(0x82, 0x02, 0x00, 0x00, 0x00, 1, 2));
    /* origin is 7, so that the value of a bound integer after one code byte is 8-aligned */
    whole_or_nothing(read_bound, SAMPLE(0xA7, 1, 2, 3, 4, 5, 6, 7, 8));
    whole_or_nothing(tape__wire_skip_value, SAMPLE(0xB6, 0x01, 'T', 0x80, 0x01, 0x05));
    whole_or_nothing(tape__wire_skip_value,
                     SAMPLE(0xA0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16));
    whole_or_nothing(tape__wire_skip_value, SAMPLE(0xBC, 0x01, 'T'));
    /* lengths that lie: 2^32 - 1, and one that would be negative */
    tape__text_t t;
    const sample_t *lies[] = {SAMPLE(0xB8, 0xFF, 0xFF, 0xFF, 0xFF, 0x0F, 'x'),
                              SAMPLE(0xB8, 0x80, 0x00, 'x'),
                              SAMPLE(0xB8, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF,
                                     0xFF, 0xFF, 'x')};
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        tape__wire_t w = {lies[i]->bytes, lies[i]->size, 0, 0};
        CHECK(!tape__wire_text(&w, &t));
    }
}

static void arrays(void)
{
    uint8_t buffer[256];
    tape__wire_out_t o = {buffer, sizeof buffer, 0, 4, false};
    tape__wire_put_event(&o, "index");
    uint64_t first = tape__wire_put_array(&o, 8);
    CHECK_EQ(first % 8, 0);
    for (size_t n = 0; n <= o.at; n++) {
        tape__wire_t w = {buffer, n, 0, 4};
        tape__text_t name;
        tape__wire_array_t a;
        bool ok = tape__wire_name(&w, &name) && tape__wire_array(&w, &a);
        CHECK_EQ(ok, n == o.at);
        if (!ok) continue;
        CHECK_EQ(a.capacity, 8);
        CHECK_EQ(a.used, 0);
        CHECK_EQ(a.position, first);
    }
    /* a capacity that overflows when multiplied by 8 */
    tape__put_u64(buffer + (first - 4) - 16, UINT64_C(0x2000000000000001));
    tape__wire_t w = {buffer, o.at, 0, 4};
    tape__text_t name;
    tape__wire_array_t a;
    CHECK(tape__wire_name(&w, &name) && !tape__wire_array(&w, &a));
}

int main(void)
{
    integers();
    every_code();
    names_and_texts();
    arrays();
    return 0;
}
