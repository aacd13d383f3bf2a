"""Bad input gets an error that names file and remedy; the process lives, nothing gets worse."""

from __future__ import annotations

import os
import random
import struct
from pathlib import Path

import pytest

import tape

from tests.kit.directories import as_unprivileged, digest


@pytest.fixture
def queue(tmp_path: Path) -> Path:
    """A small closed queue of raw messages."""
    path = tmp_path / "q"
    with tape.open(path, codec=tape.codecs.raw) as q:
        a = q.appender()
        for n in range(20):
            a.write(b"message %d" % n)
    return path


def cycle_file(queue: Path) -> Path:
    return next(queue.glob("*.cq4"))


def edit(path: Path, old: bytes, new: bytes) -> None:
    """Replaces bytes in the first 64 KiB of a file."""
    with path.open("r+b") as file:
        head = file.read(65536)
        assert old in head
        file.seek(head.index(old))
        file.write(new)


def refused(path: Path, kind: type[tape.Error], **options: object) -> tape.Error:
    """Opening must fail in this way, with file and hint, and change nothing."""
    before = digest(path) if path.is_dir() else None
    with pytest.raises(kind) as caught:
        tape.open(path, **options).close()
    assert caught.value.file and caught.value.hint
    if before is not None:
        assert digest(path) == before
    return caught.value


# ---- paths ----

def test_a_file_is_not_a_queue(tmp_path: Path) -> None:
    """A path that is a regular file is refused by name."""
    path = tmp_path / "file"
    path.write_text("not a queue")
    assert "not a directory" in str(refused(path, tape.UnsupportedQueue))
    assert path.read_text() == "not a queue"


def test_nothing_there_and_not_to_be_created(tmp_path: Path) -> None:
    """create=False neither finds nor makes a queue; it is a FileNotFoundError, too."""
    error = refused(tmp_path / "none", tape.QueueNotFound, create=False)
    assert isinstance(error, FileNotFoundError)
    assert not (tmp_path / "none").exists()
    refused(tmp_path, tape.QueueNotFound, create=False)
    assert list(tmp_path.iterdir()) == []


def test_read_only_of_nothing(tmp_path: Path) -> None:
    """Reading does not make a queue."""
    refused(tmp_path / "none", tape.QueueNotFound, read_only=True)
    assert list(tmp_path.iterdir()) == []


def test_a_path_too_long(tmp_path: Path) -> None:
    """A path that fits no buffer is an error, not a truncated path."""
    with pytest.raises(tape.InvalidArgument):
        tape.open(tmp_path / "/".join(["directory"] * 200))


@pytest.mark.parametrize("option", [{"block_size": 0}, {"block_size": -1}, {"source_id": -1},
                                    {"roll_cycle": "fortnightly"}, {"lock_timeout": -1},
                                    {"stale_after": -0.5}])
def test_options_out_of_range(tmp_path: Path, option: dict[str, object]) -> None:
    """Bad options are ValueErrors and make nothing."""
    with pytest.raises(ValueError):
        tape.open(tmp_path / "q", **option)
    assert list(tmp_path.iterdir()) == []


# ---- permissions ----

def test_no_permission_to_enter(tmp_path: Path, queue: Path) -> None:
    """A directory that one may not enter is AccessDenied, a PermissionError."""
    if os.getuid() != 0:
        pytest.skip("needs root to become another user")
    tmp_path.chmod(0o700)
    ran = as_unprivileged("try: tape.open(sys.argv[1])\nexcept tape.AccessDenied as e:\n"
                          "  print(isinstance(e, PermissionError), e.file, bool(e.hint))",
                          str(queue))
    assert ran.stdout == f"True {queue} True\n", ran


def open_up(path: Path) -> None:
    """Lets everybody read: pytest's own folders are private."""
    while path.parent != path and path.stat().st_uid == os.getuid() and path != Path("/tmp"):
        path.chmod(path.stat().st_mode | 0o055)
        path = path.parent


