"""The lanes of :mod:`tape._fast`: hot calls without a Python frame, where the extension is there.

It is not there on PyPy and in abi3 wheels, and with ``TAPE_PURE=1`` in the environment it is left
alone. Then the classes below stand in its place, and all goes through cffi, which does the same:
the methods written in Python are what the lanes fall back on.
"""

from __future__ import annotations

import os
import sys

from ._arguments import main_thread_id
from ._ffi import ffi, lib

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["BEHIND", "KEPT", "NOTHING", "AppenderLane", "CursorLane", "StreamLane", "TailerLane",
           "WaiterLane", "adopt", "arrow_stream", "fressian", "have_lanes"]

NOTHING: Any = object()  # there is no message now; any value may be one
BEHIND: dict[Any, Any] = {}  # by lane: the method that is written in Python
KEPT: Any = object()     # in place of an exception: a codec kept a view of mapped memory


class CursorLane:
    """The place of a cursor's handle."""

    __slots__ = ("_ahead", "_handle")

    _handle: Any
    _busy = False  # a lane has the turn

    def _arm(self, *facts: Any) -> None:
        """From now on a lane may be used."""

    def _take_over(self, first: int = -1) -> Any:
        """The turn of the lane that called. ``first``: the first message that C gave to it."""
        raise NotImplementedError


class TailerLane:
    """The place of a tailer's cursor."""

    __slots__ = ("_cursor",)


class AppenderLane:
    """The place of an appender's handle."""

    __slots__ = ("_handle", "_waits", "_watch")

    _handle: Any
    _waits: bool  # each write, for the disk
    _watch: bool  # the clock, after each write

    def _arm(self, *facts: Any) -> None:
        """From now on a lane may be used."""


class StreamLane:
    """The place of a stream's cursor, and how many messages it gave since others could run."""

    __slots__ = ("_cursor", "_given")


class WaiterLane:
    """The places of a waiter's handle and of those who sleep."""

    __slots__ = ("_handle", "_sleepers")

    def _wake(self) -> None:
        """Tells those who sleep and may have something."""
        self._wake_slowly()

    def _wake_slowly(self) -> None:
        """In Python."""
        raise NotImplementedError


def adopt(cls: type) -> None:
    """Puts the lanes before the hot methods of a class."""


def fressian() -> None:
    """Lets the lanes use Fressian's extension, if that has been imported."""


def arrow_stream(length: int, columns: tuple[tuple[str, str, int, Any, Any], ...]) -> object:
    """A capsule of Arrow's: (name, format, nulls, validity, data) by column."""
    raise NotImplementedError("__arrow_c_stream__ needs the extension tape._fast")


def _address(pointer: Any) -> int:
    return int(ffi.cast("uintptr_t", pointer))


def _load() -> Any:
    # A Python without the GIL does not get it back for this.
    if os.environ.get("TAPE_PURE") == "1" or not getattr(sys, "_is_gil_enabled", lambda: True)():
        return None
    try:
        from . import _fast
        _fast.setup(_address(lib.tape_fast_table()), _address, NOTHING, KEPT,
                    main_thread_id)
    except (ImportError, TypeError):  # not built, or by another build than tape._native
        return None
    return _fast


_fast: Any = _load()
have_lanes = _fast is not None

if have_lanes:
    CursorLane = _fast.CursorLane      # type: ignore[misc]
    TailerLane = _fast.TailerLane      # type: ignore[misc]
    AppenderLane = _fast.AppenderLane  # type: ignore[misc]
    StreamLane = _fast.StreamLane      # type: ignore[misc]
    WaiterLane = _fast.WaiterLane      # type: ignore[misc]
    arrow_stream = _fast.arrow_stream

    def adopt(cls: type) -> None:
        """Puts the lanes before the hot methods of a class."""
        before = dict(vars(cls))
        _fast.adopt(cls)
        now = vars(cls)
        BEHIND.update({now[n]: method for n, method in before.items() if now[n] is not method})

    def fressian() -> None:
        """Lets the lanes use Fressian's extension, if that has been imported."""
        speed = sys.modules.get("tape.codecs.fressian._speed")
        if speed is not None:
            _fast.fressian(speed._capsule)
