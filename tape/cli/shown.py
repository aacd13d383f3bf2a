"""What people read: names that steer no terminal, sizes, times, and a console."""

from __future__ import annotations

import datetime
import sys
from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table

__all__ = ["ago", "clean", "console", "index_text", "is_terminal", "moment", "number",
           "percentiles", "print_figures", "size", "span"]


def clean(text: str) -> str:
    """Names and messages come from files: nothing in them may steer the terminal.

    >>> clean("a\\x1b[31m\\udcffb")
    'a\\\\x1b[31m\\\\udcffb'
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def is_terminal() -> bool:
    """Whether a person reads the output."""
    return sys.stdout.isatty()


def console() -> Console:
    """Where tables go; honours NO_COLOR and the width of the terminal."""
    return Console(markup=False, highlight=False, emoji=False)


def size(count: int) -> str:
    """Bytes in the unit that fits.

    >>> size(999), size(81920), size(3 * 2**30)
    ('999 B', '80.0 KiB', '3.0 GiB')
    """
    amount, unit = float(count), "B"
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if abs(amount) < 1024 or unit == "TiB":
            break
        amount /= 1024
    return f"{count} B" if unit == "B" else f"{amount:.1f} {unit}"


def number(count: int) -> str:
    """With a thin mark between thousands.

    >>> number(1234567)
    "1'234'567"
    """
    return f"{count:,}".replace(",", "'")


def index_text(index: int | None) -> str:
    """An index as people compare them.

    >>> index_text(0x4d930000000a), index_text(None)
    ('0x4d930000000a', 'none')
    """
    return "none" if index is None else f"{index:#x}"


def ago(seconds: float) -> str:
    """A span of time in the unit that fits.

    >>> ago(0.25), ago(75), ago(7200), ago(200000)
    ('250 ms', '75 s', '2.0 h', '2.3 d')
    """
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 172_800 else f"{seconds / 86400:.1f} d"


def span(ns: float) -> str:
    """Nanoseconds in the unit that fits.

    >>> span(730), span(8200), span(12_500_000)
    ('730 ns', '8.2 us', '12.5 ms')
    """
    for unit, factor in (("ns", 1.0), ("us", 1e3), ("ms", 1e6)):
        if ns < factor * 1000 or unit == "ms":
            return f"{ns / factor:.0f} {unit}" if unit == "ns" else f"{ns / factor:.1f} {unit}"
    raise AssertionError


def percentiles(values: Iterable[int]) -> tuple[int, int, int, int, int]:
    """Of some numbers: p50, p90, p99, p99.9, and the largest.

    >>> percentiles(range(1000))
    (500, 900, 990, 999, 999)
    """
    ordered = sorted(values)
    p50, p90, p99, p999 = (ordered[min(int(len(ordered) * part), len(ordered) - 1)]
                           for part in (0.5, 0.9, 0.99, 0.999))
    return p50, p90, p99, p999, ordered[-1]


def print_figures(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """A table whose first column is a name, for people; tabs between, for machines."""
    if not is_terminal():
        for row in (heads, *rows):
            print("\t".join(row))
        return
    table = Table(box=None, padding=(0, 1, 0, 0))
    for column, head in enumerate(heads):
        table.add_column(head, justify="right" if column else "left", overflow="fold",
                         no_wrap=not column)
    for row in rows:
        table.add_row(*row)
    console().print(table)


def moment(ms: int) -> str:
    """Milliseconds since 1970 as a time in UTC.

    >>> moment(1_577_880_000_000)
    '2020-01-01 12:00:00Z'
    """
    try:
        when = datetime.datetime.fromtimestamp(ms / 1000, datetime.timezone.utc)
    except (ValueError, OverflowError, OSError):
        return f"{ms} ms"
    return when.strftime("%Y-%m-%d %H:%M:%SZ")
