"""A cycle file that a mirror replaces (rsync, cp and mv) is the same file to those who read it."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import pytest

import tape
from tape.codecs import raw

INDEX_SPACING = 16  # of the queue below


class Mirror:
    """A queue that is written, and a copy of it in which each new state is renamed over the old."""

    def __init__(self, root: Path) -> None:
        self.source, self.copy = root / "source", root / "copy"
        self.copy.mkdir()
        self.queue = tape.open(self.source, codec=raw, roll_cycle="TEST4_DAILY")
        self.appender = self.queue.appender()

    def write(self, *messages: bytes) -> None:
        for message in messages:
            self.appender.write(message)
        self.update(self.source)

    def update(self, source: Path) -> None:
        for file in source.iterdir():
            if file.name != "tape.side":
                shutil.copyfile(file, self.copy / ".new")
                os.rename(self.copy / ".new", self.copy / file.name)
        time.sleep(0.06)  # a tailer looks every 50 ms

    def open(self, *, read_only: bool = True) -> tape.Queue:
        return tape.open(self.copy, codec=raw, read_only=read_only)


@pytest.fixture
def mirror(tmp_path: Path) -> Mirror:
    return Mirror(tmp_path)


@pytest.mark.parametrize("on_gap", ["raise", "skip"])
def test_a_tailer_goes_on_in_the_copy(mirror: Mirror, on_gap: str) -> None:
    """Whatever way it reads, over many copies: each message once."""
    messages = [b"%d" % n for n in range(60)]
    mirror.write(*messages[:5])
    with mirror.open() as q:
        t = q.tailer(on_gap=on_gap)
        got = list(t)
        for n in range(5, 60, 5):
            mirror.write(*messages[n:n + 5])
            got += t.read_many(9) if n % 2 else list(t)
        assert got == messages
        assert t.last_read == mirror.queue.last_index


def test_a_copy_without_more_changes_nothing(mirror: Mirror) -> None:
    """A tailer at its end, and one in the middle, which reads the old file to its end first."""
    mirror.write(b"0", b"1", b"2")
    with mirror.open() as q:
        end, middle = q.tailer(start="end"), q.tailer()
        assert middle.read() == b"0"
        mirror.update(mirror.source)
        assert end.read() is None
        mirror.write(b"3")
        assert list(end) == [b"3"]
        assert list(middle) == [b"1", b"2", b"3"]


def test_a_tailer_that_read_nothing_here_is_told_of_no_gap(mirror: Mirror) -> None:
    """Nothing is before its place that could differ."""
    mirror.queue.appender()
    mirror.write(b"0")
    with mirror.open() as q:
        t = q.tailer(start="start", direction="forward")
        t.seek_start()
        mirror.write(b"1")
        assert list(t) == [b"0", b"1"]


def test_a_place_among_index_pages_is_found(mirror: Mirror) -> None:
    """Metadata between the messages has changed in the copy: only messages are compared."""
    messages = [b"x" * n for n in range(1, 400)]
    mirror.write(*messages[:INDEX_SPACING * 4])
    with mirror.open() as q:
        t = q.tailer()
        assert len(list(t)) == INDEX_SPACING * 4
        mirror.write(*messages[INDEX_SPACING * 4:])
        assert list(t) == messages[INDEX_SPACING * 4:]


@pytest.mark.parametrize("other", [
    pytest.param([b"0", b"1", b"Y", b"3"], id="another last message"),
    pytest.param([b"0", b"1"], id="shorter"),
    pytest.param([b"0", b"1", b"longer", b"3"], id="another length"),
    pytest.param([b"longer than it was", b"1", b"2", b"3"], id="another place"),
])
def test_another_history_is_a_gap(mirror: Mirror, tmp_path: Path, other: list[bytes]) -> None:
    """The message before the tailer's place is not there, or elsewhere: told, then read anew."""
    mirror.write(b"0", b"1", b"2")
    with tape.open(tmp_path / "other", codec=raw, roll_cycle="TEST4_DAILY") as q:
        for message in other:
            q.appender().write(message)
    with mirror.open() as q:
        t = q.tailer()
        assert list(t) == [b"0", b"1", b"2"]
        mirror.update(tmp_path / "other")
        with pytest.raises(tape.Gap, match="another one"):
            t.read()
        assert list(t) == other


def test_an_ended_file_that_was_replaced_is_no_gap(tmp_path: Path) -> None:
    """At END_OF_DATA, with the next message some cycles later: nothing was deleted."""
    class Clock:
        ms = 1_700_000_000_000

        def now_ms(self) -> int:
            return self.ms

    clock = Clock()
    with tape.open(tmp_path / "q", codec=raw, roll_cycle="TEST_SECONDLY", clock=clock) as q:
        a = q.appender()
        a.write(b"0")
        t = q.tailer()
        assert t.read() == b"0"
        clock.ms += 5000
        path = Path(q.locate(q.last_index or 0).path)
        a.write(b"1")
        shutil.copyfile(path, tmp_path / "new")
        os.rename(tmp_path / "new", path)
        assert t.read() == b"1"
