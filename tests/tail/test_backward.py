"""Backward, turning, and reversed()."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

import tape
from tape.codecs import raw

from tests.kit.clocks import SetClock
from tests.kit.queues import Filled


def test_backward_gives_everything_from_the_end_to_the_start(filled: Filled) -> None:
    """From the end to the start, over cycles, gaps and index pages."""
    t = filled.q.tailer(direction="backward").seek_end()
    entries = list(t.entries())
    assert [e.value for e in entries] == filled.messages[::-1]
    assert [e.index for e in entries] == filled.indexes[::-1]
    assert t.read() is None and t.index == filled.indexes[0] - 1
    assert list(reversed(filled.q.tailer().seek_end())) == filled.messages[::-1]


def test_backward_begins_with_the_message_sought(filled: Filled) -> None:
    """seek() then backward gives that message and those before it."""
    t = filled.q.tailer(direction="backward")
    for place in random.Random(3).sample(range(len(filled.indexes)), 60):
        assert t.seek(filled.indexes[place])
        assert t.read_many(5) == filled.messages[max(0, place - 4):place + 1][::-1]


def test_a_turned_tailer_reads_the_message_at_its_index(filled: Filled) -> None:
    """A turned tailer reads the message at `index`; a random walk agrees with a list."""
    chance = random.Random(4)
    t, place, step = filled.q.tailer(), 0, 1
    last = len(filled.messages)
    for _ in range(3000):
        if chance.random() < 0.1:
            step = -step
            t.direction = "forward" if step == 1 else "backward"
            place = min(max(place, 0), last if step == 1 else last - 1)
        expected = filled.messages[place] if 0 <= place < last else None
        if expected is not None:
            assert t.index == filled.indexes[place]
        assert t.read() == expected
        if expected is not None:
            place += step


def test_a_backward_tailer_begins_at_the_end_unless_told_otherwise(filled: Filled) -> None:
    """Who asks for one wants the newest first; turned later, it reads the message at its index."""
    assert list(filled.q.tailer(direction="backward")) == filled.messages[::-1]
    assert list(filled.q.tailer(direction="backward", start="start")) == filled.messages[:1]
    t = filled.q.tailer()
    t.direction = "backward"
    assert list(t) == filled.messages[:1]


def test_what_comes_after_the_turn_is_found_by_turning_again(filled: Filled) -> None:
    """What comes after the turn is found by turning again."""
    t = filled.q.tailer(direction="backward").seek_end()
    assert t.read() == filled.messages[-1]
    filled.a.write(b"new")
    assert t.seek_end().read() == b"new"
    t.direction = "forward"
    assert list(t) == [filled.messages[-1], b"new"]


def test_reversed_leaves_the_tailer_where_it_is(filled: Filled) -> None:
    """reversed(t) gives what t has read, newest first, by a position of its own."""
    t = filled.q.tailer()
    t.read_many(5)
    assert list(reversed(t)) == filled.messages[:5][::-1]
    assert t.read() == filled.messages[5]
    assert list(reversed(filled.q.tailer())) == []


def test_directions_have_names(filled: Filled) -> None:
    """Anything else is a ValueError, and leaves the direction as it was."""
    with pytest.raises(ValueError):
        filled.q.tailer(direction="sideways")
    t = filled.q.tailer()
    for name in ("forward", "backward"):
        t.direction = name
        with pytest.raises(ValueError):
            t.direction = "sideways"
        assert t.direction == t.info().direction == name


def test_turned_round_at_the_first_message_of_a_cycle_it_gives_the_last_of_the_one_before(
        filled: Filled) -> None:
    """As in Java, and as inside a cycle: forward gives what was next backward."""
    for place in range(1, len(filled.indexes)):
        t = filled.q.tailer()
        t.seek(filled.indexes[place])
        t.direction = "backward"
        assert t.read() == filled.messages[place]
        t.direction = "forward"
        assert t.index == filled.indexes[place - 1]
        assert t.read_many(2) == filled.messages[place - 1:place + 1]
    t = filled.q.tailer(direction="backward")
    assert len(list(t)) == len(filled.messages)
    t.direction = "forward"
    assert t.read() == filled.messages[0]


def test_before_the_first_message_of_cycle_zero_the_index_is_minus_one(tmp_path: Path) -> None:
    """A queue whose epoch is its first day: there is no index below 0, and -1 is no error code.
    A name stores no such position; it begins anew where it stood last."""
    clock = SetClock(1_700_000_000_000)
    with tape.open(tmp_path, codec=raw, epoch=clock.ms - 5000, clock=clock) as q:
        assert [q.appender().write(b"%d" % n) for n in range(3)] == [0, 1, 2]
        for name in (None, "named"):
            t = q.tailer(name, direction="backward", start="end")
            assert list(t) == [b"2", b"1", b"0"] and t.read() is None
            assert t.index == t.info().index == -1
            if name:
                t.commit()
            t.direction = "forward"
            assert t.read() == b"0" and t.index == 1
        assert all(stored >= 0 for stored in q.tailers().values())
        with pytest.raises(tape.InvalidArgument):
            q.tailer("other").seek(-1)
