"""The roll cycles of Chronicle Queue 5, as data read from C."""

from __future__ import annotations

from ._ffi import ffi, lib, text
from .errors import InvalidArgument

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

__all__ = ["RollCycle"]


class _Members(type):
    """Makes ``RollCycle`` iterable, sized and subscriptable by name."""

    _by_name: dict[str, RollCycle]

    def __iter__(cls) -> Iterator[RollCycle]:
        return iter(cls._by_name.values())

    def __len__(cls) -> int:
        return len(cls._by_name)

    def __getitem__(cls, name: str) -> RollCycle:
        return cls._by_name[name]

    def __contains__(cls, wish: object) -> bool:
        return wish in cls._by_name.values() or wish in cls._by_name

    def __dir__(cls) -> list[str]:
        return [*super().__dir__(), *cls._by_name]

    def __call__(cls, wish: Any) -> Any:
        """As for an ``Enum``: the member of a name."""
        return super().__call__(wish) if isinstance(wish, ffi.CData) else RollCycle.parse(wish)

    def __getattr__(cls, name: str) -> RollCycle:
        try:
            return cls.__dict__["_by_name"][name]  # type: ignore[no-any-return]
        except KeyError:
            raise AttributeError(name) from None


class RollCycle(metaclass=_Members):
    """How long a cycle is, and how its files and indexes are made.

    Attributes: ``name`` (Java's), ``pattern`` (of file names), ``length_ms``, ``index_count``
    (entries of an index page), ``index_spacing`` (messages between entries), ``max_messages``
    (of one cycle), ``shift`` (low bits of an index that number the sequence).

    >>> RollCycle.FAST_DAILY.pattern
    "yyyyMMdd'F'"
    >>> RollCycle.parse("fast-daily") is RollCycle.FAST_DAILY
    True
    >>> len(RollCycle), "DAILY" in RollCycle, RollCycle("daily")
    (28, True, RollCycle.DAILY)
    """

    __slots__ = ("index_count", "index_spacing", "length_ms", "max_messages", "name", "pattern",
                 "shift")

    name: str
    pattern: str
    length_ms: int
    index_count: int
    index_spacing: int
    max_messages: int
    shift: int

    def __init__(self, row: Any) -> None:
        self.name = text(row.name)
        self.pattern = text(row.pattern)
        self.length_ms = int(row.length_ms)
        self.index_count = int(row.index_count)
        self.index_spacing = int(row.index_spacing)
        self.max_messages = int(row.max_messages)
        self.shift = int(row.shift)

    @staticmethod
    def parse(wish: str | RollCycle) -> RollCycle:
        """The roll cycle of a name in any spelling; :class:`tape.InvalidArgument` if unknown."""
        if isinstance(wish, RollCycle):
            return wish
        row = lib.tape_roll_cycle_named(str(wish).encode())
        if row == ffi.NULL:
            raise InvalidArgument(f"{wish!r} is no roll cycle",
                                  hint="one of " + ", ".join(r.name for r in RollCycle))
        return RollCycle[text(row.name)]

    def __repr__(self) -> str:
        return f"RollCycle.{self.name}"


def _load() -> dict[str, RollCycle]:
    members, i = {}, 0
    while (row := lib.tape_roll_cycle_at(i)) != ffi.NULL:
        member = RollCycle(row)
        members[member.name] = member
        i += 1
    return members


RollCycle._by_name = _load()
