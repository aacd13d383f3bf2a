/* Description: one excerpt, state by state, with memory set by hand: every verb succeeds from the
 * states that excerpt.h draws, fails from all others, and then changes nothing. */
#include "excerpt.h"

#include "check.h"

typedef union {
    uint32_t words[32];
    uint8_t bytes[128];
} memory_t;

static const uint32_t states[] = {0,          1,          12,         0x40000010, 0x80000000,
                                  0x8000000C, 0x8000000D, 0xC0000000, 0xC0000001, 0x3FFFFFFF};
enum { STATES = sizeof states / sizeof *states };

/* What each verb does to each word. */
static void verbs(void)
{
    for (int i = 0; i < STATES; i++) {
        const uint32_t was = states[i];
        uint32_t word = was;
        CHECK_EQ(tape__excerpt_reserve(&word, 12), was == 0);
        CHECK_EQ(word, was == 0 ? 0x8000000C : was);

        word = was;
        CHECK_EQ(tape__excerpt_publish(&word, 12, 0), was == 0x8000000C);
        CHECK_EQ(word, was == 0x8000000C ? 12 : was);

        word = was;
        CHECK_EQ(tape__excerpt_publish(&word, 12, TAPE__META_DATA), was == 0x8000000C);
        CHECK_EQ(word, was == 0x8000000C ? 0x4000000C : was);

        word = was;
        CHECK_EQ(tape__excerpt_abandon(&word, 12), was == 0x8000000C);
        CHECK_EQ(word, was == 0x8000000C ? 0 : was);

        for (int k = 0; k < STATES; k++) { /* clear and seal say which word they saw */
            word = was;
            CHECK_EQ(tape__excerpt_clear(&word, states[k]), was == states[k]);
            CHECK_EQ(word, was == states[k] ? 0 : was);
            word = was;
            CHECK_EQ(tape__excerpt_seal(&word, states[k]), was == states[k]);
            CHECK_EQ(word, was == states[k] ? TAPE__END_OF_DATA : was);
        }

        word = was;
        tape__excerpt_touch(&word);
        CHECK_EQ(word, was);

        memory_t m = {{0}};
        m.words[1] = was;
        CHECK_EQ(tape__excerpt_observe(m.bytes + 4, true), was);
        memcpy(m.bytes + 9, &was, 4);
        CHECK_EQ(tape__excerpt_observe(m.bytes + 9, false), was);
    }
}

/* The writer's steps, and what the other side sees after each. Dirty memory, as a writer that died
 * in mid-message leaves it. */
static void step_by_step(void)
{
    memory_t m;
    memset(&m, 0xEE, sizeof m);
    m.words[0] = 0;
    CHECK_EQ(tape__excerpt_observe(m.bytes, true), 0);
    CHECK(tape__excerpt_reserve(&m.words[0], 11));
    CHECK_EQ(tape__word_kind(tape__excerpt_observe(m.bytes, true)), TAPE__WORD_INCOMPLETE);
    CHECK(!tape__excerpt_reserve(&m.words[0], 11)); /* only one of two writers has it */
    tape__excerpt_fill(&m.words[0], "\xC0\x80\x08\x8A", 4, "message", 7);
    CHECK_EQ(tape__word_kind(tape__excerpt_observe(m.bytes, true)), TAPE__WORD_INCOMPLETE);
    CHECK(memcmp(m.bytes + 4, "\xC0\x80\x08\x8Amessage", 11) == 0);
    for (int i = 15; i < 23; i++) CHECK_EQ(m.bytes[i], 0); /* padding and the next header word */
    CHECK_EQ(m.bytes[23], 0xEE);
    CHECK(tape__excerpt_publish(&m.words[0], 11, 0));
    CHECK_EQ(tape__excerpt_observe(m.bytes, true), 11);
    CHECK_EQ(tape__excerpt_observe(m.bytes + tape__next_position(0, 11, true), true), 0);
}

/* A writer is stopped after its reservation; another takes over, clears it and writes. The first
 * one wakes up: it can neither publish nor abandon, and the other's message stays. */
static void broken_lock(void)
{
    memory_t m = {{0}};
    CHECK(tape__excerpt_reserve(&m.words[0], 8));
    uint32_t left = tape__excerpt_observe(m.bytes, true);
    CHECK(tape__excerpt_clear(&m.words[0], left));
    CHECK(tape__excerpt_reserve(&m.words[0], 4));
    CHECK(!tape__excerpt_publish(&m.words[0], 8, 0));
    tape__excerpt_fill(&m.words[0], "", 0, "next", 4);
    CHECK(!tape__excerpt_abandon(&m.words[0], 8));
    CHECK(tape__excerpt_publish(&m.words[0], 4, 0));
    CHECK(!tape__excerpt_publish(&m.words[0], 8, 0));
    CHECK(!tape__excerpt_reserve(&m.words[0], 8));
    CHECK(!tape__excerpt_clear(&m.words[0], left));
    CHECK(!tape__excerpt_seal(&m.words[0], left));
    CHECK_EQ(m.words[0], 4);
    CHECK(memcmp(m.bytes + 4, "next", 4) == 0);
}

int main(void)
{
    verbs();
    step_by_step();
    broken_lock();
    return 0;
}
