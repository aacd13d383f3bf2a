"""What asyncio and trio need to know of waiting: one descriptor for all tailers of a loop."""

from __future__ import annotations

import asyncio
import os
import sys
from weakref import WeakKeyDictionary

from ._ffi import check, ffi, lib, made
from ._lanes import WaiterLane

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ._cursor import Cursor

__all__ = ["forget", "in_thread", "in_trio", "let_others_run", "sleeper_of", "wait_for"]

TAKEN_AT_ONCE = 256


def in_trio() -> bool:
    """Whether trio runs the calling task (and not asyncio)."""
    trio = sys.modules.get("trio")
    if trio is None:
        return False
    try:
        trio.lowlevel.current_task()
    except RuntimeError:
        return False
    return True


class LoopWaiter(WaiterLane):
    """All tailers of one loop that wait: a waiter of C, whose descriptor the loop watches."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._handle = made("waiter", lib.tape_waiter_open)
        self._sleepers: dict[int, list[asyncio.Future[None]]] = {}  # by tailer
        self.pid = os.getpid()
        self._descriptor = check(lib.tape_waiter_fd(self._handle))
        loop.add_reader(self._descriptor, self._wake)

    def _wake_slowly(self) -> None:
        tokens = ffi.new("uint64_t[]", TAKEN_AT_ONCE)
        while True:
            got = check(lib.tape_waiter_take(self._handle, tokens, TAKEN_AT_ONCE))
            for number in tokens[0:got]:
                for sleeper in self._sleepers.pop(number, ()):
                    if not sleeper.done():
                        sleeper.set_result(None)
            if got < TAKEN_AT_ONCE:
                return

    def _refused(self, code: int) -> None:
        check(code)

    def sleeper(self, cursor: Cursor,
                loop: asyncio.AbstractEventLoop) -> asyncio.Future[None] | None:
        """Done when the tailer may have something, or was closed, or another call used it.
        ``None``: at once."""
        number = id(cursor)
        if cursor.call(_add_with, self._handle, number) == lib.TAPE_WAIT_READY:
            return None
        sleeper = loop.create_future()
        self._sleepers.setdefault(number, []).append(sleeper)
        return sleeper

    def woken(self, cursor: Cursor, sleeper: asyncio.Future[None]) -> None:
        """It needs to be told no more."""
        number = id(cursor)
        sleepers = self._sleepers.get(number)
        if sleepers is not None and sleeper in sleepers:
            sleepers.remove(sleeper)
            if not sleepers:
                del self._sleepers[number]

    def forget(self, loop: asyncio.AbstractEventLoop) -> None:
        """In a forked child: the descriptor is the parent's, too."""
        loop.remove_reader(self._descriptor)


def _add_with(tailer: Any, waiter: Any, number: int) -> int:
    return int(lib.tape_waiter_add(waiter, tailer, number))


_WAITERS: WeakKeyDictionary[asyncio.AbstractEventLoop, LoopWaiter] = WeakKeyDictionary()


def _waiter_of(loop: asyncio.AbstractEventLoop) -> LoopWaiter:
    waiter = _WAITERS.get(loop)
    if waiter is not None and waiter.pid != os.getpid():
        waiter.forget(loop)
        waiter = None
    if waiter is None:
        waiter = _WAITERS[loop] = LoopWaiter(loop)
    return waiter


async def wait_for(cursor: Cursor) -> None:
    """Until the tailer may have something. Whoever is cancelled here has taken nothing."""
    if in_trio():
        await sys.modules["trio"].lowlevel.wait_readable(cursor.call(lib.tape_tailer_fd))
    else:
        sleeper = sleeper_of(cursor)
        try:
            if sleeper is not None:
                await sleeper
        finally:
            forget(cursor, sleeper)


def sleeper_of(cursor: Cursor) -> asyncio.Future[None] | None:
    """A future of the running loop: done when the tailer may have something. ``None``: it may at
    once. Who awaits it no longer says so by :func:`forget`."""
    loop = asyncio.get_running_loop()
    return _waiter_of(loop).sleeper(cursor, loop)


def forget(cursor: Cursor, sleeper: asyncio.Future[None] | None) -> None:
    """Nobody awaits it any more."""
    waiter = None if sleeper is None else _WAITERS.get(sleeper.get_loop())
    if sleeper is not None and waiter is not None:
        waiter.woken(cursor, sleeper)


async def let_others_run() -> None:
    """A place where others run and cancelling is heard, although nothing is waited for."""
    if in_trio():
        await sys.modules["trio"].lowlevel.checkpoint()
    else:
        await asyncio.sleep(0)


async def in_thread(function: Callable[[], Any]) -> Any:
    """Calls it in a thread; a loop that cancels us waits for its end all the same."""
    if in_trio():
        return await sys.modules["trio"].to_thread.run_sync(function)
    work = asyncio.get_running_loop().run_in_executor(None, function)
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        await asyncio.wait([work])
        raise
