"""tape.testing: the clock, rolls, full disks and dying writers that it gives to tests."""

from __future__ import annotations

import datetime
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

import tape
from tape.codecs import raw
from tape.testing import TapeQueue, tape_queue  # noqa: F401  (a fixture)

from tests.kit.sources import ROOT


def test_a_year_of_weekly_rolls_takes_no_time(tape_queue: TapeQueue) -> None:  # noqa: F811
    """Each roll makes one file; the sequence is whole."""
    q = tape_queue.open(roll_cycle="weekly")
    a, cycles = q.appender(), []
    for week in range(52):
        cycles.append(tape_queue.roll_now())
        a.write(week)
    assert list(q.tailer()) == list(range(52))
    assert [c.cycle for c in q.cycles()] == cycles


def test_the_clock_is_moved_and_set(tape_queue: TapeQueue) -> None:  # noqa: F811
    """Every queue opened here follows it."""
    q = tape_queue.open(roll_cycle="fast-hourly")
    first = q.appender().write(1)
    tape_queue.clock.advance(hours=2, milliseconds=5)
    assert q.locate(q.appender().write(2)).cycle == q.locate(first).cycle + 2
    tape_queue.clock.now = datetime.datetime(2031, 5, 6, 7, tzinfo=datetime.timezone.utc)
    other = tape_queue.open()
    assert other.locate(other.appender().write(3)).opens_at == tape_queue.clock.ms


def test_a_full_disk_is_told_and_passes(tape_queue: TapeQueue) -> None:  # noqa: F811
    """Nothing acknowledged is lost, reading goes on, and so does writing when there is room."""
    q = tape_queue.open(codec=raw, roll_cycle="fast-hourly")
    a, written = q.appender(), 0
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    with tape_queue.fill_disk(), pytest.raises(tape.DiskFull) as error:
        while True:
            a.write(bytes(1000))
            written += 1
    assert error.value.hint and written < 1000 and len(list(q.tailer())) == written
    assert resource.getrlimit(resource.RLIMIT_FSIZE) == limit
    a.write(b"room again")
    tape_queue.roll_now()
    with tape_queue.fill_disk():
        assert len(q) == written + 1


@pytest.mark.parametrize("step", [0, 1, 7])
def test_a_writer_dies_after_so_many_writes(tape_queue: TapeQueue, step: int) -> None:  # noqa: F811
    """What it was told is there; the next writer goes on at once."""
    indexes = tape_queue.crash_after(step)
    assert len(indexes) == step
    assert [e.index for e in tape_queue.q.tailer().entries()] == indexes
    tape_queue.q.appender().write("after")
    assert list(tape_queue.q.tailer()) == [*range(step), "after"]


def test_a_writer_dies_inside_a_write(tape_queue: TapeQueue) -> None:  # noqa: F811
    """With the lock held; its half message is no message."""
    tape_queue.q.appender().write("before")
    assert len(tape_queue.crash_after("reserved", ["a", "b"])) == 2
    assert tape_queue.q.info().lock_holder is not None
    tape_queue.q.appender().write("after")
    assert list(tape_queue.q.tailer()) == ["before", "a", "b", "after"]
    assert tape_queue.q.info().lock_holder is None
    for wrong in ("somewhere", 3):
        with pytest.raises(ValueError, match="step|too few"):
            tape_queue.crash_after(wrong, [1])


def test_users_find_the_fixture_once_tape_is_installed(tmp_path: Path) -> None:
    """By the entry point; here, where it may be an older install, by its name."""
    assert 'pytest11' in (ROOT / "pyproject.toml").read_text()
    (tmp_path / "conftest.py").write_text("from tape.testing import tape_queue\n")
    (tmp_path / "test_mine.py").write_text(
        "def test_mine(tape_queue):\n"
        "    tape_queue.q.appender().write(1)\n"
        "    assert list(tape_queue.q.tailer()) == [1]\n")
    ran = subprocess.run([sys.executable, "-m", "pytest", "-q", tmp_path], capture_output=True,
                         cwd=tmp_path, check=False,
                         env={**os.environ, "PYTHONPATH": str(Path(tape.__file__).parents[1])})
    assert ran.returncode == 0 and b"1 passed" in ran.stdout, ran.stdout
