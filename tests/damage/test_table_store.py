"""A table store that is empty, cut, random or of another kind is refused with its name."""

from __future__ import annotations

import os
import random
import struct
import subprocess
import sys
from pathlib import Path

import pytest

import tape

from tests.kit.damage import SECOND, append_at, poke, read_all, refused, refuses_to_open
from tests.kit.old_formats import errors


def edit(path: Path, old: bytes, new: bytes) -> None:
    """Replaces bytes in the first 64 KiB of a file."""
    with path.open("r+b") as file:
        head = file.read(65536)
        assert old in head
        file.seek(head.index(old))
        file.write(new)


@pytest.mark.parametrize(("old", "new", "text"), [
    (b"yyyyMMdd'F'", b"yyyyMMdd'Z'", "pattern"),
    (b"BINARY_LIGHT", b"BINARY_HEAVY", "wire type"),
])
def test_settings_of_another_kind_are_refused_by_name(
        closed: Path, old: bytes, new: bytes, text: str) -> None:
    """Unknown roll patterns and wire types are refused by name."""
    edit(closed / "metadata.cq4t", old, new)
    assert text in str(refused(closed, tape.UnsupportedQueue))


@pytest.mark.parametrize("size", [3, 7])
def test_a_table_store_cut_within_its_first_words_is_corrupt(closed: Path, size: int) -> None:
    """A table store cut within the header word is corrupt, after a short wait for its creator."""
    os.truncate(closed / "metadata.cq4t", size)
    refused(closed, tape.CorruptQueue)


def test_a_table_store_that_lost_its_header_word_is_corrupt(closed: Path) -> None:
    """With the word gone and entries there it is damaged: filling it would lose positions."""
    poke(closed / "metadata.cq4t", 0, bytes(4))
    error = refused(closed, tape.CorruptQueue)
    assert "no header, but bytes at offset 4" in str(error)
    refused(closed, tape.CorruptQueue, read_only=True)


NEVER_FILLED = {
    "0 bytes": b"",
    "3 zeros": bytes(3),
    "zeros": bytes(131072),
    "begun": b"\0\0\0\x80" + bytes(131068),
    "half a header": b"\0\0\0\x80\xb9\x06header\xb6\x07STSt" + bytes(60000),
}


@pytest.mark.parametrize("kind", NEVER_FILLED)
def test_a_table_store_that_was_never_filled_counts_as_missing(queue: Path, kind: str) -> None:
    """As for Java: its creator died. Readers need none; who writes fills it, and all goes on."""
    table = queue / "metadata.cq4t"
    before = read_all(queue)
    table.write_bytes(NEVER_FILLED[kind])
    assert read_all(queue) == before
    assert table.read_bytes() == NEVER_FILLED[kind]
    with tape.open(queue, codec=tape.codecs.raw) as q:
        assert q.info().roll_cycle == "TEST4_SECONDLY"
        assert q.tailer("named").read() == before[0]
    append_at(queue, SECOND + 5000, 3)
    assert len(read_all(queue)) == len(before) + 3
    with tape.open(queue, codec=tape.codecs.raw) as q:
        assert q.tailer("named").read() == before[1]
    assert errors(queue) == []


def test_a_new_queue_begins_in_a_table_store_that_was_never_filled(tmp_path: Path) -> None:
    """Nothing but the empty file is there: the queue is made with the settings that are wished."""
    (tmp_path / "metadata.cq4t").write_bytes(b"")
    with pytest.raises(tape.QueueNotFound):
        tape.open(tmp_path, read_only=True)
    with pytest.raises(tape.QueueNotFound):
        tape.open(tmp_path, create=False)
    with tape.open(tmp_path, roll_cycle="MINUTELY", epoch=5000) as q:
        assert (q.info().roll_cycle, q.info().epoch) == ("MINUTELY", 5000)
        q.appender().write(1)
        assert list(q.tailer()) == [1]


FILL = """
import sys, tape
with tape.open(sys.argv[1], codec=tape.codecs.raw, roll_cycle="TEST4_DAILY") as q:
    for n in range(50):
        q.appender().write(b"%s %d" % (sys.argv[2].encode(), n))
"""


def test_one_of_many_processes_fills_the_table_store(tmp_path: Path) -> None:
    """All find it never filled at once: they write under one lock, and nothing is lost."""
    for turn in range(3):
        path = tmp_path / str(turn)
        path.mkdir()
        (path / "metadata.cq4t").write_bytes(b"")
        workers = [subprocess.Popen([sys.executable, "-c", FILL, str(path), str(n)])
                   for n in range(6)]
        assert [worker.wait(60) for worker in workers] == [0] * 6
        assert len(set(read_all(path))) == len(read_all(path)) == 300
        assert errors(path) == []


