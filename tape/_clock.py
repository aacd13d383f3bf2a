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

    def take_failure(self) -> BaseException | None:
        """What it raised last in this thread, once."""
        return self.failures.pop(get_ident(), None)

    def heard(self) -> None:
        """After a call of C that may have asked it: what it raised then, or what a signal handler
        did meanwhile, comes out of that call."""
        if self.failures and (failure := self.take_failure()) is not None:
            raise failure


def _keep(kind: Any, error: BaseException, trace: Any) -> None:
    # It would end in C, where nobody sees it.
    ffi.from_handle(trace.tb_frame.f_locals["user"]).failures[get_ident()] = error


@ffi.def_extern(  # type: ignore[untyped-decorator]
    name="tape_python_clock", error=-1, onerror=_keep)
def _python_clock(user: Any) -> int:
    now = int(ffi.from_handle(user).clock.now_ms())
    if not -1 << 63 <= now < 1 << 63:
        raise OverflowError(f"{now} ms is no time")  # C could not take it
    return now
