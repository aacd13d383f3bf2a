"""Victims by the thousand among writers and tailers of tape and of a JVM, at each sync point and
anywhere, killed or robbed of the lock; see :mod:`tests.kit.kill_round` for what is judged."""

from __future__ import annotations

import random
import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.kit.c_worker import CWorker, build, sync_points
from tests.kit.jvm_peer import Peer
from tests.kit.kill_round import (
    APART,
    OF_A_PAGE,
    OF_A_ROLL,
    OF_A_TAILER,
    OF_MENDING,
    OF_OPENING,
    Blow,
    Round,
    Tally,
)


pytestmark = [pytest.mark.slow, pytest.mark.jvm]

Report = Callable[[str], None]
Scaled = Callable[[float, float], float]

ROLL, ROLL_OF_PAGES = "TEST_SECONDLY", "TEST4_SECONDLY"
AHEAD = 3  # victims that are started before their turn: Python takes its time
#: Where a writer holds the lock; and of these those that come once a second.
IN_LOCK = ("body_written", "entry_added", "header_reserved", "indexed", "lock_taken", "pair_set",
           "published", "used_raised")
IN_A_ROLL = ("cycle_entered", "cycle_file_built", "cycle_file_linked", "sealed")
STALL_MS = 50
OF_PAGES, ROUNDS, AT_EACH, ANYWHERE, ROBBED = 2, 12, 20, 2000, 1000


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The worker in C, with sync points."""
    return build(tmp_path_factory.mktemp("live_worker"))


def of_plain_writers_and_tailers() -> list[str]:
    """The sync points to which one comes without another one's death, or a full index page."""
    return [p for p in sync_points() if p not in (*OF_MENDING, *OF_A_PAGE, *APART)]


def strike_all(r: Round, blows: list[Blow]) -> None:
    """All of them in any order; who gets away has another one in its place."""
    r.random.shuffle(blows)
    left, waiting = deque(blows), deque[tuple[Blow, object]]()
    tries = 3 * len(blows) + 20
    try:
        while left or waiting:
            while left and len(waiting) < AHEAD:
                blow = left.popleft()
                # One that stops by itself may do so before its turn, with the lock in hand.
                waiting.append((blow, None if blow.point else r.start(blow)))
            blow, victim = waiting.popleft()
            tries -= 1
            assert tries > 0, f"too many got away, {blow} for one"
            if not r.strike(blow, victim):  # type: ignore[arg-type]
                left.append(blow)
    finally:
        for _, victim in waiting:
            if victim is not None:
                victim.__exit__()  # type: ignore[attr-defined]


def strike_who_mend(r: Round, points: list[str]) -> None:
    """The same for those at whose deaths another one was dead already."""
    for point in points:
        assert any(r.strike_who_mends(point) for _ in range(10)), point


def blows_at(points: list[str] | tuple[str, ...], times: int, rng: random.Random,
             rob: bool = False) -> Iterator[Blow]:
    """Some at each point, at any time that a victim comes there."""
    for point in points:
        once = point in (*OF_A_TAILER, *OF_A_ROLL, *OF_OPENING, "file_enlarged")
        for _ in range(times):
            yield Blow("c", rob, point, 1 if once else rng.randint(1, 6))


def report_all(tally: Tally, began: float, report: Report) -> None:
    """Prints the whole tally."""
    report(f"{sum(tally.kills_at.values())} kills at {len(tally.kills_at)} sync points, at least "
           f"{min(tally.kills_at.values(), default=0)} at each; {sum(tally.kills.values())} "
           f"anywhere ({', '.join(f'{n} {who}' for who, n in sorted(tally.kills.items()))})")
    report(f"{sum(tally.robbed_at.values())} stopped at {len(tally.robbed_at)} sync points and "
           f"{sum(tally.robbed.values())} anywhere with the lock held "
           f"({', '.join(f'{n} {who}' for who, n in sorted(tally.robbed.items()))}), robbed, and "
           f"let go on; {tally.escaped} victims got away")
    left = tally.left
    report(f"kills that left the lock held {left['lock']}, a header reserved {left['reserved']}, "
           f"the index pending {left['index']}, a roll half done {left['rolling']}")
    report(f"{tally.messages} messages in {tally.cycles} cycles read by all alike, none that was "
           f"acknowledged lost, twice or torn; {tally.in_flight} published by the dead without "
           f"acknowledgement; {tally.broken} locks taken over by tape's survivors; a JVM opened "
           f"and continued {tally.opened_by_java} results; {time.monotonic() - began:.0f} s in all")
    wall = max((s[0] for s in tally.stalls), default=0)
    own = max((s[1] for s in tally.stalls), default=0)
    report(f"longest append of tape's survivors after a death or robbery, beside all others at "
           f"work: {wall:.1f} ms, {own:.1f} ms of that not ready to run; of the JVM after a death "
           f"of ours: {max(tally.jvm_stalls, default=0):.1f} ms")
    report("kills+robberies at " + ", ".join(f"{point} {n}+{tally.robbed_at[point]}"
                                             for point, n in sorted(tally.kills_at.items())))


