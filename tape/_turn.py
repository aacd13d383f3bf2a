"""Whose turn it is: a C handle that one call at a time may use, whatever interrupts that call.

An interrupt, that is an exception out of a signal handler, may strike between any two steps of a
call, also those that give the turn back. So that no tailer is busy for ever, a turn that is not
there is looked for on the stacks of all threads: who has it called ``_take`` itself, and keeps it
in a local named ``out``.
"""

from __future__ import annotations

import sys
from _thread import get_ident

from ._handle import Owner
from ._lanes import CursorLane
from .errors import TailerBusy

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType, FrameType
    from typing import Any

    from ._clock import ClockInC

__all__ = ["Turn"]

FUNCTION = 1  # inspect.CO_OPTIMIZED; the locals of other code are its globals themselves


def _may_hold(code: CodeType) -> bool:
    """Whether a call of it may have a token. No others are looked into: a copy of its locals refers
    to what a codec must not keep, and the thread that decodes may see that before it is gone."""
    return bool(code.co_flags & FUNCTION) and "_take" in code.co_names and "out" in code.co_varnames


class Turn(CursorLane, Owner):
    """A handle with one token, which is also the place for what C reads."""

    __slots__ = ("__weakref__", "_clock", "_closed_by", "_out", "_outs")

    _ahead: list[int] | None  # messages were copied before they are asked for; so many given

    def __init__(self, out: Any, clock: ClockInC | None = None) -> None:
        self._closed_by = None
        self._clock = clock
        self._ahead = None
        self._out = out
        self._outs = [out]  # operations of lists are atomic

    def _take(self) -> Any:
        """Takes the token. The caller keeps it in ``out``, and gives it back by
        ``self._outs[:] = (out,)``, which no signal handler can come after."""
        try:
            out = self._outs.pop()
        except IndexError:
            return self._take_lost()
        if self._ahead is not None:
            self._settle()
        return out

    def _take_lost(self) -> Any:
        """The token that is not there: somebody is using the tailer, or it was lost."""
        # Lanes have no frames, and greenlets are unseen.
        if self._busy or "greenlet" in sys.modules or self._is_in_use(sys._getframe(2)):
            raise TailerBusy("another thread, or a handler of its own, is using this tailer",
                             hint="use one tailer per thread, and another in handlers")
        self._take_back()
        return self._out

    def _is_in_use(self, asking: FrameType) -> bool:
        """Whether some other call than the asking one has the token."""
        for thread, top in sys._current_frames().items():
            frame: FrameType | None = asking if thread == get_ident() else top
            while frame is not None:
                code = frame.f_code
                if code is _TAKING or _may_hold(code):
                    names = frame.f_locals
                    mine = names.get("self") is self and (names.get("out") is not None
                                                          or code is _TAKING)
                    if type(names) is dict:
                        names.clear()
                    if mine:
                        return True
                frame = frame.f_back
        return False

    def _take_back(self) -> None:
        """What C gave to a call that ended without telling anybody is next again."""
        raise NotImplementedError

    def _settle(self) -> None:
        """What was read ahead is C's again."""
        raise NotImplementedError

    def call(self, function: Callable[..., int], *arguments: Any, none: int = 0) -> int:
        """A call of C that is not for reading, in its turn. ``none``: a code that is no error."""
        out = None
        try:
            out = self._take()
            code = function(self._handle, *arguments)
            if self._clock is not None:
                self._clock.heard()
        finally:
            if out is not None:
                self._outs[:] = (out,)
        return code if code == none else self._check(code)


_TAKING = Turn._take.__code__
