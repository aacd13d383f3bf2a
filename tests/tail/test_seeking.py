"""Where a tailer begins, and where it can be sent: index, time, key, start, end."""

from __future__ import annotations

import datetime

import pytest

import tape

from tests.kit.clocks import SetClock
from tests.kit.queues import CYCLE, Changing, Filled, index_of


def test_seek_goes_to_what_exists_or_waits_or_stays(q: tape.Queue, clock: SetClock) -> None:
    """To what exists: True. One past the end: False, and it waits there. Elsewhere: it stays."""
    a, t = q.appender(), q.tailer()
    old = [a.write(b"a%d" % n) for n in range(3)]
    clock.ms += 2000
    new = [a.write(b"b%d" % n) for n in range(2)]
    assert t.seek(new[1]) and t.read() == b"b1"
    assert not t.seek(new[1] + 1) and t.read() is None     # waits for it
    a.write(b"b2")
    assert t.read() == b"b2"
    assert t.seek(old[1])
    for missing in (new[1] + 9, old[2] + 5, q.index_of(CYCLE + 1, 0), q.index_of(CYCLE - 1, 0), 0):
        assert not t.seek(missing) and t.index == old[1]   # stays
        with pytest.raises(tape.IndexNotFound) as caught:
            t.seek(missing, strict=True)
        assert caught.value.index == missing
    assert not t.seek(old[2] + 1) and t.read() == b"b0"    # behind a finished cycle
    for bad in (-1, 1 << 63):
        with pytest.raises(tape.InvalidArgument):
            t.seek(bad)
    assert t.seek_start().read() == b"a0" and t.seek_end().read() is None


def test_a_time_leads_to_its_cycle_or_the_next(filled: Filled) -> None:
    """The first message of that time's cycle, or of the next that has one."""
    t = filled.q.tailer()
    for second, expected in ((0, b"0.0"), (1, b"1.0"), (2, b"4.0"), (4, b"4.0"), (9, b"9.0")):
        when = datetime.datetime.fromtimestamp(CYCLE + second, datetime.timezone.utc)
        assert t.seek(when) and t.read() == expected
    late = datetime.datetime.fromtimestamp(CYCLE + 99, datetime.timezone.utc)
    assert not t.seek(late) and t.read() is None
    with pytest.raises(ValueError):
        t.seek(datetime.datetime(2024, 1, 1))
    with pytest.raises(tape.IndexNotFound):
        t.seek(late, strict=True)


def test_a_key_leads_to_the_first_message_not_below_it(filled: Filled) -> None:
    """Binary search finds the first message that is not below the target."""
    def key(message: bytes) -> tuple[int, ...]:
        return tuple(map(int, message.split(b".")))

    t = filled.q.tailer()
    for target in ((0, 0), (0, 299), (0, 300), (2, 0), (4, 77), (9, 39)):
        expected = next(m for m in filled.messages if key(m) >= target)
        assert t.seek_by(key, target) and t.read() == expected
    assert not t.seek_by(key, (9, 40)) and t.read() is None


def test_a_new_tailer_begins_where_start_says(filled: Filled) -> None:
    """Where a new tailer begins."""
    q = filled.q
    assert q.tailer(start="start").read() == filled.messages[0]
    assert q.tailer(start="end").read() is None
    assert q.tailer(start=filled.indexes[77]).read() == filled.messages[77]
    when = datetime.datetime.fromtimestamp(CYCLE + 4, datetime.timezone.utc)
    assert q.tailer(start=when).read() == b"4.0"
    with pytest.raises(ValueError):
        q.tailer(start="middle")


def test_an_index_that_does_not_exist_is_no_start(changing: Changing) -> None:
    """An index to start at that does not exist is no start; the one after the last is waited for.
    """
    with pytest.raises(tape.IndexNotFound) as caught:
        changing.q.tailer(start=index_of(3))
    assert caught.value.index == index_of(3)
    t = changing.q.tailer(start=index_of(5, 2))
    assert t.read() is None
    changing.write(5)
    assert t.read() == b"5.0" and t.last_read == index_of(5, 2)
