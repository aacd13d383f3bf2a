"""Queues that several tests begin with."""

from __future__ import annotations

from pathlib import Path

import tape
from tape.codecs import raw

from tests.kit.clocks import SetClock

CYCLE = 1_700_000_000  # a second, in cycles of TEST_SECONDLY and TEST4_SECONDLY



class Filled:
    """A queue with messages over cycles and gaps, and what a list says about it."""

    def __init__(self, path: Path) -> None:
        self.clock = SetClock(CYCLE * 1000)
        self.q = tape.open(path, codec=raw, roll_cycle="TEST4_SECONDLY", clock=self.clock)
        self.a = self.q.appender()
        self.indexes: list[int] = []
        self.messages: list[bytes] = []
        for second, count in ((0, 300), (1, 1), (4, 150), (5, 2), (9, 40)):
            self.clock.ms = (CYCLE + second) * 1000
            for n in range(count):
                self.messages.append(b"%d.%d" % (second, n))
                self.indexes.append(self.a.write(self.messages[-1]))
