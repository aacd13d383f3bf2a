"""The table of docs/recovery.md on zeros where something stood: what readers and writers do."""

from __future__ import annotations

import asyncio
import gc
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import tape
from tape.codecs import raw

from tests.kit.clocks import SetClock
from tests.kit.damage import cycle_file, poke

ROOT = Path(__file__).parents[2]
NOW, DAY, PAGE = 1_700_000_000_000, 86_400_000, 4096
BEFORE = [b"%06d" % n + b"x" * 40 for n in range(2000)]
LONG = b"B" * 10_000
ALL = [*BEFORE, LONG, *(b"%06d" % n + b"y" * 40 for n in range(2000, 2100))]

# By the first cell: the page, how much is read, whether a gap is told, what the writer is told.
ROWS: dict[str, tuple[Callable[[bytes], int], str]] = {
    "the header": (lambda b: 0, "none"),
    "index2index or an index page, where nothing was": (lambda b: 0x2000, "all"),
    "the head of an index page": (lambda b: 0x8000, "some"),
    "the first messages": (lambda b: page_of(b, BEFORE[0]), "some"),
    "a message in the middle": (lambda b: page_of(b, BEFORE[1000]), "some"),
    "bytes inside a message": (lambda b: page_of(b, LONG) + PAGE, "zeros"),
    "the last message": (lambda b: page_of(b, ALL[-1]), "some"),
    "what lies behind the end": (lambda b: page_of(b, ALL[-1]) + 2 * PAGE, "all"),
}


def page_of(whole: bytes, message: bytes) -> int:
    """Where the page begins that has the first bytes of it."""
    return whole.index(message) // PAGE * PAGE