def test_no_permission_to_write(queue: Path) -> None:
    """Without write permission opening says so, and read_only=True works."""
    if os.getuid() != 0:
        pytest.skip("needs root to become another user")
    open_up(queue)
    before = digest(queue)
    ran = as_unprivileged(
        "try: tape.open(sys.argv[1])\n"
        "except tape.ReadOnlyQueue as e: print(e.file, bool(e.hint))\n"
        "q = tape.open(sys.argv[1], read_only=True, codec=tape.codecs.raw)\n"
        "print(len(list(q.tailer())))\n"
        "try: q.appender()\nexcept tape.ReadOnlyQueue as e: print('refused')\n", str(queue))
    lines = ran.stdout.splitlines()
    assert lines[0].startswith(str(queue)) and lines[0].endswith(" True"), ran
    assert lines[1:] == ["20", "refused"], ran
    assert digest(queue) == before


# ---- the table store ----

@pytest.mark.parametrize(("old", "new", "text"), [
    (b"yyyyMMdd'F'", b"yyyyMMdd'Z'", "pattern"),
    (b"BINARY_LIGHT", b"BINARY_HEAVY", "wire type"),
])
def test_settings_of_another_kind(queue: Path, old: bytes, new: bytes, text: str) -> None:
    """Unknown roll patterns and wire types are refused by name."""
    edit(queue / "metadata.cq4t", old, new)
    assert text in str(refused(queue, tape.UnsupportedQueue))


@pytest.mark.parametrize("size", [0, 3, 7])
def test_an_empty_table_store(queue: Path, size: int) -> None:
    """A table store without a header is corrupt, after a short wait for its creator."""
    os.truncate(queue / "metadata.cq4t", size)
    refused(queue, tape.CorruptQueue)


@pytest.mark.parametrize("size", [9, 20, 50, 100, 150])
def test_a_truncated_table_store(queue: Path, size: int) -> None:
    """A table store that ends in its header is corrupt for a reader."""
    data = (queue / "metadata.cq4t").read_bytes()[:size]
    (queue / "metadata.cq4t").write_bytes(data)
    error = refused(queue, tape.CorruptQueue, read_only=True)
    assert error.file.endswith("metadata.cq4t") and error.position is not None


def test_random_bytes_as_table_store(queue: Path) -> None:
    """Random bytes never open, never crash, never change."""
    chance = random.Random(1)
    for _ in range(200):
        (queue / "metadata.cq4t").write_bytes(b"\1" + chance.randbytes(4095))
        refused(queue, tape.Error)


def test_a_header_that_lies_about_its_length(queue: Path) -> None:
    """A header longer than the file is corrupt."""
    with (queue / "metadata.cq4t").open("r+b") as file:
        file.write(struct.pack("<I", 0x40000000 | 60000))
        file.truncate(50000)
    refused(queue, tape.CorruptQueue)


def test_a_queue_of_version_4(tmp_path: Path) -> None:
    """A 4.x queue, known by its directory listing, is refused by name."""
    (tmp_path / "directory-listing.cq4t").write_bytes(bytes(65536))
    (tmp_path / "20211125.cq4").write_bytes(bytes(1024))
    assert "Chronicle Queue 4" in str(refused(tmp_path, tape.UnsupportedQueue))


# ---- cycle files ----

def read_all(queue: Path) -> list[bytes]:
    with tape.open(queue, read_only=True, codec=tape.codecs.raw) as q:
        return list(q.tailer())


def test_random_bytes_as_cycle_file(queue: Path) -> None:
    """A cycle file of random bytes is corrupt for tailers and appenders, which leave it alone."""
    chance = random.Random(2)
    cycle_file(queue).write_bytes(b"\1" + chance.randbytes(99_999))
    before = digest(queue)
    with pytest.raises(tape.CorruptQueue) as caught:
        read_all(queue)
    assert caught.value.file == str(cycle_file(queue)) and caught.value.position == 0
    with tape.open(queue, codec=tape.codecs.raw) as q, pytest.raises(tape.CorruptQueue):
        q.appender().write(b"more")
    assert digest(queue) == before


