"""A cycle file that is random, cut or half-made: an error with its place, or set aside."""

from __future__ import annotations

import random
import struct
from pathlib import Path

import pytest

import tape

from tests.kit.damage import cycle_file, read_all
from tests.kit.directories import digest


def test_random_bytes_as_cycle_file_are_left_alone(closed: Path) -> None:
    """A cycle file of random bytes is corrupt for tailers and appenders, which leave it alone."""
    chance = random.Random(2)
    cycle_file(closed).write_bytes(b"\1" + chance.randbytes(99_999))
    before = digest(closed)
    with pytest.raises(tape.CorruptQueue) as caught:
        read_all(closed)
    assert caught.value.file == str(cycle_file(closed)) and caught.value.position == 0
    with tape.open(closed, codec=tape.codecs.raw) as q, pytest.raises(tape.CorruptQueue):
        q.appender().write(b"more")
    assert digest(closed) == before


def test_a_length_beyond_the_end_of_the_file_is_told_with_its_place(closed: Path) -> None:
    """A document that reaches beyond its file is reported with its place; what is before reads."""
    path = cycle_file(closed)
    data = path.read_bytes()[:200_000]
    at = data.index(b"message 7") - 8
    with path.open("r+b") as file:
        file.seek(at)
        file.write(struct.pack("<I", 0x3FFFFFFF))
    with tape.open(closed, read_only=True, codec=tape.codecs.raw) as q:
        t = q.tailer()
        assert [t.read() for _ in range(7)] == [b"message %d" % n for n in range(7)]
        for _ in range(2):  # the position stays
            with pytest.raises(tape.CorruptQueue) as caught:
                t.read()
            assert (caught.value.position, caught.value.index) == (at, t.index)


def test_a_half_made_cycle_is_not_there_yet(closed: Path) -> None:
    """A tailer takes an empty cycle file for one that is being made."""
    cycle_file(closed).write_bytes(b"")
    assert read_all(closed) == []


def test_a_writer_moves_a_half_made_cycle_aside(closed: Path) -> None:
    """Under the write lock a half-made current file can only be a dead creator's: .discard."""
    name = cycle_file(closed).name
    cycle_file(closed).write_bytes(b"")
    with tape.open(closed, codec=tape.codecs.raw) as q:
        q.appender().write(b"goes on")
        assert q.info().repairs == 1
    assert read_all(closed) == [b"goes on"]
    assert [p.name for p in closed.glob("*.discard")][0].startswith(name + "-")
