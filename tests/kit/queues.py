"""Queues that several tests begin with."""

from __future__ import annotations

from pathlib import Path

import tape
from tape.codecs import raw

from tests.kit.clocks import SetClock

CYCLE = 1_700_000_000  # a second, in cycles of TEST_SECONDLY and TEST4_SECONDLY
BLOCK = 64 << 10


def index_of(second: int, sequence: int = 0) -> int:
    """The index of a message, so many seconds after CYCLE."""
    return (CYCLE + second << 32) + sequence


class Filled:
    """A queue with messages over cycles and gaps, and what a list says about it."""

    def __init__(self, path: Path, block_size: int | None = None) -> None:
        self.clock = SetClock(CYCLE * 1000)
        self.q = tape.open(path, codec=raw, roll_cycle="TEST4_SECONDLY", clock=self.clock,
                           block_size=block_size)
        self.a = self.q.appender()
        self.indexes: list[int] = []
        self.messages: list[bytes] = []
        for second, count in ((0, 300), (1, 1), (4, 150), (5, 2), (9, 40)):
            self.clock.ms = (CYCLE + second) * 1000
            for n in range(count):
                self.messages.append(b"%d.%d" % (second, n))
                self.indexes.append(self.a.write(self.messages[-1]))


class Changing:
    """A queue of a few cycles, whose files can be taken away and put back."""

    def __init__(self, path: Path) -> None:
        self.clock = SetClock(CYCLE * 1000)
        self.q = tape.open(path, codec=raw, roll_cycle="TEST4_SECONDLY", clock=self.clock,
                           block_size=BLOCK)
        self.a = self.q.appender()
        self.indexes = [self.write(second, 2) for second in (0, 1, 2, 5)]

    def write(self, second: int, count: int = 1) -> int:
        """Messages into that second's cycle; the first one's index."""
        self.clock.ms = (CYCLE + second) * 1000
        return [self.a.write(b"%d.%d" % (second, n)) for n in range(count)][0]

    def file(self, second: int) -> Path:
        return Path(self.q.locate(index_of(second)).path)
