/* cycle_chain.h - the end of a cycle file's chain of documents, which both wings look for: readers
 * to stand there, writers to go on from there (they make it certain first: write/).
 */
#ifndef TAPE_CYCLE_CHAIN_H
#define TAPE_CYCLE_CHAIN_H

#include "file/cycle_store.h"

/* What is known of the last message: from the pair, else from the index; then walked to the end of
 * the chain, so messages that were published after the pair was set count, too (6.4). TAPE_OK or a
 * code. */
int tape__cycle_chain_find_end(tape__cycle_store_t *s, tape__window_t *w, tape__chain_end_t *out);

/* Whether a walk that began at `from`, found no message or met damage (`found`: its code or what it
 * came to), and now stands at `c`, was led astray by the index, so that all are to be counted: an
 * answer. A damaged entry may lead into a message whose bytes look like others, or to a message of
 * another number. It was not when it leads to where the pair says that the end is. */
int tape__cycle_chain_led_astray(tape__cycle_store_t *s, tape__window_t *w,
                                 const tape__cursor_t *from, int found, const tape__cursor_t *c);

#endif
