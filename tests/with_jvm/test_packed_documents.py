"""Files of older releases, between Java and tape."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import pytest

from tests.kit import golden_queues
from tests.kit.clocks import SetClock
from tests.kit.jvm_peer import Peer
from tests.kit.old_formats import CYCLE, NOON, cycle_file, errors, needs_x86, odd, opened, packed
from tests.reference.writer import write_queue


@needs_x86
@pytest.mark.jvm
@pytest.mark.parametrize("source", ["made", "java-5.17-daily"])
def test_java_and_tape_write_in_turns_into_a_packed_cycle(
        tmp_path: Path, peer: Peer, source: str) -> None:
    """Java and tape append in turns to one packed cycle; both read all of it in the same order."""
    if source == "made":
        path, row, ms, first = packed(tmp_path / "q", odd(5)), "TEST4_DAILY", NOON, 5
    else:
        path = golden_queues.extract(source, tmp_path)
        row, ms, first = "DAILY", 18262 * 86_400_000 + 5, 12
    wrote = []
    with opened(path, clock=SetClock(ms), block_size=1 << 20) as q, \
            peer.open(path, roll_cycle=row, block_size=1 << 20, clock=ms) as java:
        ours, theirs = q.appender(), java.appender()
        for n, message in enumerate(odd(300)):
            index = ours.write(message) if n % 3 else theirs.append(message)
            wrote.append((index, message))
        assert [i for i, _ in wrote] == [wrote[0][0] + n for n in range(300)]
        read = java.tailer().read_all()
        assert [(m.index, m.data) for m in read[first:]] == wrote
        assert [(e.index, e.raw) for e in q.tailer(start=wrote[0][0]).entries()] == wrote
        for index, message in random.Random(2).choices(wrote, k=100):
            t = java.tailer()
            assert t.move_to_index(index) and t.read().data == message
            t.close()
        assert java.entry_count() == len(q) == first + 300
    assert errors(path) == []


@pytest.mark.jvm
def test_java_leaves_a_cycle_that_has_a_precreated_file_beside(tmp_path: Path, peer: Peer) -> None:
    """Java renames a .precreated file only into a cycle that does not exist: what tape wrote into
    the cycle stays, and Java appends behind it."""
    path = write_queue(tmp_path / "q", {CYCLE - 1: [b"a"]})
    shutil.copy(cycle_file(path, CYCLE - 1), path / f"{cycle_file(path).stem}.precreated")
    with opened(path) as q:
        q.appender().write(b"b")
        with peer.open(path, roll_cycle="FAST_DAILY", clock=NOON) as java:
            assert java.appender().append(b"c") == q.index_of(CYCLE, 1)
            assert [m.data for m in java.tailer().read_all()] == [b"a", b"b", b"c"]
        q.appender().write(b"d")
        assert list(q.tailer()) == [b"a", b"b", b"c", b"d"]
