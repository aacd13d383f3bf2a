"""Cycle files that somebody deletes under the feet of tailers and writers."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import tape
from tape.codecs import raw

from tests.cycles.test_many_cycles import BLOCK, START, Changing, index_of


@pytest.fixture
def queue(tmp_path: Path) -> Iterator[Changing]:
    """Messages 0.0, 0.1, 1.0, 1.1, 2.0, 2.1, 5.0, 5.1: second and number; 3 and 4 have no file."""
    c = Changing(tmp_path / "q")
    yield c
    c.q.close()


def gap_of(call: Callable[[], object]) -> tuple[int | None, int | None]:
    """The ends of the gap that a call raises."""
    with pytest.raises(tape.Gap) as caught:
        call()
    assert caught.value.hint and str(caught.value)
    return caught.value.from_index, caught.value.to_index


# ---- tailers ----

def test_a_tailer_is_told_that_it_was_overtaken(queue: Changing) -> None:
    """Its file and the next were deleted: it reads the rest of its own, then learns of the gap, once,
    and goes on behind it."""
    t = queue.q.tailer()
    assert t.read() == b"0.0"
    for second in (0, 1):
        queue.file(second).unlink()
    assert t.read() == b"0.1"
    assert gap_of(t.read) == (index_of(1), index_of(2))
    assert t.index == index_of(2)
    assert list(t) == [b"2.0", b"2.1", b"5.0", b"5.1"] and t.read() is None


@pytest.mark.parametrize("how", ["read_entry", "read_many", "iterate", "entries", "follow", "get",
                                 "skip"])
def test_every_way_of_reading_tells(queue: Changing, how: str) -> None:
    """And what was read before it is not lost, nor is what comes after."""
    t = queue.q.tailer()
    t.skip(2)
    for second in (0, 1):
        queue.file(second).unlink()
    ways: dict[str, Callable[[], object]] = {
        "read_entry": t.read_entry, "read_many": lambda: t.read_many(5), "skip": t.skip,
        "iterate": lambda: list(t), "entries": lambda: list(t.entries()),
        "follow": lambda: list(t.follow(0)), "get": lambda: t.get(0)}
    assert gap_of(ways[how]) == (index_of(1), index_of(2))
    assert t.read_many(9) == [b"2.0", b"2.1", b"5.0", b"5.1"]


@pytest.mark.parametrize("named", [False, True])
def test_what_was_read_before_the_gap_is_given_first(queue: Changing, named: bool) -> None:
    """read_many() and skip() stop at a gap; the next call tells it, and a named position is stored."""
    t = queue.q.tailer("n" if named else None)
    assert t.read() == b"0.0"
    for second in (0, 1):
        queue.file(second).unlink()
    assert t.read_many(5) == [b"0.1"]
    if named:
        assert queue.q.tailers()["n"] == index_of(0, 2)
    assert gap_of(lambda: t.read_many(5)) == (index_of(1), index_of(2))
    assert t.read_many(5) == [b"2.0", b"2.1", b"5.0", b"5.1"]
    t.seek(index_of(2))
    t.skip(1)
    queue.file(2).unlink()
    assert t.skip(9) == 1
    assert gap_of(lambda: t.skip(9)) == (index_of(3), index_of(5))
    assert t.skip(9) == 2


@pytest.mark.parametrize("error", [RuntimeError("enough"), tape.StateError("enough")])
def test_a_handler_that_raises_loses_no_message(queue: Changing, error: Exception) -> None:
    """What was read before is given first, whatever on_gap raises, and then the gap is told again."""
    def refuse(gap: tape.Gap) -> None:
        raise error

    t = queue.q.tailer(on_gap=refuse)
    assert t.read() == b"0.0"
    for second in (0, 1):
        queue.file(second).unlink()
    assert t.read_many(5) == [b"0.1"]
    with pytest.raises(type(error), match="enough"):
        t.read_many(5)
    assert t.read_many(1) == [b"2.0"]
    t.seek(index_of(2))
    queue.file(2).unlink()
    assert t.skip(9) == 2
    with pytest.raises(type(error), match="enough"):
        t.skip(9)
    assert t.skip(9) == 2


def test_by_choice_it_goes_on(queue: Changing) -> None:
    """Silently, or after a call that gets the gap."""
    told: list[tape.Gap] = []
    silent, calling = queue.q.tailer(on_gap="skip"), queue.q.tailer(on_gap=told.append)
    assert silent.read() == calling.read() == b"0.0"
    for second in (0, 1):
        queue.file(second).unlink()
    assert list(silent) == list(calling) == [b"0.1", b"2.0", b"2.1", b"5.0", b"5.1"]
    assert [(g.from_index, g.to_index) for g in told] == [(index_of(1), index_of(2))]


def test_what_the_callable_raises_comes_out(queue: Changing) -> None:
    """And the tailer stands behind the gap."""
    def refuse(gap: tape.Gap) -> None:
        raise RuntimeError("enough")

    t = queue.q.tailer(on_gap=refuse)
    t.skip(2)
    for second in (0, 1):
        queue.file(second).unlink()
    with pytest.raises(RuntimeError, match="enough"):
        t.read()
    assert t.read() == b"2.0"


def test_what_is_no_gap(queue: Changing) -> None:
    """Cycles that never had a file beside one that exists; and a deleted file whose messages were all
    read, when the next cycle is there."""
    t, other = queue.q.tailer(), queue.q.tailer()
    assert t.read() == b"0.0"
    queue.file(0).unlink()
    assert list(t) == [b"0.1", b"1.0", b"1.1", b"2.0", b"2.1", b"5.0", b"5.1"]
    assert list(other) == list(t) or other.last_read == index_of(5, 1)


def test_backward_it_is_told_too(queue: Changing) -> None:
    """The file in hand and the one before it were deleted."""
    t = queue.q.tailer(direction="backward", start="end")
    assert t.read_many(3) == [b"5.1", b"5.0", b"2.1"]
    for second in (1, 2):
        queue.file(second).unlink()
    assert t.read() == b"2.0"
    assert gap_of(t.read) == (index_of(0, 2), index_of(2))
    assert list(t) == [b"0.1", b"0.0"]


def test_backward_to_the_start_is_no_gap(queue: Changing) -> None:
    """Everything before the file in hand was deleted, as retention does: there is a new start."""
    t = queue.q.tailer(direction="backward", start="end")
    assert t.read_many(3) == [b"5.1", b"5.0", b"2.1"]
    for second in (0, 1, 2):
        queue.file(second).unlink()
    assert list(t) == [b"2.0"]


def test_seeking_forgets_the_gap(queue: Changing) -> None:
    """Who goes elsewhere meanwhile is not told of what it did not pass."""
    t = queue.q.tailer("name", commit="manual")
    t.seek(index_of(1, 1))
    t.commit()
    t.close()
    queue.file(1).unlink()
    t = queue.q.tailer("name", commit="manual")
    assert t.seek(index_of(5)) and t.read() == b"5.0"


def test_a_named_tailer_is_told_again_after_a_restart(queue: Changing) -> None:
    """As long as it has not read behind the gap, its stored position is before it."""
    t = queue.q.tailer("name")
    t.skip(2)
    for second in (0, 1):
        queue.file(second).unlink()
    assert gap_of(t.read) == (index_of(1), index_of(2))
    t.close()
    with queue.q.tailer("name") as t:
        assert gap_of(t.read) == (index_of(0, 2), index_of(2))
        assert t.read() == b"2.0"
    with queue.q.tailer("name") as t:
        assert t.read() == b"2.1"


def test_the_newest_file_vanishes_and_is_made_again(queue: Changing) -> None:
    """The one who waited in it is told that the numbers begin again."""
    t = queue.q.tailer()
    assert len(list(t)) == 8
    queue.file(5).unlink()
    with tape.open(queue.q.path, codec=raw, clock=queue.clock, block_size=BLOCK) as other:
        other.appender().write(b"again")
    deadline = time.monotonic() + 5
    with pytest.raises(tape.Gap) as caught:
        while time.monotonic() < deadline:
            t.read()
    assert (caught.value.from_index, caught.value.to_index) == (index_of(5, 2), index_of(5))
    assert "new one" in str(caught.value)
    assert t.read() == b"again" and t.last_read == index_of(5)


def test_seek_goes_to_the_new_file(queue: Changing) -> None:
    """Not into the deleted one that the tailer still has in hand."""
    t = queue.q.tailer(start=index_of(5))
    assert t.read() == b"5.0"
    queue.file(5).unlink()
    assert not t.seek(index_of(5)) and t.index == index_of(5, 1)  # it stays where it was
    with tape.open(queue.q.path, codec=raw, clock=queue.clock, block_size=BLOCK) as other:
        other.appender().write(b"again")
    assert t.seek(index_of(5)) and t.read() == b"again"


def test_reversed_when_the_file_is_gone(queue: Changing) -> None:
    """The messages before this place, of the files that there are."""
    t = queue.q.tailer(start=index_of(2))
    assert t.read() == b"2.0"
    queue.file(2).unlink()
    assert list(reversed(t)) == [b"1.1", b"1.0", b"0.1", b"0.0"]
    t = queue.q.tailer(direction="backward")
    assert t.read() == b"0.0" and t.read() is None
    assert list(reversed(t)) == []


def test_waiting_for_a_future_message_survives_a_failed_seek(queue: Changing) -> None:
    """A stored position ahead of the messages: a seek that leads nowhere changes nothing."""
    with queue.q.tailer("ahead", commit="manual") as t:
        t.seek(index_of(5, 2))
        t.commit()
    queue.file(5).unlink()
    with tape.open(queue.q.path, codec=raw, clock=queue.clock, block_size=BLOCK) as q:
        a = q.appender()
        a.write(b"new 0")
        t = q.tailer("ahead", commit="manual")
        assert t.read() is None  # it waits for the third
        assert not t.seek(index_of(4)) and t.read() is None
        for n in (1, 2):
            a.write(b"new %d" % n)
        assert t.read() == b"new 2"


@pytest.mark.parametrize("cycle", [2, 5])
def test_a_half_made_file_at_or_behind_the_stored_position(queue: Changing, cycle: int) -> None:
    """It is no file yet: the tailer waits behind the last message, and does not begin at the first."""
    with queue.q.tailer("n", commit="manual") as t:
        t.seek(index_of(2, 1))
        t.commit()
    for second in (2, 5):
        queue.file(second).unlink()
    queue.file(cycle).touch()
    with queue.q.tailer("n", commit="manual") as t:
        assert t.read() is None and t.index == index_of(1, 2)


def test_starting_where_nothing_is(queue: Changing) -> None:
    """An index to start at that does not exist is no start; the one after the last is waited for."""
    with pytest.raises(tape.IndexNotFound) as caught:
        queue.q.tailer(start=index_of(3))
    assert caught.value.index == index_of(3)
    t = queue.q.tailer(start=index_of(5, 2))
    assert t.read() is None
    queue.write(5)
    assert t.read() == b"5.0" and t.last_read == index_of(5, 2)


# ---- files that nobody will finish ----

@pytest.mark.parametrize("second", [-1, 3])
@pytest.mark.parametrize("size", [0, 4096])
def test_a_file_left_half_made_does_not_stop_a_tailer(queue: Changing, second: int,
                                                      size: int) -> None:
    """Its maker died, and nobody looks after it any more, since newer cycles exist: before the first
    messages or between, it is passed over, in both directions."""
    with open(queue.file(second), "wb") as file:
        file.truncate(size)
    queue.q.refresh()
    everything = [b"0.0", b"0.1", b"1.0", b"1.1", b"2.0", b"2.1", b"5.0", b"5.1"]
    with tape.open(queue.q.path, codec=raw, read_only=True) as q:
        t = q.tailer()
        assert list(t) == everything and q.first_index == index_of(0)
        t.direction = "backward"
        assert list(t) == everything[::-1]
        assert len(q) == len(everything)


def test_a_file_that_is_being_made_is_waited_for(queue: Changing) -> None:
    """The newest one is half-made: nothing yet; when it is there, its messages are read."""
    path = queue.file(6)
    path.write_bytes(b"")
    t = queue.q.tailer(start=index_of(5, 1))
    assert t.read() == b"5.1" and t.read() is None
    path.unlink()
    queue.write(6)
    assert t.get(5) == b"6.0"


# ---- writers ----

def write_until_noticed(a: tape.Appender, q: tape.Queue, seconds: float = 5) -> list[int]:
    """Writes until the writer has found out; the indexes of what it wrote since."""
    until = time.monotonic() + seconds
    while True:
        index = a.write(b"after")
        if q.info().files_lost == 1:
            return [index, a.write(b"after")]
        assert time.monotonic() < until, "the deleted file is still written"
        time.sleep(0.01)


@pytest.mark.parametrize("how", ["deleted", "moved"])
@pytest.mark.parametrize("clock", ["system", "given"])
def test_a_writer_notices_that_its_file_is_gone(tmp_path: Path, clock: str, how: str) -> None:
    """Within a second it makes a new file, in which every later message is found by its index, and
    which others append to as well."""
    class Given:
        def now_ms(self) -> int:
            return START * 1000

    path = tmp_path / "q"
    with tape.open(path, codec=raw, clock=Given() if clock == "given" else None,
                   roll_cycle="FAST_DAILY") as q:
        a = q.appender()
        first = a.write(b"before")
        file = Path(q.locate(first).path)
        if how == "deleted":
            file.unlink()
        else:
            file.rename(tmp_path / file.name)
        begun = time.monotonic()
        written = write_until_noticed(a, q)
        assert time.monotonic() - begun < 3
        assert [q.locate(i).sequence for i in written] == [0, 1]
        with tape.open(path, codec=raw) as other:
            assert [e.index for e in other.tailer().entries()] == written
            assert other.tailer(start=written[1]).read() == b"after"
        assert len(q) == 2 and q.info().files_lost == 1


def test_refresh_lets_a_writer_notice_at_once(tmp_path: Path) -> None:
    """Whoever deletes and says so costs nobody a message."""
    with tape.open(tmp_path, codec=raw) as q, tape.open(tmp_path, codec=raw) as deleter:
        a = q.appender()
        first = a.write(b"before")
        Path(q.locate(first).path).unlink()
        deleter.refresh()
        index = a.write(b"after")
        assert q.info().files_lost == 1
        assert list(deleter.tailer()) == [b"after"] and deleter.last_index == index


def test_refresh_of_a_reader_looks_and_tells_nobody(queue: Changing) -> None:
    """It changes no byte."""
    with tape.open(queue.q.path, codec=raw, read_only=True) as q:
        before = q.info().listing_mod_count
        q.refresh()
        assert q.info().listing_mod_count == before
    with pytest.raises(tape.QueueClosed):
        q.refresh()


def test_a_tailer_notices_that_its_file_was_moved_away(queue: Changing, tmp_path: Path) -> None:
    """Into an archive: as if it had been deleted."""
    t = queue.q.tailer()
    t.skip(2)
    for second in (0, 1):
        queue.file(second).rename(tmp_path / f"{second}.cq4")
    assert gap_of(t.read) == (index_of(1), index_of(2))
    assert len(list(t)) == 4
    queue.file(5).rename(tmp_path / "5.cq4")
    queue.q.refresh()
    queue.write(5)
    with pytest.raises(tape.Gap):
        t.get(5)
    assert t.get(5) == b"5.0" and t.last_read == index_of(5)


@pytest.mark.parametrize("how", ["deleted", "replaced"])
def test_a_writer_stops_when_the_table_store_is_gone(tmp_path: Path, how: str) -> None:
    """Whoever opens the queue then makes a new one, with another write lock: nothing may be written
    under the old one. Reading goes on, and opening again helps."""
    path = tmp_path / "q"
    q = tape.open(path, codec=raw)
    a = q.appender()
    a.write(b"before")
    table = path / "metadata.cq4t"
    if how == "replaced":
        shutil.copy(table, path / "copy")
        (path / "copy").rename(table)
    else:
        table.unlink()
    with pytest.raises(tape.QueueNotFound, match=r"metadata\.cq4t was deleted") as caught:
        until = time.monotonic() + 5
        while time.monotonic() < until:
            a.write(b"while nobody knows")
            time.sleep(0.01)
    assert caught.value.file == str(path / "metadata.cq4t")
    assert "again" in caught.value.hint or "open" in str(caught.value)
    assert q.tailer().read() == b"before"
    with tape.open(path, codec=raw) as again:
        again.appender().write(b"new lock")
        assert again.tailer(start="end", direction="backward").read() == b"new lock"
    with pytest.raises(tape.QueueNotFound):
        a.write(b"still not")
    q.close()


def test_the_whole_directory_vanishes(tmp_path: Path) -> None:
    """An error, not a crash, and no directory comes back."""
    path = tmp_path / "q"
    with tape.open(path, codec=raw) as q:
        a = q.appender()
        a.write(b"before")
        shutil.rmtree(path)
        with pytest.raises(tape.QueueNotFound):
            until = time.monotonic() + 5
            while time.monotonic() < until:
                a.write(b"x")
                time.sleep(0.01)
        assert not path.exists()


WRITER = """
import sys, time, tape
from tape.codecs import raw
with tape.open(sys.argv[1], codec=raw, roll_cycle="TEST_SECONDLY") as q:
    a, until, n = q.appender(), time.monotonic() + 4, 0
    print("ready", flush=True)
    while time.monotonic() < until:
        index = a.write(b"%d" % n)
        print(index, n, flush=True)
        n += 1
        time.sleep(0.002)
