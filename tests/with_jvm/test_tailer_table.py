"""Where a tailer can stand and go: each statement of docs/format.md 12 on the JVM and on tape.

One queue a row, made afresh: cycle A with 3 messages, finished; B without a file; C, the newest,
with 2. Java's side and ours get the same steps over the same directory. A row names the steps and
what both say; where tape decides otherwise on purpose, or Java has a defect, it names both, and
docs/errata.md lists the row under its name.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import tape
from tape.codecs import raw

from tests.kit.clocks import SetClock
from tests.kit.jvm_peer import JvmError, JvmQueue, Peer

pytestmark = pytest.mark.jvm

START = 1_600_000_000  # cycle A, a second of TEST_SECONDLY
A, B, C = START, START + 1, START + 2
BEFORE, AFTER = START - 5, START + 9
MAX64 = (1 << 63) - 1


def ix(cycle: int, sequence: int = 0) -> int:
    """An index of TEST_SECONDLY."""
    return (cycle << 32) + sequence


@dataclass
class Place:
    """One directory, open on both sides."""

    path: Path
    java: JvmQueue
    tape: tape.Queue
    clock: SetClock

    def append(self, data: bytes, second: int = 2) -> None:
        """By tape: Java sees it as its own."""
        self.clock.ms = (START + second) * 1000
        with self.tape.appender() as a:
            a.write(data)


class JavaSide:
    """A tailer of Java's under the names that rows use."""

    def __init__(self, place: Place, id: str | None) -> None:  # noqa: A002
        self.t = place.java.tailer(id)

    def read(self) -> Any:
        message = self.t.read()
        return None if message is None else message.data.decode()

    def seek(self, index: int) -> Any:
        return self.t.move_to_index(index)

    def cycle(self, cycle: int) -> Any:
        return self.t.move_to_cycle(cycle)

    def start(self) -> None:
        self.t.to_start()

    def end(self) -> None:
        self.t.to_end()

    def backward(self) -> None:
        self.t.set_direction("BACKWARD")

    def forward(self) -> None:
        self.t.set_direction("FORWARD")

    def index(self) -> Any:
        return self.t.index()


class TapeSide:
    """A tailer of tape's under the same names."""

    def __init__(self, place: Place, id: str | None) -> None:  # noqa: A002
        self.q = place.tape
        self.t = place.tape.tailer(id, on_gap="skip")

    def read(self) -> Any:
        value = self.t.read()
        return None if value is None else value.decode()

    def seek(self, index: int) -> Any:
        try:
            return self.t.seek(index)
        except tape.InvalidArgument:
            return "InvalidArgument"

    def cycle(self, cycle: int) -> Any:
        return self.t.seek(self.q.index_of(cycle, 0))

    def start(self) -> None:
        self.t.seek_start()

    def end(self) -> None:
        self.t.seek_end()

    def backward(self) -> None:
        self.t.direction = "backward"

    def forward(self) -> None:
        self.t.direction = "forward"

    def index(self) -> Any:
        return self.t.index


@dataclass(frozen=True)
class Row:
    """Steps ("read", "seek 5", ...) and what they give; ``ours`` when tape gives something else,
    and then ``why``."""

    name: str
    steps: tuple[Any, ...]
    java: tuple[Any, ...]
    ours: tuple[Any, ...] | None = None
    why: str = ""
    queue: str = "A-C"
    stored: int | None = None
    id: str | None = None


ROWS: list[Row] = []


def row(name: str, *steps: Any, gives: tuple[Any, ...], ours: tuple[Any, ...] | None = None,
        **more: Any) -> None:
    """Adds a row. Steps without a result (start, end, forward, backward, append) give nothing."""
    ROWS.append(Row(name, steps, gives, ours, **more))


# The states of 12.1 are not part of tape's interface: index and reads tell them apart.

# ---- 12.2 basics ----

row("new tailer, empty queue", "index", "read", gives=(0, None), queue="empty")
row("new tailer, empty queue: messages appear later", "read", ("append", b"x"), "read", "index",
    gives=(None, "x", ix(C, 1)), queue="empty")
row("new tailer, non-empty queue: positioned before any read", "index", gives=(ix(A),))
row("index is that of the next read", "read", "index", "read", "index",
    gives=("a0", ix(A, 1), "a1", ix(A, 2)))
