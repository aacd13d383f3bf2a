"""From one process to another, paced: ``python -m bench.latency write|read KIND PATH COUNT RATE``.

Beside what bench/latency.c and bench/jvm/Bench.java do, this is a side of the pairs in Python:
KIND is ``tape``, ``lmdb`` or ``floor``. The other half of the module runs all pairs.
"""

from __future__ import annotations

import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

now = time.monotonic_ns
PADDING = bytes(56)
SHARES = (("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999))
FLOOR_BYTES = 64 << 20


def _open(kind: str, path: str, writes: bool) -> Callable[..., Any]:
    """A function that writes a message, or gives the next one, or ``None``."""
    if kind == "tape":
        import tape
        queue = tape.open(path, codec=tape.codecs.raw)
        return queue.appender().write if writes else queue.tailer(start="end").read
    if kind == "floor":
        from .building import python_floor
        log = python_floor().Log(path, FLOOR_BYTES)
        return log.append if writes else log.next
    import lmdb
    env = lmdb.open(path, map_size=8 << 30, writemap=True, map_async=True, sync=False,
                    metasync=False)
    numbers = iter(range(1 << 40))
    if writes:
        def put(message: bytes) -> None:
            with env.begin(write=True) as transaction:
                transaction.put(next(numbers).to_bytes(8, "big"), message, append=True)
        return put
    begin, key = env.begin, next(numbers).to_bytes(8, "big")

    def get() -> bytes | None:
        nonlocal key
        with begin() as transaction:
            message = transaction.get(key)
        if message is not None:
            key = next(numbers).to_bytes(8, "big")
        return message
    return get


def write_paced(write: Callable[[bytes], Any], count: int, rate: int) -> None:
    """One message at each of its times, with the time in it."""
    step = 1_000_000_000 // rate
    due = now() + step
    for _ in range(count):
        while (time_ := now()) < due:
            pass
        write(time_.to_bytes(8, "little") + PADDING)
        due += step


def read_paced(read: Callable[[], bytes | None], count: int) -> list[int]:
    """How long each took."""
    took = []
    for _ in range(count):
        while (message := read()) is None:
            pass
        took.append(now() - int.from_bytes(message[:8], "little"))
    return took


def side(role: str, kind: str, path: str, count: int, rate: int) -> None:
    """What this module does as a program."""
    action = _open(kind, path, role == "write")
    if role == "write":
        write_paced(action, count, rate)
    else:
        print("ready", flush=True)
        print(*read_paced(action, count))


# ---- all pairs ----

def _ready(process: subprocess.Popen[str]) -> None:
    assert process.stdout is not None
    line = process.stdout.readline()
    if line != "ready\n":
        raise RuntimeError(f"{process.args!r} said {line!r}, not that it is ready")


def one_pair(command: list[str], middle: list[str], path: Path, count: int, rate: int,
             writer_waits: bool) -> list[int]:
    """The differences of one run of a pair of processes, the first half left out: until then a JVM
    still compiles what the two run, beside its warm-up."""
    tail = [*middle, str(path), str(count), str(rate)]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    reader = subprocess.Popen([*command, "read", *tail], **pipes)
    _ready(reader)
    writer = subprocess.Popen([*command, "write", *tail], **pipes)
    if writer_waits:
        _ready(writer)
    writer.communicate("\n", timeout=120)
    try:
        line = reader.communicate(timeout=30)[0]
    finally:
        reader.kill()
    took = [int(word) for word in line.split()]
    return took[len(took) // 2:]


def percentiles(took: list[int]) -> dict[str, float]:
    """p50, p99 and p99.9 in nanoseconds."""
    ordered = sorted(took)
    return {name: float(ordered[min(int(len(ordered) * share), len(ordered) - 1)])
            for name, share in SHARES}


def measure(pairs: dict[str, tuple[list[str], list[str], bool]], directory: Path, rounds: int,
            count: int, rate: int = 10_000) -> dict[str, dict[str, float]]:
    """Percentiles of each pair: medians over rounds in which the pairs take turns."""
    found: dict[str, list[dict[str, float]]] = {name: [] for name in pairs}
    for number in range(rounds):
        for name, (command, middle, waits) in pairs.items():
            path = directory / f"latency-{name}-{number}"
            found[name].append(percentiles(one_pair(command, middle, path, count, rate, waits)))
            for left in directory.glob(f"latency-{name}-{number}*"):
                shutil.rmtree(left) if left.is_dir() else left.unlink()
    return {name: {share: statistics.median(one[share] for one in all_) for share, _ in SHARES}
            for name, all_ in found.items()}


if __name__ == "__main__":
    side(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5]))
