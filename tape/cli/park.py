"""``tape park``: named tailers that will not come back hold no files any more."""

from __future__ import annotations

from typing import Any

import click

from .. import open as open_queue
from .options import queue_argument

EPILOG = """\b
Examples:
  tape park orders billing
  tape park orders old-report old-audit"""


@click.command(epilog=EPILOG)
@queue_argument
@click.argument("name", nargs=-1, required=True)
@click.pass_obj
def command(run: Any, /, queue: str, name: tuple[str, ...]) -> int:
    """Let the tailers NAME of QUEUE hold no cycle files against gc any more.

    Each stays where it is; its next read, if it does come back, wakes it.
    """
    with open_queue(queue, create=False) as q:
        for one in name:
            q.park(one)
            run.say(f"{one} is parked")
    return 0
