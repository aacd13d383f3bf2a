"""A damaged index: what was acknowledged is found by its index, or nothing is appended."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

import tape

from tests.kit.clocks import SetClock
from tests.kit.damage import (SECOND, append_at, cycle_file, entry_of, found, pair_of, poke,
                              position, read_all, refuses_the_number, word)


def test_a_damaged_index_entry_does_not_lead_the_writer(queue: Path) -> None:
    """The last entry leads into a message and the pair is gone: nothing is written there."""
    file = cycle_file(queue)
    entry = entry_of(file, b"message 16")
    inside = position(file, b"message 17")
    poke(file, inside + 8, struct.pack("<I", 4))
    poke(file, entry, struct.pack("<Q", inside + 8))
    poke(file, pair_of(file), bytes(16))
    refuses_the_number(queue, file)
    assert read_all(queue)[-2:] == [b"message 19", b"message 0"]


def test_a_last_entry_that_leads_to_another_message_is_refused(queue: Path) -> None:
    """All messages behind it were found under wrong numbers."""
    file = cycle_file(queue)
    at = position(file, b"message 15")
    poke(file, entry_of(file, b"message 16"), struct.pack("<Q", at))
    refuses_the_number(queue, file, at)


def test_a_last_entry_that_leads_to_the_next_message_is_refused(queue: Path) -> None:
    """To nothing yet; once something was written there, it led astray."""
    append_at(queue, SECOND, 1)
    file = cycle_file(queue)
    entry = entry_of(file, b"message 16") + 8
    poke(file, entry, struct.pack("<Q", word(file, entry) + 20))
    refuses_the_number(queue, file, entry)


@pytest.mark.parametrize("leads_to", [b"message 3", b"message 17"])
def test_an_entry_for_a_message_that_is_not_written_is_refused_when_needed(
        queue: Path, leads_to: bytes) -> None:
    """It was left as it was; the append that needs it is refused, those before it are not."""
    file = cycle_file(queue)
    append_at(queue, SECOND, 2)
    entry = entry_of(file, b"message 16") + 16
    poke(file, entry, struct.pack("<Q", position(file, leads_to)))
    with tape.open(queue, codec=tape.codecs.raw, clock=SetClock(SECOND)) as q:
        a = q.appender()
        index = [a.write(b"%d" % n) for n in range(2)][-1]
        with pytest.raises(tape.CorruptQueue) as caught:
            a.write(b"2")
        assert caught.value.position == entry and caught.value.file == str(file)
    assert found(queue, index) == b"1"


def test_no_entry_is_put_into_the_page_of_other_messages(tmp_path: Path) -> None:
    """An entry of index2index leads to the page before: no entry is put into that."""
    path = tmp_path / "q"
    append_at(path, SECOND, 126)
    file = cycle_file(path)
    data = file.read_bytes()
    outer = data.index(b"\x8d", data.index(b"index2index")) + 17
    poke(file, outer + 8, data[outer:outer + 8])
    before = data[word(file, outer):][:300]
    with tape.open(path, codec=tape.codecs.raw, clock=SetClock(SECOND)) as q:
        a = q.appender()
        for n in range(2):
            a.write(b"%d" % n)
        with pytest.raises(tape.CorruptQueue) as caught:
            a.write(b"2")
        assert caught.value.file == str(file)
    assert file.read_bytes()[word(file, outer):][:300] == before


def test_an_entry_of_index2index_that_leads_nowhere_is_refused(tmp_path: Path) -> None:
    """It may lead to a page that comes later."""
    path = tmp_path / "q"
    append_at(path, SECOND, 130)
    file = cycle_file(path)
    data = file.read_bytes()
    outer = data.index(b"\x8d", data.index(b"index2index")) + 17
    poke(file, outer + 8, struct.pack("<Q", 30000))
    refuses_the_number(path, file, outer + 8)


def test_a_wrong_last_index_is_harmless(queue: Path) -> None:
    """A negative lastIndex is raised once; before, each append walked over the whole file."""
    file = cycle_file(queue)
    at = file.read_bytes().index(b"lastIndex") + 9
    at = file.read_bytes().index(b"\xa7", at) + 1
    poke(file, at, struct.pack("<q", -4))
    append_at(queue, SECOND, 1)
    assert word(file, at) == 24


def lead_astray(file: Path, entry: int, at: int) -> None:
    """An entry of the index leads to another place."""
    poke(file, entry, struct.pack("<Q", at))


def pretend_to_be_the_last(file: Path, message: bytes) -> int:
    """In the bytes of a message a header word whose document would end where all messages do."""
    data = file.read_bytes()
    at = position(file, message) + 8
    end = data.rindex(b"message ") + len(b"message 19") + 2
    end += -end % 4
    poke(file, at, struct.pack("<I", end - at - 4))
    return at


@pytest.mark.parametrize("pair", ["whole", "gone"])
@pytest.mark.parametrize("indexed, sought", [(8, 9), (8, 10), (8, 11), (0, 1), (0, 2), (0, 3)])
def test_an_entry_that_leads_into_a_message_loses_none_to_a_seek(
        queue: Path, indexed: int, sought: int, pair: str) -> None:
    """There the bytes look like a document that leads to the end: too few would be counted."""
    file = cycle_file(queue)
    indexes = read_indexes(queue)
    name = b"message %d" % indexed
    entry = entry_of(file, name)
    lead_astray(file, entry, pretend_to_be_the_last(file, name))
    if pair == "gone":
        poke(file, pair_of(file), bytes(16))
    assert found(queue, indexes[sought]) == b"message %d" % sought
    assert backward_from(queue, indexes[sought]) == indexes[sought::-1]
    with tape.open(queue, read_only=True, codec=tape.codecs.raw) as q:
        t = q.tailer()
        assert t.seek(indexes[sought]) and not t.seek(indexes[-1] + 2)


@pytest.mark.parametrize("leads_to", [b"message 3", b"message 4", b"message 12", b"message 17"])
def test_an_entry_out_of_order_is_passed_over_by_a_seek(queue: Path, leads_to: bytes) -> None:
    """It leads to a message, but not to one that could be between those of its neighbours."""
    file = cycle_file(queue)
    indexes = read_indexes(queue)
    lead_astray(file, entry_of(file, b"message 8"), position(file, leads_to))
    for sought in range(8, 12):
        assert found(queue, indexes[sought]) == b"message %d" % sought
        assert backward_from(queue, indexes[sought]) == indexes[sought::-1]


def read_indexes(path: Path) -> list[int]:
    """Of all messages."""
    with tape.open(path, read_only=True, codec=tape.codecs.raw) as q, q.tailer() as t:
        return [t.last_read for _ in t]


def backward_from(path: Path, index: int) -> list[int]:
    """The indexes that a tailer reads backward from one on."""
    with tape.open(path, read_only=True, codec=tape.codecs.raw) as q:
        t = q.tailer(direction="backward")
        assert t.seek(index)
        return [t.last_read for _ in t]
