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
