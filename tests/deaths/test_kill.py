"""Writers that die by SIGKILL in the middle of their work, and the other side that goes on."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

import tape
from tape.codecs import raw

from tests.kit import live_worker
from tests.kit.clocks import SetClock
from tests.kit.jvm_peer import LiveTailer, LiveWriter, Peer
from tests.kit.left_behind import Left, look
from tests.kit.live_records import (
    RECORD,
    assert_every_message_once,
    errors_in,
    read_all,
    records_in,
)
from tests.reference import index as index_of
from tests.reference.cycle_file import CycleFile

Scaled = Callable[[float, float], float]
Report = Callable[[str], None]

ROLL = "TEST_SECONDLY"
SURVIVOR = 0
STALE_AFTER = 2.0  # tape.open's default
SMALL, LARGE = "20..200", "65536..1048576"


# ---- one death, made by hand

def _forget_last_entry(path: Path) -> None:
    """Leaves what a writer leaves that died between publishing message 12 and indexing it."""
    with CycleFile(path) as file:
        root = index_of.read_array(file, file.index2index, "index2index")
        page = index_of.read_array(file, index_of.entry(file, root, 0), "index")
        assert (file.last_index, page.used) == (16, 4)
        cells = {file.header.last_index_at: 12, page.entries_at - 8: 3, page.entries_at + 24: 0}
    with path.open("r+b") as out:
        for offset, value in cells.items():
            out.seek(offset)
            out.write(value.to_bytes(8, "little"))


@pytest.mark.parametrize("rolls", [False, True], ids=["same cycle", "next cycle"])
def test_an_index_entry_that_a_dead_writer_left_out_is_added(tmp_path: Path, rolls: bool) -> None:
    """The next writer adds it, also when it comes a cycle later and only ends the old one."""
    clock = SetClock(1_600_000_000_000)
    with tape.open(tmp_path, codec=raw, roll_cycle=ROLL, clock=clock) as q:
        indexes = [q.appender().write(b"%d" % n) for n in range(13)]
        _forget_last_entry(Path(q.locate(indexes[0]).path))
    assert errors_in(tmp_path) != []
    clock.ms += 1000 * rolls
    with tape.open(tmp_path, codec=raw, roll_cycle=ROLL, clock=clock) as q:
        indexes.append(q.appender().write(b"13"))
        assert q.info().repairs == 1
        assert [e.index for e in q.tailer().entries()] == indexes
        assert all(q.tailer().seek(i) for i in indexes)
    assert errors_in(tmp_path) == []


# ---- many deaths

class Run:
    """A queue with a survivor and two tailers, through many deaths."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "q"
        self.outs = folder / "jvm", folder / "tape"
        self.random = random.Random(5)
        self.acked: dict[int, list[tuple[int, int]]] = {SURVIVOR: []}
        self.left: list[Left] = []
        self.waits: list[float] = []
        self.in_flight = 0
        self.ended_by_java: set[str] = set()

    def start_tailers(self, stack: ExitStack) -> None:
        """One of Java's and one of tape's, from before the first message on."""
        self.jvm_tailer = stack.enter_context(
            LiveTailer(self.path, self.outs[0], roll_cycle=ROLL))
        self.jvm_tailer.wait_ready()
        self.tape_tailer = stack.enter_context(
            live_worker.tailer(self.path, self.outs[1], roll=ROLL))

    def died(self, id: int, pid: int, acks: list[tuple[int, int]]) -> Left:
        left = look(self.path, pid)
        self.left.append(left)
        self.acked[id] = acks
        return left

    def survivor_writes(self, appender: tape.Appender, messages: int = 3) -> float:
        """Some messages by tape's survivor; gives the time until the first was written."""
        begin = time.monotonic()
        for i in range(messages):
            n = len(self.acked[SURVIVOR])
            index = appender.write(live_worker.encode(SURVIVOR, n, 50))
            if i == 0:
                took = time.monotonic() - begin
            self.acked[SURVIVOR].append((n, index))
        return took

    def check(self) -> None:
        """Nothing that was acknowledged is lost, doubled or torn, and all readers agree."""
        everything = read_all(self.path, ROLL)
        found: dict[int, list[tuple[int, int]]] = {id: [] for id in self.acked}
        for index, id, n in RECORD.iter_unpack(everything):
            found[id].append((n, index))
        for id, acks in self.acked.items():
            assert found[id][:len(acks)] == acks, f"writer {id}"
            assert len(found[id]) <= len(acks) + (id != SURVIVOR), f"writer {id}"
            self.in_flight += len(found[id]) - len(acks)
        counts = {id: len(messages) for id, messages in found.items()}
        self.jvm_tailer.until({id: count for id, count in counts.items() if count})
        self.tape_tailer.until(counts)
        assert self.jvm_tailer.result(120).bad == 0
        assert self.tape_tailer.result(120)["bad"] == 0
        assert self.outs[0].read_bytes() == self.outs[1].read_bytes() == everything
        assert_every_message_once(records_in(self.outs[1]), counts)
        # A body that was never published may lie behind the end: every writer clears the word
        # behind its own message, so nobody takes it for one.
        # Java does not add index entries that the dead left out, and readers walk over the hole.
        assert [e for e in errors_in(self.path, tolerated=("tail",))
                if not (": index-" in e and any(name in e for name in self.ended_by_java))] == []

    def summary(self, whose: str) -> str:
        return (f"{len(self.left)} kills of a {whose} writer: lock held "
                f"{sum(s.lock for s in self.left)} times, header reserved "
                f"{sum(s.reserved for s in self.left)} times, cycle file half made "
                f"{sum(s.half_made for s in self.left)} times; {self.in_flight} messages were "
                f"published and not acknowledged; the other side wrote after at most "
                f"{max(self.waits) * 1e3:.1f} ms")


