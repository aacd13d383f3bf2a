"""Words of the command line that several commands share: queues, indexes, times."""

from __future__ import annotations

import datetime
import os
import re
from typing import Any

import click

from .. import Queue, open as open_queue
from ..errors import QueueNotFound, UnsupportedQueue

__all__ = ["INDEX", "WHEN", "looked_at", "queue_argument"]

UNITS = {"ms": 0.001, "s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400, "w": 604800}

# Whether it can be read is told by who opens it, in one line.
queue_argument = click.argument("queue", type=click.Path(path_type=str, readable=False),
                                metavar="QUEUE")


class Index(click.ParamType):  # type: ignore[type-arg]
    """An index as Java prints it, decimal or hexadecimal."""

    name = "index"

    def convert(self, value: Any, param: Any, ctx: Any) -> int:
        """The number."""
        try:
            index = value if isinstance(value, int) else int(value, 0)
        except ValueError:
            self.fail(f"{value!r} is no index: a number like 88278757801987 or 0x504a00000003",
                      param, ctx)
        if not 0 <= index < 1 << 63:
            self.fail(f"{value} is no index: 0 to 2**63-1", param, ctx)
        return index


class When(click.ParamType):  # type: ignore[type-arg]
    """A time: a span before now (10m, 2h, 3d) or a date with or without time, UTC by default."""

    name = "when"

    def convert(self, value: Any, param: Any, ctx: Any) -> datetime.datetime:
        """The moment, with its time zone."""
        if isinstance(value, datetime.datetime):
            return value
        now = datetime.datetime.now(datetime.timezone.utc)
        try:
            if span := re.fullmatch(r"([0-9.]+)\s*([a-z]+)", value):
                return now - datetime.timedelta(seconds=float(span[1]) * UNITS[span[2]])
            when = datetime.datetime.fromisoformat(re.sub(r"[zZ]$", "+00:00", value))
        except (ValueError, KeyError, OverflowError):
            self.fail(f"{value!r} is no time: 10m, 2h, 3d, 2026-01-31 or 2026-01-31T12:00Z",
                      param, ctx)
        return when if when.tzinfo else when.replace(tzinfo=datetime.timezone.utc)


INDEX, WHEN = Index(), When()


def looked_at(path: str, **options: Any) -> Queue:
    """The queue, opened so that no byte of it changes; errors say what is there instead.

    A .cq4 or .cq4t file stands for the queue that it lies in.
    """
    if os.path.isfile(path):
        if not path.endswith((".cq4", ".cq4t")):
            raise UnsupportedQueue(f"{path} is a file, and no part of a queue", file=path,
                                   hint="name the queue's directory")
        path = os.path.dirname(os.path.abspath(path))
    try:
        return open_queue(path, read_only=True, **options)
    except QueueNotFound as error:
        if os.path.isdir(path):
            what = "is empty" if not os.listdir(path) else "holds no .cq4 file"
            error.message = f"no queue at {path}: the directory {what}"
            error.hint = "check the path; a queue's directory holds metadata.cq4t"
        else:
            error.message, error.hint = f"there is no directory {path}", "check the path"
        raise
