"""Which cycle a file is of, told by its name and the settings beside it."""

from __future__ import annotations

import datetime
import os
import re

from ..roll_cycles import RollCycle
from .walker import settings_of

DAY_MS = 86_400_000
_PARTS = {"yyyy": "year", "MM": "month", "dd": "day", "HH": "hour", "mm": "minute", "ss": "second",
          "YYYY": "week_year", "ww": "week"}


def cycle_of(path: str, wish: RollCycle | None = None) -> tuple[int, int] | None:
    """Cycle number of a file and the bits that count messages, from its name and the table store.

    >>> cycle_of("/nowhere/20200101F.cq4")
    (18262, 32)
    """
    folder, file_name = os.path.split(path)
    stem, dot, _ = file_name.partition(".cq4")
    if not dot or file_name.endswith(".cq4t"):
        return None
    stored = settings_of(os.path.join(folder, "metadata.cq4t"))
    epoch = stored.get("epoch", 0)
    for cycle in [wish] if wish else RollCycle:
        start = start_of(cycle.pattern, stem)
        if start is not None:
            return _number(cycle, start, int(epoch) if isinstance(epoch, (int, float)) else 0)
    return None


def _number(cycle: RollCycle, start: int, epoch: int) -> tuple[int, int]:
    """Java's arithmetic: the name carries the start without the epoch's part of a day."""
    if cycle.name == "WEEKLY" and epoch == 0:
        epoch = 3 * DAY_MS
    rest = epoch - DAY_MS * int(epoch / DAY_MS)  # the remainder with the sign of the epoch
    days = epoch - rest if rest >= 0 else -DAY_MS
    if cycle.name == "WEEKLY":  # the start of the cycle lies anywhere in the week of its name
        return -((days - start) // cycle.length_ms), cycle.shift
    return int((start - days) / cycle.length_ms), cycle.shift


def start_of(pattern: str, stem: str) -> int | None:
    """Milliseconds since 1970 that a file name stands for; ``None`` when it is another pattern's.

    >>> start_of("yyyyMMdd-HH'T'", "19700102-01T")
    90000000
    """
    expression = ""
    for literal, letters, other in re.findall(r"'([^']*)'|(([A-Za-z])\3*)|[^A-Za-z']", pattern):
        expression += (re.escape(literal) if literal else
                       f"(?P<{_PARTS[letters]}>[0-9]{{{len(letters)}}})" if letters else "-")
    found = re.fullmatch(expression, stem)
    if not found:
        return None
    parts = {name: int(digits) for name, digits in found.groupdict().items()}
    try:
        if "week" in parts:  # weeks begin on Sunday, and the first holds January 1st
            first = datetime.date(parts["week_year"], 1, 1)
            days = first.toordinal() - first.isoweekday() % 7 + 7 * (parts["week"] - 1)
            return (days - datetime.date(1970, 1, 1).toordinal()) * DAY_MS
        moment = datetime.datetime(**parts, tzinfo=datetime.timezone.utc)
    except (ValueError, OverflowError):
        return None
    return int(moment.timestamp()) * 1000
