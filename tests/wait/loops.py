"""Loops of asyncio that tests run on: its own and, where it is installed, uvloop's."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

try:
    import uvloop
except ImportError:
    uvloop = None  # type: ignore[assignment,unused-ignore]

LOOPS: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {
    "asyncio": asyncio.new_event_loop,
    **({} if uvloop is None else {"uvloop": uvloop.new_event_loop}),
}


def run(make: Callable[[], asyncio.AbstractEventLoop], work: Coroutine[Any, Any, Any]) -> Any:
    """As asyncio.run(), at most a minute, on a loop of that kind."""
    loop = make()
    try:
        return loop.run_until_complete(asyncio.wait_for(work, 60))
    finally:
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()


class Steps:
    """A coroutine driven by hand: every place where it gives up control is one step."""

    def __init__(self, coroutine: Any) -> None:
        self._coroutine = coroutine
        self.yielded = 0

    def __await__(self) -> Any:
        result = self._coroutine.__await__()
        try:
            value = next(result)
            while True:
                self.yielded += 1
                self.cancel_here()
                try:
                    sent = yield value
                except BaseException as error:
                    value = result.throw(error)
                else:
                    value = result.send(sent)
        except StopIteration as stop:
            return stop.value

    def cancel_here(self) -> None:
        """Overridden."""
