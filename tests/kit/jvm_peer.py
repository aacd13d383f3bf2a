"""Chronicle Queue itself, as the judge of tape's tests.

The Java program under ``tests/jvm`` does what it is told over a line protocol; this module
builds it, starts it, and gives its commands Python types. Nothing here knows tape.

>>> with Peer() as peer:                                       # doctest: +SKIP
...     queue = peer.open("orders", roll_cycle="TEST_SECONDLY")
...     index = queue.appender().append(b"payload")
...     queue.tailer().read()
Message(index=..., kind='tape', data=b'payload')

Live runs use processes of their own, :class:`LiveWriter` and :class:`LiveTailer`:

>>> with LiveWriter("orders", id=1, seconds=3, wait=True) as writer:   # doctest: +SKIP
...     writer.wait_ready()
...     writer.go()
...     writer.result()
WriterResult(count=..., first=..., last=..., cycles=1, slowest_us=...)
"""

from __future__ import annotations

from tests.jvm.building import (
    REQUIRE,
    VERSION,
    BuildFailed,
    available,
    begin_module,
    build,
    chosen,
    require_jvm,
)
from tests.jvm.computed import live_padding, live_padding_length, payload, read_records
from tests.jvm.live import LiveProcess, LiveTailer, LiveWriter, TailerResult, WriterResult
from tests.jvm.messages import Digest, Message, RollCycleRow
from tests.jvm.peer import Peer, Pending
from tests.jvm.process import JvmDied, JvmError
from tests.jvm.queue import JvmAppender, JvmQueue, JvmTailer

__all__ = [
    "REQUIRE", "VERSION", "BuildFailed", "Digest", "JvmAppender", "JvmDied", "JvmError",
    "JvmQueue", "JvmTailer", "LiveProcess", "LiveTailer", "LiveWriter", "Message", "Peer",
    "Pending", "RollCycleRow", "TailerResult", "WriterResult", "available", "begin_module", "build",
    "chosen", "live_padding", "live_padding_length", "payload", "read_records", "require_jvm",
]
