"""``tape bench``: how fast a queue is on this disk, with what was asked of it."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
from array import array
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import click

from .. import Queue, codecs, open as open_queue
from .shown import clean, number, percentiles, print_figures, span

EPILOG = """\b
Examples:
  tape bench .
  tape bench /mnt/data --size 1024 --json"""

MEANS = {"os": "in the page cache when write() returns: survives the death of the process, not "
               "that of the machine",
         "each": "on disk when write() returns",
         "interval": "synced at least that often"}
WIDTH = 24  # of the longest bar


@dataclass
class Result:
    """What one kind of call took, in nanoseconds."""

    name: str
    calls: int
    messages_per_second: float
    p50: int
    p90: int
    p99: int
    p999: int
    longest: int


@click.command(epilog=EPILOG)
@click.argument("directory", type=click.Path(path_type=str, exists=True, file_okay=False))
@click.option("--size", type=click.IntRange(1, 1 << 20), default=64, show_default=True,
              metavar="BYTES", help="Of a message.")
@click.option("--messages", type=click.IntRange(100, 10_000_000), default=100_000,
              show_default=True, metavar="N", help="How many are written, and read.")
@click.option("--durability", default="os", show_default=True, metavar="WHAT",
              help="What a write waits for.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.pass_obj
def command(run: Any, /, directory: str, size: int, messages: int, durability: str,
            as_json: bool) -> int:
    """Write and read a queue in a new folder in DIRECTORY, and remove it again.

    Prints messages per second and percentiles of single calls from Python, and a histogram of
    the writes.
    """
    folder = tempfile.mkdtemp(prefix="tape-bench-", dir=directory)
    try:
        with open_queue(os.path.join(folder, "queue"), codec=codecs.raw,
                        durability=durability) as q:
            facts = q.info()
            results, times = measure(q, bytes(size), messages)
    finally:
        shutil.rmtree(folder)
    if as_json:
        click.echo(json.dumps({"durability": durability, "size": size, "filesystem":
                               facts.filesystem, "results": [asdict(r) for r in results]}))
        return 0
    click.echo(f"durability: {durability} ({MEANS.get(durability.split(':')[0], 'as asked')})")
    click.echo(f"messages: {number(messages)} of {size} bytes, codec raw, "
               f"{clean(facts.filesystem or 'unknown file system')}, one thread")
    show(results)
    histogram(times)
    return 0


def measure(q: Queue, message: bytes, count: int) -> tuple[list[Result], array[int]]:
    """All kinds of calls, one after the other."""
    appender, t = q.appender(), q.tailer()
    for _ in range(min(count // 10, 1000)):  # the file is made, the code is warm
        appender.write(message)
    t.seek_end()
    writes = timed(lambda: appender.write(message), count)
    reads = timed(t.read, count)
    t.seek_start()
    rows = [result("write", writes, count), result("read", reads, count)]
    batch = [message] * 100
    many = timed(lambda: appender.write_many(batch), max(count // 100, 1))
    rows.append(result("write_many(100)", many, len(many) * 100))
    many = timed(lambda: t.read_many(100), max(count // 100, 1))
    rows.append(result("read_many(100)", many, len(many) * 100))
    return rows, writes


def timed(call: Callable[[], object], count: int) -> array[int]:
    """How long each of so many calls took."""
    times, now = array("q", bytes(8 * count)), time.perf_counter_ns
    for n in range(count):
        began = now()
        call()
        times[n] = now() - began
    return times


def result(name: str, times: array[int], messages: int) -> Result:
    """The figures of a kind of call."""
    return Result(name, len(times), messages / max(sum(times), 1) * 1e9, *percentiles(times))


def show(results: list[Result]) -> None:
    """A line for each kind of call."""
    heads = ("call", "msg/s", "p50", "p90", "p99", "p99.9", "max")
    rows = [(r.name, number(round(r.messages_per_second)), span(r.p50), span(r.p90), span(r.p99),
             span(r.p999), span(r.longest)) for r in results]
    print_figures(heads, rows)


def histogram(times: array[int]) -> None:
    """How many writes took how long, by powers of two."""
    counts: dict[int, int] = {}
    for ns in times:
        power = max(ns, 1).bit_length()
        counts[power] = counts.get(power, 0) + 1
    most = max(counts.values())
    for power in range(min(counts), max(counts) + 1):
        count = counts.get(power, 0)
        bar = "#" * max(round(count / most * WIDTH), 1 if count else 0)
        click.echo(f"write < {span(1 << power):>8} {bar:<{WIDTH}} {number(count)}".rstrip())
