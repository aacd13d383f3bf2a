"""Roll cycles: time, cycle numbers, file names, index numbers (format.md 1 and 7)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone

DAY_MS = 86_400_000
WEEKLY_EPOCH = 259_200_000  # Sunday 1970-01-04, the default of WEEKLY when 0 is stored

_ZERO = datetime(1970, 1, 1, tzinfo=timezone.utc)
_DAY_ZERO = date(1970, 1, 1)


@dataclass(frozen=True)
class RollCycle:
    """One row of the table in format.md 1.3."""

    name: str
    pattern: str
    length_ms: int
    index_count: int
    index_spacing: int

    @property
    def shift(self) -> int:
        """Low bits of an index number that hold the sequence."""
        return sequence_shift(self.index_count, self.index_spacing)

    @property
    def messages_max(self) -> int:
        """Messages that one cycle may hold."""
        return min((1 << self.shift) - 1, self.index_count * self.index_count * self.index_spacing)


def sequence_shift(index_count: int, index_spacing: int) -> int:
    """Shift that goes with these numbers (format.md 1.3 and 4.3)."""
    bits = 2 * (index_count.bit_length() - 1) + index_spacing.bit_length() - 1
    return max(32, bits)


_MINUTE, _HOUR = 60_000, 3_600_000

# In Java's search order: the first row with the stored pattern is taken (format.md 1.2).
ROLL_CYCLES: tuple[RollCycle, ...] = (
    RollCycle("FIVE_MINUTELY", "yyyyMMdd-HHmm'V'", 5 * _MINUTE, 2048, 256),
    RollCycle("TEN_MINUTELY", "yyyyMMdd-HHmm'X'", 10 * _MINUTE, 2048, 256),
    RollCycle("TWENTY_MINUTELY", "yyyyMMdd-HHmm'XX'", 20 * _MINUTE, 2048, 256),
    RollCycle("HALF_HOURLY", "yyyyMMdd-HHmm'H'", 30 * _MINUTE, 2048, 256),
    RollCycle("FAST_HOURLY", "yyyyMMdd-HH'F'", _HOUR, 4096, 256),
    RollCycle("TWO_HOURLY", "yyyyMMdd-HH'II'", 2 * _HOUR, 4096, 256),
    RollCycle("FOUR_HOURLY", "yyyyMMdd-HH'IV'", 4 * _HOUR, 4096, 256),
    RollCycle("SIX_HOURLY", "yyyyMMdd-HH'VI'", 6 * _HOUR, 4096, 256),
    RollCycle("FAST_DAILY", "yyyyMMdd'F'", DAY_MS, 4096, 256),
    RollCycle("WEEKLY", "YYYY'W'ww", 7 * DAY_MS, 4096, 256),
    RollCycle("MINUTELY", "yyyyMMdd-HHmm", _MINUTE, 2048, 16),
    RollCycle("HOURLY", "yyyyMMdd-HH", _HOUR, 4096, 16),
    RollCycle("DAILY", "yyyyMMdd", DAY_MS, 8192, 64),
    RollCycle("LARGE_HOURLY", "yyyyMMdd-HH'L'", _HOUR, 8192, 64),
    RollCycle("LARGE_DAILY", "yyyyMMdd'L'", DAY_MS, 32768, 128),
    RollCycle("XLARGE_DAILY", "yyyyMMdd'X'", DAY_MS, 32768, 256),
    RollCycle("HUGE_DAILY", "yyyyMMdd'H'", DAY_MS, 32768, 1024),
    RollCycle("SMALL_DAILY", "yyyyMMdd'S'", DAY_MS, 8192, 8),
    RollCycle("LARGE_HOURLY_SPARSE", "yyyyMMdd-HH'LS'", _HOUR, 4096, 1024),
    RollCycle("LARGE_HOURLY_XSPARSE", "yyyyMMdd-HH'LX'", _HOUR, 2048, 1048576),
    RollCycle("HUGE_DAILY_XSPARSE", "yyyyMMdd'HX'", DAY_MS, 16384, 1048576),
    RollCycle("TEST_SECONDLY", "yyyyMMdd-HHmmss'T'", 1000, 32768, 4),
    RollCycle("TEST4_SECONDLY", "yyyyMMdd-HHmmss'T4'", 1000, 32, 4),
    RollCycle("TEST_HOURLY", "yyyyMMdd-HH'T'", _HOUR, 16, 4),
    RollCycle("TEST_DAILY", "yyyyMMdd'T1'", DAY_MS, 8, 1),
    RollCycle("TEST2_DAILY", "yyyyMMdd'T2'", DAY_MS, 16, 2),
    RollCycle("TEST4_DAILY", "yyyyMMdd'T4'", DAY_MS, 32, 4),
    RollCycle("TEST8_DAILY", "yyyyMMdd'T8'", DAY_MS, 128, 8),
)

BY_NAME = {row.name: row for row in ROLL_CYCLES}


def by_pattern(pattern: str) -> RollCycle | None:
    """The first row with exactly this pattern."""
    return next((row for row in ROLL_CYCLES if row.pattern == pattern), None)


def by_file_name(stem: str) -> RollCycle | None:
    """The first row whose pattern parses this name without ``.cq4`` (format.md 1.2)."""
    return next((row for row in ROLL_CYCLES if parse_name(row.pattern, stem) is not None), None)


def _divide(dividend: int, divisor: int) -> int:
    """Java's integer division: truncates toward zero."""
    quotient = abs(dividend) // abs(divisor)
    return quotient if (dividend < 0) == (divisor < 0) else -quotient


