"""What one message costs from Python: ``pytest bench --benchmark-group-by=func``.

Each row writes or reads batches of messages of 64 bytes in one process, so that the numbers stand for
the calls and not for waiting. Compare rows of one run; the machine decides the rest.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import tape

BATCH = 1000
EVENT = {"id": 12345, "kind": "order", "price": 101.25, "tags": ["a", "b"]}


@pytest.fixture(params=["raw", "fressian"])
def queue(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[tape.Queue, object]]:
    """A queue and a message for its codec."""
    codec = getattr(tape.codecs, request.param)
    with tape.open(tmp_path / "q", codec=codec) as q:
        yield q, bytes(64) if request.param == "raw" else EVENT


def tailer_of_a_batch(q: tape.Queue, message: object) -> tape.Tailer:
    """A tailer at the start of a batch."""
    write = q.appender().write
    for _ in range(BATCH):
        write(message)
    return q.tailer()


def test_write(benchmark, queue) -> None:
    """Appender.write, a batch."""
    q, message = queue
    write = q.appender().write

    def batch() -> None:
        for _ in range(BATCH):
            write(message)

    benchmark.pedantic(batch, rounds=50, warmup_rounds=5)


def test_read(benchmark, queue) -> None:
    """Tailer.read, a batch."""
    t = tailer_of_a_batch(*queue)
    read = t.read

    def batch() -> None:
        for _ in range(BATCH):
            read()

    benchmark.pedantic(batch, setup=lambda: t.seek_start() and None, rounds=50, warmup_rounds=5)


def test_iterate(benchmark, queue) -> None:
    """Draining a tailer."""
    t = tailer_of_a_batch(*queue)
    benchmark.pedantic(lambda: sum(1 for _ in t), setup=lambda: t.seek_start() and None, rounds=50,
                       warmup_rounds=5)


def test_round_trip(benchmark, queue) -> None:
    """One message written and read back by a tailer that waits at the end."""
    q, message = queue
    write, read = q.appender().write, q.tailer().read

    def round_trip() -> None:
        write(message)
        read()

    benchmark.pedantic(round_trip, rounds=2000, warmup_rounds=100)
