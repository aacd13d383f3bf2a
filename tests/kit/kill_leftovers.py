"""What other programs leave in the files of a queue, or change there, for the kill loop."""

from __future__ import annotations

import mmap
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.kit.damage import poke
from tests.kit.left_behind import END_OF_DATA, NOT_COMPLETE
from tests.reference import Queue


def leave_for(point: str, path: Path) -> None:
    """Bytes behind the end, or a file that is not ready: what is mended at this step."""
    q = Queue(path)
    newest = q.cycles()[-1]
    if point in ("room_reserved", "room_cleaned", "reservation_resized"):
        scan = q.scan(newest)
        behind = scan.end + 4 + (scan.end_word & 0x3FFFFFFF) + 3 & ~3
        poke(q.path_of(newest), behind, b"\xdd" * 600)
    if point == "word_cleared":
        poke(q.path_of(newest), q.scan(newest).end, struct.pack("<I", NOT_COMPLETE))
    if point == "moved_aside":
        time.sleep(1.002 - time.time() % 1)
        q.path_of(int(time.time())).touch()


@contextmanager
def first_cycle_without_end(path: Path) -> Iterator[None]:
    """As Java leaves some. Who lives is past it; a new tailer comes there, and looks for messages
    behind it."""
    q = Queue(path)
    while len(cycles := q.cycles()) < 3:  # the second one has messages, and its end
        time.sleep(0.1)
    first, scan = q.path_of(cycles[0]), q.scan(cycles[0])
    assert scan.has_eof
    poke(first, scan.end, bytes(4))
    try:
        yield
    finally:
        poke(first, scan.end, struct.pack("<I", END_OF_DATA))


def set_table_word(path: Path, key: str, value: int) -> None:
    """Stores into the table store, in one piece."""
    table = Queue(path).table()
    assert table is not None
    cell = table.cell(key)
    assert cell is not None
    with open(path / "metadata.cq4t", "r+b") as file, mmap.mmap(file.fileno(), 0) as shared:
        struct.pack_into("<q", shared, cell.offset, value)