def _kill_soon(run: Run, writer: LiveWriter | live_worker.Worker, acks: int) -> None:
    """At any moment of an append: after some have been acknowledged, and a little later."""
    writer.wait_ready()
    writer.go()
    writer.wait_acks(acks)
    time.sleep(run.random.uniform(0, 0.02))  # no event to wait for: the moment is to be any
    writer.kill()


@pytest.mark.slow
@pytest.mark.jvm
def test_a_killed_writer_of_tape_loses_nothing_acknowledged(
        tmp_path: Path, own_peer: Peer, scaled: Scaled, report: Report) -> None:
    """Another tape process goes on at once; nothing acknowledged is lost, nothing is torn."""
    run, kills, slow_rounds = Run(tmp_path), int(scaled(8, 50)), 0
    path = run.path
    with ExitStack() as stack:
        enter = stack.enter_context
        run.start_tailers(stack)
        survivor = enter(tape.open(path, roll_cycle=ROLL, codec=raw)).appender()
        run.survivor_writes(survivor)
        java = enter(own_peer.open(path, roll_cycle=ROLL)).appender()
        by_java = 1000
        run.acked[by_java] = []
        for id in range(1, kills + 1):
            size = SMALL if id % 4 == 0 else LARGE
            with live_worker.writer(path, ids=str(id), roll=ROLL, size=size, ack=True,
                                    prepare=100) as writer:
                _kill_soon(run, writer, run.random.randint(1, 20))
                left = run.died(id, writer.pid, [(n, i) for _, n, i in writer.acks()])
            if (left.lock and slow_rounds < kills // 25 + 1) or not left.lock and id % 5 == 0:
                # A JVM that is already open, before tape comes: 15 s if the lock is held (8.1),
                # and the wait for a reserved header (9.1) if it has to roll.
                slow_rounds += left.lock
                if left.lock:
                    run.ended_by_java.add(max(p.name for p in path.glob("*.cq4")))
                begin = time.monotonic()
                n = len(run.acked[by_java])
                index = java.append(live_worker.encode(by_java, n, 50))
                run.acked[by_java].append((n, index))
                if left.lock:
                    report(f"a JVM went on first after {time.monotonic() - begin:.3f} s ({left})")
                run.survivor_writes(survivor)
            else:
                run.waits.append(run.survivor_writes(survivor))
        run.check()
        broken = survivor.queue.info().lock_broken
        assert run.jvm_tailer.warnings() == []
    report(run.summary("tape") + f"; {broken} locks broken")
    assert max(run.waits) < 0.5
    assert broken == sum(s.lock for s in run.left) - slow_rounds


@pytest.mark.slow
@pytest.mark.jvm
def test_a_killed_writer_of_java_loses_nothing_acknowledged(
        tmp_path: Path, jvm: None, scaled: Scaled, report: Report) -> None:
    """tape goes on, within stale_after if the JVM held the lock; nothing acknowledged is lost."""
    run, kills = Run(tmp_path), int(scaled(4, 50))
    path = run.path
    with ExitStack() as stack:
        enter = stack.enter_context
        run.start_tailers(stack)
        q = enter(tape.open(path, roll_cycle=ROLL, codec=raw, stale_after=STALE_AFTER))
        survivor = q.appender()
        run.survivor_writes(survivor)
        for id in range(1, kills + 1):
            low, high = (20, 200) if id % 4 == 0 else (65536, 1048576)
            with LiveWriter(path, id=id, seconds=60, roll_cycle=ROLL, size=(low, high), ack=True,
                            wait=True) as writer:
                _kill_soon(run, writer, run.random.randint(1, 20))
                left = run.died(id, writer.pid, writer.acks())
            wait = run.survivor_writes(survivor)
            assert wait < (STALE_AFTER + 1 if left.lock else 0.5), left
            run.waits.append(wait)
        run.check()
        broken = q.info().lock_broken
        assert run.jvm_tailer.warnings() == []
    report(run.summary("JVM") + f"; {broken} locks broken")
    assert broken == sum(s.lock for s in run.left)
