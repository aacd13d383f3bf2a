"""Every roll cycle but WEEKLY: queues of Java read by tape, and queues of tape read by Java.

Each queue has three cycles and a gap between the second and the third, and so many messages that
the index is needed: more than two of its entries, and more than one of its pages where a page
holds few enough.
"""

from __future__ import annotations

import random
import zlib
from dataclasses import dataclass
from pathlib import Path

import pytest

import tape
from tape.codecs import raw

from tests.kit.clocks import SetClock
from tests.kit.jvm_peer import JvmError, JvmQueue, Peer, payload

pytestmark = pytest.mark.jvm

NOW = 1_600_000_000_000 // 86_400_000 * 86_400_000 + 5 * 3_600_000  # 05:00Z
EPOCHS = (0, 75_600_000)
NAMES = [row.name for row in tape.RollCycle if row.name != "WEEKLY"]
SIZES = (8, 16, 40)
BLOCK = 1 << 20
DAY_MS = 86_400_000


def counts_for(cycle: tape.RollCycle) -> tuple[int, int, int]:
    """How many messages each of the three cycles gets."""
    page = cycle.index_count * cycle.index_spacing
    if page <= 4096:  # more than one index page, where the cycle has room for it
        most = min(cycle.max_messages - 3, 2 * page + 5)
        return most, 2, min(most, page + 1)
    return min(2 * cycle.index_spacing + 7, 700), 2, min(cycle.index_spacing + 1, 400)


def times(cycle: tape.RollCycle) -> tuple[int, int, int]:
    """When each of the three cycles is written: there is one without a file before the last."""
    return NOW, NOW + cycle.length_ms, NOW + 3 * cycle.length_ms


@dataclass
class Written:
    """What a queue holds: the indexes in order, and the message of each."""

    indexes: list[int]
    messages: list[bytes]


def written_by_java(peer: Peer, path: Path, cycle: tape.RollCycle, epoch: int) -> Written:
    """Java is the writer."""
    indexes: list[int] = []
    with peer.open(path, roll_cycle=cycle.name, epoch=epoch, clock=NOW, block_size=BLOCK) as queue:
        appender = queue.appender()
        for when, count in zip(times(cycle), counts_for(cycle), strict=True):
            queue.set_clock(when)
            indexes += appender.append_many(count, SIZES, seed=7, start=len(indexes))
    return Written(indexes, messages(len(indexes)))


def written_by_tape(path: Path, cycle: tape.RollCycle, epoch: int) -> Written:
    """Ours is the writer."""
    indexes: list[int] = []
    clock = SetClock(NOW)
    with tape.open(path, codec=raw, roll_cycle=cycle, epoch=epoch, clock=clock,
                   block_size=BLOCK) as queue:
        appender = queue.appender()
        expected = messages(sum(counts_for(cycle)))
        for when, count in zip(times(cycle), counts_for(cycle), strict=True):
            clock.ms = when
            for _ in range(count):
                indexes.append(appender.write(expected[len(indexes)]))
    return Written(indexes, expected)


def messages(count: int) -> list[bytes]:
    return [payload(7, n, SIZES[n % len(SIZES)]) for n in range(count)]


def random_places(cycle: tape.RollCycle, epoch: int, count: int) -> list[int]:
    """A hundred numbers of messages; the seed is the queue's name."""
    chance = random.Random(f"{cycle.name} {epoch}")
    return [chance.randrange(count) for _ in range(100)]


def compare(java: JvmQueue, ours: tape.Queue, expected: Written, places: list[int]) -> None:
    """Both sides say the same of the queue, and it is what was written."""
    digests = java.tailer().digest()
    assert [d.index for d in digests] == expected.indexes
    assert [d.crc32 for d in digests] == [zlib.crc32(m) for m in expected.messages]
    entries = list(ours.tailer().entries())
    assert [e.index for e in entries] == expected.indexes
    assert [e.value for e in entries] == expected.messages
    assert list(ours.tailer(start="end", direction="backward")) == expected.messages[::-1]
    assert java.first_index() == ours.first_index == expected.indexes[0]
    assert java.last_index() == ours.last_index == expected.indexes[-1]
    assert len(ours) == len(expected.indexes)
    names = {Path(c.path).name.removesuffix(".cq4"): c.cycle for c in ours.cycles()}
    assert {java.cycle_file(c).removesuffix(".cq4"): c for c in names.values()} == names
    assert len(names) == 3
    moves(java, ours, expected, places)
    if 0 <= ours.epoch < DAY_MS:
        counts(java, ours, expected, places)
        assert java.entry_count() == len(expected.indexes)
    else:
        counts_of_a_far_epoch(java, ours, expected, places)


def moves(java: JvmQueue, ours: tape.Queue, expected: Written, places: list[int]) -> None:
    """moveToIndex and seek at random indexes, and what is read there."""
    tailer = ours.tailer()
    wanted = [expected.indexes[n] for n in places]
    there = java.tailer().move_many(wanted)
    assert there == [(expected.indexes[n], zlib.crc32(expected.messages[n])) for n in places]
    for n in places:
        assert tailer.seek(expected.indexes[n]) and tailer.read() == expected.messages[n]


def counts(java: JvmQueue, ours: tape.Queue, expected: Written, places: list[int]) -> None:
    """countExcerpts and count between random pairs, in both orders on Java's side."""
    for one, other in zip(places[:12], places[12:24], strict=True):
        low, high = sorted((one, other))
        a, b = expected.indexes[low], expected.indexes[high]
        assert ours.count(a, b) == high - low
        assert java.count_excerpts(a, b) == java.count_excerpts(b, a) == high - low


