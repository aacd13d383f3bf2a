"""What is to be reached: ratios of medians of one run."""

from __future__ import annotations

from typing import NamedTuple


class Target(NamedTuple):
    """``what`` divided by ``against`` is to be at most ``limit``."""

    label: str
    what: str
    against: str
    limit: float


TARGETS = [
    Target("C append / floor (lock, copy, CAS, unlock)", "c.append", "c.lock_copy_cas", 2.3),
    Target("C batch append / copy + CAS", "c.append_many", "c.copy_cas", 2.0),
    Target("C read / walking and touching", "c.read", "c.walk", 3.0),
    Target("C spans / walking and touching", "c.spans", "c.walk", 1.9),
    Target("C append / Java framed", "c.append_framed", "java.append_framed", 0.1),
    Target("C append / Java writeBytes", "c.append", "java.append", 0.2),
    Target("C read / Java", "c.read", "java.read", 0.2),
    Target("C seek + next among 10,000 / sequential next", "c.seek", "c.read", 12),
    Target("the same among all that were written", "c.seek_all", "c.read", 12),
    Target("Python write / C-API append", "py.write", "floor.append", 1.8),
    Target("Python write / lmdb", "py.write", "lmdb.put", 0.05),
    Target("write_many / C-API append", "py.write_many", "floor.append", 0.6),
    Target("write_many / lmdb, batches of 1000", "py.write_many", "lmdb.batch", 0.12),
    Target("iterate / lmdb's cursor", "py.iterate", "lmdb.cursor", 0.45),
    Target("iterate / C-API iterator", "py.iterate", "floor.iterate", 2.0),
    Target("read / lmdb's cursor", "py.read", "lmdb.cursor", 0.6),
    Target("read_many / lmdb's cursor", "py.read_many", "lmdb.cursor", 0.25),
    Target("seek + read / lmdb get", "py.seek_read", "lmdb.get", 0.6),
    Target("the same in 4 million messages of 1 KiB", "py.seek_read_large", "lmdb.get_large", 2.0),
    Target("event: write / lmdb + orjson in batches", "py.event.write", "lmdb.event.batch", 0.5),
    Target("event: iterate / lmdb + orjson", "py.event.iterate", "lmdb.event.cursor", 0.7),
    Target("event: read_many / lmdb + orjson", "py.event.read_many", "lmdb.event.cursor", 0.8),
    Target("Python write / Java framed", "py.write", "java.append_framed", 0.6),
    Target("latency p50 C-C / a word in shared memory", "latency.c", "latency.word", 2.0),
    Target("latency p50 C-C / Java", "latency.c", "latency.java", 0.6),
    Target("latency p50 Python-Python / C-API floor", "latency.py", "latency.pyfloor", 1.5),
    Target("latency p50 Python-Python / lmdb", "latency.py", "latency.lmdb", 0.35),
]
