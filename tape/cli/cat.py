"""``tape cat``: messages to stdout."""

from __future__ import annotations

import itertools
import sys
from typing import Any

import click

from .. import Queue, open as open_queue
from .options import looked_at, queue_argument
from .reading import (Choice, Printer, choice_options, entries, form_options, printer_of,
                      watch)

EPILOG = """\b
Examples:
  tape cat orders --since 5m --match foo | head
  tape cat orders --edn --reverse --limit 3"""


@click.command(epilog=EPILOG)
@queue_argument
@form_options
@choice_options
@click.option("--limit", type=click.IntRange(0), metavar="N", help="At most N lines.")
@click.option("--reverse", is_flag=True, help="Newest first.")
@click.option("--named", metavar="ID", help="Read on as this tailer does, and STORE how far.")
@click.pass_obj
def command(run: Any, /, queue: str, limit: int | None, reverse: bool, named: str | None,
            since: Any, until: Any, from_index: int | None, to_index: int | None,
            **options: Any) -> int:
    """Print the messages of QUEUE that are there now, oldest first.

    Messages that cannot be read are told on stderr and passed (exit code 3). Nothing is ever
    written, except the position under --named.
    """
    if named and (reverse or since or from_index is not None):
        raise click.UsageError("--named begins where that tailer stands: no --reverse, --since, "
                               "--from")
    choice = Choice(since, until, from_index, to_index)
    out = sys.stdout.buffer
    with open_queue(queue, create=False) if named else looked_at(queue) as q:
        printer = printer_of(q, options)
        if named:
            read_on(q, named, printer, choice, run, limit, out)
        elif limit != 0:
            some = entries(q, printer.codec, choice, run, reverse)
            lines = filter(None, map(printer.line, some))
            for line in itertools.islice(lines, limit):
                out.write(line)
        out.flush()
    return 0


def read_on(q: Queue, named: str, printer: Printer, choice: Choice, run: Any, limit: int | None,
            out: Any) -> None:
    """From where the tailer stands; a position is stored when the line is out, not before."""
    with q.tailer(named, codec=printer.codec, commit="manual") as t:
        while limit is None or limit > 0:
            entry = next(watch(t, run), None)
            if entry is None or choice.ends(q, entry.index):
                if entry is None and run.warned:
                    t.commit()  # what could not be read is passed, too
                return
            line = printer.line(entry)
            if line is not None:
                out.write(line)
                out.flush()
                limit = None if limit is None else limit - 1
            t.commit()
