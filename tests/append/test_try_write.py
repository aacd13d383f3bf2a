"""try_write(): at once, or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

import tape
from tape.codecs import raw

from tests.kit.clocks import RaisingClock, SetClock
from tests.kit.directories import digest


def test_what_write_refuses_is_refused_alike(closed: Path) -> None:
    """Too large, not to be encoded, closed: errors, not None."""
    with tape.open(closed, codec=raw) as q:
        a = q.appender()
        before = digest(closed)
        with pytest.raises(tape.MessageTooLarge):
            a.try_write(bytes(16_777_216))
        with pytest.raises(tape.EncodeError):
            a.try_write("text")
        assert digest(closed) == before
    with pytest.raises(tape.QueueClosed):
        a.try_write(b"")


def test_a_new_cycle_is_left_to_write(q: tape.Queue, clock: SetClock) -> None:
    """None while there is no file, and when the clock has left its cycle; nothing was written."""
    a = q.appender()
    for n in range(3):
        assert a.try_write(b"1") is None and a.last_index in (None, q.last_index)
        a.write(b"%d" % n)
        clock.ms += 1000
    assert list(q.tailer()) == [b"0", b"1", b"2"]


def test_it_does_not_wait_for_who_makes_a_message_in_place(tmp_path: Path) -> None:
    """The lock is held: None, where write() raises."""
    with tape.open(tmp_path, codec=raw) as q:
        a, other = q.appender(), q.appender()
        a.write_many([b"0", b"1"])
        with a.writing(1) as w:
            assert a.try_write(b"2") is None and other.try_write(b"2") is None
            with pytest.raises(tape.StateError):
                other.write(b"2")
            w.buffer[:] = b"3"
        assert w.index is not None and other.try_write(b"4") == w.index + 1
        assert list(q.tailer()) == [b"0", b"1", b"3", b"4"]


def test_it_passes_what_others_wrote(tmp_path: Path) -> None:
    """A second handle's messages are no reason to wait."""
    with tape.open(tmp_path, codec=raw) as q, tape.open(tmp_path, codec=raw) as other:
        a, b = q.appender(), other.appender()
        for x in (a, b, a, b):
            x.write(b"0")
        written = [x.try_write(b"more") for _ in range(50) for x in (a, b)]
        assert None not in written and list(q.tailer())[4:] == [b"more"] * 100


def test_a_clock_that_stands_is_asked_and_no_reason_to_wait(
        q: tape.Queue, clock: SetClock) -> None:
    """Once write() has made the cycle and its room, the clock decides alone."""
    a = q.appender()
    for n in range(2):
        a.write(b"%d" % n)
    assert [a.try_write(b"more") for _ in range(100)] == [
        a.last_index - 99 + n for n in range(100)]  # type: ignore[operator]
    clock.ms += 1000
    assert a.try_write(b"of another cycle") is None
    clock.ms -= 1000
    assert a.try_write(b"of this one") == q.last_index


def test_what_a_clock_raises_comes_out_as_of_write(tmp_path: Path) -> None:
    """With its cause, and nothing is written."""
    clock = RaisingClock(None)
    with tape.open(tmp_path, codec=raw, clock=clock) as q:
        a = q.appender()
        last = [a.write(b"x") for _ in range(2)][-1]
        clock.error = ZeroDivisionError("no time")
        with pytest.raises(tape.ClockError) as caught:
            a.try_write(b"y")
        assert caught.value.__cause__ is clock.error and q.last_index == last
        clock.error = KeyboardInterrupt()
        with pytest.raises(KeyboardInterrupt):
            a.write(b"y")
        clock.error = None
        assert a.try_write(b"z") == last + 1