row("after EOF and a missing cycle the next read is the next cycle's first",
    "read", "read", "read", "read", "index", gives=("a0", "a1", "a2", "c0", ix(C, 1)))
row("at the end: absent, index is last + 1", *["read"] * 6, "index", ("append", b"c2"), "read",
    gives=("a0", "a1", "a2", "c0", "c1", None, ix(C, 2), "c2"))

# ---- 12.3 moveToIndex on a fresh tailer ----

for n, what in ((0, "first"), (1, "middle"), (2, "last")):
    row(f"existing index: {what} of a finished cycle", ("seek", ix(A, n)), "index", "read",
        gives=(True, ix(A, n), f"a{n}"))
for n in (0, 1):
    row(f"existing index: {n} of the current cycle", ("seek", ix(C, n)), "index", "read",
        gives=(True, ix(C, n), f"c{n}"))
row("last+1 of a finished cycle", ("seek", ix(A, 3)), "index", "read", "read",
    gives=(False, ix(A, 3), "c0", "c1"))
STAYS = "an index that is missing moves nothing (interfaces: seek)"
row("last+2 of a finished cycle", ("seek", ix(A, 4)), "index", "read", "read",
    gives=(False, ix(A, 4), None, None), ours=(False, ix(A), "a0", "a1"), why=STAYS)
row("last+1 of the current cycle", ("seek", ix(C, 2)), "index", "read", ("append", b"c2"), "read",
    gives=(False, ix(C, 2), None, "c2"))
row("last+2 of the current cycle", ("seek", ix(C, 3)), "index", "read", ("append", b"c2"), "read",
    gives=(False, ix(C, 3), None, None), ours=(False, ix(A), "a0", "a1"), why=STAYS)
for cycle, what in ((BEFORE, "below"), (B, "between"), (AFTER, "above")):
    row(f"index in a cycle without a file, {what}", ("seek", ix(cycle, 1)), "index", "read",
        gives=(False, ix(A), "a0"))
row("index 0", ("seek", 0), "index", "read", gives=(False, ix(A), "a0"))
row("index MAX64", ("seek", MAX64), "index", "read", gives=(False, ix(A), "a0"))
row("negative index", ("seek", -1), "index", "read", gives=(False, ix(A), "a0"),
    ours=("InvalidArgument", ix(A), "a0"), why="a negative number is an error of the caller")
for target in (ix(A), ix(A, 1), 0, MAX64):
    row(f"any index, empty queue: {target:#x}", ("seek", target), "index", "read",
        gives=(False, 0, None), queue="empty")

# ---- 12.3 additions: a tailer that is not fresh ----

for cycle, what in ((BEFORE, "below"), (B, "between"), (AFTER, "above")):
    row(f"not fresh, index in a cycle without a file, {what}", "read", ("seek", ix(cycle, 1)),
        "index", "read", gives=("a0", False, ix(A, 1), "a1"))
    row(f"at the end of a finished cycle, index in a cycle without a file, {what}",
        "read", "read", "read", ("seek", ix(cycle, 1)), "read", "read",
        gives=("a0", "a1", "a2", False, None, "c0"), ours=("a0", "a1", "a2", False, "c0", "c1"),
        why="Java's next read is absent once though a message is there")
    row(f"at the end of the current cycle, index in a cycle without a file, {what}",
        ("seek", ix(C, 1)), "read", ("seek", ix(cycle, 1)), "read", ("append", b"c2"), "read",
        gives=(True, "c1", False, None, "c2"))
row("not fresh: existing index, back", "read", "read", "read", "read", ("seek", ix(A, 1)), "read",
    gives=("a0", "a1", "a2", "c0", True, "a1"))
row("not fresh: last+1 of the finished cycle it stands in", "read", ("seek", ix(A, 3)), "read",
    "read", gives=("a0", False, "c0", "c1"))
row("not fresh: last+1 of another, finished cycle", ("seek", ix(C)), "read", ("seek", ix(A, 3)),
    "read", gives=(True, "c0", False, "c0"))
