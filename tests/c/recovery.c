/* Description: the recovery table: each combination of facts fits exactly one row, or cannot be and
 * fits none; every row is reached; and what a row does fits its facts. */
#include "write/recovery.h"

#include "check.h"

static bool possible(const tape__facts_t *f)
{
    return f->file != TAPE__FILE_READY || f->end != TAPE__END_COMPLETE; /* that ends no chain */
}

static bool does(tape__decision_t d, tape__action_t action) { return (d.actions & action) != 0; }

static void check_actions(const tape__facts_t *f, tape__decision_t d)
{
    bool ready = f->file == TAPE__FILE_READY, half = f->file == TAPE__FILE_HALF_MADE;
    bool older = f->age == TAPE__AGE_OLDER, current = f->age == TAPE__AGE_CURRENT;
    bool newer = f->age == TAPE__AGE_NEWER, reserved = ready && f->end == TAPE__END_RESERVED;
    bool at_end = current && ready && f->end == TAPE__END_FREE;
    bool other = f->messages == TAPE__MESSAGES_SOME || f->own == TAPE__OWN_ENDED;
    CHECK_EQ(does(d, TAPE__DO_MOVE_ASIDE), half && !newer);
    CHECK_EQ(does(d, TAPE__DO_MAKE), !ready && current);
    CHECK_EQ(does(d, TAPE__DO_GO_THERE), ready && newer && other);
    CHECK_EQ(does(d, TAPE__DO_GIVE_UP), reserved && !newer);
    CHECK_EQ(does(d, TAPE__DO_CLEAR), current && ready && f->end == TAPE__END_OPEN);
    CHECK_EQ(does(d, TAPE__DO_WAIT), current && ready && f->end == TAPE__END_MARK);
    CHECK_EQ(does(d, TAPE__DO_SEAL),
             older && ready && (f->end == TAPE__END_FREE || f->end == TAPE__END_OPEN));
    CHECK_EQ(does(d, TAPE__DO_SET_PAIR), at_end && f->pair == TAPE__PAIR_WRONG);
    CHECK_EQ(does(d, TAPE__DO_INDEX), (at_end || (older && ready && f->end == TAPE__END_FREE)) &&
                                          f->index == TAPE__INDEX_BEHIND);
    if (newer) CHECK_EQ(d.actions & ~(unsigned)TAPE__DO_GO_THERE, 0); /* not ours to change */
}

enum { ROWS = 'U' - 'A' + 1 };

int main(void)
{
    int seen[ROWS] = {0}, all = 0;
    unsigned actions[ROWS];
    for (int n = 0; n < 3 * 3 * 5 * 2 * 2 * 2 * 2; n++, all++) {
        tape__facts_t f = {
            .age = (tape__age_t)(n % 3),
            .file = (tape__file_state_t)(n / 3 % 3),
            .end = (tape__end_state_t)(n / 9 % 5),
            .messages = (tape__messages_state_t)(n / 45 % 2),
            .pair = (tape__pair_state_t)(n / 90 % 2),
            .index = (tape__index_state_t)(n / 180 % 2),
            .own = (tape__own_state_t)(n / 360 % 2),
        };
        tape__decision_t d = tape__recovery_decide(&f);
        CHECK_EQ(tape__recovery_count(&f), possible(&f));
        CHECK_EQ(d.row != NULL, possible(&f));
        if (!d.row) {
            CHECK_EQ(d.actions, TAPE__DO_NOTHING);
            continue;
        }
        int row = d.row[1] - 'A';
        CHECK(d.row[0] == '@' && d.row[2] == 0 && row >= 0 && row < ROWS);
        if (seen[row]++) CHECK_EQ(actions[row], d.actions); /* a label always means the same */
        actions[row] = d.actions;
        check_actions(&f, d);
    }
    for (int row = 0; row < ROWS; row++) CHECK(seen[row] > 0);
    printf("%d combinations of facts, %d rows\n", all, (int)ROWS);
    return 0;
}
