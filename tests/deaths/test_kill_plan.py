"""The kill loop strikes at every step of writers and tailers, or says who does; and who is short of
the kills asked for is named."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from tests.kit.c_worker import sync_points
from tests.kit.kill_plan import (
    ANYWHERE,
    AT_EACH,
    FURTHER,
    PAGES,
    ROBBED,
    SMALL,
    USUAL,
    Plan,
    whole_quota,
)
from tests.kit.kill_points import (
    APART,
    IN_A_ROLL,
    IN_LOCK,
    OF_A_PAGE,
    OF_A_ROLL,
    OF_A_SYNC,
    OF_A_TAILER,
    OF_MENDING,
    OF_OPENING,
    OF_ROOM,
    OF_THE_LATE,
    points_of_rounds,
)
from tests.kit.kill_tally import Blow
from tests.kit.sources import ROOT


def test_the_large_loop_asks_for_what_is_promised() -> None:
    """20 kills at each step, 2,000 elsewhere, 1,000 robberies."""
    quota = whole_quota()
    assert all(quota[Blow("c", point=point)] == AT_EACH for point in points_of_rounds())
    assert sum(n for b, n in quota.items() if not b.rob and not b.point) >= ANYWHERE
    assert sum(n for b, n in quota.items() if b.rob) >= ROBBED


def test_all_names_of_steps_are_those_of_the_sources() -> None:
    """A step that has another name by now would be struck by nobody."""
    named = {*APART, *IN_A_ROLL, *IN_LOCK, *OF_A_PAGE, *OF_A_ROLL, *OF_A_SYNC, *OF_A_TAILER,
             *OF_MENDING, *OF_MENDING.values(), *OF_OPENING, *OF_ROOM, *OF_THE_LATE}
    assert named - set(sync_points()) == set()


@pytest.mark.parametrize("point", APART)
def test_at_a_step_apart_another_test_kills(point: str) -> None:
    """It names the step as one of its own, or it dies at all but a few that it names."""
    source = (ROOT / APART[point][1]).read_text()
    own = re.search(r" points\[\] = \{(.*?)\}", source, re.DOTALL)
    others = re.search(r" others\[\] = \{(.*?)\}", source, re.DOTALL)
    assert own, "it strikes at points"
    assert f'"{point}"' in own[1] or (own[1] == "T_SYNC_POINTS" and others
                                      and f'"{point}"' not in others[1])


def strike(plan: Plan, done: Counter[Blow], comes_in: dict[str | None, str]) -> list[str]:
    """Plays the plan with victims that come to a point only in one kind of round."""
    kinds = []
    for kind, blows in plan.rounds():
        kinds.append(kind)
        done.update({blow: n for blow, n in blows.items()
                     if comes_in.get(blow.point, kind) == kind})
    return kinds


def test_the_quota_is_divided_among_the_rounds_and_then_no_more_are_played() -> None:
    """Each round has a part, and all together are what was asked for."""
    done: Counter[Blow] = Counter()
    quota = Counter({Blow("c"): 100, Blow("c", point="page_linked"): 5,
                     Blow("c", point="file_enlarged"): 7})
    first = (PAGES, SMALL, USUAL, SMALL)
    shares = []
    for kind, blows in (plan := Plan(quota, done, first=first)).rounds():
        shares.append((kind, blows))
        done.update(blows)
    assert [kind for kind, _ in shares] == [*first]
    assert [blows[Blow("c")] for _, blows in shares] == [0, 34, 33, 33]
    assert [blows[Blow("c", point="file_enlarged")] for _, blows in shares] == [0, 4, 0, 3]
    assert plan.short() == {} and done == quota


def test_who_got_away_has_further_rounds_of_a_kind_that_serves() -> None:
    """And of no other."""
    done: Counter[Blow] = Counter()
    quota = Counter({Blow("c"): 10, Blow("c", point="file_enlarged"): 20})
    plan = Plan(quota, done, first=(USUAL,))
    assert strike(plan, done, {}) == [USUAL, SMALL]
    assert plan.short() == {}


def test_rounds_are_bounded_and_a_point_to_which_nobody_came_is_named() -> None:
    """With the number that is missing."""
    done: Counter[Blow] = Counter()
    quota = Counter({Blow("c"): 10, Blow("c", point="sealed"): 20})
    plan = Plan(quota, done, first=(USUAL,))
    assert strike(plan, done, {"sealed": "never"}) == [USUAL, *[SMALL] * FURTHER]
    assert plan.short() == {Blow("c", point="sealed"): 20}
