"""What ``info()`` of queue, appender and tailer gives: frozen dataclasses with ``asdict()``."""

from __future__ import annotations

import dataclasses
from typing import Any, NamedTuple

__all__ = ["AppenderInfo", "Bounds", "CycleFile", "Entry", "Lag", "Location", "MetadataEntry",
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


class Lag(NamedTuple):
    """How far a tailer is behind the end of the queue.

    ``messages`` from its next one on; ``bytes`` that they take in their files; ``seconds``: the
    next one is at least that old. Messages bear no time, so it is known only when their cycle
    ended: 0.0 while it goes on.
    """

    messages: int
    bytes: int
    seconds: float


class Bounds(NamedTuple):
    """Where the first message lies that was written at some time or later: at ``earliest`` or
    behind it, and at ``latest`` or before it. Neither need be the index of a message."""

    earliest: int
    latest: int


class CycleFile(NamedTuple):
    """One cycle file; ``state`` is ``"open"``, ``"finished"``, ``"half-made"`` or ``"compressed"``
    (``bytes`` are then those of the file that it was).

    ``data_format`` is 1, or 0 in files of before 5.19.11 (and in half-made ones).
    """

    path: str
    cycle: int
    first_index: int
    count: int  # type: ignore[assignment]  # hides tuple.count on purpose
    bytes: int
    bytes_on_disk: int
    state: str
    data_format: int


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
    that it was writing); ``syncs`` are those of this process, each for all who waited.

    ``cycle`` is the one of the clock now; ``bytes`` the length of the ``files`` cycle files, mostly
    holes, and ``bytes_on_disk`` what they take; the replicated indexes are Java's, ``None`` when
    replication never stored one. ``data_formats`` are those of the files: 1, or 0 for files of
    before 5.19.11. ``made_with`` is the name of the codec that the queue was made with, ``None``
    when nobody noted it, as in queues of Java; ``made_framing`` that codec's framing.
    ``delta_checkpoint_interval`` is what is stored (it means nothing to tape), and
    ``buffered`` is always false, as in Java's open edition; ``filesystem`` is the name of its kind.
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
    data_formats: tuple[int, ...]
    lowest_cycle: int | None
    highest_cycle: int | None
    index_count: int
    index_spacing: int
    delta_checkpoint_interval: int | None
    buffered: bool
    filesystem: str
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
    syncs: int
    made_with: str | None
    made_framing: str | None


@dataclasses.dataclass(frozen=True)
class AppenderInfo(_Info):
    """Facts about an appender; ``messages`` and their ``bytes`` are those that it wrote."""

    queue: str
    codec: str
    framing: str
    last_index: int | None
    cycle: int | None
    messages: int
    bytes: int
    durability: str
    source_id: int
    closed: bool


@dataclasses.dataclass(frozen=True)
class TailerInfo(_Info):
    """Facts about a tailer.

    ``state`` is Java's word: ``"FOUND_IN_CYCLE"`` at a message, or where the cycle's next one will
    be; ``"END_OF_CYCLE"``: that cycle is finished, and none follows yet;
    ``"BEYOND_START_OF_CYCLE"``: backward, before the first message; ``"UNINITIALISED"``: the queue
    has no message yet. The ``lag_...`` fields are those of :class:`tape.Lag`.
    """

    queue: str
    id: str | None
    codec: str
    direction: str | None
    index: int | None
    cycle: int | None
    source_id: int
    last_read: int | None
    committed: int | None
    state: str | None
    lag_messages: int | None
    lag_bytes: int | None
    lag_seconds: float | None
    closed: bool
    poll_interval: float