row("not fresh: last+1 of the current cycle, from inside", ("seek", ix(C)), "read",
    ("seek", ix(C, 2)), "index", "read", ("append", b"c2"), "read",
    gives=(True, "c0", False, ix(C, 1), None, "c2"),
    ours=(True, "c0", False, ix(C, 2), None, "c2"),
    why="Java's index() names a message that its next reads skip")
row("not fresh: last+2 of the cycle it stands in", "read", ("seek", ix(A, 4)), "index", "read",
    gives=("a0", False, ix(A, 4), None), ours=("a0", False, ix(A, 1), "a1"), why=STAYS)

# ---- 12.4 others ----

row("moveToCycle, existing", "read", ("cycle", C), "index", "read", gives=("a0", True, ix(C), "c0"))
row("moveToCycle, without a file", "read", ("cycle", B), "index", "read",
    gives=("a0", False, ix(A, 1), "a1"))
row("toStart", "read", "read", "start", "index", "read", gives=("a0", "a1", ix(A), "a0"))
row("toStart when BACKWARD reads the first message", "read", "read", "backward", "start", "index",
    "read", "read", gives=("a0", "a1", ix(A), "a0", None))
row("toEnd FORWARD", "end", "index", "read", ("append", b"c2"), "read",
    gives=(ix(C, 2), None, "c2"))
row("toEnd FORWARD, the newest cycle finished: the next one's messages come", "end", "index",
    "read", ("append", b"d0", 7), "read", gives=(ix(C, 2), None, "d0"), queue="A-C finished")
row("toEnd BACKWARD: from the last one down", "backward", "end", "index", *["read"] * 6,
    gives=(ix(C, 1), "c1", "c0", "a2", "a1", "a0", None))
row("toEnd, then BACKWARD", "end", "backward", *["read"] * 3, gives=("c1", "c0", "a2"))
row("BACKWARD, then toEnd, the newest cycle finished", "backward", "end", *["read"] * 3,
    gives=("c1", "c0", "a2"), queue="A-C finished")
row("toEnd, then BACKWARD, the newest cycle finished", "end", "backward", *["read"] * 3,
    gives=("a0", None, None), ours=("c1", "c0", "a2"), queue="A-C finished",
    why="Java skips the newest cycle and most of the one before")
row("backward past the first: absent, index before the first", "backward", "start", "read", "read",
    "index", gives=("a0", None, ix(A) - 1), ours=None)
row("backward past the first, then FORWARD", "backward", "start", "read", "read", "forward", "read",
    "read", gives=("a0", None, None, "a0"), ours=("a0", None, "a0", "a1"),
    why="Java's next read is absent once though a message is there")
row("a fresh tailer turned BACKWARD reads the first message and no more", "backward", "read",
    "read", gives=("a0", None))
row("BACKWARD in the middle goes on with the message at index", "read", "read", "backward",
    "index", "read", "read", "read", gives=("a0", "a1", ix(A, 2), "a2", "a1", "a0"))
row("BACKWARD and FORWARD again: positioned by index", ("seek", ix(C, 1)), "backward", "read",
    "index", "forward", "index", "read", "read",
    gives=(True, "c1", ix(C), ix(C), "c0", "c1"))
row("BACKWARD over the gap and FORWARD again", ("seek", ix(C)), "backward", "read", "read",
    "forward", "read", "read", gives=(True, "c0", "a2", "a1", "a2"))
row("moveToIndex when BACKWARD", "backward", ("seek", ix(A, 1)), "read", "read", "read",
    gives=(True, "a1", "a0", None))
row("fresh BACKWARD, moved to last+1 of a finished cycle", "backward", ("seek", ix(A, 3)), "read",
    "read", gives=(False, None, None), ours=(False, "a2", "a1"),
    why="Java reads nothing, though there are messages before that place")
row("fresh BACKWARD, moved to last+1 of the current cycle", "backward", ("seek", ix(C, 2)), "read",
    "read", gives=(False, "c1", "c0"))

# ---- 12.3 and 12.5: named tailers ----

row("named, new id: not positioned yet", "index", "read", "index", gives=(0, "a0", ix(A, 1)),
    ours=(ix(A), "a0", ix(A, 1)), id="n", why="tape shows where it stands before the first read")
