"""``tape top``: how all queues below a directory fare, from outside, read-only."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable
from typing import Any

import click
from rich.console import Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from .. import Queue
from ..errors import Error
from ..stats import QueueStats
from .options import looked_at
from .shown import ago, clean, console, is_terminal, number, size

EPILOG = """\b
Examples:
  tape top /var/queues
  tape top /var/queues --once --json | jq .lag_messages"""

LOOK_AGAIN = 10  # for queues that came or went, every so many rounds


@click.command(epilog=EPILOG)
@click.argument("directory", nargs=-1, required=True, type=click.Path(path_type=str))
@click.option("--every", type=click.FloatRange(0.1, 3600), default=1.0, metavar="SECONDS",
              help="How often; 1 by default.")
@click.option("--once", is_flag=True, help="Look twice, print the rates between, and end.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a queue.")
@click.pass_obj
def command(run: Any, /, directory: tuple[str, ...], every: float, once: bool,
            as_json: bool) -> int:
    """Show rates, lag, lock holder, bytes and time to full of every queue below DIRECTORY.

    Nothing is written. Not in a terminal: as --once, with tabs between.
    """
    view = View(directory)
    if not view.queues and not view.failed:
        raise click.UsageError(f"no queue at or below {', '.join(map(clean, directory))}")
    with view:
        view.look()
        if not once and not as_json and is_terminal():
            with Live(view.table(), console=console(), auto_refresh=False, screen=False) as live:
                while True:
                    time.sleep(every)
                    view.look()
                    live.update(view.table(), refresh=True)
        time.sleep(every)
        view.look()
        for path, why in view.failed.items():
            run.warn(f"{path}: {why}")
        if as_json:
            for stats in view.rows:
                click.echo(json.dumps({**stats.asdict(), "lag_messages": lag_of(stats)[0]}))
        elif is_terminal():
            console().print(view.table())
        else:
            for stats in view.rows:
                click.echo("\t".join(plain(stats)))
    return 0


def queues_below(directories: Iterable[str]) -> list[str]:
    """Directories with a table store or cycle files; links are not followed."""
    found = []
    for top in directories:
        for path, folders, names in os.walk(top):
            folders.sort()
            if any(name == "metadata.cq4t" or name.endswith(".cq4") for name in names):
                found.append(path)
    return found


class View:
    """The queues that are looked at, and what was seen last."""

    def __init__(self, directories: tuple[str, ...]) -> None:
        self.directories = directories
        self.queues: dict[str, Queue] = {}
        self.failed: dict[str, str] = {}
        self.rows: list[QueueStats] = []
        self.round = 0
        self.find()

    def find(self) -> None:
        """Opens queues that came, and lets go of those that went."""
        paths = queues_below(self.directories)
        for path in set(self.queues) - set(paths):
            self.queues.pop(path).close()
        self.failed.clear()
        for path in paths:
            if path not in self.queues:
                try:
                    self.queues[path] = looked_at(path)
                except (Error, OSError) as error:
                    self.failed[path] = getattr(error, "message", None) or str(error)

    def look(self) -> None:
        """Asks each how it fares."""
        self.round += 1
        if self.round % LOOK_AGAIN == 0:
            self.find()
        self.rows = []
        for path, q in list(self.queues.items()):
            try:
                self.rows.append(q.stats())
            except (Error, OSError) as error:
                self.failed[path] = getattr(error, "message", None) or str(error)
                self.queues.pop(path).close()

    def table(self) -> Group:
        """For people, of any width."""
        table = Table(box=None, padding=(0, 1, 0, 0), expand=False)
        table.add_column("queue", overflow="fold", min_width=8)
        for head in ("messages", "per s", "on disk", "behind", "lock", "full in"):
            table.add_column(head, justify="right", overflow="fold")
        for stats in self.rows:
            behind, who = lag_of(stats)
            table.add_row(clean(self.name_of(stats.path)), number(stats.messages),
                          "" if stats.messages_per_second is None
                          else number(round(stats.messages_per_second)),
                          size(stats.bytes_on_disk),
                          f"{number(behind)} {clean(who)}" if who else "", lock_text(stats),
                          "" if stats.seconds_to_full is None else ago(stats.seconds_to_full))
        notes = [Text(clean(f"{path}: {why}")) for path, why in self.failed.items()]
        return Group(table, *notes)

    def name_of(self, path: str) -> str:
        """From the directory that was given, when there is but one."""
        if len(self.directories) > 1:
            return path
        name = os.path.relpath(path, os.path.abspath(self.directories[0]))
        return os.path.basename(path) if name == "." else name

    def __enter__(self) -> View:
        return self

    def __exit__(self, *error: object) -> None:
        for q in self.queues.values():
            q.close()


def lag_of(stats: QueueStats) -> tuple[int, str]:
    """The named tailer that is behind most; parked ones do not count."""
    return max(((t.messages, name) for name, t in stats.tailers.items() if not t.parked),
               default=(0, ""))


def lock_text(stats: QueueStats) -> str:
    """Who writes, if he has been at it for longer than a moment."""
    if stats.lock_holder is None or stats.lock_held_for is None:
        return ""
    return f"{stats.lock_holder}, {ago(stats.lock_held_for)}" if stats.lock_held_for > 0.5 else ""


def plain(stats: QueueStats) -> list[str]:
    """For machines: path, messages, messages and bytes a second, bytes on disk, lag and whose,
    lock holder, seconds to full; nothing where it is not known."""
    def text(value: float | int | None) -> str:
        return "" if value is None else f"{value:.6g}" if isinstance(value, float) else str(value)
    behind, who = lag_of(stats)
    return [clean(stats.path), text(stats.messages), text(stats.messages_per_second),
            text(stats.bytes_per_second), text(stats.bytes_on_disk), text(behind), clean(who),
            text(stats.lock_holder), text(stats.seconds_to_full)]
