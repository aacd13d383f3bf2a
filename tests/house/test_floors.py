"""The floors of csrc/: which file may know of which."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.kit.sources import C_SOURCES, CSRC, includes

FLOORS = [
    ["tape", "atomics", "bytes", "sync_point", "error", "platform", "process"],
    ["header_word", "roll_cycle", "wire"],
    ["mapping", "excerpt"],
    ["table_store", "table_header", "table_build", "side_file", "write_lock",
     "directory_listing", "cycle_store", "cycle_header", "cycle_measure", "excerpt_index",
     "cycle_end", "cycle_build"],
    ["recovery"],
    ["queue", "queue_open", "roll", "roll_older", "roll_end", "roll_room", "appender", "tailer",
     "tailer_cycles", "tailer_walk", "named_tailer", "census", "tailer_info", "tailer_batch",
     "tailer_spans"],
]
# Neighbours on one floor that look at each other: a cycle's end is found through its index, and the
# index lives in the cycle's file.
NEIGHBOURS = {("cycle_store", "excerpt_index")}
PURE = {"header_word", "roll_cycle", "wire", "recovery"}


def place(name: str) -> tuple[int, int]:
    """Floor and place of a module."""
    for floor, modules in enumerate(FLOORS):
        if name in modules:
            return floor, modules.index(name)
    raise AssertionError(f"{name} stands on no floor")


@pytest.mark.parametrize("path", C_SOURCES, ids=lambda p: p.name)
def test_floors(path: Path) -> None:
    """A file includes lower floors, and of its own floor what stands to its left."""
    for name in includes(path):
        if name != path.stem and (path.stem, name) not in NEIGHBOURS:
            assert place(name) < place(path.stem), f"{path.name} includes {name}.h"


@pytest.mark.parametrize("path", C_SOURCES, ids=lambda p: p.name)
def test_the_language_is_pure(path: Path) -> None:
    """Header words, roll cycles, wire and judgement: arithmetic, with no file and no atomics."""
    if path.stem in PURE:
        assert not {"atomics", "platform", "mapping", "process"} & set(includes(path))


def test_readers_cannot_write() -> None:
    """Files of reading know nothing of appending, locking or repairing."""
    for path in [*sorted((CSRC / "read").iterdir()), CSRC / "queue" / "census.c"]:
        assert not {"roll", "write_lock", "recovery", "excerpt"} & set(includes(path)), path.name