def rows() -> list[list[str]]:
    """The cells of the table."""
    text = (ROOT / "docs" / "recovery.md").read_text().split("## Zeros where")[1].split("\n## ")[0]
    lines = [line for line in text.splitlines() if line.startswith("| ")][2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def read(path: Path) -> tuple[list[bytes], bool]:
    """What a tailer gives, and whether it tells a gap."""
    got: list[bytes] = []
    with tape.open(path, codec=raw, read_only=True) as q:
        t = q.tailer()
        for _ in range(2):
            try:
                while (message := t.read()) is not None:
                    got.append(message)
            except tape.Gap:
                return [*got, *t], True
    return got, False


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One cycle of short messages and a long one."""
    path = tmp_path_factory.mktemp("whole") / "q"
    with tape.open(path, codec=raw, block_size=1 << 20, clock=SetClock(NOW)) as q:
        q.appender().write_many(ALL)
    return path


def damaged(whole: Path, path: Path, place: Callable[[bytes], int]) -> Path:
    """A copy with a page of zeros."""
    shutil.copytree(whole, path)
    file = cycle_file(path)
    poke(file, place(file.read_bytes()), bytes(PAGE))
    return path


def write_one(path: Path, later: bool, refused: bool) -> None:
    """By a new writer."""
    with tape.open(path, codec=raw, clock=SetClock(NOW + DAY * later)) as q:
        a = q.appender()
        if refused:
            with pytest.raises(tape.CorruptQueue):
                a.write(b"new")
        else:
            a.write(b"new")


def check_first_read(what: str, there: list[bytes]) -> None:
    """As the first cell of the row says."""
    if what == "zeros":
        assert len(there) == len(ALL) and there[2000] != LONG
    elif what == "some":  # the last may end on that page
        assert there[:-1] == ALL[:len(there)][:-1] and len(there) < len(ALL)
        assert not there or ALL[len(there) - 1].startswith(there[-1].rstrip(b"\0"))
    else:
        assert there == (ALL if what == "all" else [])


@pytest.mark.parametrize("later", [False, True], ids=["same cycle", "next cycle"])
@pytest.mark.parametrize("cells", rows(), ids=lambda cells: cells[0])
def test_zeros_are_met_as_told(whole: Path, tmp_path: Path, cells: list[str], later: bool) -> None:
    """Reader, writer, reader."""
    place, what = ROWS[cells[0]]
    path = damaged(whole, tmp_path / "q", place)
    there, gap = read(path)
    assert not gap  # at a hole one waits, as at every end
    check_first_read(what, there)
    refused = not later and cells[2] == "`CorruptQueue`"
    write_one(path, later, refused)
    after, gap = read(path)
    assert gap == (later and "`Gap`" in cells[1])
    hidden = refused or (not later and what == "some")  # behind the hole, in the same file
    assert after == (there if hidden else [*there, b"new"])
    aside = list(path.glob("*.discard"))
    assert bool(aside) == ("move it aside" in cells[3 if later else 2])


STANDS = 2.0  # seconds, from which on it is told


def stand(t: tape.Tailer[bytes]) -> tape.CorruptQueue:
    """What is told to who stands at a hole, and when."""
    begun = time.monotonic()
    with pytest.raises(tape.CorruptQueue) as caught:
        while time.monotonic() - begun < 10:
            assert t.read(timeout=0.2) is None
    assert STANDS - 0.1 <= time.monotonic() - begun < STANDS + 2
    return caught.value


@pytest.mark.parametrize("read_only", [True, False])
def test_who_stands_at_a_hole_is_told_where_and_what_helps(
        whole: Path, tmp_path: Path, read_only: bool) -> None:
    """In a cycle that goes on, where nobody would come to tell a gap; mended, all is read."""
    path = damaged(whole, tmp_path / "q", ROWS["a message in the middle"][0])
    with tape.open(path, codec=raw, read_only=read_only, clock=SetClock(NOW)) as q:
        t = q.tailer()
        there = list(t)
        assert there[:-1] == ALL[:len(there)][:-1]
        assert t.lag().messages > 0  # so much the write position says
        told = stand(t)
        assert told.file == str(cycle_file(path))
        assert told.position is not None
        assert cycle_file(path).read_bytes()[told.position:told.position + 16] == bytes(16)
        assert told.index == t.index
        assert "the write position lies further on" in str(told)
        assert "tape repair --in-place" in str(told)
        with pytest.raises(tape.CorruptQueue):  # and again, at the next look
            t.read(timeout=1)
        next_index = t.index
    del told, t
    gc.collect()  # frames that an error keeps
    assert tape.repair(path, in_place=True).outcome == "lossy"
    with tape.open(path, codec=raw, read_only=True) as q:
        t = q.tailer(start=next_index, on_error="skip")
        after = list(t)
        assert after[-100:] == ALL[-100:]


def test_who_stands_at_a_hole_is_told_by_all_ways_of_waiting(whole: Path, tmp_path: Path) -> None:
    """Following, several queues as one, a stream."""
    path = damaged(whole, tmp_path / "q", ROWS["the last message"][0])

    async def stream(q: tape.Queue) -> None:
        async for _message in q.tailer().stream():
            pass

    def follow(q: tape.Queue) -> None:
        for _message in q.tailer().follow(timeout=10):
            pass

    def merge(q: tape.Queue) -> None:
        with tape.open(tmp_path / "other", codec=raw) as other:
            for _message in tape.merge(q.tailer(), other.tailer(), timeout=10):
                pass

    for way in (follow, merge, lambda q: asyncio.run(asyncio.wait_for(stream(q), 10))):
        with tape.open(path, codec=raw, read_only=True) as q, \
                pytest.raises(tape.CorruptQueue, match="lies further on"):
            way(q)


def test_who_goes_past_a_hole_reads_on(whole: Path, tmp_path: Path) -> None:
    """By an index that is known; and what was told before is no matter any more."""
    path = damaged(whole, tmp_path / "q", ROWS["a message in the middle"][0])
    with tape.open(path, codec=raw, clock=SetClock(NOW)) as q:
        t = q.tailer()
        first = q.first_index
        list(t)
        stand(t)
        assert first is not None
        assert t.seek(first + 2050)
        assert t.read() == ALL[2050]
        list(t)
        assert t.read(timeout=STANDS + 0.5) is None  # at the end it is waited
        q.appender().write(b"new")
        assert t.read(timeout=1) == b"new"


def test_the_table_has_each_row() -> None:
    """And no other."""
    assert [cells[0] for cells in rows()] == list(ROWS)
