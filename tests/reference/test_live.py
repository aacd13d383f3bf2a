"""The checker beside a writer at work: nothing wrong is reported, everything written is seen."""

from __future__ import annotations

import mmap
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.kit.sources import ROOT
from tests.reference import Queue, check_queue, roll_cycles
from tests.reference.findings import ERROR
from tests.reference.writer import QueueSpec, write_queue

CYCLE = 18262
ROW = roll_cycles.BY_NAME["DAILY"]


def test_nothing_wrong_is_reported_while_another_process_writes(tmp_path: Path) -> None:
    root = write_queue(tmp_path / "q", {CYCLE: [b"0"]}, QueueSpec(ROW))
    queue = Queue(root)
    path = str(queue.path_of(CYCLE))
    with subprocess.Popen([sys.executable, "-m", "tests.kit.mapped_writer", path, "1.5"],
                          stdout=subprocess.PIPE, cwd=ROOT) as writer:
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
