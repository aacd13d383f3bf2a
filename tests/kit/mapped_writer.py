"""A writer of its own, not of tape: ``python -m tests.kit.mapped_writer CYCLE_FILE SECONDS``."""

from __future__ import annotations

import mmap
import struct
import sys
import time

from tests.reference import payload
from tests.reference.cycle_file import CycleFile, encode_sequence
from tests.reference.index import read_array


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


if __name__ == "__main__":
    print(append_for(sys.argv[1], float(sys.argv[2])))
