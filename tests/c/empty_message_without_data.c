/* Description: an empty message given as NULL and 0, in both framings, first in its file and later.
 * memcpy() may not be handed a NULL, not even for no bytes (UBSan). */
#include "helpers.h"

int main(void)
{
    for (uint32_t framing = 0; framing < 2; framing++) {
        tape_queue_options_t o = t_options(NULL, NULL);
        tape_appender_options_t ao = {.struct_size = sizeof ao, .framing = framing};
        tape_queue_t *q;
        tape_appender_t *a;
        tape_tailer_t *t;
        tape_excerpt_t e;
        CHECK_OK(tape_queue_open(t_directory(), &o, &q));
        CHECK_OK(tape_appender_open(q, &ao, &a));
        CHECK_OK(tape_tailer_open(q, NULL, &t));
        for (int n = 0; n < 3; n++) {
            CHECK_OK(tape_appender_write(a, NULL, 0));
            CHECK_EQ(tape_tailer_next(t, &e), 1);
            CHECK_EQ(e.size, framing == TAPE_FRAMING_DOCUMENT ? 1 : 0);
        }
        CHECK_OK(tape_tailer_close(t));
        CHECK_OK(tape_appender_close(a));
        CHECK_OK(tape_queue_close(q));
    }
    return 0;
}
