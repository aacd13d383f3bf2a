"""``tape repair``: a mended copy of a queue, or the queue itself mended."""

from __future__ import annotations

import json

import click

from .. import Report, repair
from .options import queue_argument
from .shown import clean, number
from .verify import lines, working

EPILOG = """Exit codes: 0 nothing was wrong, or nothing was lost; 3 something was lost; 1 nothing
could be had; 2 it could not be done.

\b
Examples:
  tape repair orders
  tape repair orders --into /backup/orders
  tape repair orders --in-place"""

CODES = {"clean": 0, "lossless": 0, "lossy": 3, "nothing": 1}
WORDS = {"clean": "nothing was wrong", "lossless": "nothing was lost",
         "lossy": "something was lost", "nothing": "nothing could be had"}


@click.command(epilog=EPILOG)
@queue_argument
@click.option("--into", metavar="DIR", help="Of the copy; must not exist. Default: QUEUE.repaired.")
@click.option("--in-place", is_flag=True,
              help="Mend QUEUE itself; what is replaced stays, renamed. Nobody may have it open.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def command(queue: str, into: str | None, in_place: bool, as_json: bool) -> int:
    """Write a mended copy of QUEUE, which Java and tape read and write on.

    What is sound stays as it is; where messages are lost, empty ones keep their places, so that
    all others have their indexes and named tailers their positions.
    """
    if in_place and into:
        raise click.UsageError("choose one of --into, --in-place")
    with working() as progress:
        report = repair(queue, into, in_place=in_place, progress=progress)
    show(report, as_json)
    return CODES[report.outcome]


def show(report: Report, as_json: bool) -> None:
    """What was wrong, what was done, and what became of it."""
    if as_json:
        click.echo(json.dumps(report.asdict()))
        return
    for finding in report.findings:
        for line in lines(finding):
            click.echo(line)
    click.echo(f"{clean(report.path)}: {number(report.messages)} messages; "
               f"{WORDS[report.outcome]}")
    for count, words in ((report.recovered, "were put right"), (report.lost, "are lost"),
                         (report.placeholders, "empty ones keep their places")):
        if count:
            click.echo(f"  {number(count)} {words}")
    if report.renumbered:
        click.echo("  nothing says how many are lost: later messages of that cycle may have other "
                   "indexes")
