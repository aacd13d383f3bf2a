/* Description: how many zeros lead, and what is left without those at the end, for each length up
 * to some steps of 64 bytes with a byte that is not 0 at each place, or none; nothing outside is
 * looked at. */
#include "base/bytes.h"
#include "check.h"

enum { LONGEST = 200 };

int main(void)
{
    for (size_t size = 0; size <= LONGEST; size++) {
        uint8_t around[1 + LONGEST + 1], *bytes = around + 1;
        memset(around, 0, sizeof around);
        around[0] = bytes[size] = 1;
        CHECK_EQ(tape__zeros(bytes, size), size);
        CHECK_EQ(tape__without_zeros(bytes, size), 0);
        for (size_t first = 0; first < size; first++) {
            bytes[first] = 0x80;
            CHECK_EQ(tape__zeros(bytes, size), first);
            CHECK_EQ(tape__without_zeros(bytes, size), first + 1);
            bytes[size - 1] = 1; /* the first one counts, or the last one */
            CHECK_EQ(tape__zeros(bytes, size), first);
            CHECK_EQ(tape__without_zeros(bytes, size), size);
            bytes[size - 1] = bytes[first] = 0;
        }
    }
    return 0;
}
