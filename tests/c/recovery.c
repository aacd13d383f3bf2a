/* Description: the recovery table: every combination of facts that can be gives a row, those that
 * cannot be give none, every row is reached, and what it does fits the facts. */
#include "write/recovery.h"

#include "check.h"

static bool possible(const tape__facts_t *f)
{
    if (f->file == TAPE__FILE_HALF_MADE) return true;
    return f->end != TAPE__WORD_DATA && f->end != TAPE__WORD_META; /* those never end a chain */
}

static void check_actions(const tape__facts_t *f, tape__decision_t d)
{
    bool ready = f->file == TAPE__FILE_READY;
    bool current = ready && !f->older && f->end != TAPE__WORD_EOF;
    CHECK_EQ((d.actions & TAPE__DO_MOVE_ASIDE) != 0, !ready);
    CHECK_EQ((d.actions & TAPE__DO_SEAL) != 0, ready && f->older && f->end != TAPE__WORD_EOF);
    CHECK_EQ((d.actions & TAPE__DO_WAIT) != 0, ready && !f->older && f->end == TAPE__WORD_EOF);
    CHECK_EQ((d.actions & TAPE__DO_CLEAR) != 0, current && f->end == TAPE__WORD_INCOMPLETE);
    CHECK_EQ((d.actions & TAPE__DO_SET_PAIR) != 0, current && f->pair == TAPE__PAIR_WRONG);
    CHECK_EQ((d.actions & TAPE__DO_INDEX) != 0, current && f->index == TAPE__INDEX_BEHIND);
}

int main(void)
{
    static const tape__word_kind_t ends[] = {TAPE__WORD_FREE, TAPE__WORD_DATA, TAPE__WORD_META,
                                             TAPE__WORD_INCOMPLETE, TAPE__WORD_EOF};
    int seen[13] = {0};
    unsigned actions[13];
    for (int older = 0; older < 2; older++)
        for (int file = 0; file < 2; file++)
            for (size_t end = 0; end < 5; end++)
                for (int pair = 0; pair < 2; pair++)
                    for (int index = 0; index < 2; index++) {
                        tape__facts_t f = {older != 0, (tape__file_state_t)file, ends[end],
                                           (tape__pair_state_t)pair, (tape__index_state_t)index};
                        tape__decision_t d = tape__recovery_decide(&f);
                        if (!possible(&f)) {
                            CHECK_TEXT(d.row, "");
                            CHECK_EQ(d.actions, TAPE__DO_NOTHING);
                            continue;
                        }
                        CHECK_EQ(strlen(d.row), 2);
                        int n = d.row[1] - 'A';
                        CHECK(d.row[0] == '@' && n >= 0 && n < 13);
                        /* A label always means the same. */
                        if (seen[n]++) CHECK_EQ(actions[n], d.actions);
                        actions[n] = d.actions;
                        check_actions(&f, d);
                    }
    for (int n = 0; n < 13; n++) CHECK(seen[n] > 0);
    /* One row each: the eight combinations of a current cycle that can be written. */
    for (int n = 'F' - 'A'; n < 13; n++) CHECK_EQ(seen[n], 1);
    return 0;
}
