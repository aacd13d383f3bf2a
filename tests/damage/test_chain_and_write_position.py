"""A damaged chain or write position: nothing is appended where messages may stand."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

import tape

from tests.kit.damage import (SECOND, append_at, cycle_file, found, pair_of, poke, position,
                              read_all, refuses_the_number, refuses_to_append, word)


def test_a_write_position_inside_a_message_is_not_appended_to(queue: Path) -> None:
    """A pair that agrees with itself, but leads into a body where a header word seems to stand."""
    file = cycle_file(queue)
    poke(file, position(file, b"message 12") + 8, struct.pack("<I", 8))
    at = position(file, b"message 11") + 20 + 8
    poke(file, pair_of(file), struct.pack("<QQ", at, (at << 32) + 19))
    messages = read_all(queue)
    refuses_to_append(queue, file)
    assert read_all(queue) == [*messages, b"message 0"]


def test_no_message_is_written_into_a_hole_of_the_chain(queue: Path) -> None:
    """A header word that became 0: an append there would write over the messages behind it."""
    file = cycle_file(queue)
    poke(file, position(file, b"message 18"), bytes(4))
    refuses_to_append(queue, file)


def test_the_index_alone_tells_of_messages_behind_a_hole(queue: Path) -> None:
    """The index alone still tells that there are messages behind the hole."""
    file = cycle_file(queue)
    poke(file, position(file, b"message 14"), bytes(4))
    poke(file, pair_of(file), bytes(16))
    refuses_to_append(queue, file)


@pytest.mark.parametrize("sequence", [0, 3, 15, 18])
def test_a_pair_that_counts_too_few_messages_is_counted_again(queue: Path, sequence: int) -> None:
    """Java's behind a write position of 0; counted on from there, new messages hid behind old."""
    file = cycle_file(queue)
    pair = pair_of(file)
    poke(file, pair + 8, struct.pack("<Q", (word(file, pair) << 32) + sequence))
    indexes = append_at(queue, SECOND, 6)
    assert [index & 0xFFFFFFFF for index in indexes] == list(range(20, 26))
    assert [found(queue, index) for index in indexes] == [b"message %d" % n for n in range(6)]


@pytest.mark.parametrize("sequence", [20, 21, 23, 40])
def test_a_pair_that_counts_too_many_messages_is_refused(queue: Path, sequence: int) -> None:
    """Numbers that no reader counts to; or messages had them that cannot be seen any more."""
    file = cycle_file(queue)
    pair = pair_of(file)
    poke(file, pair + 8, struct.pack("<Q", (word(file, pair) << 32) + sequence))
    refuses_the_number(queue, file, pair)


def test_behind_a_message_that_became_metadata_nothing_is_numbered(queue: Path) -> None:
    """It is not counted any more, and the next message was found under its predecessor's number."""
    file = cycle_file(queue)
    poke(file, position(file, b"message 17") + 3, b"\x40")
    refuses_the_number(queue, file, pair_of(file))


def test_older_files_are_ended_whatever_normalised_says(queue: Path) -> None:
    """A `normalisedEOFsTo` beyond the newest cycle: older files are ended all the same."""
    append_at(queue, SECOND + 1000, 1)
    append_at(queue, SECOND + 2000, 1)
    table = queue / "metadata.cq4t"
    at = table.read_bytes().find(b"normalisedEOFsTo")
    if at < 0:
        pytest.skip("no such word in this table store")
    poke(table, (at + 16) // 8 * 8 + 8, struct.pack("<Q", 0x7FFFFFF0))
    append_at(queue, SECOND + 3000, 1)
    assert len(read_all(queue)) == 23


def test_a_sequence_that_does_not_fit_before_its_position_is_not_believed(queue: Path) -> None:
    """A sequence word of four thousand million messages: the index counts instead."""
    file = cycle_file(queue)
    pair = pair_of(file)
    poke(file, pair + 8, struct.pack("<Q", word(file, pair) << 32 | 0xFFFFFFF0))
    with tape.open(queue, read_only=True, codec=tape.codecs.raw) as q:
        assert q.last_index is not None and q.last_index & 0xFFFFFFFF == 19


def test_a_finished_file_is_counted_the_same_quickly_and_at_length(queue: Path) -> None:
    """The quick way to count a finished file agrees with the long one."""
    append_at(queue, SECOND + 3000, 1)
    file = cycle_file(queue)
    pair = pair_of(file)
    poke(file, pair + 8, struct.pack("<Q", word(file, pair) << 32 | 0xFFFFFFF0))
    with tape.open(queue, read_only=True, codec=tape.codecs.raw) as q:
        assert q.cycles()[0].state == "finished"
        assert len(q) == sum(c.count for c in q.cycles()) == 21
        assert q.tailer().lag().messages == 21


@pytest.mark.parametrize(("value", "says"), [
    (2, "inside the header"), (0x3FFE, "not a multiple of 4"), (1 << 31, "not that of a message"),
    ((1 << 63) - 4, "not that of a message"), ((1 << 64) - 4, "not that of a message"),
    (1 << 62, "not that of a message")])
def test_a_write_position_that_is_nonsense_stops_writers_only(
        queue: Path, value: int, says: str) -> None:
    """Unaligned, beyond the file, negative: reading goes on, appending is refused for that word."""
    file = cycle_file(queue)
    pair = pair_of(file)
    poke(file, pair, struct.pack("<QQ", value, ((value << 32) + 19) % (1 << 64)))
    assert len(read_all(queue)) == 20
    before = file.read_bytes()
    with pytest.raises(tape.CorruptQueue, match=says) as caught:
        append_at(queue, SECOND, 1)
    assert caught.value.position == pair and file.read_bytes() == before
