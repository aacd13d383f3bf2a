"""What ``cat``, ``tail`` and ``copy`` share: which messages, and those that fail."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import click

from .. import Queue, Tailer
from ..errors import CorruptQueue, DecodeError, Gap
from ..info import Entry
from .form import FORMS, template
from .options import INDEX, WHEN
from .payload import Payload, codec_named
from .shown import moment

__all__ = ["Choice", "Printer", "begin_options", "choice_options", "entries", "form_options",
           "printer_of", "watch"]


@dataclass
class Choice:
    """Which messages: a range of indexes, or of times."""

    since: datetime.datetime | None = None
    until: datetime.datetime | None = None
    from_index: int | None = None
    to_index: int | None = None
    limit: int | None = None  # the index of `until`, once it was asked for

    def begin(self, t: Tailer, run: Any) -> None:
        """Moves a forward tailer to the first message."""
        if self.since is not None:
            found, bounds = t.seek(self.since), t.queue.bounds(self.since)
            if found and t.index == bounds.earliest:
                opens, latest = (t.queue.locate(i) for i in bounds)
                if opens.sequence == 0 and latest.cycle > opens.cycle:
                    run.say("no times were noted in this cycle: begins with its first message, of "
                            f"{moment(opens.opens_at)} or later")
        if self.from_index is not None and (self.since is None or t.index < self.from_index):
            move(t, self.from_index)

    def ends(self, q: Queue, index: int) -> bool:
        """Whether a message lies behind the range."""
        if self.until is not None and self.limit is None:
            self.limit = q.bounds(self.until).latest
        return any(end is not None and index >= end for end in (self.to_index, self.limit))


def move(t: Tailer, index: int) -> None:
    """To the first message from ``index`` on, also where there is none with just this index."""
    q = t.queue
    if t.seek(index) or t.index == index:
        return
    later = [c for c in q.cycles() if c.count and c.first_index + c.count > index]
    if later:
        t.seek(max(later[0].first_index, index))
    else:
        t.seek_end()


def watch(t: Tailer, run: Any, idle: Callable[[], object] | None = None) -> Iterator[Entry]:
    """What there is now; gaps and poison messages are told, passed, and make exit code 3.

    With ``idle`` it goes on for ever, and calls that once before it waits and each second.
    """
    timeout, behind = 0.0, None  # how many are counted, once there was nothing
    while True:
        try:
            entry = t.read_entry(timeout=timeout)
        except DecodeError as error:
            index = error.index if error.index is not None else t.index
            head = (error.raw or b"")[:16].hex(" ")
            run.warn(f"{index:#x}: {error.message}; bytes {head}{' ...' if head else ''}"
                     + (f"; hint: {error.hint}" if error.hint else ""))
            t.skip()
            continue
        except Gap as error:
            run.warn(error.message)
            continue
        timeout = 0.0
        if entry is not None:
            behind = behind and 0  # it has just come
            yield entry
        elif idle is not None:
            idle()
            timeout = 1.0
        elif behind is None:
            behind = _counted_behind(t, run)
        else:
            if behind:
                run.warn(f"{t.index:#x}: no message, although {behind} are counted from there on; "
                         "hint: tape verify shows what is wrong, tape repair makes a sound copy")
            return


def _counted_behind(t: Tailer, run: Any) -> int:
    """How many messages there should be where none was found. Zeros that a power cut left must not
    look like the end."""
    try:
        return t.lag().messages if t.direction == "forward" else 0
    except CorruptQueue as error:
        run.warn(f"{error.message}; hint: {error.hint}")
        return 0


def entries(q: Queue, codec: Any, choice: Choice, run: Any,
            reverse: bool = False) -> Iterator[Entry]:
    """The messages of a range that are there now."""
    if reverse:
        yield from _backward(q, codec, choice, run)
        return
    with q.tailer(codec=codec) as t:
        choice.begin(t, run)
        for entry in watch(t, run):
            if choice.ends(q, entry.index):
                return
            yield entry


def _backward(q: Queue, codec: Any, choice: Choice, run: Any) -> Iterator[Entry]:
    """Newest first, from the end of the range down to its begin."""
    with q.tailer(codec=codec) as begin, q.tailer(codec=codec, direction="backward") as t:
        choice.begin(begin, run)
        for entry in watch(t, run):
            if entry.index < begin.index:
                return
            if not choice.ends(q, entry.index):
                yield entry


# ---- how they look ----

@dataclass
class Printer:
    """Makes lines of messages, and says which of them are wanted."""

    codec: Any
    form: Callable[[Entry, bool], str] | None  # None: the bytes themselves
    indexed: bool
    match: list[re.Pattern[str]]
    exclude: list[re.Pattern[str]]

    def line(self, entry: Entry) -> bytes | None:
        """The line with its end, or ``None`` when the message is filtered out."""
        if self.form is None:
            data: bytes = entry.value
            text = data.decode("utf-8", "backslashreplace")
        else:
            text = self.form(entry, self.indexed)
            data = text.encode("utf-8", "backslashreplace")
        if not all(m.search(text) for m in self.match) or any(m.search(text) for m in self.exclude):
            return None
        return data + b"\n"


def printer_of(q: Queue | None, options: dict[str, Any]) -> Printer:
    """What the options of :func:`form_options` say."""
    chosen = [name for name in ("json", "edn", "hex", "raw") if options[name]]
    if len(chosen) + (options["template"] is not None) > 1:
        raise click.UsageError("choose one of --json, --edn, --hex, --raw, --template")
    shape = chosen[0] if chosen else "json"
    form = None if shape == "raw" else FORMS[shape]
    if options["template"] is not None:
        form = template(options["template"], q.locate if q is not None else lambda index: None)
    codec = codec_named(options["codec"], q)
    if shape in ("raw", "hex"):
        codec = Payload()
    return Printer(codec, form, options["index"], _patterns(options, "match"),
                   _patterns(options, "exclude"))


def _patterns(options: dict[str, Any], name: str) -> list[re.Pattern[str]]:
    """Regular expressions, or wrong use."""
    try:
        return [re.compile(text) for text in options[name]]
    except re.error as error:
        raise click.BadParameter(f"no regular expression: {error}",
                                 param_hint=f"--{name}") from error


def _all(decorators: list[Any]) -> Callable[[Any], Any]:
    def decorate(function: Any) -> Any:
        for decorator in reversed(decorators):
            function = decorator(function)
        return function
    return decorate


form_options = _all([
    click.option("--json", is_flag=True, help="A line of JSON each: the default."),
    click.option("--edn", is_flag=True, help="A line of EDN, which loses nothing."),
    click.option("--raw", is_flag=True, help="The bytes of each, and a newline."),
    click.option("--hex", is_flag=True, help="The bytes in hex."),
    click.option("--template", metavar="TEXT",
                 help="'{index} {value.id}'; also hexindex cycle sequence opens size json edn."),
    click.option("-i", "--index", is_flag=True, help="With the index of each."),
    click.option("--codec", default="auto", metavar="NAME",
                 help="auto, fressian, json, text, wire, ..., MODULE:ATTRIBUTE."),
    click.option("--match", multiple=True, metavar="REGEX", help="Only lines that match."),
    click.option("--exclude", multiple=True, metavar="REGEX", help="No lines that match."),
])

begin_options = _all([
    click.option("--since", type=WHEN, metavar="WHEN", help="10m, 2h, 3d, 2026-01-31T12:00Z."),
    click.option("--from", "from_index", type=INDEX, metavar="INDEX", help="From this index on."),
])

choice_options = _all([
    begin_options,
    click.option("--until", type=WHEN, metavar="WHEN", help="Before this time."),
    click.option("--to", "to_index", type=INDEX, metavar="INDEX", help="Before this index."),
])
