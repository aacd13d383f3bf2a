"""What ``info()`` of queue, appender and tailer gives: frozen dataclasses with ``asdict()``."""

from __future__ import annotations

import dataclasses
from typing import Any, NamedTuple

__all__ = ["AppenderInfo", "CycleFile", "Entry", "Location", "MetadataEntry",
           "QueueInfo", "TailerInfo"]


class Entry(NamedTuple):
    """One message with its index and undecoded bytes.

    >>> i, value, raw = Entry(7, "hello", b"hello")
    """

    index: int  # type: ignore[assignment]  # hides tuple.index on purpose
    value: Any
    raw: bytes

    @property
    def metadata(self) -> bool:
        """Whether it is no message: see :class:`tape.MetadataEntry`."""
        return False


class MetadataEntry(Entry):
    """A metadata document; ``index`` is that of the next message.

    Only a tailer made with ``metadata=True`` gives such.
    """

    __slots__ = ()

    @property
    def metadata(self) -> bool:
        """Whether it is no message: it is not."""
        return True


class CycleFile(NamedTuple):
    """One cycle file; ``state`` is ``"open"``, ``"finished"`` or ``"half-made"``."""

    path: str
    cycle: int
    first_index: int
    count: int  # type: ignore[assignment]  # hides tuple.count on purpose
    bytes: int
    bytes_on_disk: int
    state: str


class Location(NamedTuple):
    """Where an index points: cycle, sequence in it, file, and when the cycle begins (ms, UTC)."""

    cycle: int
    sequence: int
    path: str
    opens_at: int


class _Info:
    def asdict(self) -> dict[str, Any]:
        """The fields as a plain dict."""
        return dataclasses.asdict(self)  # type: ignore[call-overload, no-any-return]


@dataclasses.dataclass(frozen=True)
class QueueInfo(_Info):
    """Facts about a queue; the ``lock_...`` counts are those of this Queue object, as are
    ``repairs`` (things that dead writers left), ``rolls``, ``clock_went_back`` (appends for which
    the clock showed an older cycle) and ``files_lost`` (how often somebody had deleted the file
    that it was writing).

    ``cycle`` is the one of the clock now; ``bytes`` the length of the ``files`` cycle files, mostly
    holes, and ``bytes_on_disk`` what they take; the replicated indexes are Java's, ``None`` when
    replication never stored one.
    """

    path: str
    roll_cycle: str
    epoch: int
    source_id: int
    block_size: int
    codec: str
    read_only: bool
    closed: bool
    first_index: int | None
    last_index: int | None
    messages: int
    tailers: dict[str, int]
    files: int
    bytes: int
    bytes_on_disk: int
    cycle: int
    lowest_cycle: int | None
    highest_cycle: int | None
    index_count: int
    index_spacing: int
    durability: str
    last_index_replicated: int | None
    last_acknowledged_index_replicated: int | None
    listing_mod_count: int
    lock_holder: int | None
    lock_acquired: int
    lock_contended: int
    lock_broken: int
    lock_lost: int
    repairs: int
    rolls: int
    clock_went_back: int
    files_lost: int


@dataclasses.dataclass(frozen=True)
class AppenderInfo(_Info):
    """Facts about an appender."""

    queue: str
    codec: str
    framing: str
    last_index: int | None
    cycle: int | None
    source_id: int
    closed: bool


@dataclasses.dataclass(frozen=True)
class TailerInfo(_Info):
    """Facts about a tailer."""

    queue: str
    id: str | None
    codec: str
    direction: str | None
    index: int | None
    cycle: int | None
    source_id: int
    last_read: int | None
    committed: int | None
    closed: bool
    poll_interval: float
