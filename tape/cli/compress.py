"""``tape compress``: old cycle files, smaller, and still read by tailers."""

from __future__ import annotations

import os
from typing import Any

import click

from .. import open as open_queue
from .options import queue_argument
from .shown import clean, size

EPILOG = """\b
Examples:
  tape compress orders --keep 7
  tape compress orders --kind gzip --even-unread"""


@click.command(epilog=EPILOG)
@queue_argument
@click.option("--kind", type=click.Choice(["zstd", "gzip"]), default="zstd", show_default=True,
              help="zstd: a seek decompresses a few frames; gzip: the whole file.")
@click.option("--keep", type=int, default=1, show_default=True, metavar="N",
              help="So many of the newest files stay as they are.")
@click.option("--level", type=int, metavar="N", help="1 (fast) to 9 (small), zstd to 19.")
@click.option("--even-unread", is_flag=True, help="Also what named tailers have yet to read.")
@click.pass_obj
def command(run: Any, /, queue: str, kind: str, keep: int, level: int | None,
            even_unread: bool) -> int:
    """Compress finished cycle files of QUEUE; tailers of tape read them as before.

    Java does not read them: tape thaw brings them back. The current file is never compressed.
    """
    with open_queue(queue, create=False) as q:
        before = {file.path: file.stat().st_blocks * 512 for file in os.scandir(q.path)}
        try:
            made = q.compress(kind, keep=keep, level=level, even_unread=even_unread)
        except ImportError as error:
            raise click.UsageError(str(error)) from None
    for path in made:
        taken = before.get(os.path.splitext(path)[0], 0)
        now = os.stat(path).st_blocks * 512
        click.echo(f"{clean(os.path.basename(path))}\t{size(taken)}\t{size(now)}")
    if not made:
        run.say("there is nothing to compress")
    return 0
