"""Sink: what asyncio writes, in the order of the puts: at once where that takes no waiting, else by
a thread."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque

from ._ffi import ffi, lib
from ._loop import let_others_run
from .errors import EncodeError, InvalidArgument, StateError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType
    from typing import Any, NoReturn

    from .appender import Appender

__all__ = ["Sink"]

AT_ONCE = 256  # so many messages are written before their indexes are told, or others may run
SLOW = 0.005   # seconds: a write in the loop that took so long was held up by the disk, or
CALM = 20      # the machine is busy; for so many times as long the thread writes

_write = lib.tape_appender_write
_try_write = lib.tape_appender_try_write
_AGAIN = lib.TAPE_EAGAIN
_now = time.monotonic
_running_loop = asyncio.get_running_loop


class _Put:
    """One message on its way: encoded already."""

    __slots__ = ("data", "error", "future", "index")

    def __init__(self, data: Any, future: asyncio.Future[int] | None) -> None:
        self.data, self.future = data, future
        self.index = -1
        self.error: BaseException | None = None

    def tell(self, error: BaseException) -> bool:
        """Raises it where the put is awaited; false when nobody does."""
        future = self.future
        if future is None or future.done():
            return False
        future.set_exception(error)
        return True


class Sink:
    """Writes from asyncio; made by :meth:`tape.Appender.sink`.

    ``await put(message)`` gives the index or raises. Messages are encoded at once, and written in
    the order of the puts: at once if that takes neither waiting nor a call of the operating system
    (:meth:`tape.Appender.try_write`), else by a thread, so that nothing holds up the loop, neither
    a lock that another process holds nor a slow disk. With ``durability="each"`` a put awaits the
    disk, and those that are on their way share a sync. At most ``maxsize`` messages are on their
    way: more, and a put waits. A put that is cancelled has written nothing, or its index stands in
    ``unclaimed``.

    Attributes: ``unclaimed``, the indexes of messages that were written although their put was
    cancelled; ``errors``, those that nobody has seen, of :meth:`put_nowait` and of cancelled puts;
    ``last_index``, of the last message written, or ``None``.
    """

    def __init__(self, appender: Appender, maxsize: int) -> None:
        if maxsize < 1:
            raise InvalidArgument(f"maxsize={maxsize}", hint="at least one message")
        self._appender: Any = appender
        self._maxsize = maxsize
        self._backlog: deque[_Put] = deque()  # those for which there is no room
        self._waiting: deque[_Put] = deque()  # not yet taken by the thread
        self._lock = threading.Lock()         # guards taking
        self._under_way = 0
        self._working = False
        self._given = 0      # by the loop since others could run
        self._calm = 0.0     # until then the thread writes
        self._loop: Any = None
        self._try_write = appender.try_write
        self._each = getattr(appender, "durability", "os") == "each"  # put awaits the disk
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

    def _refuse(self) -> NoReturn:
        if self._loop is None or self._closed:
            raise StateError("put outside of the sink's `async with`",
                             hint="async with appender.sink() as put: await put(message)")
        raise StateError("a sink belongs to the loop that entered it", hint="make another one")

    def _encode(self, obj: Any) -> Any:
        data = self._appender._encode(obj)
        try:
            return data if type(data) is bytes else bytes(memoryview(data))
        except TypeError:
            raise EncodeError(f"codec {self._appender.codec.name!r} encoded it as "
                              f"{type(data).__name__}", hint="encode() must return bytes") from None

    async def __call__(self, obj: Any) -> int:
        """Writes one message; its index."""
        if self._loop is not _running_loop() or self._closed:
            self._refuse()
        if not self._under_way and (index := self._write_at_once(obj)) is not None:
            if self._given >= AT_ONCE:
                await self._let_others_run(index)
            return index
        data, loop = self._encode(obj), self._loop
        put = _Put(data, loop.create_future())
        self._start(put)
        assert put.future is not None
        try:
            return await put.future
        except asyncio.CancelledError:
            self._withdraw(put, put.future)
            raise

    async def _let_others_run(self, index: int) -> None:
        self._given = 0
        try:
            await let_others_run()
        except BaseException:  # cancelled: the message is written
            self.unclaimed.append(index)
            raise

    def put_nowait(self, obj: Any) -> None:
        """Writes one message and waits for nothing; an error is raised when the sink is left.

        Raises: :class:`asyncio.QueueFull` when ``maxsize`` messages are on their way.
        """
        if self._loop is None or self._closed:
            self._refuse()
        if self._under_way >= self._maxsize:
            raise asyncio.QueueFull(f"{self._under_way} messages are on their way")
        try:
            if not self._under_way and self._write_at_once(obj) is not None:
                return
        except EncodeError:
            raise
        except Exception as error:
            self.errors.append(error)
            return
        self._start(_Put(self._encode(obj), None))

    def _write_at_once(self, obj: Any) -> int | None:
        """The index; ``None``: the thread shall do it, since it may take long."""
        begun = _now()
        if self._each or begun < self._calm:
            return None
        index: int | None = self._try_write(obj)
        if index is not None:
            self._given += 1
            self.last_index = index
            if (took := _now() - begun) > SLOW:
                self._calm = begun + CALM * took
        return index

    def _start(self, put: _Put) -> None:
        if self._under_way >= self._maxsize:
            self._backlog.append(put)
            return
        with self._lock:
            self._waiting.append(put)
            idle, self._working = not self._working, True
        self._under_way += 1
        if idle:
            try:
                self._loop.run_in_executor(None, self._work, self._loop)
            except BaseException:  # the executor was shut down
                with self._lock:
                    self._waiting.remove(put)
                    self._working = False
                self._under_way -= 1
                raise

    def _withdraw(self, put: _Put, future: asyncio.Future[int]) -> None:
        """A put was cancelled: if nobody has taken it, nobody ever will."""
        if future.done() and not future.cancelled():  # it was told, and nobody came to hear it
            if (error := future.exception()) is not None:
                self.errors.append(error)
            else:
                self.unclaimed.append(future.result())
            return
        try:
            self._backlog.remove(put)
            return
        except ValueError:
            pass
        with self._lock:
            try:
                self._waiting.remove(put)
            except ValueError:
                return  # _told() will find the future cancelled
        self._under_way -= 1
        self._go_on()

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
            if self._each:
                self._sync(puts)
            try:
                loop.call_soon_threadsafe(self._told, puts)
            except RuntimeError:  # the loop was closed: nobody is left to be told
                pass

    def _write(self, put: _Put) -> None:
        try:
            data, size, handle = ffi.from_buffer(put.data), len(put.data), self._appender._handle
            put.index = _try_write(handle, data, size) if self._each else _AGAIN
            if put.index == _AGAIN:
                put.index = _write(handle, data, size)
            if put.index < 0:
                self._appender._fail_to_write(put.index)
            if lib.tape_has_slow_append():
                self._appender._tell_slow()
        except BaseException as error:  # for who awaits the put
            put.error = error

    def _sync(self, puts: list[_Put]) -> None:
        """One sync makes all of them durable; when it fails, none is acknowledged."""
        try:
            self._appender.sync()
        except BaseException as error:
            for put in puts:
                put.error = put.error or error

    # ---- in the loop ----

    def _told(self, puts: list[_Put]) -> None:
        self._under_way -= len(puts)
        for put in puts:
            future, error = put.future, put.error
            if error is not None:
                if not put.tell(error):
                    self.errors.append(error)
                continue
            self.last_index = put.index
            if future is not None and not future.done():
                future.set_result(put.index)
            elif future is not None:
                self.unclaimed.append(put.index)
        self._go_on()

    def _go_on(self) -> None:
        """There may be room, or nothing left."""
        while self._backlog and self._under_way < self._maxsize:
            put = self._backlog.popleft()
            try:
                self._start(put)
            except RuntimeError as error:
                put.tell(error)
        if self._drained is not None and not self._under_way and not self._drained.done():
            self._drained.set_result(None)

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
