"""What a writer left that died, or was stopped, read from the files by code that shares nothing
with tape: of use only while nobody else can have changed it, that is before the lock is taken
over."""

from __future__ import annotations

import dataclasses
import fcntl
import struct
from pathlib import Path

from tests.reference import NotReady, Queue
from tests.reference.cycle_file import CycleFile

UNLOCKED = -2**63
NOT_COMPLETE, END_OF_DATA = 0x80000000, 0xC0000000
TEMPORARY = ".tape-cycle-*.tmp"


@dataclasses.dataclass
class Left:
    """What is unfinished. All but ``lock`` is looked at only when the lock was held."""

    lock: bool = False
    reserved: bool = False   # a header word says how long a message will be
    index: bool = False      # a message that is to have an index entry has none
    rolling: bool = False    # one cycle is ended, or a file made, and not all of the roll is done
    half_made: bool = False  # the newest file is not ready: Java's way to make one

    def __str__(self) -> str:
        set_ = [field.name for field in dataclasses.fields(self) if getattr(self, field.name)]
        return ", ".join(set_) or "nothing"


def look(path: Path, pid: int) -> Left:
    """The lock word, the end of the newest cycle, and what leads to it."""
    q = Queue(path)
    table = q.table()
    assert table is not None
    if table.value("chronicle.write.lock") != pid:
        return Left()
    cycles = q.cycles()
    rolling = any(path.glob(TEMPORARY))
    if not cycles:
        return Left(True, rolling=rolling)
    highest = table.value("listing.highestCycle")
    rolling |= highest is None or highest < cycles[-1]
    rolling |= len(cycles) > 1 and not q.scan(cycles[-2]).has_eof
    try:
        with q.open_cycle(cycles[-1]) as file:
            return _look_at_newest(file, rolling)
    except NotReady:
        return Left(True, rolling=True, half_made=True)


def _look_at_newest(file: CycleFile, rolling: bool) -> Left:
    scan = file.scan()
    reserved = bool(scan.end_word & NOT_COMPLETE) and not scan.has_eof
    pending = len(scan.data) > 0 and file.last_index < len(scan.data)
    # Its writer holds the lock, and this one is ended: the next is to be made.
    return Left(True, reserved, pending, rolling or scan.has_eof)


def lock_word(path: Path) -> int | None:
    """Who holds the write lock, as the word has it."""
    table = Queue(path).table()
    return None if table is None else table.value("chronicle.write.lock")


def has_a_file_locked(path: Path) -> bool:
    """Whether somebody is making a cycle file longer, or is stopped in it: as long as that lasts,
    nobody else can, whoever has the write lock."""
    for name in sorted(path.glob("*.cq4"))[-2:]:
        with open(name, "r+b") as file:
            asked = struct.pack("hhqqi0q", fcntl.F_WRLCK, 0, 0, 0, 0)
            if struct.unpack_from("h", fcntl.fcntl(file, fcntl.F_OFD_GETLK, asked))[0] != (
                    fcntl.F_UNLCK):
                return True
    return False
