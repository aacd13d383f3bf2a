/* tokens.h - one step of the reader: a value without parts, or the head or the end of one with. */
#ifndef TAPE_FRESSIAN_TOKENS_H
#define TAPE_FRESSIAN_TOKENS_H

#include "tape_fressian.h"

/* What is open: lists and maps, which the caller sees, and all else, which is stepped over. */
enum tape__open { TAPE__OPEN_LIST, TAPE__OPEN_MAP, TAPE__OPEN_OTHER };

/* The next token. A value that the reader only steps over comes as OTHER with its head alone, its
 * parts in a TAPE__OPEN_OTHER; END ends each of the three. */
int tape__tokens_next(tape_fressian_reader_t *r, tape_fressian_item_t *item);

/* Makes the reader fail at `at`. */
int tape__tokens_fail(tape_fressian_reader_t *r, int code, const unsigned char *at,
                      const char *why);

#endif
