"""What tape asks of objects that its users bring."""

from __future__ import annotations

from typing import Protocol

__all__ = ["Clock"]


class Clock(Protocol):
    """A clock for tests and replay."""

    def now_ms(self) -> int:
        """Milliseconds since 1970-01-01T00:00Z."""