def effective_epoch(row: RollCycle, epoch: int) -> int:
    """The epoch in force: the stored one, or the row's default when 0 is stored (1.4)."""
    return WEEKLY_EPOCH if epoch == 0 and row.name == "WEEKLY" else epoch


def cycle_at(row: RollCycle, now_ms: int, epoch: int = 0) -> int:
    """The cycle of a moment (format.md 1.4)."""
    return _divide(now_ms - effective_epoch(row, epoch), row.length_ms)


def name_offset(epoch: int) -> int:
    """The part of the epoch that file names carry: E of format.md 1.5."""
    remainder = epoch - _divide(epoch, DAY_MS) * DAY_MS
    return epoch - remainder if remainder >= 0 else -DAY_MS


def cycle_start_in_name(row: RollCycle, cycle: int, epoch: int = 0) -> int:
    """Milliseconds since 1970 that the name of this cycle shows."""
    return cycle * row.length_ms + name_offset(effective_epoch(row, epoch))


def file_stem(row: RollCycle, cycle: int, epoch: int = 0, *, weeks: str = "us") -> str:
    """The file's name without ``.cq4`` (format.md 1.5; ``weeks`` is for WEEKLY, 1.8)."""
    moment = _ZERO + timedelta(milliseconds=cycle_start_in_name(row, cycle, epoch))
    return format_name(row.pattern, moment, weeks=weeks)


def cycle_of(row: RollCycle, stem: str, epoch: int = 0, *, weeks: str = "us") -> int | None:
    """The cycle number of a file name, ``None`` when it does not parse (format.md 1.6)."""
    seconds = parse_name(row.pattern, stem, weeks=weeks)
    if seconds is None:
        return None
    offset = name_offset(effective_epoch(row, epoch))
    if row.name == "WEEKLY":  # the name tells the week in which the cycle starts
        return -((offset - seconds * 1000) // row.length_ms)
    return _divide(seconds - _divide(offset, 1000), row.length_ms // 1000)


# One entry per letter group that the 28 patterns use: group name and digits.
_TOKENS = {"yyyy": 4, "YYYY": 4, "MM": 2, "dd": 2, "HH": 2, "mm": 2, "ss": 2, "ww": 2}
_TOKEN = re.compile("'([^']*)'|" + "|".join(_TOKENS) + "|[^A-Za-z']")


def _tokens(pattern: str) -> list[str]:
    tokens, at = [], 0
    while at < len(pattern):
        match = _TOKEN.match(pattern, at)
        if match is None:
            raise ValueError(f"unknown letter in pattern {pattern!r} at {at}")
        tokens.append(match.group())
        at = match.end()
    return tokens


def format_name(pattern: str, moment: datetime, *, weeks: str = "us") -> str:
    """Formats a UTC moment with a roll pattern."""
    year, week = _week_of(moment.date(), weeks)
    values = {"yyyy": moment.year, "MM": moment.month, "dd": moment.day, "HH": moment.hour,
              "mm": moment.minute, "ss": moment.second, "YYYY": year, "ww": week}
    return "".join(f"{values[t]:0{_TOKENS[t]}d}" if t in _TOKENS else t.strip("'")
                   for t in _tokens(pattern))


def parse_name(pattern: str, stem: str, *, weeks: str = "us") -> int | None:
    """Seconds since 1970 that a name shows, ``None`` when the pattern does not fit."""
    parts = [f"(?P<{t}>[0-9]{{{_TOKENS[t]}}})" if t in _TOKENS else re.escape(t.strip("'"))
             for t in _tokens(pattern)]
    match = re.fullmatch("".join(parts), stem)
    if match is None:
        return None
    got = {name: int(text) for name, text in match.groupdict().items()}
    if max(got.get("HH", 0) - 23, got.get("mm", 0) - 59, got.get("ss", 0) - 59) > 0:
        return None
    try:
        day = (_week_start(got["YYYY"], got["ww"], weeks) if "ww" in got
               else date(got["yyyy"], got["MM"], got["dd"]))
    except (ValueError, OverflowError):
        return None
    seconds = got.get("HH", 0) * 3600 + got.get("mm", 0) * 60 + got.get("ss", 0)
    return (day - _DAY_ZERO).days * 86400 + seconds


def _week_of(day: date, weeks: str) -> tuple[int, int]:
    """Week-based year and week: ``us`` starts on Sunday with 1 January, else ISO 8601."""
    if weeks == "iso":
        year, week, _ = day.isocalendar()
        return year, week
    saturday = day + timedelta(days=(5 - day.weekday()) % 7)
    return saturday.year, (saturday.timetuple().tm_yday - 1) // 7 + 1


def _week_start(year: int, week: int, weeks: str) -> date:
    """First day of a week; ValueError when that year has no such week."""
    if weeks == "iso":
        return date.fromisocalendar(year, week, 1)
    new_year = date(year, 1, 1)
    start = new_year - timedelta(days=(new_year.weekday() + 1) % 7) + timedelta(weeks=week - 1)
    if _week_of(start, weeks) != (year, week):
        raise ValueError("no such week")
    return start


def index_of(row: RollCycle, cycle: int, sequence: int) -> int:
    """The index number of a message (format.md 7)."""
    return (cycle << row.shift) + sequence


def split_index(row: RollCycle, index: int) -> tuple[int, int]:
    """Cycle and sequence of an index number."""
    return index >> row.shift, index & (2**row.shift - 1)
