"""``tape verify``: what is wrong with a queue's files, in plain words."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

from .. import Finding, Report, verify
from .options import queue_argument
from .shown import clean, number

EPILOG = """Exit codes: 0 nothing but notes, 1 damage, or something that a dead writer left.

\b
Examples:
  tape verify orders
  tape verify orders --json | jq .findings"""


@click.command(epilog=EPILOG)
@queue_argument
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.option("-q", "--quiet", is_flag=True, help="No notes, and no word when all is well.")
def command(queue: str, as_json: bool, quiet: bool) -> int:
    """Check the files of QUEUE against each other, and say what is wrong and what to do.

    Headers, lengths, every entry of every index, ends of cycles, the listing, locks and the
    positions of named tailers; the inside of messages has no checksum. No byte is written, and
    writers may be at work.
    """
    with working() as progress:
        report = verify(queue, progress=progress)
    show(report, as_json, quiet)
    return 0 if report.ok else 1


@contextmanager
def working() -> Iterator[Any]:
    """A bar on stderr where a person looks at it, for what takes longer than a second."""
    with Progress(TextColumn("{task.description}"), BarColumn(), DownloadColumn(),
                  console=Console(stderr=True), transient=True, auto_refresh=False,
                  disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task("")

        def told(file: str, done: int, total: int) -> None:
            bar.update(task, description=clean(os.path.basename(file)), completed=done,
                       total=total, refresh=True)
        yield told


def show(report: Report, as_json: bool, quiet: bool) -> None:
    """The findings, and one line about all."""
    if as_json:
        click.echo(json.dumps({"ok": report.ok, **report.asdict()}))
        return
    for finding in report.findings:
        if finding.level != "note" or not quiet:
            for line in lines(finding):
                click.echo(line)
    if not quiet or not report.ok:
        click.echo(summary(report))


def lines(finding: Finding) -> Iterator[str]:
    """A finding: where and what; what to do, where there is something."""
    yield clean(str(finding))
    if finding.level != "note":
        yield f"  {clean(finding.remedy)}"


def summary(report: Report) -> str:
    """How it stands, in one line."""
    files = f"{report.files} file{'s'[:report.files != 1]}"
    counted = f"{number(report.messages)} message{'s'[:report.messages != 1]} in {files}"
    if report.ok:
        return f"{counted}: sound"
    parts = [f"{number(count)} {word}" for count, word in
             ((report.damage, "of damage"), (report.unfinished, "unfinished")) if count]
    return f"{counted}; findings: {', '.join(parts)}"