for target, what in ((ix(BEFORE, 1), "below"), (ix(B, 1), "between"), (ix(AFTER, 1), "above"),
                     (0, "0"), (MAX64, "MAX64")):
    row(f"named, new, moved to an index without a file: {what}", ("seek", target), "read",
        gives=(False, "a0"), id="n")
row("named, moved to an existing index", ("seek", ix(C)), "read", gives=(True, "c0"), id="n")
row("named, moved to last+1 of a finished cycle", ("seek", ix(A, 3)), "read", gives=(False, "c0"),
    id="n")
row("named, moved to last+2 of the current cycle", ("seek", ix(C, 3)), "read", ("append", b"c2"),
    "read", ("append", b"c3"), "read", gives=(False, None, None, "c3"),
    ours=(False, "a0", "a1", "a2"), id="n", why=STAYS)

row("stored: an existing index", "index", "read", gives=(ix(A, 1), "a1"), id="n", stored=ix(A, 1))
row("stored: last+1 of a finished cycle", "read", "read", gives=("c0", "c1"), id="n",
    stored=ix(A, 3))
row("stored: last+1 of the current cycle", "read", ("append", b"c2"), "read", gives=(None, "c2"),
    id="n", stored=ix(C, 2))
row("stored: last+2 of the current cycle", "read", ("append", b"c2"), "read",
    ("append", b"c3"), "read", gives=(None, None, "c3"), ours=(None, "c2", "c3"), id="n",
    stored=ix(C, 3), why="what the position had passed is lost; Java passes over what comes, too")
row("stored: last+2 of a finished cycle", "read", "read", gives=(None, None), ours=("c0", "c1"),
    id="n", stored=ix(A, 4), why="Java stays for ever; no such message can come any more")
row("stored: 0", "read", gives=("a0",), id="n", stored=0)
row("stored: negative", "read", gives=("a0",), id="n", stored=-7)
AGAIN = "Java starts again at the first message, which would be read twice"
row("stored: a deleted cycle below", "read", "read", gives=("a0", "a1"), id="n",
    stored=ix(BEFORE, 1))
row("stored: a missing cycle between", "read", "read", gives=("a0", "a1"), ours=("c0", "c1"),
    id="n", stored=ix(B, 1), why=AGAIN)
row("stored: a cycle above, not there yet", "read", ("append", b"c2"), "read", gives=("a0", "a1"),
    ours=(None, "c2"), id="n", stored=ix(AFTER, 1), why=AGAIN)
row("stored: MAX64", "read", "read", gives=("a0", "a1"), ours=(None, None), id="n", stored=MAX64,
    why=AGAIN)


# ---- running them ----

def make(path: Path, peer: Peer, kind: str) -> Place:
    """The example queue, written by Java."""
    clock = SetClock(START * 1000)
    java = peer.open(path, roll_cycle="TEST_SECONDLY", clock=START * 1000, block_size=1 << 20)
    if kind != "empty":
        a = java.appender()
        for n in range(3):
            a.append(b"a%d" % n)
        java.set_clock(C * 1000)
        for n in range(2):
            a.append(b"c%d" % n)
    clock.ms = C * 1000
    q = tape.open(path, codec=raw, roll_cycle="TEST_SECONDLY", clock=clock, block_size=1 << 20)
    if kind == "A-C finished":
        finish(q, C)
    return Place(path, java, q, clock)


def finish(q: tape.Queue, cycle: int) -> None:
    """Ends the newest cycle, as a writer does that dies before it makes the next one."""
    fd = os.open(q.locate(ix(cycle)).path, os.O_RDWR)
    try:
        at = 0
        while (word := struct.unpack("<I", os.pread(fd, 4, at))[0]) != 0:
            at = at + 4 + (word & 0x3FFFFFFF) + 3 & ~3
        os.pwrite(fd, struct.pack("<I", 0xC0000000), at)
    finally:
        os.close(fd)


@pytest.fixture
def places(own_peer: Peer, tmp_path: Path) -> Iterator[Callable[[str, str], Place]]:
    made: list[Place] = []

    def one(name: str, kind: str) -> Place:
        made.append(make(tmp_path / name, own_peer, kind))
        return made[-1]

    yield one
    for place in made:
        place.tape.close()
        place.java.close()


