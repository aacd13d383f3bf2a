"""Messages that were deleted before a tailer came: told once as a gap, and nothing else is lost."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

import tape
from tape.codecs import raw

from tests.kit.gaps import gap_of
from tests.kit.queues import BLOCK, Changing, index_of


def test_a_tailer_is_told_that_it_was_overtaken(changing: Changing) -> None:
    """Its file and the next were deleted: it reads the rest of its own, then learns of the gap,
    once, and goes on behind it."""
    t = changing.q.tailer()
    assert t.read() == b"0.0"
    for second in (0, 1):
        changing.file(second).unlink()
    assert t.read() == b"0.1"
    assert gap_of(t.read) == (index_of(1), index_of(2))
    assert t.index == index_of(2)
    assert list(t) == [b"2.0", b"2.1", b"5.0", b"5.1"] and t.read() is None


@pytest.mark.parametrize("how", ["read_entry", "read_many", "iterate", "entries", "follow", "get",
                                 "skip"])
def test_every_way_of_reading_tells_of_the_gap(changing: Changing, how: str) -> None:
    """And what was read before it is not lost, nor is what comes after."""
    t = changing.q.tailer()
    t.skip(2)
    for second in (0, 1):
        changing.file(second).unlink()
    ways: dict[str, Callable[[], object]] = {
        "read_entry": t.read_entry, "read_many": lambda: t.read_many(5), "skip": t.skip,
        "iterate": lambda: list(t), "entries": lambda: list(t.entries()),
        "follow": lambda: list(t.follow(0)), "get": lambda: t.get(0)}
    assert gap_of(ways[how]) == (index_of(1), index_of(2))
    assert t.read_many(9) == [b"2.0", b"2.1", b"5.0", b"5.1"]


@pytest.mark.parametrize("named", [False, True])
def test_what_was_read_before_the_gap_is_given_first(changing: Changing, named: bool) -> None:
    """read_many() and skip() stop at a gap; the next call tells it, and a named position is stored.
    """
    t = changing.q.tailer("n" if named else None)
    assert t.read() == b"0.0"
    for second in (0, 1):
        changing.file(second).unlink()
    assert t.read_many(5) == [b"0.1"]
    if named:
        assert changing.q.tailers()["n"] == index_of(0, 2)
    assert gap_of(lambda: t.read_many(5)) == (index_of(1), index_of(2))
    assert t.read_many(5) == [b"2.0", b"2.1", b"5.0", b"5.1"]
    t.seek(index_of(2))
    t.skip(1)
    changing.file(2).unlink()
    assert t.skip(9) == 1
    assert gap_of(lambda: t.skip(9)) == (index_of(3), index_of(5))
    assert t.skip(9) == 2


@pytest.mark.parametrize("error", [RuntimeError("enough"), tape.StateError("enough")])
def test_a_handler_that_raises_loses_no_message(changing: Changing, error: Exception) -> None:
    """What was read before is given first, whatever on_gap raises, and then the gap is told again.
    """
    def refuse(gap: tape.Gap) -> None:
        raise error

    t = changing.q.tailer(on_gap=refuse)
    assert t.read() == b"0.0"
    for second in (0, 1):
        changing.file(second).unlink()
    assert t.read_many(5) == [b"0.1"]
    with pytest.raises(type(error), match="enough"):
        t.read_many(5)
    assert t.read_many(1) == [b"2.0"]
    t.seek(index_of(2))
    changing.file(2).unlink()
    assert t.skip(9) == 2
    with pytest.raises(type(error), match="enough"):
        t.skip(9)
    assert t.skip(9) == 2


def test_by_choice_a_tailer_goes_on_behind_the_gap(changing: Changing) -> None:
    """Silently, or after a call that gets the gap."""
    told: list[tape.Gap] = []
    silent, calling = changing.q.tailer(on_gap="skip"), changing.q.tailer(on_gap=told.append)
    assert silent.read() == calling.read() == b"0.0"
    for second in (0, 1):
        changing.file(second).unlink()
    assert list(silent) == list(calling) == [b"0.1", b"2.0", b"2.1", b"5.0", b"5.1"]
    assert [(g.from_index, g.to_index) for g in told] == [(index_of(1), index_of(2))]


def test_what_on_gap_raises_comes_out(changing: Changing) -> None:
    """And the tailer stands behind the gap."""
    def refuse(gap: tape.Gap) -> None:
        raise RuntimeError("enough")

    t = changing.q.tailer(on_gap=refuse)
    t.skip(2)
    for second in (0, 1):
        changing.file(second).unlink()
    with pytest.raises(RuntimeError, match="enough"):
        t.read()
    assert t.read() == b"2.0"


def test_cycles_without_a_file_are_no_gap(changing: Changing) -> None:
    """Cycles that never had a file beside one that exists; and a deleted file whose messages were
    all read, when the next cycle is there."""
    t, other = changing.q.tailer(), changing.q.tailer()
    assert t.read() == b"0.0"
    changing.file(0).unlink()
    assert list(t) == [b"0.1", b"1.0", b"1.1", b"2.0", b"2.1", b"5.0", b"5.1"]
    assert list(other) == list(t) or other.last_read == index_of(5, 1)


def test_a_gap_is_told_backward_too(changing: Changing) -> None:
    """The file in hand and the one before it were deleted."""
    t = changing.q.tailer(direction="backward", start="end")
    assert t.read_many(3) == [b"5.1", b"5.0", b"2.1"]
    for second in (1, 2):
        changing.file(second).unlink()
    assert t.read() == b"2.0"
    assert gap_of(t.read) == (index_of(0, 2), index_of(2))
    assert list(t) == [b"0.1", b"0.0"]


def test_backward_to_the_start_is_no_gap(changing: Changing) -> None:
    """Everything before the file in hand was deleted, as retention does: there is a new start."""
    t = changing.q.tailer(direction="backward", start="end")
    assert t.read_many(3) == [b"5.1", b"5.0", b"2.1"]
    for second in (0, 1, 2):
        changing.file(second).unlink()
    assert list(t) == [b"2.0"]


def test_seeking_forgets_the_gap(changing: Changing) -> None:
    """Who goes elsewhere meanwhile is not told of what it did not pass."""
    t = changing.q.tailer("name", commit="manual")
    t.seek(index_of(1, 1))
    t.commit()
    t.close()
    changing.file(1).unlink()
    t = changing.q.tailer("name", commit="manual")
    assert t.seek(index_of(5)) and t.read() == b"5.0"


def test_a_named_tailer_is_told_again_after_a_restart(changing: Changing) -> None:
    """As long as it has not read behind the gap, its stored position is before it."""
    t = changing.q.tailer("name")
    t.skip(2)
    for second in (0, 1):
        changing.file(second).unlink()
    assert gap_of(t.read) == (index_of(1), index_of(2))
    t.close()
    with changing.q.tailer("name") as t:
        assert gap_of(t.read) == (index_of(0, 2), index_of(2))
        assert t.read() == b"2.0"
    with changing.q.tailer("name") as t:
        assert t.read() == b"2.1"


def test_a_newest_file_that_was_made_again_is_told(changing: Changing) -> None:
    """The one who waited in it is told that the numbers begin again."""
    t = changing.q.tailer()
    assert len(list(t)) == 8
    changing.file(5).unlink()
    with tape.open(changing.q.path, codec=raw, clock=changing.clock, block_size=BLOCK) as other:
        other.appender().write(b"again")
    deadline = time.monotonic() + 5
    with pytest.raises(tape.Gap) as caught:
        while time.monotonic() < deadline:
            t.read()
    assert (caught.value.from_index, caught.value.to_index) == (index_of(5, 2), index_of(5))
    assert "another one" in str(caught.value)
    assert t.read() == b"again" and t.last_read == index_of(5)


def test_seek_goes_to_the_new_file(changing: Changing) -> None:
    """Not into the deleted one that the tailer still has in hand."""
    t = changing.q.tailer(start=index_of(5))
    assert t.read() == b"5.0"
    changing.file(5).unlink()
    assert not t.seek(index_of(5)) and t.index == index_of(5, 1)  # it stays where it was
    with tape.open(changing.q.path, codec=raw, clock=changing.clock, block_size=BLOCK) as other:
        other.appender().write(b"again")
    assert t.seek(index_of(5)) and t.read() == b"again"


def test_reversed_reads_the_files_that_are_left(changing: Changing) -> None:
    """The messages before this place, of the files that there are."""
    t = changing.q.tailer(start=index_of(2))
    assert t.read() == b"2.0"
    changing.file(2).unlink()
    assert list(reversed(t)) == [b"1.1", b"1.0", b"0.1", b"0.0"]
    t = changing.q.tailer(direction="backward", start="start")
    assert t.read() == b"0.0" and t.read() is None
    assert list(reversed(t)) == []


def test_standing_behind_a_loss_survives_a_failed_seek(changing: Changing) -> None:
    """A stored position ahead of the messages: a seek that leads nowhere changes nothing."""
    with changing.q.tailer("ahead", commit="manual") as t:
        t.seek(index_of(5, 2))
        t.commit()
    changing.file(5).unlink()
    with tape.open(changing.q.path, codec=raw, clock=changing.clock, block_size=BLOCK) as q:
        a = q.appender()
        a.write(b"new 0")
        t = q.tailer("ahead", commit="manual")
        assert not t.seek(index_of(4))
        with pytest.raises(tape.Gap):
            t.read()
        assert not t.seek(index_of(4)) and t.read() is None
        a.write(b"new 1")
        assert t.read() == b"new 1"
