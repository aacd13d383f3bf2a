"""The clock decides the cycle, and may be wrong, go back, raise or be interrupted."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import tape
from tape.codecs import raw

from tests.kit.clocks import RaisingClock, SetClock
from tests.kit.queues import CYCLE


def test_a_clock_that_goes_back_leads_into_no_older_cycle(q: tape.Queue, clock: SetClock) -> None:
    """Messages never go into an older cycle than the newest."""
    a = q.appender()
    first = a.write(b"now")
    clock.ms -= 5000
    assert a.write(b"earlier, says the clock") == first + 1
    assert q.info().clock_went_back == 1 and q.info().highest_cycle == CYCLE


def test_what_a_clock_raises_is_the_cause_of_the_failed_write(
        tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """The write fails, its cause is what the clock raised, nothing is printed, and the next write
    works when the clock does."""
    clock = RaisingClock(ZeroDivisionError("no time"))
    with tape.open(tmp_path, codec=raw, clock=clock) as q:
        a = q.appender()
        with pytest.raises(tape.ClockError) as caught:
            a.write(b"x")
        assert caught.value.__cause__ is clock.error and capfd.readouterr() == ("", "")
        clock.error = None
        assert list(q.tailer()) == [] and a.write(b"y") == q.first_index


@pytest.mark.parametrize("error", [ZeroDivisionError("no time"), KeyboardInterrupt()], ids=repr)
def test_what_a_clock_raises_in_lag_comes_out_there(tmp_path: Path, error: BaseException) -> None:
    """It comes out there, and not as the cause of a later write's failure."""
    clock = RaisingClock(None)
    with tape.open(tmp_path, codec=raw, clock=clock) as q:
        a, t = q.appender(), q.tailer()
        a.write(b"x")
        clock.error = error
        for call in (t.lag, t.info):
            with pytest.raises(type(error)):
                call()
        clock.now_ms = lambda: -1  # type: ignore[method-assign]
        assert t.lag().messages == 1
        with pytest.raises(tape.ClockError) as caught:
            a.write(b"y")
        assert caught.value.__cause__ is None


@pytest.mark.parametrize("ms", [-1, -1 << 63, -1 << 70, 1 << 62 | 1, (1 << 63) - 1, 1 << 63, 1e300])
def test_a_clock_that_gives_no_time_fails_the_write(tmp_path: Path, ms: int,
                                    capfd: pytest.CaptureFixture[str]) -> None:
    """Any number is taken, or fails the write and prints nothing."""
    clock = RaisingClock(None)
    clock.now_ms = lambda: ms  # type: ignore[method-assign]
    with tape.open(tmp_path, codec=raw, clock=clock, epoch=-1) as q:
        with pytest.raises(tape.ClockError, match="no time"):
            q.appender().write(b"x")
    assert capfd.readouterr() == ("", "")


def test_an_interrupt_in_the_clock_comes_out_as_what_it_is(tmp_path: Path) -> None:
    """Ctrl-C comes out as what it is."""
    with tape.open(tmp_path, codec=raw, clock=RaisingClock(KeyboardInterrupt())) as q:
        with pytest.raises(KeyboardInterrupt):
            q.appender().write(b"x")
        assert q.last_index is None


def test_a_clock_that_goes_back_is_warned_of_once(tmp_path: Path) -> None:
    """Messages go to the newest cycle; the message of the warning names the queue."""
    clock = SetClock(CYCLE * 1000)
    with tape.open(tmp_path, codec=raw, clock=clock) as q:
        a = q.appender()
        a.write(b"1")
        clock.ms -= 3 * 86_400_000
        with pytest.warns(tape.ClockWentBack, match=re.escape(q.path)) as warned:
            index = a.write(b"2")
            a.write(b"3")
            q.appender().write(b"4")
        assert len(warned) == 1 and warned[0].filename == __file__
        assert index == q.first_index + 1 and q.info().clock_went_back == 3
