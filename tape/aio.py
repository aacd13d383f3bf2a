"""asyncio: streams of messages, sinks for them, and several queues as one.

Imported when it is asked for: ``import tape`` needs no asyncio.
"""

from __future__ import annotations

import time

from ._arguments import deadline_of
from ._ffi import check, ffi, lib, made
from ._lanes import NOTHING, StreamLane, have_lanes
from ._loop import forget, in_trio, let_others_run, sleeper_of, wait_for
from ._sink import Sink
from .errors import InvalidArgument, QueueClosed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from types import TracebackType
    from typing import Any, NoReturn

    from ._cursor import Cursor
    from .tailer import Tailer

__all__ = ["Merge", "Sink", "Stream", "merge"]

SHARE = 256  # so many messages are given before others may run


def _next(cursor: Cursor, messages: list[Iterator[Any]]) -> Any:
    """The next message of a loop that goes on where it ended; ``NOTHING``: none now."""
    if not messages:
        messages.append(cursor.messages())
    try:
        # Not by next(), behind which Python hears signals: as everywhere that one is given
        # with no call until the message has left.
        for message in messages[0]:
            return message
    except BaseException:
        messages.clear()
        raise
    messages.clear()
    return NOTHING


class Stream(StreamLane):
    """Messages as they come; made by :meth:`tape.Tailer.stream`. For asyncio, uvloop, and trio.

    What is there is given without a round through the loop, and nothing is taken before it is
    delivered: after ``break``, cancelling, an error or closing, the first undelivered message is
    the tailer's next one, in either direction. Errors are raised by the ``await`` that met them;
    after a message that cannot be decoded, ``tailer.skip()`` moves on. It ends when the queue or
    the tailer is closed. A named tailer's position is stored when the next message is asked for, or
    when the ``async with`` is left without an error: *at least once*. A consumer that never awaits
    lets others run all the same, every 256 messages.
    """

    __slots__ = ("_by_lane", "_messages", "tailer")

    def __init__(self, tailer: Tailer) -> None:
        self.tailer = tailer
        self._cursor = cursor = tailer._cursor
        self._by_lane = have_lanes and cursor.in_lanes
        self._messages: list[Iterator[Any]] = []
        self._given = 0

    def __aiter__(self) -> Stream:
        return self

    async def _slowly(self) -> Any:
        """The next message, when it may have to be waited for, or others shall run."""
        cursor = self._cursor
        try:
            if self._given >= SHARE:
                self._given = 0
                await let_others_run()
            while True:  # with no call until the message has left
                value = cursor.one() if self._by_lane else _next(cursor, self._messages)
                if value is not NOTHING:
                    self._given += 1
                    return value
                self._given = 0
                await wait_for(cursor)
        except QueueClosed as error:
            self._failed(error)

    if not have_lanes:
        __anext__ = _slowly

    def _pause(self) -> Any:
        """For a step of the lane, which found nothing or may take nothing: a future behind which
        it looks again, ``None`` to look again at once, or a coroutine for the message."""
        if not self._by_lane or self._given >= SHARE or in_trio():
            return self._slowly()
        self._given = 0
        try:
            return sleeper_of(self._cursor)
        except QueueClosed as error:
            self._failed(error)

    def _forget(self, sleeper: Any) -> None:
        forget(self._cursor, sleeper)

    def _failed(self, error: BaseException) -> NoReturn:
        """A queue or a tailer that was closed ends the loop."""
        if isinstance(error, QueueClosed) and self._cursor.closed:
            raise StopAsyncIteration from None
        raise error

    async def aclose(self) -> None:
        """Ends it: what was read ahead is the tailer's again."""
        if self._messages:
            self._messages.pop().close()  # type: ignore[attr-defined]

    async def __aenter__(self) -> Stream:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None,
                        trace: TracebackType | None) -> None:
        await self.aclose()
        if error is None and self._cursor.auto_commit and not self._cursor.closed:
            self._cursor.done()


