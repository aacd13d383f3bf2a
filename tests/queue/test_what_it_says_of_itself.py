"""repr(), info(), cycles() and counts of a queue."""

from __future__ import annotations

import random

import pytest

import tape

from tests.kit.queues import CYCLE, Filled


def test_repr_takes_one_line_and_info_is_frozen(q: tape.Queue) -> None:
    """One line each, open or closed; info() is a frozen dataclass with asdict()."""
    a, t = q.appender(), q.tailer()
    i = a.write(b"x")
    t.read()
    assert repr(q).startswith("Queue('")
    assert "TEST_SECONDLY" in repr(q) and "durability=os" in repr(q)
    assert repr(q.path) in repr(a) and repr(q.path) in repr(t)
    assert "\n" not in repr(q) + repr(a) + repr(t)
    info = q.info()
    assert info.asdict()["last_index"] == i and info.lock_acquired == 1 and info.lock_holder is None
    assert a.info().last_index == i and t.info().last_read == i
    with pytest.raises(AttributeError):
        info.rolls = 3  # type: ignore[misc]
    q.close()
    assert "\n" not in repr(q) + repr(a) + repr(t)


def test_counts_agree_with_a_list(filled: Filled) -> None:
    """len and count agree with the list, for existing indexes and others."""
    q, indexes = filled.q, filled.indexes
    assert len(q) == len(indexes)
    chance = random.Random(5)
    for _ in range(200):
        a, b = (chance.choice(indexes) + chance.choice((0, 0, 1, -1, 7)) for _ in range(2))
        assert q.count(a, b) == sum(a <= i < b for i in indexes)
    assert q.count(0, (1 << 63) - 1) == len(indexes)
    with pytest.raises(ValueError):
        q.count(-1, 5)


def test_cycles_tell_count_and_state_of_each_file(filled: Filled) -> None:
    """Each file with its count and state."""
    found = filled.q.cycles()
    assert [(c.cycle - CYCLE, c.count, c.state) for c in found] == [
        (0, 300, "finished"), (1, 1, "finished"), (4, 150, "finished"), (5, 2, "finished"),
        (9, 40, "open")]
    assert all(c.bytes_on_disk < 4 << 20 < c.bytes for c in found)
    assert sum(c.count for c in found) == len(filled.q)


def test_info_agrees_with_cycles_and_clock(filled: Filled) -> None:
    """The facts of info() agree with cycles(), the clock and the table store."""
    info = filled.q.info()
    files = filled.q.cycles()
    assert (info.files, info.messages, info.bytes_on_disk) == (
        5, 493, sum(f.bytes_on_disk for f in files))
    assert info.cycle == CYCLE + 9 and info.durability == "os"
    assert (info.index_count, info.index_spacing) == (32, 4)
    assert info.last_index_replicated is None
    t = filled.q.tailer(start=filled.indexes[300])
    assert t.info().cycle == CYCLE + 1 and filled.a.info().cycle == CYCLE + 9
