"""Messages again, at their original pace: :func:`tape.replay`."""

from __future__ import annotations

import time as _time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from .errors import InvalidArgument

if TYPE_CHECKING:
    import datetime

    from .errors import DecodeError
    from .queue import Queue

__all__ = ["replay"]


def _estimates(q: Queue) -> Callable[[int], float]:
    """When a message was written, in seconds, as far as its index tells: messages bear no time, so
    those of a cycle are taken to have come evenly over its length, or as much of it as passed."""
    row, epoch = q.roll_cycle, q._effective_epoch()
    counts = {c.cycle: c.count for c in q.cycles()}
    now = _time.time() if q._clock is None else q._clock.clock.now_ms() / 1000

    def when(index: int) -> float:
        cycle, sequence = index >> row.shift, index & ((1 << row.shift) - 1)
        begin = (cycle * row.length_ms + epoch) / 1000
        passed = min(row.length_ms / 1000, max(now - begin, 0.0))
        return begin + passed * min(sequence / max(counts.get(cycle, 0), 1), 1.0)

    return when


def replay(queue: Queue, speed: float = 1.0, *, start: int | datetime.datetime | str = "start",
           end: int | None = None, time: Callable[[Any], float | datetime.datetime] | None = None,
           codec: Any = None, on_error: str | Callable[[DecodeError], Any] = "raise",
           sleep: Callable[[float], None] = _time.sleep) -> Iterator[Any]:
    """Yields the messages that are there now, at the pace at which they were written.

    Args:
        queue: an open :class:`tape.Queue`.
        speed: 10 is ten times as fast; ``float("inf")`` does not wait at all. Above 0.
        start: where to begin: ``"start"``, an index, or a time with time zone.
        end: the index before which to stop; by default behind the last message there is now.
        time: when a message was written: takes the message, gives seconds or a ``datetime``.
            Without it the time is taken from the index: messages of a cycle evenly over it, since
            they bear no time themselves.
        codec: for the messages; the queue's by default.
        on_error: what to do with a message that cannot be decoded, as of
            :meth:`tape.Queue.tailer`. What is raised ends the replay; another one may begin behind
            its ``index``.
        sleep: what waits, with a number of seconds: for tests.

    Messages that come late (the consumer was slow) are given at once, and do not put off later
    ones: the pace counts from the first message.

    Raises: :class:`tape.InvalidArgument`, and what a tailer raises.

    >>> import tape, tempfile
    >>> with tape.open(tempfile.mkdtemp()) as q:
    ...     indexes = [q.appender().write({"at": n}) for n in (0, 5, 20)]
    ...     waited = []
    ...     for message in tape.replay(q, 10, time=lambda m: m["at"], sleep=waited.append):
    ...         pass
    ...     [round(s, 1) for s in waited]
    [0.5, 1.5]
    """
    if isinstance(speed, str) or speed is None or not speed > 0:
        raise InvalidArgument(f"speed={speed!r}", hint="a number above 0")
    if end is not None and (type(end) is not int or end < 0):
        raise InvalidArgument(f"end={end} is no index", hint="an index is not negative")
    return _messages(queue, speed, start, end, time, codec, on_error, sleep)


def _messages(queue: Queue, speed: float, start: Any, end: int | None,
              time: Callable[[Any], Any] | None, codec: Any, on_error: Any,
              sleep: Callable[[float], None]) -> Iterator[Any]:
    last = queue.last_index
    if last is None:
        return
    end = last + 1 if end is None else min(end, last + 1)
    when, begun, first = _estimates(queue), _time.monotonic(), None
    slept = 0.0  # a sleep that only pretends is time that passed, too
    with queue.tailer(start=start, codec=codec, on_gap="skip",
                      on_error=on_error) as t:
        for entry in t.entries():
            if entry.index >= end:
                return
            at = when(entry.index) if time is None else time(entry.value)
            seconds = at if isinstance(at, int | float) else at.timestamp()
            first = seconds if first is None else first
            due = (seconds - first) / speed
            wait = due - max(slept, _time.monotonic() - begun)
            if wait > 0.0005:
                sleep(wait)
                slept = due
            yield entry.value
