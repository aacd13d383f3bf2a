"""Victims by the thousand among writers and tailers of tape and of a JVM, at each sync point and
anywhere, killed or robbed of the lock; see :mod:`tests.kit.kill_plan` for how many, and
:mod:`tests.kit.kill_judge` for what is judged."""

from __future__ import annotations

import random
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.kit.c_worker import CWorker, build
from tests.kit.jvm_peer import Peer
from tests.kit.kill_judge import judge
from tests.kit.kill_plan import (
    ANYWHERE,
    AT_EACH,
    FIRST_PASS,
    ROBBED,
    SMALL,
    Plan,
    hits,
    scaled_quota,
)
from tests.kit.kill_points import IN_LOCK, OF_A_ROLL, OF_MENDING, points_of_rounds
from tests.kit.kill_round import ROLLS, Round
from tests.kit.kill_tally import Blow, Tally


pytestmark = [pytest.mark.slow, pytest.mark.jvm]

Report = Callable[[str], None]
Scaled = Callable[[float, float], float]

AHEAD = 3  # victims that are started before their turn: Python takes its time
TRIES = 3  # of each blow; who got away so often has another round
JAVA_FIRST = 4  # of a round's victims: a JVM is the first who comes
SOON = 0.7  # of a second: who starts now is there at its end
STALL_MS = 50


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The worker in C, with sync points."""
    return build(tmp_path_factory.mktemp("live_worker"))


def strike_all(r: Round, blows: list[Blow]) -> None:
    """All of them in any order; who gets away has another one in its place, some times. Those of
    rolls have their turn at the end of a second, as long as there are others meanwhile."""
    r.random.shuffle(blows)
    rolls = deque((blow, 1) for blow in blows if blow.point in OF_A_ROLL)
    left = deque((blow, 1) for blow in blows if blow.point not in OF_A_ROLL)
    waiting: deque[tuple[Blow, int, object]] = deque()
    try:
        while left or waiting or rolls:
            while left and len(waiting) < AHEAD:
                blow, tries = left.popleft()
                # One that stops by itself may do so before its turn, with the lock in hand.
                waiting.append((blow, tries, None if blow.point else r.start(blow)))
            if rolls and (time.time() % 1 > SOON or not waiting):
                (blow, tries), victim = rolls.popleft(), None
            else:
                blow, tries, victim = waiting.popleft()
            if not r.strike(blow, victim) and tries < TRIES:  # type: ignore[arg-type]
                (rolls if blow.point in OF_A_ROLL else left).append((blow, tries + 1))
    finally:
        for _, _, victim in waiting:
            if victim is not None:
                victim.__exit__()  # type: ignore[attr-defined]


def strike_round(r: Round, blows: Counter[Blow], java_first: int = 0) -> None:
    """First those at whose deaths another one was dead already."""
    rest: list[Blow] = []
    for blow in blows.elements():
        if blow.point not in OF_MENDING:
            rest.append(replace(blow, hit=hits(blow.point, r.random)))
        elif not any(r.strike_who_mends(blow.point) for _ in range(TRIES)):
            continue  # in another round
    first = [n for n, blow in enumerate(rest) if blow == Blow("c")][:java_first]
    for n in first:
        rest[n] = replace(rest[n], java_first=True)
    strike_all(r, rest)
    for _ in range(60):  # one in four messages has an entry in the index
        if r.tally.left["index"]:
            break
        r.strike(Blow("c", point="pair_set", hit=hits("pair_set", r.random)))


def play(plan: Plan, folder: Path, program: Path, peer: Peer, tally: Tally,
         report: Report) -> None:
    """Each round with a queue of its own."""
    for number, (kind, blows) in enumerate(plan.rounds()):
        began = time.monotonic()
        with Round(folder / str(number), program, peer, tally, kind=kind, seed=number) as r:
            strike_round(r, blows, java_first=JAVA_FIRST if number % 4 == 0 else 0)
            judge(r)
        report(f"round {number}, {ROLLS[kind]}, {kind}: {blows.total()} victims, "
               f"{time.monotonic() - began:.0f} s")


def a_few() -> Counter[Blow]:
    """One or two of each kind."""
    quota = Counter(Blow("c", point=point) for point in (
        "header_reserved", "published", "cycle_file_built", "cycle_file_linked", "wait_armed",
        "given_up", "file_enlarged", "pages_brought_in", "newer_looked_into"))
    quota |= Counter(Blow("c", True, point) for point in ("body_written", "entry_added"))
    return quota | Counter({Blow("c"): 4, Blow("python"): 2, Blow("c", True): 1,
                            Blow("python", True): 1, Blow("c tailer"): 1, Blow("pure"): 1})


def test_victims_among_the_living_lose_and_spoil_nothing(
        tmp_path: Path, own_peer: Peer, program: Path, scaled: Scaled, report: Report) -> None:
    """Whoever dies or is robbed, wherever: a few in the usual run, thousands in the large one."""
    tally, began, scale = Tally(), time.monotonic(), scaled(0, 1)
    plan = (Plan(scaled_quota(scale), tally.done, first=FIRST_PASS[::max(1, int(1 / scale / 2))])
            if scale else Plan(a_few(), tally.done, first=(SMALL,)))
    try:
        play(plan, tmp_path, program, own_peer, tally, report)
    finally:
        tally.report(report, time.monotonic() - began)
    assert plan.short() == {}, "not as often as asked for, in as many rounds as there may be"
    assert all(tally.left[what] for what in ("lock", "reserved", "index", "rolling")), tally.left
    assert not [stall for stall in tally.waits if stall[1] >= STALL_MS]
    if scale == 1:
        kills = tally.at_points()
        assert {p: kills[p] for p in points_of_rounds() if kills[p] < AT_EACH} == {}
        assert tally.anywhere().total() >= ANYWHERE
        assert tally.robbed >= ROBBED


def test_who_lives_stands_still_for_less_than_50_ms(tmp_path: Path, program: Path, scaled: Scaled,
                                                    report: Report) -> None:
    """A writer goes on when another one dies with the lock in hand. Alone with it: so no time is
    counted in which somebody who lives has the lock and does not get a processor."""
    deaths, rng = int(scaled(10, 400)), random.Random(3)
    stalls: list[tuple[int, int]] = []
    path, roll = tmp_path / "q", ROLLS[SMALL]
    with CWorker.start(program, "write", path, roll, 1, rate=400, slow_us=1000) as living:
        living.wait_ready()
        living.go()
        for id in range(2, 2 + deaths):
            at_point = id % 2 == 0
            how = ({"stop_at": rng.choice(IN_LOCK), "hit": rng.randint(1, 6)} if at_point else
                   {"size": "65536..250000"})
            with CWorker.start(program, "write", path, roll, id, **how) as victim:
                if at_point:
                    assert victim.wait_stopped(30, go=True)
                else:
                    victim.wait_ready()
                    victim.go()
                    victim.wait_acks(1)
                    time.sleep(rng.uniform(0, 0.004))  # the moment is to be any
                dead = victim.kill()
                living.wait_acks(len(living.acks()) + 2)
            stalls += [(s.end - max(s.begin, dead), s.delay)
                       for s in living.slow() if s.end > dead]
        living.send("stop")
        broken = living.result()["broken"]
    wall, own = (max(s) / 1e6 for s in zip(*((w, max(w - d, 0)) for w, d in stalls)))
    report(f"{deaths} deaths, {broken} of them with the lock taken over by who lived: it stood "
           f"still for at most {own:.1f} ms, {wall:.1f} ms with the time in which the machine ran "
           f"others; {sorted(w // 10**6 for w, _ in stalls)[len(stalls) // 2]} ms in the middle")
    assert broken > deaths / 3
    assert own < STALL_MS
