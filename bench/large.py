"""Four gigabytes in one cycle: how much memory stays resident, and what a random seek costs there.

``python -m bench.large write|tail PATH COUNT`` is one of the two processes.
"""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

from .rounds import Scenario

BODY = 1024


def resident() -> dict[str, int]:
    """Of this process, in KiB: the peak, and what is its own (not the page cache's)."""
    words = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return {name: int(words[name].split()[0]) for name in ("VmHWM", "RssAnon", "RssFile")}


def _side(role: str, path: str, count: int) -> None:
    import tape
    queue = tape.open(path, codec=tape.codecs.raw)
    begin = time.perf_counter()
    if role == "write":
        write, message = queue.appender().write, b"m" * BODY
        for _ in range(count):
            write(message)
    else:
        tailer, done = queue.tailer(), 0
        while done < count:
            got = sum(1 for _ in tailer)
            done += got
            if not got:
                time.sleep(0.001)
    facts = resident()
    print(*facts.values(), time.perf_counter() - begin)


def measure_memory(directory: Path, count: int) -> dict[str, dict[str, float]]:
    """A writer and a tailer that follows it: peak, own and mapped memory in KiB, and seconds."""
    path = str(directory / "large")
    sides = {role: subprocess.Popen([sys.executable, "-m", "bench.large", role, path, str(count)],
                                    stdout=subprocess.PIPE, text=True)
             for role in ("write", "tail")}
    found = {}
    for role, process in sides.items():
        words = process.communicate()[0].split()
        if process.returncode != 0:
            raise RuntimeError(f"the process that should {role} ended with {process.returncode}")
        found[role] = dict(zip(("VmHWM", "RssAnon", "RssFile", "seconds"), map(float, words)))
    return found


def seek_scenarios(directory: Path, count: int, rounds: int) -> list[Scenario]:
    """Random reads among all, in tape's queue (written before) and in lmdb, filled here."""
    import lmdb
    import tape
    queue = tape.open(directory / "large", codec=tape.codecs.raw)
    first, tailer = queue.first_index, queue.tailer()
    assert first is not None and len(queue) == count
    env = lmdb.open(str(directory / "large-lmdb"), map_size=32 << 30, writemap=True,
                    map_async=True, sync=False, metasync=False)
    for start in range(0, count, 10_000):
        with env.begin(write=True) as transaction:
            transaction.cursor().putmulti(((n.to_bytes(8, "big"), b"m" * BODY)
                                           for n in range(start, min(start + 10_000, count))),
                                          append=True)

    def ours(times: int) -> tuple[float, int]:
        wanted = [first + random.randrange(count) for _ in range(times)]
        begin = time.perf_counter_ns()
        for index in wanted:
            tailer.seek(index)
            tailer.read()
        return time.perf_counter_ns() - begin, times

    def theirs(times: int) -> tuple[float, int]:
        wanted = [random.randrange(count).to_bytes(8, "big") for _ in range(times)]
        with env.begin() as transaction:
            get = transaction.get
            begin = time.perf_counter_ns()
            for key in wanted:
                get(key)
            return time.perf_counter_ns() - begin, times

    return [Scenario("py.seek_read_large", ours), Scenario("lmdb.get_large", theirs)]


def clean(directory: Path) -> None:
    """Gives the disk back."""
    for name in ("large", "large-lmdb"):
        shutil.rmtree(directory / name, ignore_errors=True)


if __name__ == "__main__":
    _side(sys.argv[1], sys.argv[2], int(sys.argv[3]))
