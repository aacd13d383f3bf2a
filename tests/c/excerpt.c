/* Description: one excerpt, state by state, with memory set by hand: every verb succeeds from the
 * states that excerpt.h draws, fails from all others, and then changes nothing. */
#include "file/excerpt.h"

#include "check.h"

typedef union {
    uint32_t words[32];
    uint8_t bytes[128];
} memory_t;

static const uint32_t states[] = {0,          1,          12,         0x40000010, 0x80000000,
                                  0x8000000C, 0x8000000D, 0xC0000000, 0xC0000001, 0x3FFFFFFF};
enum { STATES = sizeof states / sizeof *states };

static void put(uint8_t *header, uint32_t word) { memcpy(header, &word, 4); }

static uint32_t get(const uint8_t *header)
{
    uint32_t word;
    memcpy(&word, header, 4);
    return word;
}

/* What each verb does to each word, wherever the word lies (format.md 2.2). */
static void verbs(uint8_t *header)
{
    for (int i = 0; i < STATES; i++) {
        const uint32_t was = states[i];
        put(header, was);
        CHECK_EQ(tape__excerpt_reserve(header, 12), was == 0);
        CHECK_EQ(get(header), was == 0 ? 0x8000000C : was);

        put(header, was);
        CHECK_EQ(tape__excerpt_set_length(header, 12), was == 0x80000000);
        CHECK_EQ(get(header), was == 0x80000000 ? 0x8000000C : was);

        put(header, was);
        CHECK_EQ(tape__excerpt_publish(header, 12, 0), was == 0x8000000C);
        CHECK_EQ(get(header), was == 0x8000000C ? 12 : was);

        put(header, was);
        CHECK_EQ(tape__excerpt_publish(header, 12, TAPE__META_DATA), was == 0x8000000C);
        CHECK_EQ(get(header), was == 0x8000000C ? 0x4000000C : was);

        put(header, was);
        CHECK_EQ(tape__excerpt_abandon(header, 12), was == 0x8000000C);
        CHECK_EQ(get(header), was == 0x8000000C ? 0 : was);

        put(header, was);
        CHECK_EQ(tape__excerpt_give_up(header, 12), was == 0x8000000C);
        CHECK_EQ(get(header), was == 0x8000000C ? 0x4000000C : was);

        put(header, was);
        CHECK_EQ(tape__excerpt_resize(header, 12, 13), was == 0x8000000C);
        CHECK_EQ(get(header), was == 0x8000000C ? 0x8000000D : was);

        for (int k = 0; k < STATES; k++) { /* clear and seal say which word they saw */
            put(header, was);
            CHECK_EQ(tape__excerpt_clear(header, states[k]), was == states[k]);
            CHECK_EQ(get(header), was == states[k] ? 0 : was);
            put(header, was);
            CHECK_EQ(tape__excerpt_seal(header, states[k]), was == states[k]);
            CHECK_EQ(get(header), was == states[k] ? TAPE__END_OF_DATA : was);
        }
        put(header, was);
        CHECK_EQ(tape__excerpt_observe(header, false), was);
    }
}

/* Aligned, misaligned, and across two cache lines. Touching is for aligned words alone. */
static void verbs_anywhere(void)
{
    static _Alignas(64) uint8_t lines[128];
    for (size_t at = 0; at < 68; at++) {
        if (at % 4 != 0 && !TAPE__CAN_CLAIM_UNALIGNED) continue;
        memset(lines, 0xEE, sizeof lines);
        verbs(lines + at);
        for (size_t i = 0; i < sizeof lines; i++)
            if (i < at || i >= at + 4) CHECK_EQ(lines[i], 0xEE);
    }
    for (int i = 0; i < STATES; i++) {
        uint32_t word = states[i];
        tape__excerpt_sign((uint8_t *)&word);
        CHECK_EQ(memcmp(&word, "\xC3" "EOF", 4) == 0, states[i] == 0);
        word = states[i];
        tape__excerpt_touch(&word);
        CHECK_EQ(word, states[i]);
        CHECK_EQ(tape__excerpt_observe((uint8_t *)&word, true), states[i]);
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
    CHECK(tape__excerpt_reserve(m.bytes, 11));
    CHECK_EQ(tape__word_kind(tape__excerpt_observe(m.bytes, true)), TAPE__WORD_INCOMPLETE);
    CHECK(!tape__excerpt_reserve(m.bytes, 11)); /* only one of two writers has it */
    tape__excerpt_fill(m.bytes, true, "\xC0\x80\x08\x8A", 4, "message", 7);
    CHECK_EQ(tape__word_kind(tape__excerpt_observe(m.bytes, true)), TAPE__WORD_INCOMPLETE);
    CHECK(memcmp(m.bytes + 4, "\xC0\x80\x08\x8Amessage", 11) == 0);
    CHECK_EQ(m.bytes[15], 0); /* the padding, and not a byte behind it: that may be another's */
    CHECK_EQ(m.bytes[16], 0xEE);
    CHECK(tape__excerpt_publish(m.bytes, 11, 0));
    CHECK_EQ(tape__excerpt_observe(m.bytes, true), 11);
}

/* A writer is stopped after its reservation; another takes over, gives the room up and writes
 * behind it. The first one wakes up in its copy: that harms nobody, and it can neither publish nor
 * abandon. */
static void broken_lock(void)
{
    memory_t m = {{0}};
    uint8_t *behind = m.bytes + tape__word_next(0, 7, true);
    CHECK(tape__excerpt_reserve(m.bytes, 7));
    CHECK(tape__excerpt_give_up(m.bytes, 7));
    CHECK(tape__excerpt_reserve(behind, 4));
    tape__excerpt_fill(behind, true, "", 0, "next", 4);
    CHECK(tape__excerpt_publish(behind, 4, 0));
    tape__excerpt_fill(m.bytes, true, "abc", 3, "late", 4);
    CHECK(!tape__excerpt_publish(m.bytes, 7, 0));
    CHECK(!tape__excerpt_abandon(m.bytes, 7));
    CHECK(!tape__excerpt_resize(m.bytes, 7, 20));
    CHECK_EQ(m.words[0], TAPE__META_DATA | 7);
    CHECK_EQ(get(behind), 4);
    CHECK(memcmp(behind + 4, "next", 4) == 0);
    for (size_t i = 12 + 8; i < sizeof m; i++) CHECK_EQ(m.bytes[i], 0);
}

int main(void)
{
    verbs_anywhere();
    step_by_step();
    broken_lock();
    return 0;
}
