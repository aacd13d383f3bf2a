"""``tape write``: what stands in lines becomes messages."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

import click

from .. import open as open_queue
from ..codecs import edn
from ..errors import EncodeError, Error, QueueNotFound
from .options import queue_argument
from .payload import codec_named
from .shown import index_text, number

EPILOG = """\b
Examples:
  journalctl -fo json | tape write logs --json --create
  tape write orders --edn orders.edn more.edn"""


def _text(line: bytes) -> str:
    return line.decode("utf-8")


def _unhex(line: bytes) -> bytes:
    return bytes.fromhex(line.decode("ascii"))


def _json(line: bytes) -> Any:
    return json.loads(line)


def _edn(line: bytes) -> Any:
    return edn.loads(line.decode("utf-8"))


@dataclass(frozen=True)
class Shape:
    """How a line becomes a value, the codec that suits it, whether blank lines are nothing."""

    read: Callable[[bytes], Any]
    codec: str
    skips_blank: bool


SHAPES = {"lines": Shape(_text, "fressian", False), "json": Shape(_json, "fressian", True),
          "edn": Shape(_edn, "fressian", True), "hex": Shape(_unhex, "raw", True),
          "bytes": Shape(bytes, "raw", False)}


@click.command(epilog=EPILOG)
@queue_argument
@click.argument("file", nargs=-1, type=click.Path(path_type=str, dir_okay=False, allow_dash=True,
                                                  exists=True))
@click.option("--json", is_flag=True, help="Each line is JSON.")
@click.option("--edn", is_flag=True, help="Each line is EDN.")
@click.option("--hex", is_flag=True, help="Each line is bytes in hex.")
@click.option("--bytes", is_flag=True, help="Each line is bytes, whatever they are.")
@click.option("--codec", metavar="NAME", help="fressian (raw for bytes), json, text, wire, ...")
@click.option("--create", is_flag=True, help="Make the queue if there is none.")
@click.option("--roll-cycle", metavar="NAME", help="Of a queue that is made; FAST_DAILY.")
@click.option("--skip-bad", is_flag=True, help="Go on after lines that are no messages.")
@click.option("-i", "--index", is_flag=True, help="Print the index of each message.")
@click.pass_obj
def command(run: Any, /, queue: str, file: tuple[str, ...], codec: str | None, create: bool,
            roll_cycle: str | None, skip_bad: bool, index: bool, **shapes: bool) -> int:
    """Append each line of FILEs, or of stdin, to QUEUE: as text, unless told otherwise.

    A line that is no message ends it with its number (exit code 2); those before it are written.
    """
    chosen = [name for name, given in shapes.items() if given]
    if len(chosen) > 1:
        raise click.UsageError("choose one of --json, --edn, --hex, --bytes")
    shape = SHAPES[chosen[0] if chosen else "lines"]
    if codec == "auto":
        raise click.BadParameter("auto only reads: say which", param_hint="--codec")
    try:
        q = open_queue(queue, create=create, roll_cycle=roll_cycle,
                       codec=codec_named(codec or shape.codec))
    except QueueNotFound as error:
        error.hint = "check the path, or make it with --create"
        raise
    with q:
        job = Job(run, q.appender(), shape, skip_bad, index)
        try:
            for name in file or ("-",):
                if not job.take(name):
                    return 2
        finally:
            job.tell()
    return 0


@dataclass
class Job:
    """One run: what was written so far, and where it stands."""

    run: Any
    appender: Any
    shape: Shape
    skip_bad: bool
    show_index: bool
    count: int = 0

    def take(self, name: str) -> bool:
        """All lines of one file; false when one of them ended it."""
        with lines_of(name) as lines:
            for row, line in enumerate(lines, 1):
                line = line.removesuffix(b"\n")
                if self.shape.skips_blank and not line.strip():
                    continue
                try:
                    index = self.appender.write(self.shape.read(line))
                except (ValueError, TypeError, RecursionError) as error:  # EncodeError is one
                    if isinstance(error, Error) and not isinstance(error, EncodeError) \
                            and error.code != "TAPE_EDECODE":
                        raise
                    where = "stdin" if name == "-" else name
                    why = getattr(error, "message", None) or str(error)
                    self.run.warn(f"line {row} of {where} is no message: {why}")
                    if not self.skip_bad:
                        return False
                    continue
                self.count += 1
                if self.show_index:
                    click.echo(f"{index:#x}")
        return True

    def tell(self) -> None:
        """How it ended, also when it was interrupted."""
        self.run.say(f"{number(self.count)} message{'' if self.count == 1 else 's'} written, "
                     f"last index {index_text(self.appender.last_index)}")


@contextlib.contextmanager
def lines_of(name: str) -> Iterator[Iterator[bytes]]:
    """The lines of stdin or a file, a file's with progress when a person looks on."""
    if name == "-":
        yield iter(sys.stdin.buffer.readline, b"")
        return
    with open(name, "rb") as file:
        if not sys.stderr.isatty():
            yield iter(file)
            return
        from rich.console import Console
        from rich.progress import Progress
        with Progress(console=Console(stderr=True), transient=True) as progress:
            task = progress.add_task("writing", total=os.fstat(file.fileno()).st_size)
            yield _counted(file, lambda size: progress.advance(task, size))


def _counted(file: BinaryIO, advance: Callable[[int], object]) -> Iterator[bytes]:
    """Lines, telling their bytes some thousand lines at a time."""
    size = 0
    for row, line in enumerate(file):
        size += len(line)
        if row % 2000 == 1999:
            advance(size)
            size = 0
        yield line
    advance(size)
