"""``tape lag``: how far each named tailer is behind, from outside."""

from __future__ import annotations

import json
import time
from typing import NamedTuple

import click
from rich.live import Live
from rich.table import Table

from .. import Queue
from .options import looked_at, queue_argument
from .shown import ago, clean, console, index_text, is_terminal, number, size

EPILOG = """\b
Examples:
  tape lag orders --watch
  tape lag orders billing --max 1000 || alert"""


class Row(NamedTuple):
    """One named tailer: what it reads next, and what there is from there on."""

    name: str
    next_index: int | None
    messages: int
    bytes: int
    seconds: float
    note: str


@click.command(epilog=EPILOG)
@queue_argument
@click.argument("name", nargs=-1)
@click.option("--max", "most", type=click.IntRange(0), metavar="N",
              help="Exit code 1 if one is behind by more.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@click.option("--metrics", is_flag=True, help="OpenMetrics text.")
@click.option("--watch", is_flag=True, help="Again and again, until Ctrl-C.")
@click.option("--every", type=click.FloatRange(0.1, 3600), default=1.0, metavar="SECONDS",
              help="How often, with --watch; 1 by default.")
def command(queue: str, name: tuple[str, ...], most: int | None, as_json: bool, metrics: bool,
            watch: bool, every: float) -> int:
    """Show how many messages each named tailer of QUEUE has yet to read, or those of NAMEs.

    Not in a terminal: name, messages, bytes, seconds and next index, with tabs between.
    """
    if as_json and metrics:
        raise click.UsageError("choose one of --json, --metrics")
    with looked_at(queue) as q:
        rows = rows_of(q, name)
        if watch and is_terminal() and not (as_json or metrics):
            with Live(table_of(rows), console=console(), auto_refresh=False) as live:
                while True:
                    time.sleep(every)
                    live.update(table_of(rows_of(q, name)), refresh=True)
        show(q, rows, as_json, metrics)
        while watch:
            time.sleep(every)
            rows = rows_of(q, name)
            show(q, rows, as_json, metrics)
    return int(most is not None and any(row.messages > most for row in rows))


def rows_of(q: Queue, wanted: tuple[str, ...]) -> list[Row]:
    """A row for each named tailer; asking for one that is not there is wrong use."""
    positions = q.tailers()
    for name in wanted:
        if name not in positions:
            known = ", ".join(sorted(positions)) or "none"
            raise click.UsageError(clean(f"no tailer {name!r}; there are: {known}"))
    return [row_of(q, name, positions[name]) for name in sorted(wanted or positions)]


def row_of(q: Queue, name: str, index: int) -> Row:
    """One of them; a tailer without a name measures, so that nobody is disturbed."""
    note = ""
    with q.tailer() as t:
        if not index:
            note = "has read nothing yet"
        elif not t.seek(index) and t.index != index:
            later = [c for c in q.cycles() if c.count and c.first_index > index]
            note = "what it reads next is gone, or not there yet"
            if later:
                t.seek(later[0].first_index)
            else:
                t.seek_end()
        behind = t.lag()
    return Row(name, index or None, behind.messages, behind.bytes, behind.seconds, note)


def show(q: Queue, rows: list[Row], as_json: bool, metrics: bool) -> None:
    """All rows, once."""
    if metrics:
        text = metrics_of(q, rows)
        if is_terminal():  # a name may hold what steers it; what scrapes gets the name
            text = "".join(clean(line) + "\n" for line in text.splitlines())
        click.echo(text.encode(), nl=False)  # of a text click would leave such out
    elif as_json:
        for row in rows:
            click.echo(json.dumps(row._asdict()))
    elif is_terminal():
        console().print(table_of(rows))
    else:
        for row in rows:
            index = "" if row.next_index is None else row.next_index
            click.echo(f"{clean(row.name)}\t{row.messages}\t{row.bytes}\t{row.seconds}\t{index}")


def table_of(rows: list[Row]) -> Table:
    """For people."""
    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column("tailer", overflow="fold")
    for head in ("behind", "bytes", "age", "next"):
        table.add_column(head, justify="left" if head == "next" else "right", overflow="fold")
    for row in rows:
        age = ago(row.seconds) if row.seconds else ""
        table.add_row(clean(row.name), number(row.messages), size(row.bytes), age,
                      index_text(row.next_index) + (f" ({row.note})" if row.note else ""))
    if not rows:
        table.add_row("no tailer has a name here")
    return table


def metrics_of(q: Queue, rows: list[Row]) -> str:
    """OpenMetrics text, with its end mark."""
    lines = []
    for field, unit in (("messages", ""), ("bytes", "bytes"), ("seconds", "seconds")):
        name = f"tape_lag_{field}"
        lines.append(f"# TYPE {name} gauge")
        if unit:
            lines.append(f"# UNIT {name} {unit}")
        lines.append(f"# HELP {name} What a named tailer has yet to read, in {field}.")
        lines += [f'{name}{{queue="{escaped(q.path)}",tailer="{escaped(row.name)}"}} '
                  f"{getattr(row, field)}" for row in rows]
    return "\n".join([*lines, "# EOF", ""])


def escaped(text: str) -> str:
    """A label's value.

    >>> print(escaped('a"b'))
    a\\"b
    """
    text = text.encode("utf-8", "backslashreplace").decode()
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
