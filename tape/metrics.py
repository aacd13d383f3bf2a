"""Statistics as OpenMetrics text (https://openmetrics.io), for Prometheus and its kin."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .stats import QueueStats, TailerStats

__all__ = ["CONTENT_TYPE", "openmetrics"]

CONTENT_TYPE = "application/openmetrics-text; version=1.0.0; charset=utf-8"

# name, unit, help, value; None: not known now, and left out.
_OF_QUEUES: tuple[tuple[str, str, str, Callable[[QueueStats], float | None]], ...] = (
    ("tape_queue_messages", "", "Messages.",
     lambda s: s.messages),
    ("tape_queue_last_index", "", "Index of the last message.", lambda s: s.last_index),
    ("tape_queue_cycle_files", "", "Cycle files.", lambda s: s.cycles),
    ("tape_queue_compressed_files", "", "Cycle files that are compressed.",
     lambda s: s.compressed),
    ("tape_queue_size_bytes", "bytes", "Lengths of the cycle files, mostly holes.",
     lambda s: s.bytes),
    ("tape_queue_disk_bytes", "bytes", "What the cycle files take on disk.",
     lambda s: s.bytes_on_disk),
    ("tape_queue_lock_held_seconds", "seconds", "How long the write lock was seen with one holder.",
     lambda s: s.lock_held_for or 0.0),
    ("tape_queue_disk_free_bytes", "bytes", "Free bytes of the file system.",
     lambda s: s.disk_free),
    ("tape_queue_disk_full_seconds", "seconds", "Time until the disk is full at this pace.",
     lambda s: s.seconds_to_full),
)
_OF_TAILERS: tuple[tuple[str, str, str, Callable[[TailerStats], float]], ...] = (
    ("tape_tailer_lag_messages", "", "Messages that a named tailer has yet to read.",
     lambda t: t.messages),
    ("tape_tailer_lag_bytes", "bytes", "What they take in their files.", lambda t: t.bytes),
    ("tape_tailer_lag_seconds", "seconds", "The next of them is at least that old.",
     lambda t: t.seconds),
    ("tape_tailer_parked", "", "1 when it is parked, so that it holds no file.",
     lambda t: int(t.parked)),
)


def _label(text: str) -> str:
    """As a label's value; what is no UTF-8 becomes a question mark."""
    text = text.encode("utf-8", "replace").decode("utf-8")
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _family(name: str, unit: str, text: str, samples: list[tuple[str, float | None]]) -> list[str]:
    known = [(labels, value) for labels, value in samples if value is not None]
    if not known:
        return []
    head = [f"# TYPE {name} gauge", *([f"# UNIT {name} {unit}"] if unit else []),
            f"# HELP {name} {text}"]
    return head + [f"{name}{{{labels}}} {value}" for labels, value in known]


def openmetrics(stats: Iterable[QueueStats]) -> str:
    """The statistics of one or many queues as one text, with the queue's path as a label.

    Args:
        stats: as :meth:`tape.Queue.stats` gives them; each path once.

    >>> import tape, tempfile
    >>> from tape.metrics import openmetrics
    >>> with tape.open(tempfile.mkdtemp()) as q:
    ...     openmetrics([q.stats()]).splitlines()[-1]
    '# EOF'
    """
    queues = list(stats)
    lines: list[str] = []
    for name, unit, text, value in _OF_QUEUES:
        lines += _family(name, unit, text,
                         [(f'queue="{_label(s.path)}"', value(s)) for s in queues])
    for name, unit, text, of in _OF_TAILERS:
        lines += _family(name, unit, text, [
            (f'queue="{_label(s.path)}",tailer="{_label(t.name)}"', of(t))
            for s in queues for t in s.tailers.values()])
    return "\n".join([*lines, "# EOF", ""])
