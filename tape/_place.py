"""Place: a message that is made where it will stand in the file."""

from __future__ import annotations

import gc
import os

from ._batch import SHOWN, UNSHARED, references, show_to_debuggers
from ._ffi import ffi, lib
from .errors import Forked, InvalidArgument, StateError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType
    from typing import Any

__all__ = ["Place"]


class Place:
    """Room for one message in the file; made by :meth:`tape.Appender.writing`, for ``with``.

    Attributes: ``buffer``, a writable :class:`memoryview` of the room, inside the ``with`` block;
    ``index``, of the message, once the block was left without an exception.
    """

    # _room[0] is C's buffer while the lock is ours: C sets it, so that no interrupt can fall
    # between having the lock and knowing of it. Meanwhile the appender's _places has it; nobody
    # else uses its C object to reserve: giving back twice gives back nothing of another's.
    __slots__ = ("_appender", "_exporter", "_handle", "_pid", "_room", "_size", "_use", "buffer",
                 "index")

    def __init__(self, appender: Any, size: int) -> None:
        self._appender = appender
        self._handle = None
        self._room = ffi.new("void **")
        self._pid = os.getpid()
        self._size = self._use = size
        self._exporter: Any = None
        self.buffer: memoryview | None = None
        self.index: int | None = None

    def __enter__(self) -> Place:
        appender = self._appender
        if self._handle is not None or (
                appender._places.setdefault("now", self._room) is not self._room):
            raise StateError("a message is being made in place, or was made by this object already",
                             hint="call writing() again, after the with block of the other one")
        try:
            self._handle = appender._handle  # kept, should another thread close the appender
            code = lib.tape_appender_reserve(self._handle, self._size, self._room)
            if code < 0:
                appender._fail_to_write(code)
            self._exporter = ffi.buffer(ffi.cast("char *", self._room[0]), self._size)
            self.buffer = memoryview(self._exporter)
        except BaseException:
            self._give_back()
            raise
        return self

    def truncate(self, n: int) -> None:
        """Says that the message is only the first ``n`` bytes of the buffer.

        Args:
            n: bytes, from 0 to the size that was asked for; the last call counts.

        Raises: :class:`tape.InvalidArgument`; :class:`tape.StateError` outside the block.
        """
        if self.buffer is None:
            raise StateError("truncate() outside the block of writing()", hint="call it inside")
        if type(n) is not int or not 0 <= n <= self._size:
            raise InvalidArgument(f"n={n!r}", hint=f"a number of bytes from 0 to {self._size}")
        self._use = n

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        try:
            kept = self._release_buffer()
            if kind is None:
                self._publish(kept)
        finally:
            self._give_back()

    def _publish(self, kept: bool) -> None:
        if os.getpid() != self._pid:
            raise Forked("this process was forked inside writing()",
                         hint="open the queue again in the child process; the parent writes")
        if kept:
            raise StateError("something still uses the buffer of writing(): a slice, or an array "
                             "made of it; nothing was written",
                             hint="del or release() it before the with block ends")
        index = lib.tape_appender_publish(self._handle, self._use)
        if index < 0:
            self._appender._fail_to_write(index)
        self.index = index
        if lib.tape_has_slow_append():
            self._appender._tell_slow()
        if self._appender._watch or not index & 1023:
            self._appender._look_at_clock(5)

    def _release_buffer(self) -> bool:
        """Takes the buffer away, and each slice of it; whether there was anything but it."""
        view, self.buffer = self.buffer, None
        exporter, self._exporter = self._exporter, None
        if view is None or exporter is None:
            return False
        kept = False
        try:
            view.release()
        except BufferError:
            kept = True
        del view
        if not kept and references(exporter) > UNSHARED:
            show_to_debuggers()
            kept = references(exporter) > SHOWN
        if kept:
            _release_slices(exporter)
        return kept

    def _give_back(self) -> None:
        """Nothing is written, if that has not been done; others may make messages again."""
        if self._appender._places.get("now") is not self._room:
            return
        if self._room[0] != ffi.NULL and os.getpid() == self._pid:
            lib.tape_appender_abandon(self._handle)  # TAPE_ESTATE once it was published
        self._room[0] = ffi.NULL
        del self._appender._places["now"]

    def __del__(self) -> None:
        if hasattr(self, "index"):
            self._release_buffer()
            self._give_back()

    def __repr__(self) -> str:
        state = "open" if self.buffer is not None else f"index={self.index}"
        return f"Place({self._appender.queue.path!r}, {self._use} bytes, {state})"


def _release_slices(exporter: Any) -> None:
    """Memory that is not ours any more: whoever touches a slice gets an exception."""
    for between in gc.get_referrers(exporter):
        for view in gc.get_referrers(between):
            if type(view) is memoryview:
                try:
                    view.release()
                except BufferError:  # an array is made of it: the caller is told
                    pass
