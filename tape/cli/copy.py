"""``tape copy``: a queue, or a range of it, into another one."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import click

from .. import Queue, codecs, open as open_queue
from ..errors import CodecMismatch, Conflict
from .options import INDEX, WHEN, looked_at, queue_argument
from .reading import Choice
from .shown import index_text, number

EPILOG = """\b
Examples:
  tape copy orders backup/orders --keep-indexes
  tape copy orders today --since 12h"""

BATCH = 500
TIMES = ".times"  # behind the name of a cycle file: when its messages were written


class MadeWith:
    """Stands for the codec that a queue was made with, of which name and framing are noted: so
    that its copy has the same note. Messages are copied as they are."""

    def __init__(self, name: str, framing: str) -> None:
        self.name, self.framing = name, framing

    def encode(self, obj: Any) -> bytes:
        """Not for messages."""
        raise TypeError("nothing is encoded here")

    def decode(self, view: memoryview) -> Any:
        """Not for messages."""
        raise TypeError("nothing is decoded here")


class CycleClock:
    """Shows the time of the cycle that is copied, so that its copy gets the same name."""

    def __init__(self) -> None:
        self.ms = 0

    def now_ms(self) -> int:
        """Milliseconds since 1970."""
        return self.ms


@click.command(epilog=EPILOG)
@queue_argument
@click.argument("target", type=click.Path(path_type=str))
@click.option("--from", "from_index", type=INDEX, metavar="INDEX", help="Begin with this message.")
@click.option("--to", "to_index", type=INDEX, metavar="INDEX", help="End before this one.")
@click.option("--since", type=WHEN, metavar="WHEN", help="Begin there: 10m, 2026-01-31T12:00Z.")
@click.option("--until", type=WHEN, metavar="WHEN", help="End before that time.")
@click.option("--limit", type=click.IntRange(0), metavar="N", help="At most N messages.")
@click.option("--keep-indexes", is_flag=True, help="Each message has the index it had.")
@click.option("--roll-cycle", metavar="NAME", help="Of a queue that is made; else as QUEUE's.")
@click.pass_obj
def command(run: Any, /, queue: str, target: str, limit: int | None, keep_indexes: bool,
            roll_cycle: str | None, from_index: int | None, to_index: int | None, since: Any,
            until: Any) -> int:
    """Append the messages of QUEUE to TARGET, which is made if there is none.

    Bytes and framing are as they were. Without --keep-indexes they get new indexes, by the clock;
    with it TARGET must end right before each. Positions of named tailers are not copied.
    """
    if keep_indexes and roll_cycle is not None:
        raise click.UsageError("with --keep-indexes the roll cycle is that of QUEUE")
    if os.path.realpath(queue) == os.path.realpath(target):
        raise click.UsageError("QUEUE and TARGET are one")
    clock = CycleClock() if keep_indexes else None
    with quietly_looked_at(queue) as source, contextlib.ExitStack() as leaving:
        epoch = source.epoch or None if keep_indexes else None
        with opened(target, source, clock=clock, strict=keep_indexes,
                    roll_cycle=roll_cycle or source.roll_cycle.name, epoch=epoch) as into:
            copied = Copying(source, into, clock, limit)
            leaving.callback(copied.keep_times)  # when `into` is closed
            try:
                copied.do(Choice(since, until, from_index, to_index), run)
            except Conflict as error:
                error.hint = ("with --keep-indexes TARGET must end right before the first message "
                              "that is copied, which is the first of its cycle, or have none")
                raise
            finally:
                run.say(f"{number(copied.count)} messages copied, last index "
                        f"{index_text(copied.last)}")
    return 0


def quietly_looked_at(path: str) -> Queue:
    """The queue, whatever codec it was made with."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CodecMismatch)
        return looked_at(path)


def opened(target: str, source: Queue, **options: Any) -> Queue:
    """The queue to be written; a new one notes the codec that the source was made with."""
    facts, new = source.info(), not os.path.exists(os.path.join(target, "metadata.cq4t"))
    if facts.made_with is None and not new:
        with quietly_looked_at(target) as known:
            facts = known.info()
    if facts.made_with is not None and facts.made_framing is not None:
        options["codec"] = MadeWith(facts.made_with, facts.made_framing)
    into = open_queue(target, **options)
    if new and facts.made_with is None:  # as in queues of Java: nobody knows which it is
        with contextlib.suppress(FileNotFoundError):
            os.unlink(os.path.join(target, "tape.codec"))
    return into


class Copying:
    """One run: what was copied so far."""

    def __init__(self, source: Queue, into: Queue, clock: CycleClock | None,
                 limit: int | None) -> None:
        self.source, self.into, self.clock, self.limit = source, into, clock, limit
        self.appender = into.appender(codec=codecs.document)
        self.count, self.last = 0, None  # type: int, int | None
        self.files: dict[str, str] = {}  # of cycles whose messages have the indexes they had

    def do(self, choice: Choice, run: Any) -> None:
        """Copies all of it, cycle by cycle, some hundred messages at a time."""
        with self.source.tailer(codec=codecs.document) as t, progress(self.source) as advance:
            choice.begin(t, run)
            while True:
                most = BATCH if self.limit is None else min(BATCH, self.limit - self.count)
                batch: list[bytes] = []
                first = t.index
                for entry in t.entries(most):
                    same = not batch or self.source.locate(entry.index).cycle == \
                        self.source.locate(first).cycle
                    if choice.ends(self.source, entry.index) or not same:
                        t.seek(entry.index)
                        break
                    if not batch:
                        first = entry.index
                    batch.append(entry.value)
                if not batch:
                    return
                self.put(batch, first)
                advance(len(batch))

    def put(self, batch: list[bytes], first: int) -> None:
        """Writes messages of one cycle."""
        if self.clock is None:
            for message in batch:
                self.last = self.appender.write(message)
                self.count += 1
            return
        place = self.source.locate(first)
        self.clock.ms = place.opens_at
        self.files[place.path] = self.into.locate(first).path
        for number_, message in enumerate(batch):
            self.last = self.appender.write(message, expect=first + number_)
            self.count += 1

    def keep_times(self) -> None:
        """What is noted of the times of messages is that of the source, and not of the clock by
        which they were copied."""
        for source, target in self.files.items():
            if os.path.exists(source + TIMES):
                shutil.copyfile(source + TIMES, target + TIMES)
            else:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(target + TIMES)


@contextlib.contextmanager
def progress(source: Queue) -> Iterator[Callable[[int], object]]:
    """Progress on stderr, when a person looks on."""
    if not sys.stderr.isatty():
        yield lambda count: None
        return
    from rich.console import Console
    from rich.progress import Progress
    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("copying", total=len(source))
        yield lambda count: bar.advance(task, count)
