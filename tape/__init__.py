"""tape: microsecond messaging that stores everything to disk.

>>> import tape, tempfile
>>> with tape.open(tempfile.mkdtemp() + "/orders") as q:
...     a = q.appender()
...     i = a.write({"foo": ["bar", {"baz": 0}]})
...     t = q.tailer()
...     t.read()
{'foo': ['bar', {'baz': 0}]}
"""

from . import codecs
from ._ffi import lib as _lib
from ._ffi import text as _text
from .appender import Appender
from .codecs import Codec
from .deletion import delete
from .errors import *  # noqa: F403
from .errors import __all__ as _errors
from .info import (AppenderInfo, CycleFile, Entry, Lag, Location, MetadataEntry, QueueInfo,
                   TailerInfo)
from .queue import Clock, Queue
from .queue import open_queue as open  # noqa: A004
from .roll_cycles import RollCycle
from .tailer import Tailer

__version__ = _text(_lib.tape_version())

__all__ = ["Appender", "AppenderInfo", "Clock", "Codec", "CycleFile", "Entry", "Lag", "Location",
           "MetadataEntry", "Queue", "QueueInfo", "RollCycle", "Tailer", "TailerInfo", "codecs",
           "delete", "open", *_errors]
