"""Cycle files that somebody deletes under the feet of writers, and of everybody at once."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

import tape
from tape.codecs import raw

from tests.kit.gaps import gap_of
from tests.kit.queues import CYCLE, Changing, index_of


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
            return CYCLE * 1000

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


def test_refresh_of_a_reader_looks_and_tells_nobody(changing: Changing) -> None:
    """It changes no byte."""
    with tape.open(changing.q.path, codec=raw, read_only=True) as q:
        before = q.info().listing_mod_count
        q.refresh()
        assert q.info().listing_mod_count == before
    with pytest.raises(tape.QueueClosed):
        q.refresh()


def test_a_tailer_notices_that_its_file_was_moved_away(changing: Changing, tmp_path: Path) -> None:
    """Into an archive: as if it had been deleted."""
    t = changing.q.tailer()
    t.skip(2)
    for second in (0, 1):
        changing.file(second).rename(tmp_path / f"{second}.cq4")
    assert gap_of(t.read) == (index_of(1), index_of(2))
    assert len(list(t)) == 4
    changing.file(5).rename(tmp_path / "5.cq4")
    changing.q.refresh()
    changing.write(5)
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


def test_a_directory_that_vanishes_is_an_error_and_does_not_come_back(tmp_path: Path) -> None:
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
