"""The log of slow appends: imported when there is one."""

from __future__ import annotations

import logging
import os
from _thread import get_ident

from ._ffi import ffi, lib

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["tell"]

_log = logging.getLogger("tape.append")

# What held an append up, by its field in C.
CAUSES = {
    "lock_ns": "waiting for the write lock",
    "clock_ns": "waiting for the clock to leave a finished cycle",
    "cycle_ns": "looking after files, or rolling",
    "room_ns": "reserving blocks",
    "pages_ns": "bringing in pages",
    "sync_ns": "syncing",
}
LEAST_MS = 1.0  # of a cause that is worth naming beside others
_telling: set[int] = set()  # threads: a log may be a queue itself, and slow


def _named(cause: str, ms: float, holder: int) -> str:
    text = f"{ms:.0f} ms {CAUSES[cause]}"
    if cause == "lock_ns" and holder:
        text += (", held by another thread" if holder == os.getpid()
                 else f", held by process {holder}")
    return text


def tell(path: str) -> None:
    """Logs the slow append that this thread has just made."""
    slow: Any = ffi.new("tape_slow_append_t *")
    if not lib.tape_take_slow_append(slow) or get_ident() in _telling:
        return
    took = {cause: getattr(slow, cause) / 1e6 for cause in CAUSES}
    order = sorted(took, key=lambda cause: -took[cause])
    causes = [_named(cause, took[cause], slow.holder_pid) for cause in order
              if cause == order[0] or took[cause] >= LEAST_MS]
    _telling.add(get_ident())
    try:
        _log.warning("%s: an append took %.0f ms: %s (index %#x)", path, slow.took_ns / 1e6,
                     "; ".join(causes), slow.index)
    finally:
        _telling.discard(get_ident())