@pytest.mark.parametrize("size", [9, 20, 50, 100, 150])
def test_a_truncated_table_store_is_corrupt_for_a_reader(closed: Path, size: int) -> None:
    """A table store that ends in its header is corrupt for a reader."""
    data = (closed / "metadata.cq4t").read_bytes()[:size]
    (closed / "metadata.cq4t").write_bytes(data)
    error = refused(closed, tape.CorruptQueue, read_only=True)
    assert error.file.endswith("metadata.cq4t") and error.position is not None


def test_random_bytes_as_table_store_never_open(closed: Path) -> None:
    """Random bytes never open, never crash, never change."""
    chance = random.Random(1)
    for _ in range(200):
        (closed / "metadata.cq4t").write_bytes(b"\1" + chance.randbytes(4095))
        refused(closed, tape.Error)


def test_a_header_longer_than_its_file_is_corrupt(closed: Path) -> None:
    """A header longer than the file is corrupt."""
    with (closed / "metadata.cq4t").open("r+b") as file:
        file.write(struct.pack("<I", 0x40000000 | 60000))
        file.truncate(50000)
    refused(closed, tape.CorruptQueue)


def test_a_queue_of_version_4_is_refused_by_name(tmp_path: Path) -> None:
    """A 4.x queue, known by its directory listing, is refused by name."""
    (tmp_path / "directory-listing.cq4t").write_bytes(bytes(65536))
    (tmp_path / "20211125.cq4").write_bytes(bytes(1024))
    assert "Chronicle Queue 4" in str(refused(tmp_path, tape.UnsupportedQueue))


def test_a_table_key_cut_in_two_is_refused(queue: Path) -> None:
    """A key whose length leaves its entry was taken for a missing one and added a second time."""
    table = queue / "metadata.cq4t"
    at = table.read_bytes().index(b"chronicle.write.lock")
    poke(table, at - 1, bytes([200]))
    for options in ({"read_only": True}, {}):
        assert refuses_to_open(queue, table, **options).position is not None


def test_hidden_table_keys_are_not_written_over(queue: Path) -> None:
    """A header word that became 0 hides the entries behind it; they were written over."""
    table = queue / "metadata.cq4t"
    at = table.read_bytes().index(b"listing.modCount")
    poke(table, at - 6, bytes(4))
    for options in ({"read_only": True}, {}):
        refuses_to_open(queue, table, **options)


def test_a_table_store_cut_between_two_keys_is_refused(queue: Path) -> None:
    """It looks like one with fewer keys; but none is that short."""
    table = queue / "metadata.cq4t"
    os.truncate(table, table.read_bytes().index(b"listing.modCount") - 6)
    for options in ({"read_only": True}, {}):
        refuses_to_open(queue, table, **options)


def test_what_a_process_left_that_died_adding_a_key_is_cleared(queue: Path) -> None:
    """A new entry clears the word behind it: a longer unpublished one may have stood there."""
    table = queue / "metadata.cq4t"
    used = len(table.read_bytes().rstrip(b"\0"))
    poke(table, (used + 7) // 8 * 8 + 4, b"\xff" * 300)
    append_at(queue, SECOND + 1000, 1)
    append_at(queue, SECOND + 2000, 1)
    with tape.open(queue, codec=tape.codecs.raw) as q:
        q.tailer("somebody").close()
    assert len(read_all(queue)) == 22


def test_an_epoch_of_all_bits_is_refused(queue: Path) -> None:
    """Arithmetic with an epoch of 2^63 milliseconds overflows; it is refused."""
    table = queue / "metadata.cq4t"
    data = bytearray(table.read_bytes())
    roll = data.index(b"SCQSRoll\x82") + 9
    at = data.index(b"epoch\xa1\x00") + 5
    unneeded = b"\xd7deltaCheckpointInterval\xa1\x40"
    assert data[at + 2:].startswith(unneeded)
    # eight bytes instead of one in the block of the roll, and that much less behind it
    data[at:at + 2 + len(unneeded)] = (b"\xa7" + struct.pack("<q", -(1 << 63))
                                       + b"\x8f" * (len(unneeded) - 7))
    struct.pack_into("<I", data, roll, struct.unpack_from("<I", data, roll)[0] + 7)
    table.write_bytes(data)
    assert "epoch" in str(refuses_to_open(queue, table))
