"""Files of data format 0: header words at any offset, read, continued and ended."""

from __future__ import annotations

import os
import random
import struct
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests.kit import golden_queues
from tests.kit.clocks import SetClock
from tests.kit.damage import poke
from tests.kit.directories import digest
from tests.kit.old_formats import (CYCLE, NOON, PACKED, cycle_file, errors, needs_x86, odd, opened,
                                   packed, read_only)
from tests.reference.cycle_file import CycleFile
from tests.reference.queue import Queue as Reference


def test_packed_documents_are_read(tmp_path: Path) -> None:
    """Header words at any offset: forward, backward, counts, seeks, as the reference reads them."""
    path = packed(tmp_path / "q", odd(1000), older={CYCLE - 3: odd(300), CYCLE - 1: []})
    reference = [(m.index, m.payload) for m in Reference(path).messages()]
    assert len({m.position % 64 for m in Reference(path).messages()}) == 64
    before = digest(path)
    with read_only(path) as q, q.tailer() as t:
        assert [(e.index, e.raw) for e in t.entries()] == reference
        t.direction = "backward"
        assert [(e.index, e.raw) for e in t.entries()] == reference[::-1]
        t.direction = "forward"
        chance = random.Random(1)
        for index, payload in chance.choices(reference, k=200):
            assert t.seek(index, strict=True) and t.read() == payload
        assert [c.count for c in q.cycles()] == [300, 0, 1000] and len(q) == 1300
        assert q.count(reference[100][0], reference[1100][0]) == 1000
    assert digest(path) == before


def test_data_format_2_is_taken_as_0(tmp_path: Path) -> None:
    """As Java does (format.md 2.2)."""
    path = packed(tmp_path / "q", odd(20), form=replace(PACKED, data_format=2))
    with read_only(path) as q:
        assert list(q.tailer()) == odd(20)


@needs_x86
def test_an_append_follows_the_format_of_the_file(tmp_path: Path) -> None:
    """An append follows the file's own format, over index pages, at every remainder of 64; the
    reference finds every invariant kept, and a new cycle is made in format 1."""
    path = packed(tmp_path / "q", odd(7), older={CYCLE - 1: odd(3)})
    clock = SetClock(NOON)
    with opened(path, clock=clock, block_size=1 << 20) as q:
        a = q.appender()
        indexes = [a.write(m) for m in odd(600)]
        assert indexes == [q.index_of(CYCLE, 7 + n) for n in range(600)]
        assert list(q.tailer()) == odd(3) + odd(7) + odd(600)
        t = q.tailer(start=indexes[333])
        assert t.read() == odd(600)[333]
        clock.ms += 86_400_000
        a.write(b"next day")
    assert errors(path) == []
    reference = Reference(path)
    assert not CycleFile(cycle_file(path)).header.aligned
    assert CycleFile(cycle_file(path, CYCLE + 1)).header.aligned
    assert reference.scan(CYCLE).has_eof
    assert len({at % 64 for at in reference.scan(CYCLE).data}) == 64
    assert [m.payload for m in reference.messages()] == \
        odd(3) + odd(7) + odd(600) + [b"next day"]


@needs_x86
@pytest.mark.parametrize("remainder", range(0, 64, 1))
def test_a_file_may_end_at_every_remainder_of_64(tmp_path: Path, remainder: int) -> None:
    """Appending and ending where the next header word lies at each remainder of 64."""
    path = packed(tmp_path / "q", [b"first"])
    end = Reference(path).scan(CYCLE).end
    filler = (remainder - end - 4 - 4) % 64
    path = packed(tmp_path / "q", [b"first", b"." * filler])
    assert Reference(path).scan(CYCLE).end % 64 == remainder
    clock = SetClock(NOON)
    with opened(path, clock=clock, block_size=1 << 20) as q:
        a = q.appender()
        a.write(b"appended")
        clock.ms += 86_400_000
        a.write(b"next")
        assert list(q.tailer()) == [b"first", b"." * filler, b"appended", b"next"]
    assert errors(path) == []


@needs_x86
@pytest.mark.parametrize("filler", range(0, 64, 3))
def test_a_dead_reservation_in_packed_documents_is_cleared(tmp_path: Path, filler: int) -> None:
    """What a writer left that died between reservation and publication is cleared, current or
    older, also where the word is misaligned."""
    path = packed(tmp_path / "q", [b"." * filler], older={CYCLE - 1: [b"o" * filler]})
    older = CycleFile(cycle_file(path, CYCLE - 1)).scan().end
    poke(cycle_file(path, CYCLE - 1), older, struct.pack("<I", 0x80000011))
    poke(cycle_file(path), CycleFile(cycle_file(path)).scan().end,
          struct.pack("<I", 0x80000123) + b"dirty" * 9)
    with opened(path, block_size=1 << 20) as q:
        q.appender().write(b"over it")
        assert list(q.tailer()) == [b"o" * filler, b"." * filler, b"over it"]
    reference = Reference(path)
    assert reference.scan(CYCLE - 1).has_eof
    assert [m.payload for m in reference.messages()][-1] == b"over it"


@needs_x86
def test_packed_documents_are_read_while_written(tmp_path: Path) -> None:
    """A tailer in another process sees every message of a packed file whole and in order. No more
    than these: Linux makes each lock across two cache lines wait, for 13 ms or, when the machine is
    busy with others, for 90."""
    path = packed(tmp_path / "q", [], row="FAST_DAILY")
    script = ("import sys, tape\n"
              "q = tape.open(sys.argv[1], read_only=True, codec=tape.codecs.raw)\n"
              "print('ready', flush=True)\n"
              "for n, m in enumerate(q.tailer(poll_interval=0).follow(timeout=200)):\n"
              "    assert m == (b'%d:' % n) * (n % 23 + 1), (n, m)\n"
              "    if n == 2_999: print('all'); break\n")
    with subprocess.Popen([sys.executable, "-c", script, str(path)], stdout=subprocess.PIPE,
                          text=True, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
                          ) as reader:
        assert reader.stdout is not None and reader.stdout.readline() == "ready\n"
        with opened(path) as q:
            a = q.appender()
            for n in range(3_000):
                a.write((b"%d:" % n) * (n % 23 + 1))
        assert reader.stdout.read() == "all\n"
    assert errors(path) == []


@needs_x86
def test_a_file_of_java_5_17_is_continued(tmp_path: Path) -> None:
    """Java 5.17's own file, in its own cycle."""
    path = golden_queues.extract("java-5.17-daily", tmp_path)
    with opened(path, clock=SetClock(18262 * 86_400_000 + 1)) as q:
        a = q.appender()
        assert a.write(b"appended") == 0x47560000000c
        t = q.tailer(start=a.last_index)
        assert t.read() == b"appended" and len(q) == 13
        assert (path / "metadata.cq4t").stat().st_size == 65536  # there is room for our words
    assert errors(path) == []
