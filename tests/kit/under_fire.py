"""A queue on which every public call is made while it is interrupted, and what must hold then."""

from __future__ import annotations

import gc
import os
from pathlib import Path
from typing import Any

import tape
from tape.codecs import raw

from tests.kit.clocks import SetClock
from tests.kit.queues import BLOCK, CYCLE

SECONDS = 3
NAME = "worker"


class Scene:
    """Messages in three cycles, a named tailer that read one of them, an appender."""

    def __init__(self, path: Path, **options: Any) -> None:
        self.path = path
        self.clock = SetClock(CYCLE * 1000)
        self.options = {"codec": raw, "roll_cycle": "TEST4_SECONDLY", "clock": self.clock,
                        "block_size": BLOCK, "lock_timeout": 2.0, **options}
        self.q = tape.open(path, **self.options)
        self.a = self.q.appender()
        self.messages: list[bytes] = []
        self.indexes: list[int] = []
        for second in range(SECONDS):
            self.clock.ms = (CYCLE + second) * 1000
            for n in range(3):
                self.messages.append(b"%d.%d" % (second, n))
                self.indexes.append(self.a.write(self.messages[-1]))
        with self.q.tailer(NAME) as t:
            t.read()
        self.t = self.q.tailer()
        self.named = self.q.tailer(NAME)
        self.t.read(), self.t.read_many(1), self.t.seek_start()  # imports; room for batches
        self.state: Any = None  # a case's own

    def read(self, **options: Any) -> list[bytes]:
        """All that is there, by a fresh tailer."""
        with self.q.tailer(**options) as t:
            return list(t)

    def write(self) -> None:
        """Anybody can still write, and what was written is read, once and behind all else."""
        message = b"after %d" % len(self.messages)
        index = self.q.appender().write(message)
        self.messages.append(message)
        self.indexes.append(index)
        with self.q.tailer(start=index) as t:
            assert list(t) == [message]

    def sound(self) -> None:
        """Nothing is lost, doubled or held."""
        self.write()
        assert self.read() == self.messages

    def close(self) -> None:
        self.q.close()
        self.t = self.named = self.a = self.q = self.state = None  # type: ignore[assignment]
        left = held(self.path)
        assert not left, left


def held(path: Path) -> list[str]:
    """What this process has open or mapped below ``path``; empty when all was given back."""
    for _ in range(2):
        prefix = f"{path}{os.sep}"
        with open("/proc/self/maps", encoding="utf-8", errors="surrogateescape") as maps:
            found = [line.split(None, 5)[-1].strip() for line in maps if prefix in line]
        for number in os.listdir("/proc/self/fd"):
            try:
                name = os.readlink(f"/proc/self/fd/{number}")
            except OSError:
                continue
            if name.startswith(prefix) or name == str(path):
                found.append(name)
        if not found:
            return []
        gc.collect()  # frames and their exceptions refer to one another
    return found
