"""``tape dump``: the annotated bytes of files, damage included."""

from __future__ import annotations

import argparse

import click

from .. import dump

EPILOG = """\b
Examples:
  tape dump orders
  tape dump orders/20260201F.cq4 --limit 20 --json"""


@click.command(epilog=EPILOG)
@click.argument("path", nargs=-1, required=True, type=click.Path(path_type=str))
@click.option("--roll-cycle", metavar="NAME", help="Of the queue, if the file's name is silent.")
@click.option("--limit", type=click.IntRange(0), metavar="N", help="N documents of a file.")
@click.option("--raw", is_flag=True, help="All bytes of documents, in hex.")
@click.option("--json", is_flag=True, help="One JSON object a line.")
def command(path: tuple[str, ...], **options: object) -> int:
    """Show what stands in .cq4 and .cq4t files, or all of a queue's.

    Reads by pread alone: nothing is mapped, locked or written. Exit code 1: lines with PROBLEM.
    """
    return dump.run(argparse.Namespace(path=list(path), **options))
