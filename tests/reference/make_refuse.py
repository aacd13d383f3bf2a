"""Makes the archives of tests/golden/refuse: small queues that a reader must refuse.

Run ``python -m tests.reference.make_refuse DIR`` from the root; the bytes are the same at each
run. ``REFUSALS`` says which file each error must name and where in it.
"""

from __future__ import annotations

import gzip
import io
import struct
import sys
import tarfile
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from . import roll_cycles
from .cycle_file import CycleFile
from .writer import FORM_5_26, QueueSpec, table_store, write_queue

ROW = roll_cycles.BY_NAME["TEST4_DAILY"]  # index of 32 entries, spacing 4
SPEC = QueueSpec(ROW, form=replace(FORM_5_26, block_size=65536))
CYCLE = 18262
CYCLE_NAME = "20200101T4.cq4"
TABLE = "metadata.cq4t"


@dataclass(frozen=True)
class Refusal:
    """How to damage a healthy queue of six messages, and what the error must name."""

    what: str
    file: str
    offset: int
    damage: Callable[[Path], None]


def _poke(path: Path, offset: int, data: bytes) -> None:
    with open(path, "r+b") as file:
        file.seek(offset)
        file.write(data)


def _cut(path: Path, size: int) -> None:
    with open(path, "r+b") as file:
        file.truncate(size)


def _pattern(root: Path) -> None:
    data = (root / TABLE).read_bytes().replace(b"yyyyMMdd'T4'", b"yyyyMMdd'ZZ'")
    (root / TABLE).write_bytes(data)


def _wire_type(root: Path) -> None:
    data = (root / TABLE).read_bytes().replace(b"BINARY_LIGHT", b"TEXT__WIRE__")
    (root / TABLE).write_bytes(data)


def _at(root: Path, get: Callable[[CycleFile], int]) -> int:
    with CycleFile(root / CYCLE_NAME) as cycle:
        return get(cycle)


def _last(cycle: CycleFile) -> int:
    return cycle.scan().data[-1]


def _random(root: Path) -> None:
    state, out = 1, bytearray()
    for _ in range(4096):  # a fixed linear congruence: the same bytes everywhere
        state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
        out += struct.pack("<Q", state)
    (root / CYCLE_NAME).write_bytes(out)


def _key_cut(root: Path) -> None:
    entry = table_store(SPEC, [CYCLE]).index(b"\xb9\x13listing.lowestCycle")
    _poke(root / TABLE, entry + 1, b"\x7f")  # the key's length reaches beyond its entry


REFUSALS: dict[str, Refusal] = {
    "table-empty": Refusal("table store of length 0", TABLE, 0,
                           lambda root: _cut(root / TABLE, 0)),
    "table-random-word": Refusal("first word of the table store is a data document", TABLE, 0,
                                 lambda root: _poke(root / TABLE, 0, b"\xb0\0\0\0")),
    "table-truncated": Refusal("table store ends inside its header", TABLE, 0,
                               lambda root: _cut(root / TABLE, 0x40)),
    "table-key-cut": Refusal("length of a key reaches beyond its entry", TABLE, 0xDE, _key_cut),
    "table-wire-type": Refusal("wire type is not BINARY_LIGHT", TABLE, 0x23, _wire_type),
    "table-pattern": Refusal("a roll pattern that no release knows", TABLE, 0, _pattern),
    "cycle-random": Refusal("random bytes under the name of a cycle file", CYCLE_NAME, 0, _random),
    "cycle-header-data": Refusal("the first document is not metadata", CYCLE_NAME, 0,
                                 lambda root: _poke(root / CYCLE_NAME, 3, b"\0")),
    "cycle-header-huge": Refusal("the first document is longer than 65536", CYCLE_NAME, 0,
                                 lambda root: _poke(root / CYCLE_NAME, 2, b"\x02")),
    "cycle-chain-leaves-file": Refusal(
        "the last message's length reaches beyond the file", CYCLE_NAME, 0x374,
        lambda root: _poke(root / CYCLE_NAME, _at(root, _last), b"\xff\xff\xff\x0f")),
    "cycle-index-root-lost": Refusal(
        "index2Index points into a message", CYCLE_NAME, 0x378,
        lambda root: _poke(root / CYCLE_NAME, _at(root, lambda c: c.header.index2index_at),
                           struct.pack("<q", _at(root, _last) + 4))),
    "cycle-index-used": Refusal(
        "used of index2index is beyond its capacity", CYCLE_NAME, 0xE8,
        lambda root: _poke(root / CYCLE_NAME, _at(root, lambda c: c.index2index + 32),
                           struct.pack("<q", 33))),
}


def make(name: str, root: Path) -> Path:
    """Makes one damaged queue below ``root``."""
    path = write_queue(root / name, {CYCLE: [b"message %d" % n for n in range(6)]}, SPEC)
    REFUSALS[name].damage(path)
    return path


def pack(path: Path, archive: Path) -> None:
    """Packs a directory so that the same bytes come out each time."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for file in sorted(path.iterdir()):
            info = tarfile.TarInfo(f"{path.name}/{file.name}")
            data = file.read_bytes()
            info.size, info.mode = len(data), 0o644
            tar.addfile(info, io.BytesIO(data))
    with open(archive, "wb") as out, gzip.GzipFile("", "wb", 9, out, mtime=0) as zipped:
        zipped.write(raw.getvalue())


def main(directory: str) -> None:
    """Makes all archives in ``directory``."""
    with tempfile.TemporaryDirectory() as temporary:
        for name in REFUSALS:
            pack(make(name, Path(temporary)), Path(directory) / f"{name}.tar.gz")


if __name__ == "__main__":
    main(sys.argv[1])
