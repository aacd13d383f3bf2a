"""try_write(): at once, or not at all."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

import tape
from tape.codecs import raw

from tests.kit.clocks import RaisingClock, SetClock
from tests.kit.directories import digest


def tried(a: tape.Appender, count: int, first: int, looked: float) -> None:
    """So many tries, from that index on; refused only when it is time to look after the files."""
    refused = 0
    for n in range(count):
        index = a.try_write(b"more")
        if index is None:
            refused += 1
            index = a.write(b"more")
        assert index == first + n
    assert refused <= int(time.monotonic() - looked)


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


def test_a_young_cycle_refuses_once(tmp_path: Path) -> None:
    """By the real clock: there is no file yet; then room, index and listing are at hand, at both
    ends of the cycle too, where the coarse clock does not know it. Once a second one must look."""
    refused: list[int] = []
    written = 0
    with tape.open(tmp_path, codec=raw, roll_cycle="TEST_SECONDLY") as q:
        a = q.appender()
        while len({index >> 32 for index in refused}) < 3:
            if a.try_write(b"x") is None:
                refused.append(a.write(b"x"))
            written += 1
            time.sleep(0.0002)
        cycles = [index >> 32 for index in refused]
        assert max(map(cycles.count, cycles)) <= 2, [f"{index:x}" for index in refused]
        assert [index & 0xFFFFFFFF for index in refused].count(0) == 3
        assert len(list(q.tailer())) == written


def test_once_it_was_refused_a_slow_write_thinks_of_the_next_ones(
        q: tape.Queue, clock: SetClock) -> None:
    """One write() makes a cycle and all that is needed in it, index entries included."""
    a = q.appender()
    for _ in range(3):
        assert a.try_write(b"no file") is None
        begun = time.monotonic()
        tried(a, 600, a.write(b"0") + 1, begun)
        clock.ms += 1000


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
    """Once a write() that followed a refused try has made the cycle and its room, the clock decides
    alone."""
    a = q.appender()
    begun = time.monotonic()
    for n in range(2):
        if a.try_write(b"%d" % n) is None:
            a.write(b"%d" % n)
    assert a.last_index is not None
    tried(a, 100, a.last_index + 1, begun)
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