class Merge:
    """Messages of several tailers, as they come; made by :func:`merge`."""

    __slots__ = ("_tailers", "_timeout")

    def __init__(self, tailers: tuple[Tailer, ...], timeout: float | None) -> None:
        if len(set(map(id, tailers))) != len(tailers):
            raise InvalidArgument("a tailer twice in merge()", hint="make a second tailer")
        deadline_of(timeout)
        self._tailers, self._timeout = tailers, timeout

    def _round(self, loops: dict[Tailer, list[Iterator[Any]]]) -> Iterator[tuple[Tailer, Any]]:
        """One message of each that has one; those that were closed are left out from then on."""
        for tailer in list(loops):
            try:
                # with no call until the message has left
                value = _next(tailer._cursor, loops[tailer])
            except QueueClosed:
                if not tailer.closed:
                    raise
                del loops[tailer]
                continue
            if value is not NOTHING:  # with no call until the message has left
                yield tailer, value

    def __iter__(self) -> Iterator[tuple[Tailer, Any]]:
        loops: dict[Tailer, list[Iterator[Any]]] = {t: [] for t in self._tailers}
        waiter = _Waiter()
        deadline = deadline_of(self._timeout)
        while loops:
            found = False
            for pair in self._round(loops):  # with no call until the message has left
                found = True
                yield pair
            if found:
                deadline = deadline_of(self._timeout)
            elif loops and not waiter.wait(list(loops), deadline):
                return

    async def __aiter__(self) -> AsyncIterator[tuple[Tailer, Any]]:
        import asyncio
        loops: dict[Tailer, list[Iterator[Any]]] = {t: [] for t in self._tailers}
        given = 0
        while loops:
            found = False
            for pair in self._round(loops):
                found = True
                given += 1
                yield pair
            if found and given < SHARE:
                continue
            given = 0
            if found:
                await let_others_run()
                continue
            waits = [asyncio.ensure_future(wait_for(t._cursor)) for t in loops]
            try:
                await asyncio.wait(waits, timeout=self._timeout,
                                   return_when=asyncio.FIRST_COMPLETED)
                if not any(w.done() for w in waits):
                    return
            finally:
                for wait in waits:
                    wait.cancel()
                await asyncio.gather(*waits, return_exceptions=True)


class _Waiter:
    """Waits for several tailers in one thread."""

    def __init__(self) -> None:
        self._handle = made("waiter", lib.tape_waiter_open)
        self._tokens = ffi.new("uint64_t[]", 64)

    def wait(self, tailers: list[Tailer], deadline: float | None) -> bool:
        """Until one of them may have something; false when the time is over."""
        for tailer in tailers:
            try:
                code = tailer._cursor.call(
                    lambda handle: lib.tape_waiter_add(self._handle, handle, 0))
            except QueueClosed:
                return True
            if code == lib.TAPE_WAIT_READY:
                return True
        while lib.tape_waiter_take(self._handle, self._tokens, 64) == 0:
            left = 0.05 if deadline is None else min(0.05, deadline - time.monotonic())
            if left <= 0:
                return False
            check(lib.tape_waiter_wait(self._handle, int(left * 1e9)))
        return True


def merge(*tailers: Tailer, timeout: float | None = None) -> Merge:
    """Messages of several tailers as pairs ``(tailer, message)``, for ``for`` and ``async for``.

    They come in the order in which they arrive, as far as that can be told: what is there already
    is given in turn, one message of each queue. It goes on until all tailers are closed, or nothing
    came for ``timeout`` seconds. A message is taken when it is given, as with ``follow()``.

    Args:
        tailers: of any queues, each at most once.
        timeout: seconds without any message after which it ends; ``None``: never.

    Raises: what reading raises, and :class:`tape.InvalidArgument`.

    >>> import tape, tempfile
    >>> with tape.open(tempfile.mkdtemp()) as q, tape.open(tempfile.mkdtemp()) as r:
    ...     i, j = q.appender().write("a"), r.appender().write("b")
    ...     t, u = q.tailer(), r.tailer()
    ...     [(s is t, m) for s, m in tape.merge(t, u, timeout=0)]
    [(True, 'a'), (False, 'b')]
    """
    return Merge(tailers, timeout)