def run(side: Any, place: Place, steps: tuple[Any, ...]) -> tuple[Any, ...]:
    """What the steps give, in order."""
    given = []
    for step in steps:
        verb, arguments = (step, ()) if isinstance(step, str) else (step[0], step[1:])
        if verb == "append":
            place.append(*arguments)
        elif verb in ("read", "seek", "cycle", "index"):
            given.append(getattr(side, verb)(*arguments))
        else:
            getattr(side, verb)()
    return tuple(given)


@pytest.mark.parametrize("row", ROWS, ids=[row.name for row in ROWS])
def test_each_row_holds_for_java_and_for_tape(
        row: Row, places: Callable[[str, str], Place]) -> None:
    """Java does what the row says; tape does the same, or what the row says of tape."""
    assert (row.ours is None) == (row.why == "")
    for name, side in (("java", JavaSide), ("tape", TapeSide)):
        place = places(name, row.queue)
        if row.stored is not None:
            with place.tape.tailer(row.id) as t:
                assert t.info().committed == 0
            place.java.table_put(f"index.{row.id}", row.stored)
        given = run(side(place, row.id), place, row.steps)
        expected = row.ours if name == "tape" and row.ours is not None else row.java
        assert given == expected, name


# ---- 12.4: counts and ends of the queue ----

def test_an_empty_queue_has_no_ends(places: Callable[[str, str], Place]) -> None:
    """Java's firstIndex is MAX64 and its lastIndex -1; tape has None for both."""
    p = places("q", "empty")
    assert (p.java.first_index(), p.java.last_index(), p.java.entry_count()) == (MAX64, -1, 0)
    assert (p.tape.first_index, p.tape.last_index, len(p.tape)) == (None, None, 0)


def test_ends_and_counts_agree(places: Callable[[str, str], Place]) -> None:
    """firstIndex, lastIndex, entryCount and excerptsInCycle agree; -1 stands for no file."""
    p = places("q", "A-C")
    assert p.java.first_index() == p.tape.first_index == ix(A)
    assert p.java.last_index() == p.tape.last_index == ix(C, 1)
    assert p.java.entry_count() == len(p.tape) == 5
    counts = {c.cycle: c.count for c in p.tape.cycles()}
    for cycle in (BEFORE, A, B, C, AFTER):
        assert p.java.tailer().excerpts_in_cycle(cycle) == counts.get(cycle, -1)


def test_counts_between_indexes_agree_but_for_their_order(
        places: Callable[[str, str], Place]) -> None:
    """countExcerpts takes its indexes in any order, tape's count is a half-open range; an index in
    a cycle without a file is an error in Java, and only a bound for tape."""
    p = places("q", "A-C")
    indexes = [ix(A, n) for n in range(4)] + [ix(C, n) for n in range(3)]
    for a in indexes:
        for b in indexes:
            ours = p.tape.count(min(a, b), max(a, b))
            assert p.java.count_excerpts(a, b) == ours
            assert p.tape.count(max(a, b), min(a, b)) == 0
    with pytest.raises(JvmError):
        p.java.count_excerpts(ix(BEFORE), ix(C))
    assert p.tape.count(ix(BEFORE), ix(C)) == 3
    assert p.tape.count(ix(A, 1), ix(AFTER)) == 4
    # Adjacent cycles: Java consults the file of the lower one only; as for tape, B adds nothing.
    assert p.tape.count(ix(A, 1), ix(B, 1)) == 2



def test_javas_tailer_waits_in_a_deleted_file_and_ours_tells(
        places: Callable[[str, str], Place]) -> None:
    """A tailer waits at the end of the newest file when somebody deletes that and a writer makes
    the next cycle: Java's waits for an end that nobody can write, tape's tells and goes on."""
    p = places("q", "A-C")
    theirs, mine = p.java.tailer(), p.tape.tailer(start="end")
    theirs.to_end()
    assert theirs.read() is None and mine.read() is None
    os.unlink(p.tape.locate(ix(C)).path)
    p.append(b"d0", 5)
    p.java.refresh()
    with pytest.raises(tape.Gap) as caught:
        mine.get(2)
    assert (caught.value.from_index, caught.value.to_index) == (ix(C, 2), ix(START + 5))
    assert (mine.read(), mine.last_read) == (b"d0", ix(START + 5))
    assert [theirs.read() for _ in range(5)] == [None] * 5
