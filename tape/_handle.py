"""What Queue, Appender and Tailer share: a C handle that says who closed it and when."""

from __future__ import annotations

import datetime
from types import TracebackType
from typing import Any, NoReturn

from ._ffi import ffi, raise_code
from .errors import QueueClosed

__all__ = ["Handle"]


class Handle:
    """Owns a C handle.

    Closing replaces the handle by NULL, which C refuses; the memory goes when the last call that
    still uses the old one has returned. So no thread can meet freed memory.
    """

    __slots__ = ("__weakref__", "_closed_by", "_handle")

    _handle: Any
    _closed_by: str | None

    @property
    def closed(self) -> bool:
        """Whether it was closed."""
        return self._closed_by is not None

    def _mark_closed(self, by: str) -> Any:
        """Takes the handle away; returns the old one, or ``None`` when it was closed before."""
        if self._closed_by is not None:
            return None
        now = datetime.datetime.now(datetime.timezone.utc)
        self._closed_by = f"{by} at {now:%Y-%m-%dT%H:%M:%S.%fZ}"
        handle, self._handle = self._handle, ffi.NULL
        return handle

    def _fail(self, code: int) -> NoReturn:
        if self._closed_by is not None:
            raise QueueClosed(f"this {type(self).__name__} was closed by {self._closed_by}",
                              hint="make a new one")
        raise_code(code)

    def _check(self, code: int) -> int:
        if code < 0:
            self._fail(code)
        return code

    def __reduce__(self) -> NoReturn:
        raise TypeError(f"a {type(self).__name__} can be neither copied nor pickled: "
                        "open the queue again where it is needed")

    def close(self) -> None:
        """Closes it; later calls raise :class:`tape.QueueClosed`. May be called again."""
        raise NotImplementedError

    def __enter__(self) -> Any:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.close()
