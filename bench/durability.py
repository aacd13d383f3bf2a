"""``python -m bench.durability``: what each word of ``durability=`` costs, in one run.

Beside them a bare fdatasync: 64 bytes appended to a preallocated file of the same file system, and
synced. All take turns, so that a busy disk is busy for all.
"""

from __future__ import annotations

import os
import shutil
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import tape
from tape.codecs import raw

MESSAGE = b"x" * 64
WRITERS = 8


def bare(directory: Path) -> Callable[[], None]:
    """Appends to a file and syncs it, as little as that can be."""
    file = os.open(directory / "bare", os.O_RDWR | os.O_CREAT)
    os.truncate(file, 64 << 20)
    os.posix_fallocate(file, 0, 8 << 20)
    os.fsync(file)
    place = 0

    def append() -> None:
        nonlocal place
        os.pwrite(file, MESSAGE, place)
        os.fdatasync(file)
        place += len(MESSAGE)
    return append


def seconds(append: Callable[[], object], count: int) -> float:
    """Of one message, on average."""
    begun = time.perf_counter()
    for _ in range(count):
        append()
    return (time.perf_counter() - begun) / count


def together(append: Callable[[], object], count: int) -> float:
    """The same of threads that write at the same time."""
    threads = [threading.Thread(target=seconds, args=(append, count)) for _ in range(WRITERS)]
    begun = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return (time.perf_counter() - begun) / (count * WRITERS)


def main() -> int:
    """Prints the table of docs/durability.md."""
    directory = Path(tempfile.mkdtemp(prefix="tape-durability-",
                                      dir=sys.argv[1] if len(sys.argv) > 1 else None))
    queues = {word: tape.open(directory / word.replace(":", "-"), durability=word, codec=raw)
              for word in ("os", "interval:200ms", "each")}
    appends = {word: q.appender().write for word, q in queues.items()}
    runs = {"a bare fdatasync": lambda: seconds(sync, 50),
            "each": lambda: seconds(lambda: appends["each"](MESSAGE), 50),
            f"each, {WRITERS} threads": lambda: together(lambda: appends["each"](MESSAGE), 50),
            "interval:200ms": lambda: seconds(lambda: appends["interval:200ms"](MESSAGE), 20000),
            "os": lambda: seconds(lambda: appends["os"](MESSAGE), 20000)}
    sync = bare(directory)
    found: dict[str, list[float]] = {name: [] for name in runs}
    try:
        for append in appends.values():
            append(MESSAGE)
        for _ in range(7):
            for name, run in runs.items():
                found[name].append(run())
    finally:
        for q in queues.values():
            q.close()
        shutil.rmtree(directory, ignore_errors=True)
    medians = {name: statistics.median(values) for name, values in found.items()}
    print("| | a message, µs | messages a second | against a bare fdatasync |")
    print("| --- | ---: | ---: | ---: |")
    for name, value in medians.items():
        print(f"| {name} | {value * 1e6:,.1f} | {1 / value:,.0f} | "
              f"{value / medians['a bare fdatasync']:.3f} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
