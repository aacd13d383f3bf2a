"""The clocks that tests give to a queue."""

from __future__ import annotations


class SetClock:
    """A clock that stands still until it is set."""

    def __init__(self, ms: int) -> None:
        self.ms = ms

    def now_ms(self) -> int:
        return self.ms


class RaisingClock:
    """A clock that raises."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error

    def now_ms(self) -> int:
        if self.error:
            raise self.error
        return 1_600_000_000_000
