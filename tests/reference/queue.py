"""A queue directory: cycles, messages, positions, counts (format.md 1, 7, 9, 12)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from . import index, payload, roll_cycles
from .cycle_file import CycleFile, Scan
from .errors import FormatError, NotReady
from .roll_cycles import RollCycle
from .table_store import FILE_NAME, Settings, TableStore, read_table_store

SUFFIX = ".cq4"
INDEX_MAX = 2**63 - 1


@dataclass(frozen=True)
class Message:
    """A data document, or a metadata one when those were asked for."""

    index: int
    cycle: int
    sequence: int
    position: int
    body: bytes
    is_metadata: bool = False

    @property
    def payload(self) -> bytes | None:
        """The bytes given to ``wire.write().bytes()``, ``None`` for another body (13.1)."""
        return payload.unframe(self.body)


class Queue:
    """A directory of Chronicle Queue 5 files, read-only, nothing cached but the settings."""

    def __init__(self, directory: str | os.PathLike[str], *, weeks: str = "us") -> None:
        self.directory = Path(directory)
        if not self.directory.is_dir():
            raise FormatError(self.directory, 0, "not a directory")
        self.weeks = weeks
        self.settings: Settings | None = None
        table = self.table()
        if table is not None:
            self.settings = table.settings
        self.roll_cycle = self._roll_cycle()
        self.epoch = self._epoch()

    def table(self) -> TableStore | None:
        """The table store as it is now, ``None`` when there is none."""
        path = self.directory / FILE_NAME
        return read_table_store(path) if path.exists() else None

    def _roll_cycle(self) -> RollCycle:
        if self.settings is not None:
            row = roll_cycles.by_pattern(self.settings.pattern)
            if row is None:
                raise FormatError(self.directory / FILE_NAME, 0,
                                  f"unknown roll pattern {self.settings.pattern!r}")
            return row
        for stem in sorted(self.stems()):  # format.md 1.2: no table store, take the names
            row = roll_cycles.by_file_name(stem)
            if row is not None:
                return row
        raise FormatError(self.directory, 0, "no metadata.cq4t and no cycle file with a known name")

    def _epoch(self) -> int:
        """The stored epoch, or that of the roll time when 0 is stored (format.md 1.7)."""
        found = self.settings
        if found is None:
            return 0
        if found.epoch == 0 and found.roll_time and found.roll_time_zone:
            parts = [int(part) for part in found.roll_time.split(":")]
            return sum(part * unit for part, unit in zip(parts, (3_600_000, 60_000, 1000)))
        return found.epoch

    def stems(self) -> list[str]:
        """Names of all files that end in ``.cq4``, without it."""
        return [name[:-len(SUFFIX)] for name in os.listdir(self.directory)
                if name.endswith(SUFFIX)]

    def cycles(self) -> list[int]:
        """Cycle numbers that have a file, ascending; other names are left out."""
        found = (roll_cycles.cycle_of(self.roll_cycle, stem, self.epoch, weeks=self.weeks)
                 for stem in self.stems())
        return sorted({cycle for cycle in found if cycle is not None})

    def path_of(self, cycle: int) -> Path:
        """The file of a cycle."""
        return self.directory / (roll_cycles.file_stem(self.roll_cycle, cycle, self.epoch,
                                                       weeks=self.weeks) + SUFFIX)

    def open_cycle(self, cycle: int) -> CycleFile:
        """The file of a cycle, opened; close it."""
        return CycleFile(self.path_of(cycle))

    def _open_if_ready(self, cycle: int) -> CycleFile | None:
        try:
            return self.open_cycle(cycle)
        except (NotReady, FileNotFoundError):
            return None

    def scan(self, cycle: int) -> Scan:
        """All documents of a cycle; an empty scan when its file is not ready."""
        file = self._open_if_ready(cycle)
        if file is None:
            return Scan()
        with file:
            return file.scan()

    def index_of(self, cycle: int, sequence: int) -> int:
        """The index number."""
        return roll_cycles.index_of(self.roll_cycle, cycle, sequence)

    def split_index(self, number: int) -> tuple[int, int]:
        """Cycle and sequence of an index number."""
        return roll_cycles.split_index(self.roll_cycle, number)

    def messages(self, start: int | None = None, *, backward: bool = False,
                 metadata: bool = False, stop_without_eof: bool = False) -> Iterator[Message]:
        """Messages in order from index ``start`` on, or from the first (backward: last) one.

        ``start`` itself is included when it exists. ``stop_without_eof`` stops where a Java
        tailer would stay: at the end of a cycle without EOF (format.md 9.5).
        """
        first = None if start is None else self.split_index(start)
        cycles = self.cycles()
        for cycle in reversed(cycles) if backward else cycles:
            edge = None
            if first is not None:
                if cycle > first[0] if backward else cycle < first[0]:
                    continue
                edge = first[1] if cycle == first[0] else None
            file = self._open_if_ready(cycle)
            if file is None:
                if stop_without_eof and not backward:
                    return
                continue
            with file:
                if backward:
                    yield from self._backward(cycle, file, edge)
                else:
                    yield from self._forward(cycle, file, edge, metadata)
                    if stop_without_eof and not file.scan().has_eof:
                        return

    def _forward(self, cycle: int, file: CycleFile, edge: int | None,
                 metadata: bool) -> Iterator[Message]:
        for found in file.documents():
            if found.is_metadata and not metadata or edge is not None and found.sequence < edge:
                continue
            yield Message(self.index_of(cycle, found.sequence), cycle, found.sequence,
                          found.position, file.body(found.position), found.is_metadata)

    def _backward(self, cycle: int, file: CycleFile, edge: int | None) -> Iterator[Message]:
        positions = file.scan().data
        last = len(positions) - 1 if edge is None else min(edge, len(positions) - 1)
        for sequence in range(last, -1, -1):
            yield Message(self.index_of(cycle, sequence), cycle, sequence,
                          positions[sequence], file.body(positions[sequence]))

    def find(self, number: int, *, by_index: bool = True) -> Message | None:
        """The message with this index; ``by_index=False`` walks from the file's start."""
        cycle, sequence = self.split_index(number)
        if cycle not in self.cycles():
            return None
        file = self._open_if_ready(cycle)
        if file is None:
            return None
        with file:
            if by_index:
                place = index.find(file, sequence)
                if place.outcome is not index.Outcome.FOUND:
                    return None
                position = place.position
            else:
                positions = file.scan().data
                if sequence >= len(positions):
                    return None
                position = positions[sequence]
            return Message(number, cycle, sequence, position, file.body(position))

    def place(self, number: int) -> index.Place | None:
        """Where a move to this index ends (format.md 6.3); ``None``: the cycle has no file."""
        cycle, sequence = self.split_index(number)
        file = self._open_if_ready(cycle) if cycle in self.cycles() else None
        if file is None:
            return None
        with file:
            return index.find(file, sequence)

    def count_in_cycle(self, cycle: int) -> int:
        """Messages of a cycle, -1 when it has no file (format.md 12.4)."""
        return len(self.scan(cycle).data) if cycle in self.cycles() else -1

    def count(self) -> int:
        """Messages of the queue."""
        return sum(len(self.scan(cycle).data) for cycle in self.cycles())

    def count_between(self, a: int, b: int) -> int:
        """Messages from the lower to the higher index, the higher one not counted (12.4)."""
        low, high = self.split_index(min(a, b)), self.split_index(max(a, b))
        if low[0] == high[0]:
            return high[1] - low[1]
        for cycle in (low[0], high[0]):
            if cycle not in self.cycles():
                raise LookupError(f"cycle {cycle} has no file")
        between = sum(self.count_in_cycle(c) for c in self.cycles() if low[0] < c < high[0])
        return self.count_in_cycle(low[0]) - low[1] + between + high[1]

    def first_index(self) -> int:
        """Index of the first message, 2**63-1 when there is no cycle (format.md 12.4)."""
        cycles = self.cycles()
        return self.index_of(cycles[0], 0) if cycles else INDEX_MAX

    def last_index(self) -> int:
        """Index of the last message, -1 when there is none (format.md 12.4)."""
        for cycle in reversed(self.cycles()):
            count = len(self.scan(cycle).data)
            if count:
                return self.index_of(cycle, count - 1)
        return -1

    def named_tailers(self) -> dict[str, int]:
        """Stored position of every named tailer (format.md 12.5)."""
        table = self.table()
        found: dict[str, int] = {}
        for cell in table.cells if table else ():
            name = cell.key
            if name.startswith("index.") and not _is_companion(name):
                found.setdefault(name[len("index."):], cell.value)
        return found


def _is_companion(key: str) -> bool:
    """Whether the key is a version or lock of a ``replicated:`` tailer (format.md 5.4)."""
    return key.startswith("index.replicated:") and key.endswith((".version", ".lock"))
