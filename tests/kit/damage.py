"""Hurting the files of a queue, and what must not change when it is refused."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import pytest

import tape

from tests.kit.clocks import SetClock
from tests.kit.directories import digest

SECOND = 1_600_000_000_000


def refused(path: Path, kind: type[tape.Error], **options: object) -> tape.Error:
    """Opening must fail in this way, with file and hint, and change nothing."""
    before = digest(path) if path.is_dir() else None
    with pytest.raises(kind) as caught:
        tape.open(path, **{"codec": tape.codecs.raw, **options}).close()
    assert caught.value.file and caught.value.hint
    if before is not None:
        assert digest(path) == before
    return caught.value


def append_at(path: Path, now: int, count: int) -> list[int]:
    """Appends at a given time."""
    with tape.open(path, codec=tape.codecs.raw, roll_cycle="TEST4_SECONDLY", block_size=65536,
                   clock=SetClock(now)) as q:
        a = q.appender()
        return [a.write(b"message %d" % n) for n in range(count)]


def read_all(path: Path) -> list[bytes]:
    """All messages, by a read-only queue."""
    with tape.open(path, read_only=True, codec=tape.codecs.raw) as q:
        return list(q.tailer())


def cycle_file(path: Path) -> Path:
    """The oldest."""
    return sorted(path.glob("*.cq4"))[0]


def poke(path: Path, at: int, value: bytes) -> None:
    """Writes bytes at an offset of a file."""
    with path.open("r+b") as file:
        file.seek(at)
        file.write(value)


def position(path: Path, message: bytes) -> int:
    """Of the header word of a message: before it come the word, a name, a length and a code."""
    return path.read_bytes().index(message) - 8


def word(path: Path, at: int) -> int:
    """The eight bytes at an offset, as a number."""
    return int(struct.unpack_from("<Q", path.read_bytes(), at)[0])


def pair_of(path: Path) -> int:
    """Where the write position stands: behind its name, aligned, behind code and two counts."""
    at = path.read_bytes().index(b"writePosition") + 13
    return path.read_bytes().index(b"\x8d", at) + 17


def refuses_to_open(path: Path, file: Path, **options: object) -> tape.Error:
    """Opening gives an error with file and hint, and changes nothing."""
    before = digest(path)
    with pytest.raises(tape.Error) as caught:
        tape.open(path, **{"codec": tape.codecs.raw, **options}).close()
    assert caught.value.file == str(file) and caught.value.hint
    assert digest(path) == before
    return caught.value


def refuses_to_append(path: Path, file: Path, now: int = SECOND) -> None:
    """An append in the cycle changes no byte; one in the next goes on, and ends it at most."""
    before = file.read_bytes()
    with pytest.raises(tape.CorruptQueue) as caught:
        append_at(path, now, 1)
    assert caught.value.file == str(file) and caught.value.position is not None
    assert caught.value.hint and file.read_bytes() == before
    [index] = append_at(path, now + 1000, 1)
    assert found(path, index) == b"message 0"
    after = file.read_bytes()
    changed = [at for at, (a, b) in enumerate(zip(before, after, strict=True)) if a != b]
    assert not changed or after[changed[0]] == 0xC0 and changed[-1] - changed[0] < 6


def entry_of(file: Path, message: bytes) -> int:
    """Where the index entry of a message stands."""
    return file.read_bytes().index(struct.pack("<Q", position(file, message)))


def found(path: Path, index: int) -> bytes:
    """The message that a new tailer finds there."""
    with tape.open(path, read_only=True, codec=tape.codecs.raw) as q:
        t = q.tailer()
        assert t.seek(index)
        return bytes(t.read())


def refuses_the_number(path: Path, file: Path, at: int | None = None) -> None:
    """Nothing is appended; but as the end is certain, the file is ended when its time is over."""
    before = file.read_bytes()
    with pytest.raises(tape.CorruptQueue) as caught:
        append_at(path, SECOND, 1)
    assert caught.value.file == str(file) and caught.value.hint and file.read_bytes() == before
    assert caught.value.position is not None and at in (None, caught.value.position)
    index = append_at(path, SECOND + 1000, 1)[0]
    assert found(path, index) == b"message 0"


def while_it_is_mended(path: Path, do: Callable[[], None]) -> tape.Report:
    """In place; `do` runs once, when all is looked at and nothing mended."""
    calls: list[int] = []

    def progress(_file: str, done: int, _total: int) -> None:
        calls.append(done)
        if len(calls) == 1:
            do()
    report = tape.repair(path, in_place=True, progress=progress)
    assert calls
    return report
