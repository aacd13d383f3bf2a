"""Retention under load beside JVMs: the program that runs on a small file system of its own.

``python -m tests.kit.load_with_jvm DIRECTORY SECONDS``: a writer of tape, which collects after each
roll, and one of Java; a slow named reader of each. Prints what was written, read, removed, and what
the disk holds in the end, as JSON.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import threading
import time
from typing import Any

import tape
from tape.codecs import raw

from tests.kit.jvm_peer import LiveWriter, Peer
from tests.kit.live_worker import decode, encode

ROLL, BLOCK, OURS, JAVAS = "TEST_SECONDLY", 131_072, 2, 1
KEEP = tape.Keep(max_bytes="2MB")

Seen = list[tuple[int, int]]


class Removals(logging.Handler):
    """What retention says."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """One more."""
        self.said.append(record.getMessage())


def opened(path: str, **options: Any) -> tape.Queue[bytes]:
    return tape.open(path, codec=raw, roll_cycle=ROLL, block_size=BLOCK, **options)


def write(path: str, stop: threading.Event, done: dict[str, int]) -> None:
    """As fast as a disk of that size lets it, which may be full for a while."""
    n = full = 0
    with opened(path, on_released=[KEEP]) as q:
        a = q.appender()
        while not stop.wait(0.004):
            try:
                for _ in range(8):
                    a.write(encode(OURS, n, 1500))
                    n += 1
            except tape.DiskFull:
                full += 1
    done.update(tape=n, full=full)


def read(path: str, seen: Seen, ended: threading.Event) -> None:
    """A named reader that is slower than the writers, until all is read."""
    with opened(path) as q, q.tailer("slow") as t:
        while True:
            message = t.read(timeout=0.3)
            if message is not None:
                seen.append(decode(message))
                if len(seen) % 10 == 0 and not ended.is_set():
                    time.sleep(0.006)
            elif ended.is_set():
                return


def run(path: str, seconds: float) -> dict[str, Any]:
    """All of it; what is found."""
    ours: Seen = []
    javas: Seen = []
    done: dict[str, int] = {}
    stop, ended = threading.Event(), threading.Event()
    removals = Removals()
    logging.getLogger("tape.retention").addHandler(removals)
    logging.getLogger("tape.retention").setLevel(logging.INFO)
    with opened(path) as q:
        q.tailer("slow").close()
    with Peer() as peer, peer.open(path, roll_cycle=ROLL, block_size=BLOCK) as java, LiveWriter(
            path, id=JAVAS, seconds=seconds, roll_cycle=ROLL, rate=800, size=(1000, 2000),
            block_size=BLOCK, wait=True) as theirs:
        named = java.tailer("java")
        theirs.wait_ready()
        threads = [threading.Thread(target=write, args=(path, stop, done)),
                   threading.Thread(target=read, args=(path, ours, ended))]
        for thread in threads:
            thread.start()
        theirs.go()
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            javas += [decode(m.data) for m in named.read_all()]
            time.sleep(0.1)
        done["java"] = theirs.result().count
        stop.set()
        threads[0].join()
        ended.set()
        threads[1].join()
        while more := named.read_all():
            javas += [decode(m.data) for m in more]
    return {**done, **left(path, removals.said), "same": ours == javas, "read": len(ours),
            "in order": all([n for id, n in ours if id == each] == list(range(done[name]))
                            for each, name in ((OURS, "tape"), (JAVAS, "java")))}


def left(path: str, said: list[str]) -> dict[str, Any]:
    """The disk after all that is read was let go."""
    def used() -> int:
        disk = os.statvfs(path)
        return (disk.f_blocks - disk.f_bfree) * disk.f_frsize
    removed = [line for line in said if " was removed: all take " in line]
    before = used()
    with opened(path) as q:
        verdicts = q.gc(tape.Keep(max_cycles=1))
        return {"removed": len(removed), "before": before, "after": used(),
                "held": sum(v.bytes for v in verdicts if not v.goes)}


if __name__ == "__main__":
    print(json.dumps(run(os.path.join(sys.argv[1], "q"), float(sys.argv[2]))))
