"""``tape tail``: the last messages, and those that come."""

from __future__ import annotations

import select
import sys
from typing import Any

import click

from .. import Queue, Tailer
from .options import looked_at, queue_argument
from .reading import Printer, form_options, printer_of, watch

EPILOG = """\b
Examples:
  tape tail -f orders
  tape tail -n 100 orders --edn --exclude heartbeat"""

LOOK = 0.02  # seconds between looks at a queue that is only read: some 0.2 % of a processor


@click.command(epilog=EPILOG)
@queue_argument
@form_options
@click.option("-f", "--follow", is_flag=True, help="Go on as messages come, until Ctrl-C.")
@click.option("-n", "--lines", type=click.IntRange(0), default=10, metavar="N",
              help="The last N lines first; 10 by default.")
@click.option("--limit", type=click.IntRange(0), metavar="N", help="End after N lines.")
@click.pass_obj
def command(run: Any, /, queue: str, follow: bool, lines: int, limit: int | None,
            **options: Any) -> int:
    """Print the last messages of QUEUE, and with -f those that come."""
    out = sys.stdout.buffer
    left = -1 if limit is None else limit
    with looked_at(queue) as q:
        printer = printer_of(q, options)
        with q.tailer(codec=printer.codec, poll_interval=LOOK) as t:
            last = q.last_index
            for line in last_lines(q, printer, last, lines, run):
                if left:
                    out.write(line)
                    left -= 1
            out.flush()
            if last is not None:
                t.seek(last)
                t.skip()
            if follow and left:
                follow_on(t, printer, out, left, run)
    return 0


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


def follow_on(t: Tailer, printer: Printer, out: Any, left: int, run: Any) -> None:
    """Each message at once, until there were enough."""
    def idle() -> None:
        out.flush()
        if has_no_reader(out):
            raise BrokenPipeError
    for entry in watch(t, run, idle):
        line = printer.line(entry)
        if line is not None:
            out.write(line)
            left -= 1
        if not left:
            return


def has_no_reader(out: Any) -> bool:
    """Whether a pipe was closed at its other end: nothing is written that would tell."""
    try:
        pipe = select.poll()
        pipe.register(out.fileno(), 0)
    except (OSError, ValueError):  # no file at all, as in tests
        return False
    return any(event & (select.POLLERR | select.POLLHUP) for _, event in pipe.poll(0))
