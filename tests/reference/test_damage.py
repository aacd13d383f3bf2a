"""Flipped bits, cut files: the reference reader raises its own error or reads on; never more."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.reference import FormatError, Queue, check_queue, roll_cycles
from tests.reference.cycle_file import CycleFile
from tests.reference.writer import FORM_5_17, FORM_5_26, Form, QueueSpec, write_queue

ROW = roll_cycles.BY_NAME["TEST_DAILY"]  # index of 8 entries: the whole file is 900 bytes
STEM = "20200101T1.cq4"
TABLE = "metadata.cq4t"
SEED = 20200101


def small(root: Path, form: Form) -> Path:
    spec = QueueSpec(ROW, form=replace(form, block_size=65536))
    return write_queue(root, {18262: [b"message %d" % n for n in range(9)]}, spec)


def read_all(directory: Path) -> None:
    """Every way of reading; only FormatError may come out."""
    def attempt(read: Callable[[], object]) -> None:
        try:
            read()
        except FormatError as error:
            assert error.what and str(error.offset or 0)
    check_queue(directory)
    check_queue(directory, live=True)
    try:
        queue = Queue(directory)
    except FormatError:
        return
    attempt(lambda: list(queue.messages()))
    attempt(lambda: list(queue.messages(backward=True)))
    attempt(queue.last_index)
    attempt(queue.named_tailers)
    for sequence in (0, 1, 8, 9, 63, 64, 2**32 - 1):
        attempt(lambda: queue.find(queue.index_of(18262, sequence)))  # noqa: B023


def used(path: Path) -> int:
    return path.stat().st_size if path.name == TABLE else CycleFile(path).scan().end + 8


@pytest.mark.parametrize("name", [STEM, TABLE])
@pytest.mark.parametrize("form", [FORM_5_26, FORM_5_17], ids=["5.26", "5.17"])
def test_flipped_bits_raise_errors_of_ours(name: str, form: Form, tmp_path: Path) -> None:
    root = small(tmp_path / "q", form)
    path = root / name
    data = path.read_bytes()
    end = min(used(path), 1024)
    rng = random.Random(SEED)
    bits = sorted(rng.sample(range(end * 8), min(end * 8, 600)))
    for bit in bits:
        with open(path, "r+b") as file:
            file.seek(bit // 8)
            file.write(bytes([data[bit // 8] ^ 1 << bit % 8]))
        read_all(root)
        with open(path, "r+b") as file:
            file.seek(bit // 8)
            file.write(data[bit // 8:bit // 8 + 1])
    assert path.read_bytes() == data


@pytest.mark.parametrize("name", [STEM, TABLE])
def test_every_prefix_raises_errors_of_ours(name: str, tmp_path: Path) -> None:
    root = small(tmp_path / "q", FORM_5_26)
    path = root / name
    data = path.read_bytes()
    for size in [*range(min(used(path), 1024), -1, -3), len(data) - 1, 4095, 4096, 4097]:
        path.write_bytes(data[:size])
        read_all(root)


@pytest.mark.parametrize("word", [0x40000000, 0x40000001, 0x00000001, 0xFFFFFFFF])
def test_no_word_makes_the_walk_stand_still(word: int, tmp_path: Path) -> None:
    """The chain always moves forward: no word makes the walk stand still."""
    root = small(tmp_path / "q", FORM_5_26)
    path = root / STEM
    with CycleFile(path) as cycle:
        start = cycle.scan().end
    with open(path, "r+b") as file:
        file.seek(start)
        file.write(word.to_bytes(4, "little") * ((131072 - start) // 4))
    read_all(root)


def test_random_files_raise_errors_of_ours(tmp_path: Path) -> None:
    rng = random.Random(SEED)
    root = small(tmp_path / "q", FORM_5_26)
    for size in (0, 1, 3, 4, 5, 100, 4096, 70000):
        for name in (STEM, TABLE):
            keep = (root / name).read_bytes()
            (root / name).write_bytes(rng.randbytes(size))
            read_all(root)
            (root / name).write_bytes(keep)


def test_reading_changes_nothing(tmp_path: Path) -> None:
    root = small(tmp_path / "q", FORM_5_26)
    before = {name: (root / name).read_bytes() for name in os.listdir(root)}
    times = {name: (root / name).stat().st_mtime_ns for name in before}
    read_all(root)
    assert {name: (root / name).read_bytes() for name in os.listdir(root)} == before
    assert {name: (root / name).stat().st_mtime_ns for name in before} == times
