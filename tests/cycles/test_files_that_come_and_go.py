"""Cycle files that are deleted, restored or made again: ends, counts and tailers follow."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import tape
from tape.codecs import raw

from tests.kit.queues import BLOCK, CYCLE, Changing, index_of
from tests.reference.table_store import FILE_NAME


def soon(action: Callable[[], object], expected: object, seconds: float = 5) -> None:
    """Tries until it gives what is expected."""
    until = time.monotonic() + seconds
    while action() != expected:
        assert time.monotonic() < until, (action(), expected)
        time.sleep(0.01)


@pytest.mark.parametrize("read_only", [False, True])
def test_deleted_files_are_noticed_at_both_ends(
        changing: Changing, tmp_path: Path, read_only: bool) -> None:
    """The oldest and the newest file vanish: the ends, new tailers and counts follow at once."""
    with tape.open(tmp_path / "q", codec=raw, read_only=read_only) as q:
        assert (q.first_index, q.last_index) == (index_of(0), index_of(5, 1))
        changing.file(0).unlink()
        assert q.first_index == index_of(1) and q.tailer().read() == b"1.0"
        changing.file(5).unlink()
        assert q.last_index == index_of(2, 1) and len(q) == 4
        assert q.tailer(start="end", direction="backward").read() == b"2.1"
        words = {0: q.table()["listing.lowestCycle"], 5: q.table()["listing.highestCycle"]}
    if not read_only:  # a reader that may write sets the words right, as Java's does
        assert words == {0: CYCLE + 1, 5: CYCLE + 2}


@pytest.mark.parametrize("read_only", [False, True])
def test_files_that_come_back_are_noticed(
        changing: Changing, tmp_path: Path, read_only: bool) -> None:
    """Older files restored from an archive, and a newer one that nobody listed."""
    aside = tmp_path / "aside"
    aside.mkdir()
    for second in (0, 5):
        shutil.move(changing.file(second), aside)
    with tape.open(tmp_path / "q", codec=raw, read_only=read_only) as q:
        t = q.tailer()
        assert list(t) == [b"1.0", b"1.1", b"2.0", b"2.1"]
        assert (q.first_index, q.last_index) == (index_of(1), index_of(2, 1))
        for file in aside.iterdir():
            shutil.move(file, tmp_path / "q")
        soon(lambda: (q.first_index, q.last_index), (index_of(0), index_of(5, 1)))
        soon(t.read, b"5.0")
        assert q.tailer().read() == b"0.0" and len(q) == 8


def test_a_tailer_in_a_deleted_file_goes_on(changing: Changing, tmp_path: Path) -> None:
    """It stands at the end of the newest file, somebody deletes that; messages of the next cycle
    reach it although nobody can end the deleted file any more."""
    with tape.open(tmp_path / "q", codec=raw) as q:
        t = q.tailer(start="end", on_gap="skip")
        assert t.read() is None
        changing.file(5).unlink()
        with tape.open(tmp_path / "q", codec=raw, clock=changing.clock, block_size=BLOCK) as other:
            changing.clock.ms = (CYCLE + 7) * 1000
            other.appender().write(b"next")
        soon(t.read, b"next")
        assert t.last_read == index_of(7)


def test_a_file_that_was_made_again_is_read_from_its_start(
        changing: Changing, tmp_path: Path) -> None:
    """The current file is deleted and a writer makes a new one of the same cycle: the tailer that
    waited in the old one reads the new one."""
    with tape.open(tmp_path / "q", codec=raw) as q:
        t = q.tailer(start="end", on_gap="skip")
        changing.file(5).unlink()
        with tape.open(tmp_path / "q", codec=raw, clock=changing.clock, block_size=BLOCK) as other:
            other.appender().write(b"again")
        soon(t.read, b"again")
        assert t.last_read == index_of(5)


def test_words_of_the_listing_that_are_wrong_do_no_harm(changing: Changing, tmp_path: Path) -> None:
    """A cycle that its dead creator did not list is found by the next appender and by the
    directory; words that name no file are not believed."""
    changing.q.close()
    table = tmp_path / "q" / FILE_NAME
    data = table.read_bytes()
    for wrong in (CYCLE + 2, CYCLE + 77):
        at = _cell(data, b"listing.highestCycle")
        table.write_bytes(data[:at] + wrong.to_bytes(8, "little") + data[at + 8:])
        with tape.open(tmp_path / "q", codec=raw, read_only=True) as q:
            assert q.table()["listing.highestCycle"] == wrong
        with tape.open(tmp_path / "q", codec=raw, clock=changing.clock, block_size=BLOCK) as q:
            q.appender().write(b"x")
            assert q.last_index is not None and q.last_index >> 32 == CYCLE + 5


def _cell(data: bytes, key: bytes) -> int:
    """The offset of the value of a key of the table store."""
    end = data.index(b"\xb9" + bytes([len(key)]) + key) + 2 + len(key)
    return data.index(b"\xa7", end) + 1