def test_a_length_beyond_the_end_of_the_file(queue: Path) -> None:
    """A document that reaches beyond its file is reported with its place; what is before reads."""
    path = cycle_file(queue)
    data = path.read_bytes()[:200_000]
    at = data.index(b"message 7") - 8
    with path.open("r+b") as file:
        file.seek(at)
        file.write(struct.pack("<I", 0x3FFFFFFF))
    with tape.open(queue, read_only=True, codec=tape.codecs.raw) as q:
        t = q.tailer()
        assert [t.read() for _ in range(7)] == [b"message %d" % n for n in range(7)]
        for _ in range(2):  # the position stays
            with pytest.raises(tape.CorruptQueue) as caught:
                t.read()
            assert (caught.value.position, caught.value.index) == (at, t.index)


def test_a_message_of_another_kind(queue: Path) -> None:
    """A message that the codec cannot decode has an address and its bytes, stays till skipped."""
    with tape.open(queue) as q:  # Fressian now
        t = q.tailer()
        for _ in range(2):
            with pytest.raises(tape.DecodeError) as caught:
                t.read()
            assert caught.value.raw == b"message 0"
            assert caught.value.index == q.first_index == t.index
            assert caught.value.__cause__ is not None
        assert t.skip(20) == 20
        q.appender().write({"ok": True})
        assert t.read() == {"ok": True}


def test_a_half_made_cycle_is_not_there_yet(queue: Path) -> None:
    """A tailer takes an empty cycle file for one that is being made."""
    cycle_file(queue).write_bytes(b"")
    assert read_all(queue) == []


def test_a_writer_moves_a_half_made_cycle_aside(queue: Path) -> None:
    """Under the write lock a half-made current file can only be a dead creator's: .discard."""
    name = cycle_file(queue).name
    cycle_file(queue).write_bytes(b"")
    with tape.open(queue, codec=tape.codecs.raw) as q:
        q.appender().write(b"goes on")
        assert q.info().repairs == 1
    assert read_all(queue) == [b"goes on"]
    assert [p.name for p in queue.glob("*.discard")][0].startswith(name + "-")


# ---- messages ----

def test_the_largest_message_and_one_byte_more(queue: Path) -> None:
    """The limit is Java's: 16 MiB of document with the default block; above, nothing is written."""
    largest = 16_777_216 - 7
    with tape.open(queue, codec=tape.codecs.raw) as q:
        a = q.appender()
        before = digest(queue)
        with pytest.raises(tape.MessageTooLarge) as caught:
            a.write(bytes(largest + 1))
        assert caught.value.hint and digest(queue) == before
        index = a.write(b"x" * largest)
        t = q.tailer()
        assert t.seek(index) and t.read() == b"x" * largest


def test_what_a_codec_cannot_encode(queue: Path) -> None:
    """A failing codec writes nothing; the error is the codec's own EncodeError."""
    with tape.open(queue) as q:
        a = q.appender()
        before = digest(queue)
        with pytest.raises(tape.EncodeError):
            a.write(object())
        assert a.last_index is None and digest(queue) == before


def test_a_codec_that_keeps_the_view(tmp_path: Path) -> None:
    """decode() must not keep mapped memory: the next read could move it away."""
    class Keeper:
        name = "keeper"
        kept: list[memoryview] = []

        def encode(self, obj: bytes) -> bytes:
            return obj

        def decode(self, view: memoryview) -> memoryview:
            self.kept.append(view[1:])
            return self.kept[-1]

    with tape.open(tmp_path, codec=Keeper()) as q:
        q.appender().write(b"abc")
        with pytest.raises(tape.StateError, match="kept a view"):
            q.tailer().read()


def test_views_are_read_only(tmp_path: Path) -> None:
    """A codec cannot write into the queue through the view it is given."""
    class Vandal:
        name = "vandal"

        def encode(self, obj: bytes) -> bytes:
            return obj

        def decode(self, view: memoryview) -> bool:
            return view.readonly

    with tape.open(tmp_path, codec=Vandal()) as q:
        q.appender().write(b"abc")
        assert q.tailer().read() is True
