/* cycle_end.h - the end of a cycle file for those who will write there, and writing it.
 *
 * All with the write lock held. TAPE_ETAKEN means that a word was not any more as it had been seen:
 * somebody else writes, so the lock was broken; look again.
 */
#ifndef TAPE_CYCLE_END_H
#define TAPE_CYCLE_END_H

#include "file/cycle_store.h"

/* TAPE_EUNSUPPORTED where this processor cannot change the file's header words: those of data
 * format 0 may be misaligned (2.2). */
int tape__cycle_end_check_writable(const tape__cycle_store_t *s);

/* tape__cycle_chain_find_end() for a writer, who would destroy messages if the pair or an index
 * entry had led it into the middle of one, or if the chain broke off: the end counts only when the
 * messages before it lead there, from the index entry before the last, or from the first document;
 * and its number only when a reader that looks it up in the index arrives there, since a message is
 * not written that could not be found. Otherwise TAPE_ECORRUPT. An END_OF_DATA is believed, since
 * nothing will be written. The sequence is the pair's, by which Java's numbers go, too; but where
 * the pair counts fewer messages than there are, it is counted, and pair_matches is false. */
int tape__cycle_end_find(tape__cycle_store_t *s, tape__window_t *w, tape__chain_end_t *out);

/* The end of a file that will only be ended. An end needs no number; and where the file is damaged,
 * so that no end is certain, it is where the messages from the first one on lead: what stands
 * behind could not be reached by reading on. *certain tells which. TAPE_ECORRUPT when they lead to
 * what is neither a document nor an end. */
int tape__cycle_end_find_to_seal(tape__cycle_store_t *s, tape__window_t *w, tape__cursor_t *end,
                                 bool *certain);

tape__end_state_t tape__cycle_end_state(const tape__cycle_store_t *s, const tape__cursor_t *end);

/* Makes a metadata document of what another writer reserved at the cursor and will not publish any
 * more; what a writer of old left behind it, where the next header word will stand, is taken in. */
int tape__cycle_end_give_up(tape__cycle_store_t *s, const tape__cursor_t *end);

/* END_OF_DATA over the word at the cursor. */
int tape__cycle_end_seal(tape__cycle_store_t *s, const tape__cursor_t *end);

#endif
