"""``tape info``: one screen of facts."""

from __future__ import annotations

import json
import os
from typing import Any

import click
from rich.table import Table

from .. import CycleFile, Queue
from ..info import QueueInfo
from .options import looked_at, queue_argument
from .shown import clean, console, index_text, is_terminal, number, size

EPILOG = """\b
Examples:
  tape info orders
  tape info orders --json | jq .messages"""

CYCLES = 5  # shown to people, the newest


@click.command(epilog=EPILOG)
@queue_argument
@click.option("--json", "as_json", is_flag=True, help="All facts, as one JSON object.")
@click.pass_obj
def command(run: Any, /, queue: str, as_json: bool) -> int:
    """Show one screen of facts about QUEUE: messages, files, readers, the lock.

    Not in a terminal: a name, a tab and a value on each line.
    """
    with looked_at(queue) as q:
        facts, cycles = q.info(), q.cycles()
        half_made = [c for c in cycles[:-1] if c.state == "half-made"]
        if as_json:
            shown = {**facts.asdict(), "cycles": [c._asdict() for c in cycles]}
            click.echo(json.dumps(shown))
        elif is_terminal():
            console().print(table_of(q, facts, cycles))
        else:
            for name, value in facts.asdict().items():
                click.echo(f"{name}\t{clean(plain_text(value))}")
        for cycle in half_made:
            run.say(f"{cycle.path} is half-made: its writer died; readers pass it")
    return 0


def plain_text(value: Any) -> str:
    """For machines: nothing is empty, true and false, JSON for what holds others."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value)


def table_of(q: Queue, facts: QueueInfo, cycles: list[CycleFile]) -> Table:
    """Two columns that fit forty characters."""
    table = Table(box=None, show_header=False, padding=(0, 1, 0, 0))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")

    def row(name: str, value: str) -> None:
        table.add_row(name, clean(value))
    row("queue", facts.path)
    row("roll cycle", f"{facts.roll_cycle} ({q.roll_cycle.pattern})"
        + (f", epoch {facts.epoch} ms" if facts.epoch else ""))
    row("messages", number(facts.messages))
    row("first", index_text(facts.first_index))
    row("last", index_text(facts.last_index))
    row("on disk", f"{size(facts.bytes_on_disk)} in {facts.files} "
        f"file{'' if facts.files == 1 else 's'}, {facts.filesystem or 'unknown file system'}")
    row("free", free_text(facts.path))
    row("write lock", holder_text(facts.lock_holder))
    for cycle in cycles[-CYCLES:]:
        row(os.path.basename(cycle.path), f"{number(cycle.count)} messages, "
            f"{size(cycle.bytes_on_disk)}, {cycle.state}")
    if len(cycles) > CYCLES:
        row("", f"and {len(cycles) - CYCLES} older")
    for name, index in sorted(facts.tailers.items()):
        row("tailer", f"{name} next {index_text(index or None)}")
    if facts.made_with:
        row("codec", f"made with {facts.made_with}")
    row("formats", f"data {', '.join(map(str, facts.data_formats)) or 'none yet'}; source id "
        f"{facts.source_id}; index spacing {facts.index_spacing}")
    return table


def free_text(path: str) -> str:
    """Space that is left where the queue lies."""
    try:
        room = os.statvfs(path)
    except OSError:
        return "unknown"
    return size(room.f_bavail * room.f_frsize)


def holder_text(pid: int | None) -> str:
    """Who holds the write lock."""
    if pid is None:
        return "free"
    return f"held by process {pid}" + ("" if os.path.exists(f"/proc/{pid}") else ", which is gone")
