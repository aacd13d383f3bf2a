"""The checker beside a writer at work: nothing wrong is reported, everything written is seen."""

from __future__ import annotations

import mmap
import os
import struct
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.reference import Queue, check_queue, payload, roll_cycles
from tests.reference.cycle_file import CycleFile, encode_sequence
from tests.reference.findings import ERROR
from tests.reference.index import read_array
from tests.reference.writer import QueueSpec, write_queue

CYCLE = 18262
ROW = roll_cycles.BY_NAME["DAILY"]


def append_for(path: str, seconds: float) -> int:
    """Appends in the order of format.md 8.5 through a mapping; one writer, so no lock."""
    with CycleFile(path) as cycle:
        head, end = cycle.header, cycle.scan().end
        page = read_array(cycle, cycle.file.cell(
            read_array(cycle, cycle.index2index, "index2index").entries_at), "index").entries_at
    with open(path, "r+b") as file, mmap.mmap(file.fileno(), 0) as shared:
        sequence, stop = 1, time.monotonic() + seconds
        room = head.index_count * head.index_spacing  # of the one index page there is
        while time.monotonic() < stop and sequence < room:
            body = payload.frame(b"%d" % sequence)
            struct.pack_into("<I", shared, end, 0x80000000 | len(body))
            shared[end + 4:end + 4 + len(body)] = body
            struct.pack_into("<I", shared, end, len(body))
            struct.pack_into("<q", shared, head.write_position_at, end)
            struct.pack_into("<q", shared, head.write_position_at + 8,
                             encode_sequence(end, sequence, head.shift))
            if sequence % head.index_spacing == 0:
                slot = sequence // head.index_spacing
                struct.pack_into("<q", shared, page + 8 * slot, end)
                struct.pack_into("<q", shared, page - 8, slot + 1)
                struct.pack_into("<q", shared, head.last_index_at, sequence + head.index_spacing)
            end = end + 4 + len(body) + 3 & ~3
            sequence += 1
    return sequence


def test_checking_while_another_process_writes(tmp_path: Path) -> None:
    root = write_queue(tmp_path / "q", {CYCLE: [b"0"]}, QueueSpec(ROW))
    queue = Queue(root)
    path = str(queue.path_of(CYCLE))
    code = f"from tests.reference.test_live import append_for; print(append_for({path!r}, 1.5))"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE,
                          cwd=Path(__file__).parents[2]) as writer:
        checks, counts = 0, set[int]()
        while writer.poll() is None:
            assert [f for f in check_queue(root, live=True) if f.level == ERROR] == []
            count = queue.count()
            if count:
                found = queue.find(queue.index_of(CYCLE, count - 1))
                assert found is not None and found.payload == b"%d" % (count - 1)
            checks, counts = checks + 1, counts | {count}
        written = int(writer.communicate()[0])
    assert checks >= 3 and len(counts) >= 3
    assert check_queue(root) == []
    assert queue.count() == written


@pytest.mark.parametrize("size", [1, 4096])
def test_bytes_in_a_mapping_are_no_hole(size: int, tmp_path: Path) -> None:
    """SEEK_DATA must see a page that is dirty in a mapping and not yet on disk."""
    root = write_queue(tmp_path / "q", {CYCLE: [b"0"]}, QueueSpec(ROW))
    path = Queue(root).path_of(CYCLE)
    fd = os.open(path, os.O_RDWR)
    try:
        with mmap.mmap(fd, 0) as shared:
            shared[0x3000000:0x3000000 + size] = b"\1" * size
            (finding,) = check_queue(root)
            assert (finding.code, finding.offset) == ("tail", 0x3000000)
    finally:
        os.close(fd)
