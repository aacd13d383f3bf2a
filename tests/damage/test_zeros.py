"""The table of docs/recovery.md on zeros where something stood: what readers and writers do."""

from __future__ import annotations

import shutil
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


def test_the_table_has_each_row() -> None:
    """And no other."""
    assert [cells[0] for cells in rows()] == list(ROWS)
