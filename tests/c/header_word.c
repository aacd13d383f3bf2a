/* Description: the header word of a document: its kinds at the edges of each range, and where the
 * next one stands, aligned and packed. */
#include "format/header_word.h"

#include "check.h"

int main(void)
{
    static const struct {
        uint32_t word;
        tape__word_kind_t kind;
    } rows[] = {
        {0x00000000, TAPE__WORD_FREE},       {0x00000001, TAPE__WORD_DATA},
        {0x3FFFFFFF, TAPE__WORD_DATA},       {0x40000000, TAPE__WORD_META},
        {0x40000001, TAPE__WORD_META},       {0x7FFFFFFF, TAPE__WORD_META},
        {0x80000000, TAPE__WORD_INCOMPLETE}, {0x80000001, TAPE__WORD_INCOMPLETE},
        {0xBFFFFFFF, TAPE__WORD_INCOMPLETE}, {0xC0000000, TAPE__WORD_EOF},
        {0xC0000001, TAPE__WORD_INCOMPLETE}, {0xFFFFFFFF, TAPE__WORD_INCOMPLETE},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        CHECK_EQ(tape__word_kind(rows[i].word), rows[i].kind);

    CHECK_EQ(tape__word_length(0xC0000000), 0);
    CHECK_EQ(tape__word_length(0xFFFFFFFF), 0x3FFFFFFF);
    CHECK_EQ(tape__word_length(0x400000C1), 193);

    /* The cycle file's own header: a body of 193 bytes is followed at 0xC8, one of 192 at 0xC4. */
    CHECK_EQ(tape__word_next(0, 193, true), 0xC8);
    CHECK_EQ(tape__word_next(0, 192, true), 0xC4);
    CHECK_EQ(tape__word_next(0, 193, false), 0xC5);
    CHECK_EQ(tape__word_next(0x10110, 4, true), 0x10118);
    for (uint32_t length = 0; length < 9; length++) {
        uint64_t next = tape__word_next(100, length, true);
        CHECK_EQ(next % 4, 0);
        CHECK(next >= 104 + length && next < 104 + length + 4);
    }
    /* No wrap at the largest length, far out in a file. */
    uint64_t far = UINT64_C(1) << 40;
    CHECK_EQ(tape__word_next(far, TAPE__LENGTH_MAX, true), far + 4 + 0x40000000 - 4 + 4);
    return 0;
}
