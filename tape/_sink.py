"""Sink: what asyncio writes, in the order of the puts, by a thread."""

from __future__ import annotations

import asyncio
import threading
from collections import deque

from ._ffi import ffi, lib
from .errors import EncodeError, InvalidArgument, StateError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType
    from typing import Any

    from .appender import Appender

__all__ = ["Sink"]

AT_ONCE = 256  # so many messages are written before their indexes are told

_write = lib.tape_appender_write


class _Put:
    """One message on its way: encoded already."""

    __slots__ = ("data", "error", "future", "index")

    def __init__(self, data: Any, future: asyncio.Future[int] | None) -> None:
        self.data, self.future = data, future
        self.index = -1
        self.error: BaseException | None = None


class Sink:
    """Writes from asyncio; made by :meth:`tape.Appender.sink`.

    ``await put(message)`` gives the index or raises. Messages are encoded at once, and written by a
    thread in the order of the puts, so that nothing holds up the loop: neither a lock that another
    process holds nor a slow disk. At most ``maxsize`` messages are on their way: more, and a put
    waits. A put that is cancelled has written nothing, or its index stands in ``unclaimed``.

    Attributes: ``unclaimed``, the indexes of messages that were written although their put was
    cancelled; ``errors``, those that nobody has seen, of :meth:`put_nowait` and of cancelled puts;
    ``last_index``, of the last message written, or ``None``.
    """

    def __init__(self, appender: Appender, maxsize: int) -> None:
        if maxsize < 1:
            raise InvalidArgument(f"maxsize={maxsize}", hint="at least one message")
        self._appender, self._maxsize = appender, maxsize
        self._waiting: deque[_Put] = deque()  # not yet taken by the thread
        self._lock = threading.Lock()         # guards taking
        self._under_way = 0
        self._working = False
        self._room: deque[asyncio.Future[None]] = deque()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closed = False
        self._drained: asyncio.Future[None] | None = None
        self.unclaimed: list[int] = []
        self.errors: list[BaseException] = []
        self.last_index: int | None = None

    async def __aenter__(self) -> Sink:
        if self._loop is not None:
            raise StateError("a sink is entered once", hint="make another one")
        self._loop = asyncio.get_running_loop()
        return self

    def _encode(self, obj: Any) -> Any:
        if self._loop is None or self._closed:
            raise StateError("put outside of the sink's `async with`",
                             hint="async with appender.sink() as put: await put(message)")
        data = self._appender._encode(obj)
        try:
            return data if type(data) is bytes else bytes(memoryview(data))
        except TypeError:
            raise EncodeError(f"codec {self._appender.codec.name!r} encoded it as "
                              f"{type(data).__name__}", hint="encode() must return bytes") from None

    async def __call__(self, obj: Any) -> int:
        """Writes one message; its index."""
        data = self._encode(obj)
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            raise StateError("a sink belongs to the loop that entered it", hint="make another one")
        while self._under_way >= self._maxsize:
            await self._wait_for_room(loop)
        put = _Put(data, loop.create_future())
        self._start(put, loop)
        assert put.future is not None
        try:
            return await put.future
        except asyncio.CancelledError:
            self._withdraw(put)
            raise

    def put_nowait(self, obj: Any) -> None:
        """Writes one message and waits for nothing; an error is raised when the sink is left.

        Raises: :class:`asyncio.QueueFull` when ``maxsize`` messages are on their way.
        """
        data = self._encode(obj)
        if self._under_way >= self._maxsize:
            raise asyncio.QueueFull(f"{self._under_way} messages are on their way")
        assert self._loop is not None
        self._start(_Put(data, None), self._loop)

    async def _wait_for_room(self, loop: asyncio.AbstractEventLoop) -> None:
        room = loop.create_future()
        self._room.append(room)
        try:
            await room
        except asyncio.CancelledError:
            if room.done() and not room.cancelled():
                self._tell_of_room()  # it was told to us: the next one shall have it
            raise

    def _tell_of_room(self) -> None:
        if self._drained is not None and not self._under_way and not self._drained.done():
            self._drained.set_result(None)
        free = self._maxsize - self._under_way
        while free > 0 and self._room:
            room = self._room.popleft()
            if not room.done():
                room.set_result(None)
                free -= 1

    def _start(self, put: _Put, loop: asyncio.AbstractEventLoop) -> None:
        self._under_way += 1
        with self._lock:
            self._waiting.append(put)
            idle, self._working = not self._working, True
        if idle:
            loop.run_in_executor(None, self._work, loop)

    def _withdraw(self, put: _Put) -> None:
        """A put was cancelled: if the thread has not taken it, it never will."""
        with self._lock:
            try:
                self._waiting.remove(put)
            except ValueError:
                return  # _told() will find the future cancelled
        self._under_way -= 1
        self._tell_of_room()

    # ---- in the thread ----

    def _work(self, loop: asyncio.AbstractEventLoop) -> None:
        while True:
            with self._lock:
                puts = [self._waiting.popleft()
                        for _ in range(min(AT_ONCE, len(self._waiting)))]
                if not puts:
                    self._working = False
                    return
            for put in puts:
                self._write(put)
            try:
                loop.call_soon_threadsafe(self._told, puts)
            except RuntimeError:  # the loop was closed: nobody is left to be told
                pass

    def _write(self, put: _Put) -> None:
        try:
            put.index = _write(self._appender._handle, ffi.from_buffer(put.data), len(put.data))
            if put.index < 0:
                self._appender._fail_to_write(put.index)
        except BaseException as error:  # for who awaits the put
            put.error = error

    # ---- in the loop ----

    def _told(self, puts: list[_Put]) -> None:
        self._under_way -= len(puts)
        for put in puts:
            future, error = put.future, put.error
            awaited = future is not None and not future.done()
            if error is not None:
                if awaited:
                    future.set_exception(error)  # type: ignore[union-attr]
                else:
                    self.errors.append(error)
                continue
            self.last_index = put.index
            if awaited:
                future.set_result(put.index)  # type: ignore[union-attr]
            elif future is not None:
                self.unclaimed.append(put.index)
        self._tell_of_room()

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None,
                        trace: TracebackType | None) -> None:
        """Waits until everything is written; raises the first error that nobody has seen."""
        self._closed = True
        cancelled = None
        while self._under_way:
            self._drained = asyncio.get_running_loop().create_future()
            try:
                await self._drained
            except asyncio.CancelledError as cancel:
                cancelled = cancel  # what is on its way is written all the same
        if cancelled is not None:
            raise cancelled
        if error is None and self.errors:
            raise self.errors.pop(0)