def a_few(r: Round) -> None:
    """One or two of each kind."""
    strike_all(r, [
        *blows_at(("header_reserved", "published", "cycle_file_built", "cycle_file_linked",
                   "wait_armed"), 1, r.random),
        *blows_at(("body_written", "entry_added"), 1, r.random, rob=True),
        *[Blow("c")] * 4, *[Blow("python")] * 2, Blow("c", rob=True), Blow("python", rob=True),
        Blow("c tailer"), Blow("pure")])
    strike_who_mend(r, ["given_up"])


def a_twelfth(r: Round, java_first: bool) -> None:
    """Of all: what is asked for, and some more."""
    strike_who_mend(r, [*OF_MENDING] * 2)
    c = [Blow("c", java_first=java_first)] * 4 + [Blow("c")] * 140
    strike_all(r, [
        *blows_at(of_plain_writers_and_tailers(), 2, r.random),
        *blows_at(IN_LOCK, 5, r.random, rob=True), *blows_at(IN_A_ROLL, 1, r.random, rob=True),
        *c, *[Blow("python")] * 45, *[Blow("pure")] * 5, *[Blow("c tailer")] * 7,
        *[Blow("python tailer")] * 5,
        *[Blow("c", rob=True)] * 45, *[Blow("python", rob=True)] * 11,
        *[Blow("pure", rob=True)] * 2])


def strike_round(r: Round, number: int) -> None:
    """Two rounds are of small index pages, one has JVMs as victims, the others all of the rest."""
    if number < OF_PAGES:
        strike_all(r, [*blows_at(OF_A_PAGE, 11, r.random),
                       *blows_at(OF_A_PAGE, 3, r.random, rob=True)])
    elif number == OF_PAGES:
        strike_all(r, [Blow("jvm")] * 30)
    else:
        a_twelfth(r, java_first=number % 4 == 0)


def all_of_it(folder: Path, program: Path, peer: Peer, tally: Tally, report: Report) -> None:
    """Fifteen rounds, each with a queue of its own."""
    for number in range(OF_PAGES + 1 + ROUNDS):
        began, roll = time.monotonic(), ROLL_OF_PAGES if number < OF_PAGES else ROLL
        with Round(folder / str(number), program, peer, tally, roll=roll, seed=number) as r:
            strike_round(r, number)
            r.judge()
        report(f"round {number}, {roll}: {time.monotonic() - began:.0f} s")


def test_victims_among_the_living_lose_and_spoil_nothing(
        tmp_path: Path, own_peer: Peer, program: Path, scaled: Scaled, report: Report) -> None:
    """Whoever dies or is robbed, wherever: a few in the usual run, thousands in the large one."""
    tally, began = Tally(), time.monotonic()
    whole = scaled(0, 1) == 1
    if whole:
        all_of_it(tmp_path, program, own_peer, tally, report)
    else:
        with Round(tmp_path, program, own_peer, tally, roll=ROLL, seed=7) as r:
            a_few(r)
            r.judge()
    report_all(tally, began, report)
    assert tally.left["lock"] and tally.left["reserved"] and tally.left["rolling"]
    if whole:
        assert tally.left["index"]
        assert {p: tally.kills_at[p] for p in sync_points()
                if p not in APART and tally.kills_at[p] < AT_EACH} == {}
        assert sum(tally.kills.values()) >= ANYWHERE
        assert sum([*tally.robbed_at.values(), *tally.robbed.values()]) >= ROBBED


def test_who_lives_stands_still_for_less_than_50_ms(tmp_path: Path, program: Path, scaled: Scaled,
                                                    report: Report) -> None:
    """A writer goes on when another one dies with the lock in hand. Alone with it: so no time is
    counted in which somebody who lives has the lock and does not get a processor."""
    deaths, rng = int(scaled(10, 400)), random.Random(3)
    stalls: list[tuple[int, int]] = []
    path = tmp_path / "q"
    with CWorker.start(program, "write", path, ROLL, 1, rate=400, slow_us=1000) as living:
        living.wait_ready()
        living.go()
        for id in range(2, 2 + deaths):
            at_point = id % 2 == 0
            how = ({"stop_at": rng.choice(IN_LOCK), "hit": rng.randint(1, 6)} if at_point else
                   {"size": "65536..1048576"})
            with CWorker.start(program, "write", path, ROLL, id, **how) as victim:
                if at_point:
                    assert victim.wait_stopped(30, go=True)
                else:
                    victim.wait_ready()
                    victim.go()
                    victim.wait_acks(1)
                    time.sleep(rng.uniform(0, 0.004))  # the moment is to be any
                moment = time.monotonic_ns()
                victim.kill()
                living.wait_acks(len(living.acks()) + 2)
            stalls += [(end - max(begin, moment), delay) for begin, end, delay in living.slow()
                       if end > moment]
        living.send("stop")
        broken = living.result()["broken"]
    wall, own = (max(s) / 1e6 for s in zip(*((w, max(w - d, 0)) for w, d in stalls)))
    report(f"{deaths} deaths, {broken} of them with the lock taken over by who lived: it stood "
           f"still for at most {own:.1f} ms, {wall:.1f} ms with the time in which the machine ran "
           f"others; {sorted(w // 10**6 for w, _ in stalls)[len(stalls) // 2]} ms in the middle")
    assert broken > deaths / 3
    assert own < STALL_MS
