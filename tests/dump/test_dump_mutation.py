"""Every flipped bit and every prefix of two small queues through ``python -m tape dump``.

The queues are those that ``tests/mutate/mutate.c`` calls small and fast. A dump may tell of damage
and must not raise, take longer than a second or change a byte. ``TAPE_TEST_SCALE=1`` runs every
case and prints the numbers, otherwise a sample is run.

Left out, as in mutate.c: the inside of long runs of zeros, which are the unused entries of index
pages and the free room behind the last document. Their first and last bytes are taken.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import tape
from tape import dump
from tape.codecs import document, raw

from tests.kit.clocks import SetClock

START = 1_600_000_000_000
# Roll cycle, messages in each cycle; the sample: one bit of so many bytes, one of so many sizes.
RECIPES = {"small": (tape.RollCycle.parse("TEST4_SECONDLY"), [150, 0, 20, 9], 23, 11),
           "fast": (tape.RollCycle.parse("FAST_DAILY"), [12, 7], 7, 11)}
WORDS = b"\x08\0\0\0\x0c\0\0\0\x10\0\0\0\x40\0\0\x40"  # a body of what look like header words
EDGE = 32  # bytes at either end of a run of zeros that are taken
HANG_S = 10


@pytest.fixture(params=RECIPES)
def queue(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """A queue on a file system in memory where there is one, named like its recipe."""
    memory = Path("/dev/shm")
    folder = memory if os.access(memory, os.W_OK) else tmp_path
    path = folder / f"tape-dump-{os.getpid()}" / request.param
    roll_cycle, counts, _, _ = RECIPES[request.param]
    clock = SetClock(START // roll_cycle.length_ms * roll_cycle.length_ms)
    path.parent.mkdir()
    number = 0
    try:
        with tape.open(path, codec=raw, roll_cycle=roll_cycle, block_size=65536, clock=clock) as q:
            appenders = [q.appender(), q.appender(codec=document)]
            for count in counts:
                for _ in range(count):
                    body = WORDS if number % 7 == 3 else b"message %d" % number
                    appenders[number % 5 == 4 or number % 7 == 3].write(body)
                    number += 1
                clock.ms += roll_cycle.length_ms
        yield path
    finally:
        shutil.rmtree(path.parent)


def places(data: bytes) -> Iterator[int]:
    """The offsets of all bytes that are not far inside a run of zeros."""
    at = 0
    while at < len(data):
        end = at
        while end < len(data) and data[end] == 0:
            end += 1
        if end - at > 2 * EDGE:
            yield from range(at, at + EDGE)
            at = end - EDGE
        yield from range(at, end)
        if end < len(data):
            yield end
        at = end + 1


class Run:
    """Dumps hurt copies of one file and counts."""

    def __init__(self, path: Path) -> None:
        self.path, self.whole = path, path.read_bytes()
        self.cases = self.told = 0
        self.slowest, self.slowest_case = 0.0, ""
        self.names = sorted(os.listdir(path.parent))

    def case(self, name: str, data: bytes) -> None:
        """In text with all bytes, and in JSON; the file is as it was, and so is the directory."""
        self.cases += 1
        told = False
        for options in ({"raw": True, "json": False}, {"raw": False, "json": True}):
            began = time.monotonic()
            signal.alarm(HANG_S)
            try:
                lines = dump.lines_of(str(self.path), None,
                                      argparse.Namespace(limit=None, **options))
                told |= any([wrong for _, wrong in lines])
            except Exception as error:
                raise AssertionError(f"{self.path.name}: {name}: {error!r}") from error
            finally:
                signal.alarm(0)
            took = time.monotonic() - began
            if took > self.slowest:
                self.slowest, self.slowest_case = took, name
            assert took < 1, f"{self.path.name}: {name}: {took:.3f} s"
        self.told += told
        assert self.path.read_bytes() == data, f"{self.path.name}: {name}: changed"
        assert sorted(os.listdir(self.path.parent)) == self.names

    def flips(self, step: int) -> None:
        """Each bit, or one of ``step``."""
        bits = [8 * at + bit for at in places(self.whole) for bit in range(8)][::step]
        with self.path.open("r+b", buffering=0) as file:
            for bit in bits:
                at = bit // 8
                flipped = bytes([self.whole[at] ^ 1 << bit % 8])
                os.pwrite(file.fileno(), flipped, at)
                self.case(f"bit {bit % 8} of byte {at:#x}",
                          self.whole[:at] + flipped + self.whole[at + 1:])
                os.pwrite(file.fileno(), self.whole[at:at + 1], at)

    def prefixes(self, step: int) -> None:
        """Each length, or one of ``step``; of whole pages of zeros those at their edges."""
        pages = range(0, len(self.whole), 4096)
        sizes = {*list(places(self.whole))[::step], *pages, *(page + 4095 for page in pages)}
        for size in sorted(sizes):
            with self.path.open("wb", buffering=0) as file:
                file.write(self.whole[:size])
            self.case(f"cut to {size} bytes", self.whole[:size])
        self.path.write_bytes(self.whole)


def test_every_bit_and_every_prefix_is_dumped(queue: Path, scaled: Callable[[float, float], float],
                                    report: Callable[[str], None]) -> None:
    """No exception, no second, no changed byte."""
    _, _, bits, sizes = RECIPES[queue.name]
    full = scaled(0, 1) == 1
    runs = [Run(path) for path in sorted(queue.glob("*.cq4*"))]
    began = time.monotonic()

    def hang(*_: object) -> None:
        raise TimeoutError(f"hangs for {HANG_S} s")

    before = signal.signal(signal.SIGALRM, hang)
    try:
        for run in runs:
            run.flips(1 if full else 8 * bits - 1)  # another bit each time
            run.prefixes(1 if full else sizes)
    finally:
        signal.signal(signal.SIGALRM, before)
    slowest = max(runs, key=lambda run: run.slowest)
    report(f"{queue.name}: {len(runs)} files, {sum(run.cases for run in runs)} damages dumped as "
           f"text and as JSON, {sum(run.told for run in runs)} told of; slowest call "
           f"{slowest.slowest:.3f} s ({slowest.path.name}, {slowest.slowest_case}); all "
           f"{time.monotonic() - began:.0f} s")
    assert all(run.told for run in runs)
