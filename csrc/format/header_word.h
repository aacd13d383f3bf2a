/* header_word.h - the 32-bit word before every document (format.md 2.1).
 *
 *     bit 31  NOT_COMPLETE   being written
 *     bit 30  META_DATA      not a message
 *     bits 29..0             length of the body in bytes, padding excluded
 *
 *     0x00000000                nothing yet: the end of what is written
 *     0x00000001..0x3FFFFFFF    a complete message
 *     0x40000000..0x7FFFFFFF    a complete metadata document
 *     0x80000000..0xBFFFFFFF    being written
 *     0xC0000000                END_OF_DATA: no more documents in this cycle file
 *     0xC0000001..0xFFFFFFFF    incomplete metadata, made by no 5.x
 */
#ifndef TAPE_HEADER_WORD_H
#define TAPE_HEADER_WORD_H

#include <stdbool.h>
#include <stdint.h>

#define TAPE__NOT_COMPLETE 0x80000000u
#define TAPE__META_DATA 0x40000000u
#define TAPE__LENGTH_MASK 0x3FFFFFFFu
#define TAPE__END_OF_DATA 0xC0000000u
#define TAPE__LENGTH_MAX 0x3FFFFFFFu

enum {
    TAPE__WORD_SIZE = 4,
    /* What must be in the file behind a document: END_OF_DATA, and the sign that Java writes behind
     * it (9.1). Until then it is 0. */
    TAPE__END_ROOM = 8
};

typedef enum {
    TAPE__WORD_FREE,       /* 0 */
    TAPE__WORD_DATA,       /* a complete message */
    TAPE__WORD_META,       /* a complete metadata document */
    TAPE__WORD_INCOMPLETE, /* being written, or left by a dead writer */
    TAPE__WORD_EOF
} tape__word_kind_t;

/* What stands at the end of a chain of documents. */
typedef enum {
    TAPE__END_FREE,     /* 0 */
    TAPE__END_RESERVED, /* reserved for a document of a length that fits, and never published */
    TAPE__END_OPEN,     /* incomplete with no such length: Java's of old, or damage */
    TAPE__END_MARK,     /* END_OF_DATA */
    TAPE__END_COMPLETE  /* a document: no end, and a defect of ours when it is taken for one */
} tape__end_state_t;

static inline tape__word_kind_t tape__word_kind(uint32_t word)
{
    if (word == 0) return TAPE__WORD_FREE;
    if (word == TAPE__END_OF_DATA) return TAPE__WORD_EOF;
    if (word & TAPE__NOT_COMPLETE) return TAPE__WORD_INCOMPLETE;
    return (word & TAPE__META_DATA) ? TAPE__WORD_META : TAPE__WORD_DATA;
}

/* A complete message: neither of the two bits, and a length. */
static inline bool tape__word_is_message(uint32_t word) { return word - 1 < TAPE__LENGTH_MASK; }

/* A complete document, message or metadata: one can step over it. */
static inline bool tape__word_is_document(uint32_t word) { return word - 1 < ~TAPE__NOT_COMPLETE; }

static inline uint32_t tape__word_length(uint32_t word) { return word & TAPE__LENGTH_MASK; }

/* Where the next header stands (format.md 2.2): aligned to 4 in files of data format 1. */
static inline uint64_t tape__word_next(uint64_t position, uint32_t length, bool aligned)
{
    uint64_t end = position + 4 + length;
    return aligned ? (end + 3) & ~(uint64_t)3 : end;
}

#endif
