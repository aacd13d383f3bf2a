/* Description: what is written to the wire is what Java writes, and is read back: integers, stop
 * bits, framing at its boundaries; where there is no room nothing is written behind the end. */
#include "format/wire.h"

#include "check.h"

/* Stop bits as texts' lengths: 20000 is A0 9C 01; -1 is 80 00, no length at all. */
static void stop_bits(void)
{
    static const size_t lengths[] = {0, 31, 32, 127, 128, 16383, 16384, 20000};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        size_t n = lengths[i];
        char *text = malloc(n + 1);
        memset(text, 'x', n);
        text[n] = 0;
        uint8_t *buffer = malloc(n + 8);
        tape__wire_out_t o = {buffer, n + 8, 0, 0, false};
        tape__wire_put_event(&o, text);
        CHECK(!o.overflow);
        if (n == 20000) CHECK(memcmp(buffer, "\xB9\xA0\x9C\x01", 4) == 0);
        if (n == 128) CHECK(memcmp(buffer, "\xB9\x80\x01", 3) == 0);
        tape__wire_t w = {buffer, o.at, 0, 0};
        tape__text_t back;
        CHECK(tape__wire_name(&w, &back));
        CHECK_EQ(back.length, n);
        CHECK_EQ(w.at, o.at);
        free(buffer);
        free(text);
    }
}

/* What Java's writer chooses, and that it is read back. */
static void written_integers(void)
{
    static const struct {
        int64_t value;
        int code;
    } rows[] = {
        {0, 0xA1},          {255, 0xA1},         {256, 0xA5},         {32767, 0xA5},
        {32768, 0xA2},      {65535, 0xA2},       {65536, 0xA6},       {INT32_MAX, 0xA6},
        {2147483648, 0xA3}, {4294967295, 0xA3},  {4294967296, 0x90},  {-1, 0xA4},
        {-128, 0xA4},       {-129, 0xA5},        {-32768, 0xA5},      {-32769, 0xA6},
        {INT32_MIN, 0xA6},  {4294967297, 0xA7},  {INT64_MAX, 0xA7},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint8_t buffer[16];
        tape__wire_out_t o = {buffer, sizeof buffer, 0, 0, false};
        tape__wire_put_int(&o, rows[i].value);
        CHECK_EQ(buffer[0], rows[i].code);
        int64_t back;
        tape__wire_t w = {buffer, o.at, 0, 0};
        CHECK(tape__wire_int(&w, &back));
        CHECK_EQ(back, rows[i].value);
    }
}

static void framing(void)
{
    static const size_t sizes[] = {0, 1, 253, 254, 255, 256, 65533, 65534, 65535, 65536, 1 << 20};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        size_t size = sizes[i], offset = 99, length = 99;
        uint8_t frame[TAPE__FRAME_MAX];
        size_t n = tape__wire_frame(frame, size);
        CHECK_EQ(n, size <= 254 ? 4 : size <= 65534 ? 5 : 7);
        uint8_t *body = malloc(n + size);
        memcpy(body, frame, n);
        memset(body + n, 0xAB, size);
        CHECK(tape__wire_unframe(body, n + size, &offset, &length));
        CHECK_EQ(offset, n);
        CHECK_EQ(length, size);
        /* a document that ends before its message does */
        if (size > 0) CHECK(!tape__wire_unframe(body, n + size - 1, &offset, &length));
        for (size_t cut = 0; cut < n; cut++)
            CHECK(!tape__wire_unframe(body, cut, &offset, &length));
        free(body);
    }
    size_t offset, length;
    CHECK(!tape__wire_unframe((const uint8_t *)"\xC0\x80\x00", 3, &offset, &length));
    CHECK(!tape__wire_unframe((const uint8_t *)"\xC0\x80\x01\x8B", 4, &offset, &length));
    CHECK(!tape__wire_unframe((const uint8_t *)"hello", 5, &offset, &length));
    /* another field name, and what an overflowing Java message left behind */
    CHECK(tape__wire_unframe((const uint8_t *)"\xC1k\x80\x02\x8Ax", 6, &offset, &length));
    CHECK_EQ(length, 1);
    const uint8_t *cut_short = (const uint8_t *)"\xC0\x82\x01\x00\x00\x01\x8A";
    CHECK(!tape__wire_unframe(cut_short, 7, &offset, &length));
}

static void some_of_all(tape__wire_out_t *o)
{
    tape__wire_put_event(o, "header");
    size_t block = tape__wire_begin_block(o);
    tape__wire_put_field(o, "writePosition");
    tape__wire_put_pair(o, 1, 2);
    tape__wire_put_int(o, INT64_MAX);
    tape__wire_put_text(o, "yes");
    tape__wire_end_block(o, block);
}

static void no_room(void)
{
    uint8_t enough[256];
    tape__wire_out_t whole = {enough, sizeof enough, 0, 4, false};
    some_of_all(&whole);
    for (size_t capacity = 0; capacity < sizeof enough; capacity++) {
        uint8_t *buffer = malloc(capacity ? capacity : 1);
        tape__wire_out_t o = {buffer, capacity, 0, 4, false};
        some_of_all(&o);
        CHECK(o.at <= capacity);
        CHECK_EQ(o.overflow, capacity < whole.at);
        if (!o.overflow) CHECK(memcmp(buffer, enough, whole.at) == 0);
        free(buffer);
    }
}

int main(void)
{
    stop_bits();
    written_integers();
    framing();
    no_room();
    return 0;
}
