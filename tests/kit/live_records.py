"""What the live and kill runs expect of the records of a tailer."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import tape
from tape.codecs import raw

from tests.kit.live_worker import decode
from tests.reference import check_queue

RECORD = struct.Struct("<qii")  # index, id, n: as the JVM's live tailer writes them

Records = Iterable[tuple[int, int, int]]

SHIFT = 32  # of the roll cycles of these tests


def errors_in(directory: Path, *, tolerated: tuple[str, ...] = ()) -> list[str]:
    """The invariants that do not hold, as text; notes are not errors."""
    return [str(f) for f in check_queue(directory)
            if f.level == "error" and f.code not in tolerated]


def records_in(out: Path) -> Iterator[tuple[int, int, int]]:
    """What a live tailer recorded, one by one: a full run has millions."""
    return RECORD.iter_unpack(out.read_bytes())  # type: ignore[return-value]


def read_all(directory: Path, roll: str) -> bytes:
    """All that a fresh tailer reads, as a live tailer records it."""
    with tape.open(directory, roll_cycle=roll, codec=raw) as q, q.tailer() as t:
        return b"".join(RECORD.pack(e.index, *decode(e.value)) for e in t.entries())


def assert_every_message_once(records: Records, counts: Mapping[int, int]) -> None:
    """Each writer's numbers come once, in order, without hole; so do the indexes of each cycle."""
    expected = dict.fromkeys(counts, 0)
    before_cycle, before_sequence = -1, -1
    for index, id, n in records:
        assert id >= 0, f"the message {index:#x} is torn"
        cycle, sequence = index >> SHIFT, index & (1 << SHIFT) - 1
        if cycle == before_cycle:
            assert sequence == before_sequence + 1, f"{index:#x} follows {before_sequence:#x}"
        else:
            assert cycle > before_cycle and sequence == 0, f"{index:#x} begins a cycle"
        before_cycle, before_sequence = cycle, sequence
        assert n == expected[id], f"{index:#x}: writer {id} wrote {n}, expected {expected[id]}"
        expected[id] += 1
    assert expected == dict(counts)


def cycles_of(records: Records) -> dict[int, set[int]]:
    """The cycles that hold messages of each writer."""
    cycles: dict[int, set[int]] = {}
    for index, id, _ in records:
        cycles.setdefault(id, set()).add(index >> SHIFT)
    return cycles
