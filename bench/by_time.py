"""Seeking by time: what it costs beside a seek by index, and what a writer's notes cost.

``python -m bench.by_time [DIRECTORY] [--rounds N]`` prints medians of rounds in which all take
turns.
"""

from __future__ import annotations

import argparse
import datetime
import random
import shutil
import tempfile
import time
from pathlib import Path

import tape

from .rounds import Scenario, interleave

START = 1_700_000_000_000
DAY = 86_400_000
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)


class Clock:
    """Shows what it is set to."""

    def __init__(self) -> None:
        self.ms = START

    def now_ms(self) -> int:
        return self.ms


def fill(path: Path, cycles: int) -> list[int]:
    """Days with a message each second; the indexes."""
    clock, indexes = Clock(), []
    with tape.open(path, codec=tape.codecs.raw, clock=clock) as q:
        a = q.appender()
        for n in range(cycles * DAY // 1000):
            clock.ms = START + n * 1000
            indexes.append(a.write(b"m" * 64))
    return indexes


def seeks(q: tape.Queue, indexes: list[int]) -> list[Scenario]:
    """To random places, by index and by time."""
    t = q.tailer()

    def timed(by_time: bool, count: int) -> tuple[float, int]:
        places = [random.randrange(len(indexes)) for _ in range(count)]
        times = [EPOCH + datetime.timedelta(milliseconds=START + 1000 * n) for n in places]
        wanted: list[object] = list(times) if by_time else [indexes[n] for n in places]
        begin = time.perf_counter_ns()
        for place in wanted:
            t.seek(place)  # type: ignore[arg-type]
        return time.perf_counter_ns() - begin, count

    return [Scenario("seek by index", lambda n: timed(False, n), 500),
            Scenario("seek by time", lambda n: timed(True, n), 500)]


def appends(path: Path) -> list[Scenario]:
    """With a clock of the caller's, that stands still, and that moves on a second each time."""
    clock = Clock()
    a = tape.open(path, codec=tape.codecs.raw, clock=clock, roll_cycle="WEEKLY").appender()

    def timed(step: int, count: int) -> tuple[float, int]:
        begin = time.perf_counter_ns()
        for _ in range(count):
            clock.ms += step
            a.write(b"m" * 64)
        return time.perf_counter_ns() - begin, count

    return [Scenario("append, no note due", lambda n: timed(0, n), 500),
            Scenario("append with a note", lambda n: timed(1000, n), 500)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", nargs="?", type=Path)
    parser.add_argument("--rounds", type=int, default=21)
    parser.add_argument("--cycles", type=int, default=3)
    chosen = parser.parse_args()
    directory = Path(tempfile.mkdtemp(dir=chosen.directory))
    try:
        indexes = fill(directory / "days", chosen.cycles)
        with tape.open(directory / "days", codec=tape.codecs.raw, read_only=True) as q:
            scenarios = [*seeks(q, indexes), *appends(directory / "notes")]
            for name, ns in interleave(scenarios, chosen.rounds).items():
                print(f"{name:24} {ns / 1000:8.2f} us")
    finally:
        shutil.rmtree(directory)


if __name__ == "__main__":
    main()
