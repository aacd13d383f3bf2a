"""examples/c, from the installed library, on queues that Python and the JVM have open."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

import tape
from tape.codecs import raw
from tape.codecs.fressian import kw

from tests.kit.installed import run
from tests.kit.jvm_peer import Peer

pytestmark = pytest.mark.slow


def write(programs: Path, queue: Path, *lines: str) -> list[int]:
    """Appends lines by the writer in C; their indexes."""
    text = "".join(f"{line}\n" for line in lines)
    done = subprocess.run([programs / "writer", queue], input=text, capture_output=True, text=True,
                          timeout=60, check=True)
    return [int(word) for word in done.stdout.split()]


def test_the_writer_and_python_take_turns(programs: Path, tmp_path: Path) -> None:
    """Indexes follow one another, and each sees all."""
    with tape.open(tmp_path / "q") as q, q.tailer(codec=raw) as t:
        a = q.appender(codec=raw)
        first = a.write(b"from Python")
        assert write(programs, tmp_path / "q", "one", "two") == [first + 1, first + 2]
        assert a.write(b"again") == first + 3
        assert list(t) == [b"from Python", b"one", b"two", b"again"]


def test_the_tailer_goes_on_where_it_stopped(programs: Path, tmp_path: Path) -> None:
    """Its name is one name in C and in Python."""
    with tape.open(tmp_path / "q") as q:
        a = q.appender(codec=raw)
        i = a.write(b"one")
        assert run(programs / "tailer", tmp_path / "q", "x") == f"{i} one\n"
        a.write(b"two")
        assert run(programs / "tailer", tmp_path / "q", "x") == f"{i + 1} two\n"
        assert run(programs / "tailer", tmp_path / "q", "x") == ""
        a.write(b"three")
        with q.tailer("x", codec=raw) as t:
            assert list(t) == [b"three"]
            held = subprocess.run([programs / "tailer", tmp_path / "q", "x"], text=True,
                                  capture_output=True, check=False)
            assert held.returncode == 1 and held.stderr.startswith("TAPE_EBUSY")


def test_the_tailer_creates_nothing(programs: Path, tmp_path: Path) -> None:
    """It says what is wrong and what to do."""
    done = subprocess.run([programs / "tailer", tmp_path / "none"], capture_output=True, text=True)
    assert done.returncode == 1 and "TAPE_ENOTFOUND" in done.stderr and "hint:" in done.stderr
    assert not (tmp_path / "none").exists()


def test_the_follower_is_woken_by_python(programs: Path, tmp_path: Path) -> None:
    """A line comes out soon after the message went in."""
    with tape.open(tmp_path / "q") as q:
        a = q.appender(codec=raw)
        with subprocess.Popen([programs / "follower", tmp_path / "q", "3"], text=True,
                              stdout=subprocess.PIPE) as follower:
            assert follower.stdout
            for text in ("one", "two", "three"):
                a.write(text.encode())
                assert follower.stdout.readline() == f"{text}\n"
            assert follower.wait(60) == 0


def test_messages_made_in_place_are_messages(programs: Path, tmp_path: Path) -> None:
    """Those thought better of leave no trace in numbers or bytes."""
    with tape.open(tmp_path / "q") as q:
        assert run(programs / "in_place", tmp_path / "q", "7") == "5 messages, 80 bytes\n"
        read = list(q.tailer(codec=raw))
        assert read == [f"made in place: {n}".encode() for n in (1, 2, 4, 5, 7)]


def test_the_bulk_reader_counts_as_python_does(programs: Path, tmp_path: Path) -> None:
    """Messages, bytes, and both ends."""
    with tape.open(tmp_path / "q") as q:
        bodies = [b"x" * n for n in range(1000)]
        indexes = list(q.appender(codec=raw).write_many(bodies))
        assert run(programs / "bulk_reader", tmp_path / "q") == (
            f"1000 messages, {sum(map(len, bodies))} bytes\n"
            f"from {indexes[0]} to {indexes[-1]}\n")


def test_maps_written_in_c_are_dicts_in_python(programs: Path, tmp_path: Path) -> None:
    """Fressian, with characters of every length, by the default codec."""
    with tape.open(tmp_path / "q") as q:
        run(programs / "fressian_writer", tmp_path / "q")
        assert list(q.tailer()) == [
            {kw("order/id"): number, kw("price"): 9.5 * (number - 1), kw("tags"): ["c", "new"],
             kw("note"): note} for number, note in ((1, "grüß dich"), (2, "\U0001f600"), (3, None))]


@pytest.mark.jvm
def test_the_jvm_reads_and_writes_beside_them(programs: Path, peer: Peer, tmp_path: Path) -> None:
    """All three have the queue open; the follower finds what Java wrote by looking."""
    with tape.open(tmp_path / "q") as q, q.tailer(codec=raw) as t, \
            peer.open(tmp_path / "q") as java:
        tailer, appender = java.tailer(), java.appender()
        i, = write(programs, tmp_path / "q", "from C")
        message = tailer.read()
        assert message and (message.index, message.data) == (i, b"from C")
        with subprocess.Popen([programs / "follower", tmp_path / "q", "3"], text=True,
                              stdout=subprocess.PIPE) as follower:
            assert follower.stdout and follower.stdout.readline() == "from C\n"
            assert appender.append(b"from Java") == i + 1
            assert follower.stdout.readline() == "from Java\n"
            q.appender(codec=raw).write(b"from Python")
            assert follower.stdout.readline() == "from Python\n"
        assert list(t) == [b"from C", b"from Java", b"from Python"]
