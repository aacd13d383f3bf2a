"""What people read: names that steer no terminal, sizes, times, and a console."""

from __future__ import annotations

import datetime
import sys

from rich.console import Console

__all__ = ["ago", "clean", "console", "index_text", "is_terminal", "moment", "number", "size"]


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
