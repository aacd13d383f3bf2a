"""Messages go to their cycle's file; tailers pass from one to the next."""

from __future__ import annotations

import fcntl
import struct
from pathlib import Path

import pytest

import tape
from tape.codecs import raw

from tests.kit.clocks import SetClock
from tests.kit.queues import CYCLE


def test_a_message_goes_to_the_cycle_of_the_clock(q: tape.Queue, clock: SetClock) -> None:
    """A message goes to the clock's cycle; tailers cross cycles and gaps; older files are ended."""
    a, t = q.appender(), q.tailer()
    indexes = []
    for second in (0, 0, 1, 2, 7, 7):
        clock.ms = (CYCLE + second) * 1000
        indexes.append(a.write(b"%d" % second))
        assert t.read() == b"%d" % second
    assert [q.locate(i)[:2] for i in indexes] == [
        (CYCLE, 0), (CYCLE, 1), (CYCLE + 1, 0), (CYCLE + 2, 0), (CYCLE + 7, 0), (CYCLE + 7, 1)]
    assert len(list(Path(q.path).glob("*.cq4"))) == 4 and q.info().rolls == 4
    for i in indexes:
        assert t.seek(i) and t.last_read is not None and t.index == i
        assert t.read() == b"%d" % (q.locate(i).cycle - CYCLE)
    assert (q.first_index, q.last_index) == (indexes[0], indexes[-1])


@pytest.mark.parametrize("cycle", list(tape.RollCycle), ids=lambda c: c.name)
def test_every_roll_cycle_is_written_rolled_and_read(tmp_path: Path, cycle: tape.RollCycle) -> None:
    """Each roll cycle writes, rolls, and reads back, with names that give the cycle again."""
    clock = SetClock(CYCLE * 1000)
    with tape.open(tmp_path, codec=raw, roll_cycle=cycle, clock=clock) as q:
        a = q.appender()
        for n in range(3):
            i = a.write(b"%d" % n)
            assert q.locate(i).opens_at <= clock.ms < q.locate(i).opens_at + cycle.length_ms
            clock.ms += cycle.length_ms
        assert list(q.tailer()) == [b"0", b"1", b"2"]
        assert len(list(tmp_path.glob("*.cq4"))) == 3
        assert q.info().highest_cycle == q.locate(i).cycle


def test_roll_cycles_behave_like_an_enum() -> None:
    """By call, by ``in``, and completed by dir()."""
    assert tape.RollCycle("fast-daily") is tape.RollCycle.FAST_DAILY
    assert tape.RollCycle(tape.RollCycle.DAILY) is tape.RollCycle.DAILY
    assert "DAILY" in tape.RollCycle and tape.RollCycle.DAILY in tape.RollCycle
    assert "FORTNIGHTLY" not in tape.RollCycle and 5 not in tape.RollCycle
    assert {r.name for r in tape.RollCycle} <= set(dir(tape.RollCycle))


def test_a_roll_needs_no_lock_of_a_file_that_is_long_enough(q: tape.Queue, clock: SetClock) -> None:
    """Who enlarges a file has it locked, and may be stopped then, and robbed of the queue's lock:
    the others roll."""
    a = q.appender()
    a.write(b"first")
    with open(next(Path(q.path).glob("*.cq4")), "r+b") as file:
        all_of_it = struct.pack("hhqqi0q", fcntl.F_WRLCK, 0, 0, 0, 0)
        fcntl.fcntl(file, fcntl.F_OFD_SETLK, all_of_it)
        clock.ms += 1000
        a.write(b"second")
        assert list(q.tailer()) == [b"first", b"second"]
