"""A clock as C calls it."""

from __future__ import annotations

from _thread import get_ident

from ._ffi import ffi
from .errors import InvalidArgument

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ._protocols import Clock

__all__ = ["ClockInC"]


class ClockInC:
    """A clock as C calls it; keeps what it raised, by thread, for the error of the write."""

    def __init__(self, clock: Clock) -> None:
        if not callable(getattr(clock, "now_ms", None)):
            raise InvalidArgument(f"{clock!r} is no clock", hint="an object with now_ms()")
        self.clock = clock
        self.failures: dict[int, BaseException] = {}

    def now_ms(self) -> int:
        try:
            now = int(self.clock.now_ms())
            if not -1 << 63 <= now < 1 << 63:
                raise OverflowError(f"{now} ms is no time")  # C could not take it
            return now
        except BaseException as error:  # it would end in C, where nobody sees it
            self.failures[get_ident()] = error
            return -1


@ffi.def_extern(name="tape_python_clock", error=-1)  # type: ignore[untyped-decorator]
def _python_clock(user: Any) -> int:
    return int(ffi.from_handle(user).now_ms())
