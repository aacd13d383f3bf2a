/* recovery.c - the table; docs/recovery.md shows it with its reasons, and a test compares. */
#include "write/recovery.h"

#include <stddef.h>

enum { ANY = -1 };

typedef struct {
    const char *row;
    int age, file, end, messages, pair, index, own;
    unsigned actions;
} row_t;

static const row_t table[] = {
    {"@A", TAPE__AGE_OLDER, TAPE__FILE_MISSING, ANY, ANY, ANY, ANY, ANY, TAPE__DO_NOTHING},
    {"@B", TAPE__AGE_OLDER, TAPE__FILE_HALF_MADE, ANY, ANY, ANY, ANY, ANY, TAPE__DO_MOVE_ASIDE},
    {"@C", TAPE__AGE_OLDER, TAPE__FILE_READY, TAPE__END_MARK, ANY, ANY, ANY, ANY, TAPE__DO_NOTHING},
    {"@D", TAPE__AGE_OLDER, TAPE__FILE_READY, TAPE__END_FREE, ANY, ANY, TAPE__INDEX_RIGHT, ANY,
     TAPE__DO_SEAL},
    {"@E", TAPE__AGE_OLDER, TAPE__FILE_READY, TAPE__END_FREE, ANY, ANY, TAPE__INDEX_BEHIND, ANY,
     TAPE__DO_INDEX | TAPE__DO_SEAL},
    {"@F", TAPE__AGE_OLDER, TAPE__FILE_READY, TAPE__END_RESERVED, ANY, ANY, ANY, ANY,
     TAPE__DO_GIVE_UP},
    {"@G", TAPE__AGE_OLDER, TAPE__FILE_READY, TAPE__END_OPEN, ANY, ANY, ANY, ANY, TAPE__DO_SEAL},
    {"@H", TAPE__AGE_CURRENT, TAPE__FILE_MISSING, ANY, ANY, ANY, ANY, ANY, TAPE__DO_MAKE},
    {"@I", TAPE__AGE_CURRENT, TAPE__FILE_HALF_MADE, ANY, ANY, ANY, ANY, ANY,
     TAPE__DO_MOVE_ASIDE | TAPE__DO_MAKE},
    {"@J", TAPE__AGE_CURRENT, TAPE__FILE_READY, TAPE__END_MARK, ANY, ANY, ANY, ANY, TAPE__DO_WAIT},
    {"@K", TAPE__AGE_CURRENT, TAPE__FILE_READY, TAPE__END_RESERVED, ANY, ANY, ANY, ANY,
     TAPE__DO_GIVE_UP},
    {"@L", TAPE__AGE_CURRENT, TAPE__FILE_READY, TAPE__END_OPEN, ANY, ANY, ANY, ANY, TAPE__DO_CLEAR},
    {"@M", TAPE__AGE_CURRENT, TAPE__FILE_READY, TAPE__END_FREE, ANY, TAPE__PAIR_RIGHT,
     TAPE__INDEX_RIGHT, ANY, TAPE__DO_NOTHING},
    {"@N", TAPE__AGE_CURRENT, TAPE__FILE_READY, TAPE__END_FREE, ANY, TAPE__PAIR_WRONG,
     TAPE__INDEX_RIGHT, ANY, TAPE__DO_SET_PAIR},
    {"@O", TAPE__AGE_CURRENT, TAPE__FILE_READY, TAPE__END_FREE, ANY, TAPE__PAIR_RIGHT,
     TAPE__INDEX_BEHIND, ANY, TAPE__DO_INDEX},
    {"@P", TAPE__AGE_CURRENT, TAPE__FILE_READY, TAPE__END_FREE, ANY, TAPE__PAIR_WRONG,
     TAPE__INDEX_BEHIND, ANY, TAPE__DO_SET_PAIR | TAPE__DO_INDEX},
    {"@Q", TAPE__AGE_NEWER, TAPE__FILE_MISSING, ANY, ANY, ANY, ANY, ANY, TAPE__DO_NOTHING},
    {"@R", TAPE__AGE_NEWER, TAPE__FILE_HALF_MADE, ANY, ANY, ANY, ANY, ANY, TAPE__DO_NOTHING},
    {"@S", TAPE__AGE_NEWER, TAPE__FILE_READY, ANY, TAPE__MESSAGES_NONE, ANY, ANY,
     TAPE__OWN_GOES_ON, TAPE__DO_NOTHING},
    {"@T", TAPE__AGE_NEWER, TAPE__FILE_READY, ANY, TAPE__MESSAGES_NONE, ANY, ANY, TAPE__OWN_ENDED,
     TAPE__DO_GO_THERE},
    {"@U", TAPE__AGE_NEWER, TAPE__FILE_READY, ANY, TAPE__MESSAGES_SOME, ANY, ANY, ANY,
     TAPE__DO_GO_THERE},
};

/* A document at what was found to be the end of a ready file: whoever looked did not look well. */
static bool possible(const tape__facts_t *f)
{
    return f->file != TAPE__FILE_READY || f->end != TAPE__END_COMPLETE;
}

static bool fits(int wanted, int fact) { return wanted == ANY || wanted == fact; }

static bool row_fits(const row_t *r, const tape__facts_t *f)
{
    return fits(r->age, (int)f->age) && fits(r->file, (int)f->file) && fits(r->end, (int)f->end) &&
           fits(r->messages, (int)f->messages) && fits(r->pair, (int)f->pair) &&
           fits(r->index, (int)f->index) && fits(r->own, (int)f->own);
}

tape__decision_t tape__recovery_decide(const tape__facts_t *f)
{
    for (size_t i = 0; possible(f) && i < sizeof table / sizeof *table; i++)
        if (row_fits(&table[i], f)) return (tape__decision_t){table[i].row, table[i].actions};
    return (tape__decision_t){NULL, TAPE__DO_NOTHING};
}

int tape__recovery_count(const tape__facts_t *f)
{
    int count = 0;
    for (size_t i = 0; possible(f) && i < sizeof table / sizeof *table; i++)
        count += row_fits(&table[i], f);
    return count;
}
