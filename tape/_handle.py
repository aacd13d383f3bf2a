"""What Queue, Appender and Tailer share: a C handle that says who closed it and when."""

from __future__ import annotations

import time

from ._ffi import ffi, raise_code
from .errors import QueueClosed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType
    from typing import Any, ClassVar, NoReturn

    from typing_extensions import Self

__all__ = ["Closable", "Handle", "Owner"]


class Closable:
    """A context manager that can be neither copied nor pickled."""

    __slots__ = ()

    def close(self) -> None:
        """Closes it; later calls raise :class:`tape.QueueClosed`. May be called again."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.close()

    def __reduce__(self) -> NoReturn:
        raise TypeError(f"a {type(self).__name__} can be neither copied nor pickled: "
                        "open the queue again where it is needed")


class Owner(Closable):
    """Owns a C handle, whose place ``_handle`` is in a class beside or below this one.

    Closing replaces the handle by NULL, which C refuses; the memory goes when the last call that
    still uses the old one has returned. So no thread can meet freed memory.
    """

    __slots__ = ()

    KIND: ClassVar[str] = ""  # the public name of what was closed

    _handle: Any
    _closed_by: tuple[str, float] | None

    @property
    def closed(self) -> bool:
        """Whether it was closed."""
        return self._closed_by is not None

    def _mark_closed(self, by: str) -> Any:
        """Takes the handle away; returns the old one, or ``None`` when it was closed before."""
        handle = self._handle
        if handle == ffi.NULL:
            return None
        if self._closed_by is None:  # else an interrupt fell in here
            self._closed_by = by, time.time()  # type: ignore[misc]  # a slot of its subclasses
        self._handle = ffi.NULL
        return handle

    def _fail(self, code: int) -> NoReturn:
        if self._closed_by is not None:
            by, at = self._closed_by
            seconds, parts = divmod(round(at * 1e6), 1_000_000)
            moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
            raise QueueClosed(f"this {self.KIND} was closed by {by} at {moment}.{parts:06d}Z",
                              hint="make a new one")
        raise_code(code)

    def _check(self, code: int) -> int:
        if code < 0:
            self._fail(code)
        return code


class Handle(Owner):
    """An owner with the place for its handle."""

    __slots__ = ("__weakref__", "_closed_by", "_handle")
