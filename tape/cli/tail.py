"""``tape tail``: the last messages, and those that come."""

from __future__ import annotations

import select
import sys
from collections.abc import Callable
from typing import Any

import click

from .. import Queue, Tailer
from .options import looked_at, queue_argument
from .reading import Choice, Printer, begin_options, form_options, printer_of, watch

EPILOG = """\b
Examples:
  tape tail -f orders
  tape tail -f orders --since 10m --exclude heartbeat"""

LOOK = 0.02  # seconds between looks at a queue that is only read: some 0.2 % of a processor


@click.command(epilog=EPILOG)
@queue_argument
@form_options
@click.option("-f", "--follow", is_flag=True, help="Go on as messages come, until Ctrl-C.")
@click.option("-n", "--lines", type=click.IntRange(0), metavar="N",
              help="The last N lines first; 10 by default.")
@begin_options
@click.option("--limit", type=click.IntRange(0), metavar="N", help="End after N lines.")
@click.pass_obj
def command(run: Any, /, queue: str, follow: bool, lines: int | None, limit: int | None,
            since: Any, from_index: int | None, **options: Any) -> int:
    """Print the last messages of QUEUE, and with -f those that come."""
    out = sys.stdout.buffer
    left = -1 if limit is None else limit
    choice = Choice(since=since, from_index=from_index)
    if choice != Choice() and lines is not None:
        raise click.UsageError("--lines counts from the end: no --since, --from")
    with looked_at(queue) as q:
        printer = printer_of(q, options)
        with q.tailer(codec=printer.codec, poll_interval=LOOK) as t:
            if choice != Choice():
                choice.begin(t, run)
                left = print_until(t, printer, out, left, run, None)
            else:
                left = print_last(t, printer, out, left, run, 10 if lines is None else lines)
            out.flush()
            if follow and left:
                print_until(t, printer, out, left, run, lambda: seen(out))
    return 0


def print_last(t: Tailer, printer: Printer, out: Any, left: int, run: Any, count: int) -> int:
    """The last lines, with ``t`` behind them in the end."""
    q = t.queue
    last = q.last_index
    for line in last_lines(q, printer, last, count, run):
        if left:
            out.write(line)
            left -= 1
    if last is not None:
        t.seek(last)
        t.skip()
    return left


def last_lines(q: Queue, printer: Printer, last: int | None, count: int, run: Any) -> list[bytes]:
    """The last lines up to the message ``last``, oldest first."""
    found: list[bytes] = []
    if last is None or not count:
        return found
    with q.tailer(codec=printer.codec, start=last, direction="backward") as t:
        for entry in watch(t, run):
            line = printer.line(entry)
            if line is not None:
                found.append(line)
            if len(found) == count:
                break
    return found[::-1]


def print_until(t: Tailer, printer: Printer, out: Any, left: int, run: Any,
                idle: Callable[[], None] | None) -> int:
    """All there is, and with ``idle`` what comes; until there were enough. How many are left."""
    if not left:
        return 0
    for entry in watch(t, run, idle):
        line = printer.line(entry)
        if line is not None:
            out.write(line)
            left -= 1
        if not left:
            break
    return left


def seen(out: Any) -> None:
    """What was printed is out, and there is somebody who reads it."""
    out.flush()
    if has_no_reader(out):
        raise BrokenPipeError


def has_no_reader(out: Any) -> bool:
    """Whether a pipe was closed at its other end: nothing is written that would tell."""
    try:
        pipe = select.poll()
        pipe.register(out.fileno(), 0)
    except (OSError, ValueError):  # no file at all, as in tests
        return False
    return any(event & (select.POLLERR | select.POLLHUP) for _, event in pipe.poll(0))
