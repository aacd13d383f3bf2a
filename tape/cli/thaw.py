"""``tape thaw``: compressed cycle files as they were, for Java to read."""

from __future__ import annotations

import os
from typing import Any

import click

from .. import open as open_queue
from .options import queue_argument
from .shown import clean

EPILOG = """\b
Examples:
  tape thaw orders
  tape thaw /var/queues/orders"""


@click.command(epilog=EPILOG)
@queue_argument
@click.pass_obj
def command(run: Any, /, queue: str) -> int:
    """Bring all compressed cycle files of QUEUE back, those of Clojure's tape, too.

    One that differs from an original beside it stays. Prints the files that are there again.
    """
    with open_queue(queue, create=False) as q:
        try:
            made = q.thaw()
        except ImportError as error:
            raise click.UsageError(str(error)) from None
        left = [file for file in os.listdir(q.path)
                if file.endswith((".cq4.gz", ".cq4.zst"))]
    for path in made:
        click.echo(clean(os.path.basename(path)))
    for file in sorted(left):
        run.warn(f"{file} stays: it differs from the file beside it")
    if not made:
        run.say("there is nothing to thaw")
    return 0
