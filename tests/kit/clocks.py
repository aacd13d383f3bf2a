"""The clock that tests give to a queue."""

from __future__ import annotations


class SetClock:
    """A clock that stands still until it is set."""

    def __init__(self, ms: int) -> None:
        self.ms = ms

    def now_ms(self) -> int:
        return self.ms
