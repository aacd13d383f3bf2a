"""``tape gc``: which cycle files may go, why, and away with them."""

from __future__ import annotations

import json
import os

import click
from rich.table import Table

from .. import ALL, Keep, Verdict, open as open_queue
from .options import looked_at, queue_argument
from .shown import clean, console, is_terminal, size

EPILOG = """\b
Examples:
  tape gc orders --max-age 7d --dry-run
  tape gc orders --max-bytes 20GB --min-free 5%"""


@click.command(epilog=EPILOG)
@queue_argument
@click.option("--max-bytes", metavar="SIZE", help="On disk, all files together: 20GB, 512MiB.")
@click.option("--max-age", metavar="SPAN", help="Since the end of a cycle: 7d, 12h.")
@click.option("--max-cycles", type=int, metavar="N", help="Files, the current one included.")
@click.option("--min-free", metavar="SIZE", help="Of the file system: 10GB, 5%.")
@click.option("--unread-by", multiple=True, metavar="ID",
              help="Keep what these tailers have yet to read; all by default.")
@click.option("--even-unread", is_flag=True, help="Keep nothing because it is unread.")
@click.option("-n", "--dry-run", is_flag=True, help="Only say what would go.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def command(queue: str, max_bytes: str | None, max_age: str | None, max_cycles: int | None,
            min_free: str | None, unread_by: tuple[str, ...], even_unread: bool, dry_run: bool,
            as_json: bool) -> int:
    """Remove old cycle files of QUEUE that a limit lets go, and list each with the reason.

    Never the current one, nor what a named tailer has yet to read. --dry-run writes no byte.
    """
    if even_unread and unread_by:
        raise click.UsageError("choose one of --unread-by, --even-unread")
    if all(limit is None for limit in (max_bytes, max_age, max_cycles, min_free)):
        raise click.UsageError("say what may go: --max-bytes, --max-age, --max-cycles or "
                               "--min-free")
    policy = Keep(max_bytes=max_bytes, max_age=max_age, max_cycles=max_cycles, min_free=min_free,
                  unread_by=None if even_unread else unread_by or ALL)
    with looked_at(queue) if dry_run else open_queue(queue, create=False) as q:
        verdicts = q.gc(policy, dry_run=dry_run)
    show(verdicts, dry_run, as_json)
    return 0


def show(verdicts: list[Verdict], dry_run: bool, as_json: bool) -> None:
    """Each file with the reason why it stays or goes."""
    if as_json:
        for verdict in verdicts:
            click.echo(json.dumps(verdict._asdict()))
        return
    goes = "would go" if dry_run else "gone"
    rows = [(goes if v.goes else "stays", clean(os.path.basename(v.path)), v) for v in verdicts]
    if not is_terminal():
        for word, name, v in rows:
            click.echo(f"{word}\t{name}\t{v.bytes}\t{clean(v.reason)}")
        return
    table = Table(box=None, show_header=False, padding=(0, 1, 0, 0))
    table.add_column(no_wrap=True)
    for _ in range(3):
        table.add_column(overflow="fold")
    for word, name, v in rows:
        held = f"; held by {', '.join(map(str, v.held_by))}" if v.held_by else ""
        table.add_row(word, name, size(v.bytes), clean(v.reason) + held)
    console().print(table)
    freed = sum(v.bytes for v in verdicts if v.goes)
    click.echo(f"{size(freed)} {'would come' if dry_run else 'came'} back")
