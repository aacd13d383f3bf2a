"""``tape unlock``: who holds the write lock, and an end to it when the holder is dead."""

from __future__ import annotations

import contextlib
import os
import time
from typing import Any

import click

from .. import Queue, codecs, open as open_queue
from .options import looked_at, queue_argument
from .shown import ago, clean

EPILOG = """\b
Examples:
  tape unlock orders
  tape unlock orders --gone"""

STANDS_STILL_S = 2.0


class _NotWritten(Exception):
    """Leaves a message that is being made."""


@click.command(epilog=EPILOG)
@queue_argument
@click.option("--gone", is_flag=True,
              help="Its holder is not to be seen from here; I know that it is gone.")
@click.pass_obj
def command(run: Any, /, queue: str, gone: bool) -> int:
    """Show who holds the write lock of QUEUE, and free it if that process is dead.

    What the dead one left half-made is mended. The lock of a process that lives is never freed
    (exit code 1): end that process, if it shall not go on.
    """
    with looked_at(queue) as q:
        holder = settled(q)
    if holder is None:
        click.echo("the write lock is free")
        return 0
    if living(holder):
        run.say(f"{described(holder)} holds the write lock, and lives: not freed")
        return 1
    with open_queue(queue, create=False) as q:  # what proves a holder dead is known to libtape
        if q.info().lock_holder == holder and not gone:
            run.say(f"process {holder} holds the write lock and is not to be seen here: it is "
                    "dead, or lives in another container; if it is gone for certain: --gone")
            return 1
    if gone:
        take_over(queue)
    click.echo(f"the write lock of process {holder}, which is gone, was freed")
    return 0


def settled(q: Queue) -> int | None:
    """Who holds the lock, and not only for a moment."""
    stop = time.monotonic() + 0.25
    holder = q.info().lock_holder
    while holder is not None and time.monotonic() < stop:
        time.sleep(0.005)
        if q.info().lock_holder != holder:
            return settled(q) if q.info().lock_holder is not None else None
    return holder


def living(pid: int) -> bool:
    """Whether there is such a process, and it is no corpse that waits to be buried."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as stat:
            return stat.read().rpartition(b")")[2].split()[0] not in (b"Z", b"X")
    except FileNotFoundError:
        return False


def described(pid: int) -> str:
    """A process as people know it: its command, and for how long it runs.

    >>> described(1 << 30)
    'process 1073741824'
    """
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            words = file.read().rstrip(b"\0").replace(b"\0", b" ")
        with open(f"/proc/{pid}/stat", "rb") as file:
            ticks = int(file.read().rpartition(b")")[2].split()[19])
        with open("/proc/uptime", "rb") as file:
            age = float(file.read().split()[0]) - ticks / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError):
        return f"process {pid}"
    return clean(f"process {pid} ({os.fsdecode(words)[:200]}; since {ago(max(age, 0))})")


def take_over(path: str) -> None:
    """Breaks the lock as a writer does, once nobody moved anything for a while, and mends what
    its holder left, without writing a message."""
    with open_queue(path, create=False, stale_after=STANDS_STILL_S,
                    lock_timeout=STANDS_STILL_S * 5) as q, contextlib.suppress(_NotWritten), \
            q.appender(codec=codecs.raw).writing(1):
        raise _NotWritten
