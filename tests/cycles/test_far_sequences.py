"""Sequences around 2^32, without so many messages: files with a hole, as if they had been written.

The reference writer makes a cycle file, jumps over 20 GiB (a hole) and goes on with messages
numbered from just below a boundary; index pages and write position are those that such a file would
have. From there on everything is real: tape and Java find, read, count and append across the
boundary.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import tape
from tape.codecs import raw

from tests.kit.clocks import SetClock
from tests.kit.jvm_peer import Peer
from tests.reference import payload, roll_cycles, writer

START = 1_600_000_000_000
BLOCK = 64 << 20
BOUNDARY = 1 << 32


@dataclass
class Far:
    """A queue whose only cycle has messages 0 and `first` to `last`, each its number as text."""

    path: Path
    first: int
    last: int
    zero: int  # the index of sequence 0

    def open(self) -> tape.Queue:
        return tape.open(self.path, codec=raw, clock=SetClock(START), block_size=BLOCK)


def jump(w: writer.CycleWriter, sequence: int) -> None:
    """Lets the next message be this one, where so many could stand before it. All pages in between
    are one empty page, since Java's readers make a page for every 0 among those in use."""
    # At least 5 bytes a message, or nobody would believe the number; 8-aligned as pages like it.
    w.end = (w.end + 5 * sequence + 4096) & ~7
    empty = w.end
    w._array("index")
    missing = sequence // w.spacing // w.count - len(w.pages)
    if missing > 0:
        w._cell(w.root_used_at + 8 + 8 * len(w.pages), *[empty] * missing)
        w.pages += [0] * missing
        w._cell(w.root_used_at, len(w.pages))
    w.sequence = sequence


def make(path: Path, name: str, last: int) -> Far:
    """The queue. The stretch holds two index entries: so far back a writer goes to be certain."""
    roll_cycle = roll_cycles.BY_NAME[name]
    spec = writer.QueueSpec(roll_cycle=roll_cycle, form=writer.Form(block_size=BLOCK))
    cycle = START // roll_cycle.length_ms
    path.mkdir()
    w = writer.CycleWriter(path / f"{roll_cycles.file_stem(roll_cycle, cycle, 0)}.cq4", spec)
    w.append(payload.frame(b"0"))
    first = (last // roll_cycle.index_spacing - 1) * roll_cycle.index_spacing
    jump(w, first)
    for n in range(first, last + 1):
        w.append(payload.frame(b"%d" % n))
    w.close(eof=False)
    table = writer.table_store(spec, [cycle])
    (path / "metadata.cq4t").write_bytes(table.ljust(spec.form.table_size, b"\0"))
    return Far(path, first, last, cycle << tape.RollCycle[name].shift)


@pytest.fixture(params=["HUGE_DAILY", "LARGE_DAILY"])
def far(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Far]:
    """A cycle that numbers more than 2^32 messages, six below it."""
    path = tmp_path / "q"
    yield make(path, request.param, BOUNDARY - 6)
    shutil.rmtree(path)


def test_the_file_is_a_hole(far: Far) -> None:
    """20 GiB long, a few pages on disk; and the last message is where all say it is."""
    with far.open() as q:
        (file,) = q.cycles()
        assert file.bytes > 20 << 30 and file.bytes_on_disk < 64 << 20
        assert file.count == len(q) == far.last + 1
        assert q.last_index == far.zero + far.last


def test_appending_goes_on_across_the_boundary(far: Far) -> None:
    """Appending over 2^32, with an index entry on it; then every message by index, in both
    directions, and the counts."""
    with far.open() as q:
        a = q.appender()
        wanted = list(range(far.last + 1, BOUNDARY + 3000))
        assert [a.write(b"%d" % n) - far.zero for n in wanted] == wanted
        t = q.tailer()
        for n in [far.first, far.last, BOUNDARY - 1, BOUNDARY, BOUNDARY + 1, BOUNDARY + 2999]:
            assert t.seek(far.zero + n)
            assert t.read() == b"%d" % n and t.last_read == far.zero + n
        assert t.index == far.zero + BOUNDARY + 3000 and t.read() is None
        t.direction = "backward"
        back = range(BOUNDARY + 2999, far.first - 1, -1)
        assert t.read_many(len(back)) == [b"%d" % n for n in back]
        assert q.count(far.zero + BOUNDARY - 10, far.zero + BOUNDARY + 10) == 20
        assert len(q) == BOUNDARY + 3000
        assert q.locate(far.zero + BOUNDARY).sequence == BOUNDARY


def test_a_position_beyond_the_boundary_is_stored(far: Far) -> None:
    """Under a name, and found again."""
    with far.open() as q:
        a = q.appender()
        for n in range(far.last + 1, BOUNDARY + 5):
            a.write(b"%d" % n)
        with q.tailer("far") as t:
            assert t.seek(far.zero + BOUNDARY + 1) and t.read() == b"%d" % (BOUNDARY + 1)
        assert q.tailers() == {"far": far.zero + BOUNDARY + 2}
    with far.open() as q:
        assert q.tailer("far").read() == b"%d" % (BOUNDARY + 2)


@pytest.mark.parametrize("name", ["FAST_DAILY", "DAILY", "FIVE_MINUTELY"])
def test_a_full_cycle_takes_its_last_number_and_no_more(tmp_path: Path, name: str) -> None:
    """Those that number less: the last message that has a number is written, the next is refused
    by name, the file stays as it is, and nothing spills into the next cycle's indexes."""
    row = tape.RollCycle[name]
    far = make(tmp_path / "q", name, row.max_messages - 3)
    with far.open() as q:
        a = q.appender()
        assert a.write(b"last but one") == far.zero + row.max_messages - 2
        last = a.write(b"last")
        assert last == far.zero + row.max_messages - 1
        assert last >> row.shift == far.zero >> row.shift
        for _ in range(2):
            with pytest.raises(tape.CycleFull) as caught:
                a.write(b"too many")
            assert "roll cycle" in caught.value.hint
        assert q.last_index == last and len(q) == row.max_messages
        t = q.tailer(start=last)
        assert t.read() == b"last" and t.read() is None
    with far.open() as q, pytest.raises(tape.CycleFull):
        q.appender().write(b"too many")
    shutil.rmtree(far.path)


@pytest.mark.jvm
def test_java_reads_and_appends_across_the_boundary(far: Far, peer: Peer) -> None:
    """Java reads what the reference writer made and tape appended, and appends in turn."""
    with far.open() as q, peer.open(far.path, clock=START, block_size=BLOCK) as java:
        mine, theirs = q.appender(), java.appender()
        assert java.last_index() == far.zero + far.last
        for n in range(far.last + 1, BOUNDARY + 1030):
            index = (mine.write if n % 3 else theirs.append)(b"%d" % n)
            assert index == far.zero + n
        assert java.last_index() == q.last_index == far.zero + BOUNDARY + 1029
        t, s = java.tailer(), q.tailer()
        for n in [far.first, *(BOUNDARY + n for n in (-1, 0, 1, 1024, 1029))]:
            assert t.move_to_index(far.zero + n)
            message = t.read()
            assert message is not None
            assert (message.index, message.data) == (far.zero + n, b"%d" % n)
            assert s.seek(far.zero + n) and s.read() == message.data
        assert java.count_excerpts(far.zero + BOUNDARY - 9, far.zero + BOUNDARY + 9) == 18
