"""``tape latency``: where messages spent their time, by histories that Java's services write."""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from ..codecs import wire
from ..codecs.wire import HISTORY_NAME, History, Typed
from ..errors import DecodeError
from .options import looked_at, queue_argument
from .reading import Choice, choice_options, entries
from .shown import clean, number, percentiles, print_figures, span

if TYPE_CHECKING:
    from typing import TypeGuard

EPILOG = """\b
Examples:
  tape latency results
  tape latency results --by-method --since 1h --json"""


@click.command(epilog=EPILOG)
@queue_argument
@choice_options
@click.option("--by-method", is_flag=True, help="Each method by itself.")
@click.option("--skip", type=click.IntRange(0), default=0, metavar="N",
              help="Not the first N histories: services were warming up.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a stage, in nanoseconds.")
@click.pass_obj
def command(run: Any, /, queue: str, by_method: bool, skip: int, as_json: bool,
            **choice: Any) -> int:
    """Show percentiles of how long messages took, by the message histories in QUEUE.

    Java's services write such with method writers and a source id. A stage is a service (its source
    id), the way from one to the next, or the whole. Times are those of the services' own clocks:
    between two machines they mean little.
    """
    stages: dict[str, array[int]] = {}
    seen = odd = 0
    with looked_at(queue) as q:
        for entry in entries(q, Documents(), Choice(**choice), run):
            history = history_of(entry.value)
            if history is None:
                continue
            seen += 1
            if seen <= skip:
                continue
            took = list(stages_of(history))
            odd += not took
            method = f" {methods_of(entry.value)}" if by_method else ""
            for stage, ns in took:
                stages.setdefault(stage + method, array("q")).append(ns)
    if odd:
        run.warn(f"{number(odd)} histories have no two times for each source, and are passed")
    if not seen:
        run.say("no message here has a history: services write them that have a source id")
    show(stages, as_json)
    return 0


class Documents:
    """Messages as Java's documents; what is none has no history."""

    name, framing = "wire", "document"

    def encode(self, obj: Any) -> bytes:
        """Only for reading."""
        raise TypeError("this codec only reads")

    def decode(self, view: memoryview) -> Any:
        """The document, or nothing."""
        try:
            return wire.decode(view)
        except DecodeError:
            return None


def history_of(value: Any) -> History | None:
    """The history of a message, packed or as a typed block of older releases."""
    found = value.get(HISTORY_NAME) if isinstance(value, Mapping) else None
    if isinstance(found, Typed):
        found = found.value
    if isinstance(found, Mapping):
        sources, timings = found.get("sources"), found.get("timings")
        if not (_are_numbers(sources) and _are_numbers(timings)) or len(sources) % 2:
            return None
        found = History(tuple(zip(sources[::2], sources[1::2], strict=True)), tuple(timings))
    return found if isinstance(found, History) else None


def _are_numbers(value: Any) -> TypeGuard[Sequence[int]]:
    return isinstance(value, (list, tuple)) and all(isinstance(n, int) for n in value)


def methods_of(value: Mapping[str, Any]) -> str:
    """What is called in a document."""
    return "+".join(str(name) for name in value if name != HISTORY_NAME)


def stages_of(history: History) -> Iterator[tuple[str, int]]:
    """What each service took, and the ways between, in nanoseconds.

    Each service notes when it got the message and when it wrote on; where the first one recorded
    the begin, a single time stands before them.

    >>> list(stages_of(History(((1, 7), (2, 8)), (100, 130, 150, 155))))
    [('1', 30), ('1 to 2', 20), ('2', 5), ('end to end', 55)]
    >>> list(stages_of(History(((1, 7),), (90, 100, 130))))
    [('start to 1', 10), ('1', 30)]
    """
    sources, times = history
    before = len(times) - 2 * len(sources)
    if before not in (0, 1):
        return
    last, where = (times[0], "start") if before else (0, "")
    for n, (source, _) in enumerate(sources):
        got, wrote = times[before + 2 * n:before + 2 * n + 2]
        if where:
            yield f"{where} to {source}", got - last
        yield str(source), wrote - got
        last, where = wrote, str(source)
    if len(sources) > 1:
        yield "end to end", times[-1] - times[0]


def show(stages: dict[str, array[int]], as_json: bool) -> None:
    """A line for each stage."""
    heads = ("stage", "count", "p50", "p90", "p99", "p99.9", "max")
    found = [(stage, len(times), percentiles(times)) for stage, times in stages.items()]
    if as_json:
        for stage, count, figures in found:
            click.echo(json.dumps(dict(zip(heads, (stage, count, *figures), strict=True))))
    elif found:
        print_figures(heads, [(clean(stage), number(count), *map(span, figures))
                              for stage, count, figures in found])
