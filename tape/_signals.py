"""Signals while C waits: their handlers run, and what they raise ends the wait."""

from __future__ import annotations

from _thread import get_ident

from ._ffi import ffi

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["take_interrupt"]

_raised: dict[int, BaseException] = {}  # by thread


def _keep(kind: Any, error: BaseException, trace: Any) -> None:
    _raised[get_ident()] = error


@ffi.def_extern(  # type: ignore[untyped-decorator]
    name="tape_python_interrupted", error=1, onerror=_keep)
def _interrupted(user: Any) -> int:
    return 0  # coming here, Python has run the handlers of signals, and would not be here now


def take_interrupt() -> BaseException | None:
    """What a handler raised while this thread waited in C, once."""
    return _raised.pop(get_ident(), None)
