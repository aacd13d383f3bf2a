"""Seeks by time in a queue of which nothing is in memory: right, and few pages are brought in.

With TAPE_TEST_SCALE=1 ten million messages in a thousand cycles.
"""

from __future__ import annotations

import bisect
import json
import os
import random
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import tape
from tape.codecs import raw

from tests.kit.clocks import SetClock

HOUR = 3_600_000
START = 1_700_000_000_000 // HOUR * HOUR
BATCH = 100

# In a process of its own, so that nothing is mapped: one seek, and what the system read for it.
SEEK = """
import datetime, json, resource, sys, time, tape
def read():
    with open("/proc/self/io") as file:
        return dict(line.split(": ") for line in file.read().splitlines())["read_bytes"]
with tape.open(sys.argv[1], codec=tape.codecs.raw, read_only=True) as q:
    t = q.tailer()
    when = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc) \\
        + datetime.timedelta(milliseconds=int(sys.argv[2]))
    before, begun = int(read()), time.perf_counter()
    found = t.seek(when)
    took = time.perf_counter() - begun
    message = t.read()
    print(json.dumps({"found": found, "index": t.last_read, "message": message.hex(),
                      "ms": took * 1000, "read": int(read()) - before,
                      "faults": resource.getrusage(resource.RUSAGE_SELF).ru_majflt}))
"""


def filled(path: Path, cycles: int, count: int) -> tuple[list[int], list[int]]:
    """The times of batches of messages, and the index of the first of each."""
    clock, chance = SetClock(START), random.Random(cycles)
    times, indexes = [], []
    with tape.open(path, codec=raw, roll_cycle="FAST_HOURLY", clock=clock,
                   block_size=256 << 10) as q:
        a = q.appender()
        for cycle in range(cycles):
            moments = sorted(chance.sample(range(HOUR), count // BATCH))
            for moment in moments:
                clock.ms = START + cycle * HOUR + moment
                indexes.append(a.write_many([struct.pack("<q", clock.ms)] * BATCH)[0])
                times.append(clock.ms)
    return times, indexes


def make_cold(path: Path) -> int:
    """Nothing of the files is in memory any more; how many pages they have."""
    pages = 0
    for file in path.iterdir():
        fd = os.open(file, os.O_RDWR)
        os.fsync(fd)
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        pages += os.fstat(fd).st_blocks // 8
        os.close(fd)
    return pages


def resident(path: Path) -> int:
    """Pages of the queue's files that are in memory, those read ahead included."""
    ran = subprocess.run([sys.executable, "-c", RESIDENT, *map(str, path.iterdir())], text=True,
                         capture_output=True, check=True)
    return int(ran.stdout)


RESIDENT = """
import ctypes, mmap, os, sys
libc, total = ctypes.CDLL(None, use_errno=True), 0
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int,
                      ctypes.c_long]
for name in sys.argv[1:]:
    fd = os.open(name, os.O_RDONLY)
    size = os.fstat(fd).st_size
    if size:
        at = libc.mmap(None, size, mmap.PROT_READ, mmap.MAP_SHARED, fd, 0)
        seen = (ctypes.c_ubyte * ((size + 4095) // 4096))()
        assert libc.mincore(ctypes.c_void_p(at), ctypes.c_size_t(size), seen) == 0
        total += sum(byte & 1 for byte in seen)
        libc.munmap(ctypes.c_void_p(at), ctypes.c_size_t(size))
    os.close(fd)
print(total)
"""


def test_a_seek_by_time_into_a_cold_queue_reads_little(
        tmp_path: Path, scaled: Callable[[float, float], float],
        report: Callable[[str], None]) -> None:
    """The answer is that of a full scan, and of the queue's pages next to none were read."""
    cycles, count = int(scaled(20, 1000)), int(scaled(1000, 10_000))
    path = tmp_path / "q"
    times, indexes = filled(path, cycles, count)
    chance = random.Random()
    reads, pages, took = [], [], []
    for _ in range(int(scaled(3, 20))):
        when = chance.randint(times[0], times[-1])
        all_pages = make_cold(path)
        before = resident(path)
        ran = subprocess.run([sys.executable, "-c", SEEK, path, str(when)], text=True,
                             capture_output=True, check=True)
        found = json.loads(ran.stdout)
        true = bisect.bisect_left(times, when)  # a batch has one time, as a full scan shows it
        assert found["found"] and found["index"] <= indexes[true]
        assert struct.unpack("<q", bytes.fromhex(found["message"]))[0] > when - 1000
        reads.append(found["read"])
        took.append(found["ms"])
        if before == 0:
            pages.append(resident(path))
    median = sorted(took)[len(took) // 2]
    report(f"{cycles * count:,} messages, {cycles:,} cycles, {all_pages:,} pages: a cold seek by "
           f"time reads {max(reads) >> 10} KiB at most, takes {median:.1f} ms; "
           f"pages in memory then: {max(pages, default=-1)}")
    if not pages:
        pytest.skip("this file system keeps its files in memory")
    assert max(pages) < 1024  # with what the system reads ahead


@pytest.mark.parametrize("notes", [True, False])
def test_a_seek_by_time_costs_the_same_in_a_long_queue(tmp_path: Path, notes: bool) -> None:
    """It does not walk over cycles, with notes or without."""
    path = tmp_path / "q"
    times, indexes = filled(path, 30, 200)
    if not notes:
        for file in path.glob("*.times"):
            file.unlink()
    with tape.open(path, codec=raw, read_only=True) as q, q.tailer() as t:
        for number in range(0, len(times), 7):
            cycle = q.locate(indexes[number]).cycle
            assert t.seek(when_of(times[number]))
            assert q.locate(t.index).cycle == cycle and t.index <= indexes[number]
            assert notes == (t.index == indexes[number]) or indexes[number] == q.index_of(cycle, 0)


def when_of(ms: int) -> object:
    """As seek() takes it."""
    import datetime
    return datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc) \
        + datetime.timedelta(milliseconds=ms)
