"""Sizes and durations as people write them."""

from __future__ import annotations

import datetime
import re
from typing import Any

from .errors import InvalidArgument

__all__ = ["bytes_of", "names_of", "number_of", "seconds_of", "share_of", "show_bytes",
           "show_seconds"]

_SIZES = {"": 1, "b": 1, "k": 10**3, "kb": 10**3, "m": 10**6, "mb": 10**6, "g": 10**9,
          "gb": 10**9, "t": 10**12, "tb": 10**12, "kib": 1 << 10, "mib": 1 << 20,
          "gib": 1 << 30, "tib": 1 << 40}
_TIMES = {"": 1.0, "ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0,
          "w": 604800.0}


def _amount(text: str, units: dict[str, float], what: str, example: str) -> float:
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([a-zA-Z]*)\s*", text)
    if not found or found[2].lower() not in units:
        raise InvalidArgument(f"{text!r} is no {what}", hint=f"like {example}")
    return float(found[1]) * units[found[2].lower()]


def number_of(value: Any, name: str, least: int = 0, most: int = 1 << 31, hint: str = "") -> int:
    """A whole number in a range; ``True`` is none.

    >>> number_of(3, "max_cycles")
    3
    """
    if type(value) is not int or not least <= value <= most:
        sign = " is negative" if type(value) is int and value < 0 else ""
        raise InvalidArgument(f"{name}={value!r}{sign or ' is out of range'}",
                              hint=hint or f"a whole number, {least} to {most}")
    return value


def names_of(value: Any, name: str) -> tuple[str, ...]:
    """Names of tailers: one, or some."""
    found = (value,) if isinstance(value, str) else value
    if isinstance(found, (bytes, bytearray)) or not hasattr(found, "__iter__"):
        found = (None,)
    found = tuple(found)
    if not all(isinstance(one, str) for one in found):
        raise InvalidArgument(f"{name}={value!r}", hint="tape.ALL, None, or names of tailers")
    return found


def bytes_of(value: int | str, name: str) -> int:
    """A number of bytes: ``20_000_000``, ``"20GB"``, ``"512 MiB"``.

    >>> bytes_of("20GB", "max_bytes"), bytes_of("1 KiB", "max_bytes")
    (20000000000, 1024)
    """
    if type(value) is not int and not isinstance(value, str):
        raise InvalidArgument(f"{name}={value!r}", hint='a number of bytes, or like "20GB"')
    number = value if isinstance(value, int) else _amount(
        value, {**_SIZES}, "size", '"20GB" or "512MiB"')
    if number < 0:
        raise InvalidArgument(f"{name}={value!r} is negative", hint="a number of bytes")
    return int(number)


def seconds_of(value: float | str | datetime.timedelta, name: str) -> float:
    """A number of seconds: ``90``, ``"7d"``, ``"12h"``, a ``timedelta``.

    >>> seconds_of("7d", "max_age"), seconds_of("1.5h", "max_age")
    (604800.0, 5400.0)
    """
    if isinstance(value, datetime.timedelta):
        number = value.total_seconds()
    elif isinstance(value, str):
        number = _amount(value, _TIMES, "duration", '"7d", "12h" or "90s"')
    else:
        try:
            number = float(value)
        except (TypeError, ValueError, OverflowError):
            number = -1.0
    if isinstance(value, bool) or not 0 <= number < float("inf"):
        raise InvalidArgument(f"{name}={value!r} is out of range",
                              hint='seconds, not negative; like "7d"; a timedelta')
    return number


def share_of(value: int | str, whole: int, name: str) -> int:
    """A number of bytes, or a part of ``whole``: ``"5%"``.

    >>> share_of("5%", 2000, "min_free"), share_of("1kB", 2000, "min_free")
    (100, 1000)
    """
    if isinstance(value, str) and value.strip().endswith("%"):
        percent = _amount(value.strip()[:-1], {"": 1.0}, "percentage", '"5%"')
        if not 0 <= percent <= 100:
            raise InvalidArgument(f"{name}={value!r} is out of range", hint="0% to 100%")
        return int(whole * percent / 100)
    return bytes_of(value, name)


def show_bytes(number: float) -> str:
    """Three digits and a unit.

    >>> show_bytes(999), show_bytes(20_500_000_000)
    ('999 B', '20.5 GB')
    """
    for unit in ("B", "kB", "MB", "GB"):
        if number < 1000:
            return f"{number:.3g} {unit}"
        number /= 1000
    return f"{number:.3g} TB"


def show_seconds(number: float) -> str:
    """The largest unit that fits.

    >>> show_seconds(90), show_seconds(7 * 86400), show_seconds(0.25)
    ('90 s', '7 d', '0.25 s')
    """
    for unit, length in (("d", 86400.0), ("h", 3600.0), ("min", 60.0)):
        if number >= 2 * length:
            return f"{number / length:.3g} {unit}"
    return f"{number:.3g} s"
