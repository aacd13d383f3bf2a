/* file_names.h - the names of the files in a queue's directory, but for those of cycles
 * (roll_cycle.h). tape/deletion.py knows them, too; tests/house/test_facts.py compares.
 */
#ifndef TAPE_FILE_NAMES_H
#define TAPE_FILE_NAMES_H

#define TAPE__TABLE_NAME "metadata.cq4t"
#define TAPE__LISTING_4_NAME "directory-listing.cq4t" /* of Chronicle Queue 4 */
#define TAPE__SIDE_NAME "tape.side"
#define TAPE__CYCLE_SUFFIX ".cq4"
/* A half-made cycle file out of the way, as Java names it: <name>-<ms>.discard */
#define TAPE__DISCARD_SUFFIX ".discard"
/* What `tape repair` replaced, beside what it put there: <name>-<ms>.damaged */
#define TAPE__DAMAGED_SUFFIX ".damaged"
/* When the messages of a cycle were written, beside its file: <name>.times (cycle_times.h) */
#define TAPE__TIMES_SUFFIX ".times"
/* What is being made is linked under its own name when it is whole. */
#define TAPE__TEMPORARY_PREFIX ".tape-"
#define TAPE__TEMPORARY_CYCLE_PREFIX TAPE__TEMPORARY_PREFIX "cycle-"
#define TAPE__TEMPORARY_SUFFIX ".tmp"
#define TAPE__TEMPORARY_REPAIR TAPE__TEMPORARY_PREFIX "repair" TAPE__TEMPORARY_SUFFIX

#endif
