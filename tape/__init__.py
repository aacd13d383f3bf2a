"""tape: queues that store everything to disk.

>>> import tape, tempfile
>>> with tape.open(tempfile.mkdtemp() + "/orders") as q:
...     a = q.appender()
...     i = a.write({"foo": ["bar", {"baz": 0}]})
...     t = q.tailer()
...     t.read()
{'foo': ['bar', {'baz': 0}]}
"""

from __future__ import annotations

import sys as _sys

if "t" in getattr(_sys, "abiflags", "") or not getattr(_sys, "_is_gil_enabled", lambda: True)():
    raise ImportError("tape does not work on a Python without the GIL yet (this is one): "
                      "use the usual build of the same version, python3.14 in place of python3.14t")


def _in_a_subinterpreter() -> bool:
    """Whether this is not the process's main interpreter. Asked before anything written in C is
    imported: some of that harms the main interpreter when another one imports it, or ends."""
    for name in ("_interpreters", "_xxsubinterpreters"):  # since 3.13, and before
        try:
            module = __import__(name)
        except ImportError:
            continue
        return bool(module.get_current() != module.get_main())
    return False  # PyPy has none


if _in_a_subinterpreter():
    raise ImportError("tape works in a process's main interpreter only, and this is a "
                      "subinterpreter: import it there (mod_wsgi: WSGIApplicationGroup "
                      "%{GLOBAL}), or in a process of its own")

from . import codecs
from ._ffi import lib as _lib
from ._ffi import text as _text
from .appender import Appender
from .errors import *  # noqa: F403
from .errors import __all__ as _errors
from ._types import NOTHING
from .opening import open  # noqa: A004
from .queue import Queue
from .roll_cycles import RollCycle
from .tailer import Tailer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ._protocols import Clock
    from .aio import merge
    from .checking import Finding, Report, repair, verify
    from .codecs import Codec
    from .deletion import delete
    from .info import (AppenderInfo, Bounds, CycleFile, Entry, Lag, Location, MetadataEntry,
                       QueueInfo, TailerInfo)
    from .replaying import replay
    from .retention import ALL, Keep, Verdict
    from .stats import QueueStats, TailerStats

__version__ = _text(_lib.tape_version())

__all__ = ["ALL", "Appender", "AppenderInfo", "Bounds", "Clock", "Codec", "CycleFile", "Entry",
           "Finding", "Keep", "Lag", "Location", "NOTHING", "MetadataEntry", "Queue", "QueueInfo",
           "QueueStats", "Report", "RollCycle", "Tailer", "TailerInfo", "TailerStats", "Verdict",
           "codecs", "delete", "merge", "open", "repair",
           "replay", "verify",
           *_errors]

# What is not needed for reading and writing is imported when it is asked for.
_LATER = {"Clock": "_protocols", "Codec": "codecs", "delete": "deletion", "merge": "aio",
          "replay": "replaying",
          **dict.fromkeys(("Finding", "Report", "repair", "verify"), "checking"),
          **dict.fromkeys(("ALL", "Keep", "Verdict"), "retention"),
          **dict.fromkeys(("QueueStats", "TailerStats"), "stats"),
          **dict.fromkeys(("AppenderInfo", "Bounds", "CycleFile", "Entry", "Lag", "Location",
                           "MetadataEntry", "QueueInfo", "TailerInfo"), "info")}


def __getattr__(name: str) -> Any:
    module = _LATER.get(name)
    if name in ("metrics", "tasks"):
        from importlib import import_module
        return import_module(f"tape.{name}")
    if module is None:
        raise AttributeError(f"module 'tape' has no attribute {name!r}")
    from importlib import import_module
    value = globals()[name] = getattr(import_module(f"tape.{module}"), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_LATER})
