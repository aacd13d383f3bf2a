"""Queues as older Java releases left them."""

from __future__ import annotations

import platform
from dataclasses import replace
from pathlib import Path

import pytest

import tape

from tests.kit.clocks import SetClock
from tests.reference.check import check_queue
from tests.reference.queue import Queue as Reference
from tests.reference.roll_cycles import BY_NAME
from tests.reference.writer import FORM_5_17, Form, QueueSpec, write_queue

CYCLE = 20_000
ROW = BY_NAME["FAST_DAILY"]
SMALL = BY_NAME["TEST4_DAILY"]  # an index entry for each 4 messages, a page for each 128
NOON = (CYCLE * 24 + 12) * 3_600_000
PACKED = replace(FORM_5_17, block_size=1 << 20)
EOF_WORD = 0xC0000000

needs_x86 = pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"),
                               reason="files of data format 0 are written on x86-64 only")


def odd(n: int) -> list[bytes]:
    """Messages of all lengths, so that header words lie at every remainder of 64."""
    return [b"%d:" % i + bytes([i % 256]) * (i * 7 % 97) for i in range(n)]


def packed(path: Path, messages: list[bytes], row: str = "TEST4_DAILY", form: Form = PACKED,
           older: dict[int, list[bytes]] | None = None) -> Path:
    """A queue of data format 0, as Java 5.17 leaves it."""
    spec = QueueSpec(roll_cycle=BY_NAME[row], form=form)
    return write_queue(path, {**(older or {}), CYCLE: messages}, spec)


def opened(path: Path, **options: object) -> tape.Queue:
    """Opened at noon of CYCLE."""
    return tape.open(path, codec=tape.codecs.raw, **{"clock": SetClock(NOON), **options})


def read_only(path: Path) -> tape.Queue:
    """Opened for reading."""
    return tape.open(path, codec=tape.codecs.raw, read_only=True)


def errors(path: Path) -> list[str]:
    """What the reference has against the queue."""
    return [str(f) for f in check_queue(path) if f.level == "error"]


def cycle_file(path: Path, cycle: int = CYCLE) -> Path:
    """By the reference's arithmetic of names."""
    return Reference(path).path_of(cycle)