def counts_of_a_far_epoch(java: JvmQueue, ours: tape.Queue, expected: Written,
                          places: list[int]) -> None:
    """A defect of Java's: with an epoch below 0 or of a day and more it looks its cycles up under
    the wrong day, and a count over more than one cycle throws. Within one cycle it is right."""
    with pytest.raises(JvmError, match="Cycle not found"):
        java.entry_count()
    with pytest.raises(JvmError, match="Cycle not found"):
        java.count_excerpts(expected.indexes[0], expected.indexes[-1])
    for one, other in zip(places[:12], places[12:24], strict=True):
        low, high = sorted((one, other))
        a, b = expected.indexes[low], expected.indexes[high]
        assert ours.count(a, b) == high - low
        if a >> ours.roll_cycle.shift == b >> ours.roll_cycle.shift:
            assert java.count_excerpts(a, b) == high - low


@pytest.mark.parametrize("epoch", EPOCHS)
@pytest.mark.parametrize("writer", ["java", "tape"])
@pytest.mark.parametrize("name", NAMES)
def test_each_roll_cycle_agrees_whoever_wrote(
        own_peer: Peer, tmp_path: Path, name: str, writer: str, epoch: int) -> None:
    """Messages, indexes, ends, counts, file names and moves agree, whoever wrote the queue."""
    cycle = tape.RollCycle[name]
    path = tmp_path / "q"
    if writer == "java":
        expected = written_by_java(own_peer, path, cycle, epoch)
    else:
        expected = written_by_tape(path, cycle, epoch)
    assert [i >> cycle.shift for i in (expected.indexes[0], expected.indexes[-1])] == [
        (when - epoch) // cycle.length_ms for when in (times(cycle)[0], times(cycle)[2])]
    places = random_places(cycle, epoch, len(expected.indexes))
    with tape.open(path, codec=raw, read_only=True) as ours, \
            own_peer.open(path, clock=times(cycle)[2], block_size=BLOCK,
                          roll_cycle=name) as java:
        assert ours.roll_cycle is cycle and ours.epoch == epoch
        compare(java, ours, expected, places)


@pytest.mark.parametrize("epoch", [-3_600_000, -90_000_000, 86_400_000])
@pytest.mark.parametrize("name", ["FAST_DAILY", "FIVE_MINUTELY", "TEST_SECONDLY"])
def test_far_epochs_name_the_same_files(
        own_peer: Peer, tmp_path: Path, name: str, epoch: int) -> None:
    """An epoch below 0 or of a day and more: names carry another day, and tape's equal Java's."""
    cycle = tape.RollCycle[name]
    for writer in ("java", "tape"):
        path = tmp_path / writer
        expected = (written_by_java(own_peer, path, cycle, epoch) if writer == "java"
                    else written_by_tape(path, cycle, epoch))
        with tape.open(path, codec=raw, read_only=True) as ours, \
                own_peer.open(path, clock=times(cycle)[2], block_size=BLOCK,
                              roll_cycle=name) as java:
            assert ours.epoch == epoch
            compare(java, ours, expected, random_places(cycle, epoch, len(expected.indexes)))


def test_both_append_to_one_file_without_a_hole(own_peer: Peer, tmp_path: Path) -> None:
    """Java and tape append in turns to the same cycles: one sequence of indexes without holes."""
    cycle, clock = tape.RollCycle.TEST4_DAILY, SetClock(NOW)
    expected = messages(300)
    with own_peer.open(tmp_path / "q", roll_cycle=cycle.name, clock=NOW,
                       block_size=BLOCK) as java, \
            tape.open(tmp_path / "q", codec=raw, clock=clock, block_size=BLOCK) as ours:
        theirs, mine, indexes = java.appender(), ours.appender(), []
        for n, message in enumerate(expected):
            clock.ms = NOW + n // 100 * cycle.length_ms
            java.set_clock(clock.ms)
            append = theirs.append if n // 7 % 2 else mine.write
            indexes.append(append(message))
        compare(java, ours, Written(indexes, expected), list(range(0, 300, 3)))


def test_a_weekly_queue_of_java_is_read_whole(own_peer: Peer, tmp_path: Path) -> None:
    """WEEKLY has the names of Java, and what Java wrote is read whole; that Java reads its own is
    not promised (docs/errata.md)."""
    if own_peer.release < (5, 25):
        pytest.skip("5.24 knows no WEEKLY")
    cycle = tape.RollCycle.WEEKLY
    indexes: list[int] = []
    with own_peer.open(tmp_path / "q", roll_cycle="WEEKLY", clock=NOW, block_size=BLOCK) as java:
        appender = java.appender()
        for when in times(cycle):
            java.set_clock(when)
            indexes += appender.append_many(3, SIZES, seed=7, start=len(indexes))
        names = {java.cycle_file(i >> cycle.shift) for i in indexes}
    with tape.open(tmp_path / "q", codec=raw, read_only=True) as ours:
        assert {Path(c.path).name.removesuffix(".cq4") for c in ours.cycles()} == {
            name.removesuffix(".cq4") for name in names}
        entries = list(ours.tailer().entries())
        assert [e.index for e in entries] == indexes
        assert [e.value for e in entries] == messages(9)
        assert (ours.first_index, ours.last_index) == (indexes[0], indexes[-1])
        assert list(ours.tailer(start="end", direction="backward")) == messages(9)[::-1]
