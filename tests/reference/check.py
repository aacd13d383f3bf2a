"""Verifies every invariant of a queue directory."""

from __future__ import annotations

import os
from pathlib import Path

from . import roll_cycles
from .check_cycle import CycleCheck
from .cycle_file import CycleFile
from .errors import FormatError
from .file_bytes import FileBytes
from .findings import ERROR, NOTE, Finding, Report
from .queue import SUFFIX, Queue
from .table_store import FILE_NAME, MIN64, UNLOCKED, TableStore, parse_table_store

__all__ = ["ERROR", "NOTE", "Finding", "check_queue"]

NEEDED_KEYS = ("listing.highestCycle", "listing.lowestCycle", "listing.modCount",
               "chronicle.write.lock")
LOCK_KEYS = ("chronicle.write.lock", "chronicle.append.lock", "chronicle.queue.lock")
UNSET = {"listing.highestCycle": (MIN64, -2**31), "listing.lowestCycle": (MIN64, 2**31 - 1)}
TABLE_SIZES = (65536, 131072)


def check_queue(directory: str | os.PathLike[str], *, live: bool = False,
                weeks: str = "us") -> list[Finding]:
    """Every invariant that does not hold, in the order of the files.

    ``live``: writers may be at work. Locks may then be held, and in the newest cycle a word
    may be reserved, and write position and index may be behind; nothing may be wrong.
    A healthy queue at rest gives no finding of level ``error``.
    """
    return _QueueCheck(Path(directory), live, weeks).run()


class _QueueCheck:
    def __init__(self, directory: Path, live: bool, weeks: str) -> None:
        self.directory, self.live, self.weeks = directory, live, weeks
        self.report = Report()

    def run(self) -> list[Finding]:
        table = self._table()
        try:
            queue = Queue(self.directory, weeks=self.weeks)
        except FormatError as error:
            if not self.report.findings:
                self.report.add("settings", error.file, error.offset, error.what)
            return self.report.findings
        cycles = queue.cycles()
        self._names(queue)
        self._no_table(queue, table, cycles)
        if table is not None:
            self._settings(queue, table)
            self._listing(queue, table, cycles)
        counts = self._cycles(queue, cycles)
        for tailer, position in queue.named_tailers().items():
            self._tailer(queue, tailer, position, counts)
        return self.report.findings

    def _add(self, code: str, name: str, offset: int, what: str) -> None:
        self.report.add(code, self.directory / name, offset, what)

    # -- metadata.cq4t -----------------------------------------------------------------------

    def _table(self) -> TableStore | None:
        path = self.directory / FILE_NAME
        if not path.exists():
            return None
        try:
            with FileBytes(path) as file:
                table = parse_table_store(file)
                self._table_tail(file, table)
        except FormatError as error:
            self._add("table-store", FILE_NAME, error.offset, error.what)
            return None
        self._cells(table)
        return table

    def _table_tail(self, file: FileBytes, table: TableStore) -> None:
        if table.end_word and not self.live:
            self._add("table-tail", FILE_NAME, table.end, f"word 0x{table.end_word:08x}")
        elif not self.live:
            dirty = file.first_nonzero(table.end)
            if dirty is not None:
                self._add("table-tail", FILE_NAME, dirty, "bytes behind the last entry")
        if file.size not in TABLE_SIZES:
            self._add("table-size", FILE_NAME, file.size, f"{file.size} bytes")

    def _cells(self, table: TableStore) -> None:
        seen: set[str] = set()
        for cell in table.cells:
            if cell.key.lower() in seen:
                self._add("table-duplicate", FILE_NAME, cell.position, f"{cell.key} again")
            seen.add(cell.key.lower())
            if cell.offset % 8:
                self._add("table-alignment", FILE_NAME, cell.offset, cell.key)
            is_lock = cell.key in LOCK_KEYS or (cell.key.startswith("index.replicated:")
                                                and cell.key.endswith(".lock"))
            if is_lock and cell.value != UNLOCKED and not self.live:
                self._add("lock-held", FILE_NAME, cell.offset,
                          f"{cell.key} is held by {cell.value & 0xFFFFFFFF}")
        for key in NEEDED_KEYS:
            if key.lower() not in seen and table.settings is not None:
                self._add("table-key", FILE_NAME, table.end, f"no entry {key}")

    def _settings(self, queue: Queue, table: TableStore) -> None:
        found = table.settings
        if found is not None and found.length_ms != queue.roll_cycle.length_ms:
            self._add("settings", FILE_NAME, 0, f"length {found.length_ms}, {queue.roll_cycle.name}"
                                                f" has {queue.roll_cycle.length_ms}")

    def _listing(self, queue: Queue, table: TableStore, cycles: list[int]) -> None:
        for key, edge in (("listing.lowestCycle", 0), ("listing.highestCycle", -1)):
            cell = table.cell(key)
            if cell is None or not cycles and cell.value in UNSET[key]:
                continue
            want = cycles[edge] if cycles else None
            if cell.value == want:
                continue
            if self.live and (not cycles or key.endswith("highestCycle")
                              and (cell.value < cycles[-1] or cell.value in UNSET[key])):
                continue  # the table was read before the directory
            if self.live and cell.value in UNSET[key]:
                continue
            code = "listing-weekly" if queue.roll_cycle.name == "WEEKLY" else "listing"
            self._add(code, FILE_NAME, cell.offset, f"{key} is {cell.value}, the files say {want}")
        cell = table.cell("normalisedEOFsTo")
        if cell is not None and cycles and cell.value > cycles[-1] and not self.live:
            self._add("normalised", FILE_NAME, cell.offset, f"{cell.value} is above {cycles[-1]}")

    # -- the directory -----------------------------------------------------------------------

    def _names(self, queue: Queue) -> None:
        for name in sorted(os.listdir(self.directory)):
            if name.endswith(SUFFIX):
                cycle = roll_cycles.cycle_of(queue.roll_cycle, name[:-len(SUFFIX)], queue.epoch,
                                             weeks=self.weeks)
                if cycle is None or queue.path_of(cycle).name != name:
                    self._add("foreign-file", name, 0,
                              f"not the name of a {queue.roll_cycle.name} cycle")
            elif SUFFIX + "-" in name or name.endswith((".discard", ".precreated")):
                self._add("leftover-file", name, 0, "set aside or made early")

    def _no_table(self, queue: Queue, table: TableStore | None, cycles: list[int]) -> None:
        if table is not None or (self.directory / FILE_NAME).exists() or not cycles:
            return
        try:
            with CycleFile(queue.path_of(cycles[-1])) as newest:
                if newest.header.is_4x:
                    return
        except FormatError:
            pass
        self._add("no-table-store", FILE_NAME, 0, "the file is missing")

    def _cycles(self, queue: Queue, cycles: list[int]) -> dict[int, int]:
        counts = {}
        for cycle in cycles:
            check = CycleCheck(self.report, queue.roll_cycle, newest=cycle == cycles[-1],
                               live=self.live)
            try:
                check.run(str(queue.path_of(cycle)))
            except FileNotFoundError:
                if not self.live:  # deleted while we look: only then is it no surprise
                    raise
                continue
            counts[cycle] = check.count
        return counts

    def _tailer(self, queue: Queue, tailer: str, position: int, counts: dict[int, int]) -> None:
        cycle, sequence = queue.split_index(position)
        if position == 0 or cycle in counts and (sequence <= counts[cycle] or self.live):
            return
        self._add("tailer-position", FILE_NAME, 0, f"{tailer} stands at 0x{position & 2**64-1:x}")