"""


def test_old_files_are_deleted_while_others_write_and_read(tmp_path: Path) -> None:
    """A second process writes over several rolls, finished files are deleted all the while, and a
    tailer behind gets every message that still was there when it came, or a gap that names the
    missing ones: what it got and what the gaps say is together everything."""
    with subprocess.Popen([sys.executable, "-c", WRITER, tmp_path], stdout=subprocess.PIPE,
                          text=True, env={**os.environ, "PYTHONUNBUFFERED": "1"}) as writer:
        assert writer.stdout is not None and writer.stdout.readline() == "ready\n"
        got: list[int] = []
        gaps: list[tape.Gap] = []
        with tape.open(tmp_path, codec=raw) as q:
            t = q.tailer(on_gap=gaps.append)
            while writer.poll() is None:
                got += [e.index for e in t.entries(3)]
                time.sleep(0.1)  # far slower than the writer
                finished = [c for c in q.cycles() if c.state == "finished"]
                for cycle in finished[:-1]:
                    Path(cycle.path).unlink()
            acknowledged = [int(line.split()[0]) for line in writer.stdout]
            got += [e.index for e in t.entries()]
    missing = set(acknowledged) - set(got)
    assert gaps and missing, "nothing was overtaken"
    assert all(any((g.from_index or 0) <= i < (g.to_index or 0) for g in gaps) for i in missing)
    assert got == sorted(set(got)) and set(got) <= set(acknowledged)
