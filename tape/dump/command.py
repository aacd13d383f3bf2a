"""The command: options, and records as lines of text or JSON."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator

from ..errors import Error
from ..roll_cycles import RollCycle
from .names import cycle_of
from .parts import CHUNK, Record
from .walker import DOCUMENTS, walk


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    parser.add_argument("path", nargs="+", help="a .cq4 or .cq4t file, or a queue's directory")
    parser.add_argument("--roll-cycle", metavar="NAME",
                        help="of the queue, if the file's name does not tell it")
    parser.add_argument("--limit", type=int, metavar="N", help="stop after N documents of a file")
    parser.add_argument("--raw", action="store_true", help="all bytes of documents, in hex")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")


def run(options: argparse.Namespace) -> int:
    """Dumps the files; returns the exit code."""
    wish = RollCycle.parse(options.roll_cycle) if options.roll_cycle else None
    code = 0
    for path in files_of(options.path):
        try:
            for line, wrong in lines_of(path, wish, options):
                code = max(code, int(wrong))
                print(line)
        except BrokenPipeError:
            raise
        except (OSError, Error) as error:
            sys.stdout.flush()
            print(f"tape dump: {clean(str(error))}", file=sys.stderr)
            code = 2
    return code


def files_of(paths: list[str]) -> Iterator[str]:
    """Files as they are; of a directory first the table store, then the cycles in order."""
    for path in paths:
        if not os.path.isdir(path):
            yield path
            continue
        names = sorted(name for name in os.listdir(path) if name.endswith((".cq4", ".cq4t")))
        for name in sorted(names, key=lambda name: not name.endswith(".cq4t")):
            yield os.path.join(path, name)


def lines_of(path: str, wish: RollCycle | None,
             options: argparse.Namespace) -> Iterator[tuple[str, bool]]:
    """The lines for one file, each with whether it tells of damage."""
    if not options.json:
        yield clean(f"== {path}"), False
    documents = 0
    for record in walk(path, cycle_of(path, wish)):
        if record.kind in DOCUMENTS:
            documents += 1
            if options.limit is not None and documents > options.limit:
                record = Record(record.offset, "limit", note=f"stopped after {options.limit}")
        yield (json_of(path, record, options.raw) if options.json else text_of_record(record),
               record.kind == "problem")
        if record.kind == "limit":
            return
        if options.raw and not options.json and record.kind in DOCUMENTS:
            yield from ((line, False) for line in hex_lines(path, record))


# ---- one record ----

def clean(text: str) -> str:
    """Names and keys come from files: nothing in them may steer the terminal."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def text_of_record(record: Record) -> str:
    """Offset, header word, kind, and what is known; fields on lines of their own."""
    if record.kind == "problem":
        word = "" if record.word is None else f"word {record.word:08x}: "
        return clean(f"{record.offset:08x}  PROBLEM   {word}{record.note}")
    word = " " * 8 if record.word is None else f"{record.word:08x}"
    parts = [f"{record.offset:08x}  {word}  {record.kind:11}"]
    if record.length is not None:
        parts.append(f"length {record.length}")
    if record.sequence is not None:
        parts.append(f"#{record.sequence}")
    if record.index is not None:
        parts.append(f"index {record.index:#x}")
    if record.note:
        parts.append(record.note)
    lines = ["  ".join(parts)]
    for item in record.fields:
        value = item.value
        shown = f"{value} ({value:#x})" if type(value) is int and value > 9 else str(value)
        lines.append(f"{item.offset:08x}  {' ' * 10}{'  ' * item.depth}{item.name}: {shown}")
    return "\n".join(clean(line).rstrip() for line in lines)


def json_of(path: str, record: Record, raw: bool) -> str:
    """The record as one line of JSON; of ``raw`` bytes at most 64 KiB."""
    shown = {"file": path, **record.asdict()}
    if raw and record.kind in DOCUMENTS:
        body = next(_pieces(path, record), b"")
        shown["raw"] = body.hex()
        if len(body) != record.length:
            shown["raw_cut"] = True
    return json.dumps(shown)


def _pieces(path: str, record: Record) -> Iterator[bytes]:
    """The bytes of a document, in pieces."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        at, left = record.offset + 4, record.length or 0
        while left > 0 and (piece := os.pread(fd, min(left, CHUNK), at)):
            yield piece
            at, left = at + len(piece), left - len(piece)
    finally:
        os.close(fd)


def hex_lines(path: str, record: Record) -> Iterator[str]:
    """Sixteen bytes a line; lines equal to the one before are one star."""
    at, before, starred = record.offset + 4, b"", False
    for piece in _pieces(path, record):
        for i in range(0, len(piece), 16):
            row = piece[i:i + 16]
            if row != before:
                text = "".join(chr(b) if 32 <= b < 127 else "." for b in row)
                yield f"{at + i:08x}    {row.hex(' '):47}  {text}"
            elif not starred:
                yield "*"
            starred, before = row == before, row
        at += len(piece)
