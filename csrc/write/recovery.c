/* recovery.c - the table; docs/recovery.md shows the same rows in prose.
 *
 *  row  file       cycle    end of chain   pair    index    actions
 *  @A   half-made  any      -              -       -        move aside
 *  @B   ready      older    END_OF_DATA    -       -        nothing: it is finished
 *  @C   ready      older    0              -       -        seal
 *  @D   ready      older    NOT_COMPLETE   -       -        seal over the dead reservation
 *  @E   ready      current  END_OF_DATA    -       -        wait for the clock
 *  @F   ready      current  0              right   right    nothing: the end of the queue
 *  @G   ready      current  0              wrong   right    set the pair
 *  @H   ready      current  0              right   behind   index
 *  @I   ready      current  0              wrong   behind   set the pair, index
 *  @J   ready      current  NOT_COMPLETE   right   right    clear
 *  @K   ready      current  NOT_COMPLETE   wrong   right    clear, set the pair
 *  @L   ready      current  NOT_COMPLETE   right   behind   clear, index
 *  @M   ready      current  NOT_COMPLETE   wrong   behind   clear, set the pair, index
 *
 * A finished file's write position may stay one message behind (9.8): readers do not rely on it.
 */
#include "write/recovery.h"

#include <stddef.h>

enum { ANY = -1 };

typedef struct {
    const char *row;
    int file, older, end, pair, index;
    unsigned actions;
} row_t;

static const row_t table[] = {
    {"@A", TAPE__FILE_HALF_MADE, ANY, ANY, ANY, ANY, TAPE__DO_MOVE_ASIDE},
    {"@B", TAPE__FILE_READY, 1, TAPE__WORD_EOF, ANY, ANY, TAPE__DO_NOTHING},
    {"@C", TAPE__FILE_READY, 1, TAPE__WORD_FREE, ANY, ANY, TAPE__DO_SEAL},
    {"@D", TAPE__FILE_READY, 1, TAPE__WORD_INCOMPLETE, ANY, ANY, TAPE__DO_SEAL},
    {"@E", TAPE__FILE_READY, 0, TAPE__WORD_EOF, ANY, ANY, TAPE__DO_WAIT},
    {"@F", TAPE__FILE_READY, 0, TAPE__WORD_FREE, TAPE__PAIR_RIGHT, TAPE__INDEX_RIGHT,
     TAPE__DO_NOTHING},
    {"@G", TAPE__FILE_READY, 0, TAPE__WORD_FREE, TAPE__PAIR_WRONG, TAPE__INDEX_RIGHT,
     TAPE__DO_SET_PAIR},
    {"@H", TAPE__FILE_READY, 0, TAPE__WORD_FREE, TAPE__PAIR_RIGHT, TAPE__INDEX_BEHIND,
     TAPE__DO_INDEX},
    {"@I", TAPE__FILE_READY, 0, TAPE__WORD_FREE, TAPE__PAIR_WRONG, TAPE__INDEX_BEHIND,
     TAPE__DO_SET_PAIR | TAPE__DO_INDEX},
    {"@J", TAPE__FILE_READY, 0, TAPE__WORD_INCOMPLETE, TAPE__PAIR_RIGHT, TAPE__INDEX_RIGHT,
     TAPE__DO_CLEAR},
    {"@K", TAPE__FILE_READY, 0, TAPE__WORD_INCOMPLETE, TAPE__PAIR_WRONG, TAPE__INDEX_RIGHT,
     TAPE__DO_CLEAR | TAPE__DO_SET_PAIR},
    {"@L", TAPE__FILE_READY, 0, TAPE__WORD_INCOMPLETE, TAPE__PAIR_RIGHT, TAPE__INDEX_BEHIND,
     TAPE__DO_CLEAR | TAPE__DO_INDEX},
    {"@M", TAPE__FILE_READY, 0, TAPE__WORD_INCOMPLETE, TAPE__PAIR_WRONG, TAPE__INDEX_BEHIND,
     TAPE__DO_CLEAR | TAPE__DO_SET_PAIR | TAPE__DO_INDEX},
};

static int fits(int wanted, int fact) { return wanted == ANY || wanted == fact; }

tape__decision_t tape__recovery_decide(const tape__facts_t *f)
{
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        const row_t *r = &table[i];
        if (fits(r->file, (int)f->file) && fits(r->older, f->older) && fits(r->end, (int)f->end) &&
            fits(r->pair, (int)f->pair) && fits(r->index, (int)f->index))
            return (tape__decision_t){r->row, r->actions};
    }
    return (tape__decision_t){"", TAPE__DO_NOTHING}; /* a complete document never ends a chain */
}
