"""``tape demo``: a first look in one command."""

from __future__ import annotations

import os
import tempfile

import click

from .. import delete, open as open_queue
from ..errors import InvalidArgument
from .form import to_json
from .shown import clean, index_text, size

EPILOG = """\b
Examples:
  tape demo
  tape demo orders && tape info orders"""


@click.command(epilog=EPILOG)
@click.argument("queue", required=False, type=click.Path(path_type=str))
def command(queue: str | None) -> int:
    """Write a message, read it back, and show what is on disk.

    In a temporary directory, which is removed again; or in QUEUE, a new one, which stays.
    """
    if queue is not None:
        if os.path.isdir(queue) and os.listdir(queue) or os.path.isfile(queue):
            raise InvalidArgument(f"{queue} is not empty", hint="name a directory to be made")
        show(queue)
        return 0
    with tempfile.TemporaryDirectory(prefix="tape-demo-") as folder:
        path = os.path.join(folder, "orders")
        show(path)
        delete(path)
    return 0


def show(path: str) -> None:
    """The lines of Python that do it, and what each gives."""
    with open_queue(path) as q:
        click.echo(clean(f"q = tape.open({path!r})"))
        index = q.appender().write({"foo": ["bar", {"baz": 0}]})
        click.echo(f'q.appender().write({{"foo": ["bar", {{"baz": 0}}]}})  # {index_text(index)}')
        click.echo(f"q.tailer().read()  # {to_json(q.tailer().read())}")
        for name in sorted(os.listdir(path)):
            on_disk = os.stat(os.path.join(path, name)).st_blocks * 512
            click.echo(f"  {clean(name)}  {size(on_disk)} on disk")
