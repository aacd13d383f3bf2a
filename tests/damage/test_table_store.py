"""A table store that is empty, cut, random or of another kind is refused with its name."""

from __future__ import annotations

import os
import random
import struct
from pathlib import Path

import pytest

import tape

from tests.kit.damage import refused


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


@pytest.mark.parametrize("size", [0, 3, 7])
def test_an_empty_table_store_is_corrupt(closed: Path, size: int) -> None:
    """A table store without a header is corrupt, after a short wait for its creator."""
    os.truncate(closed / "metadata.cq4t", size)
    refused(closed, tape.CorruptQueue)


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
