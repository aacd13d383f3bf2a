"""tape.repair(in_place=True) and others: who has the queue open, and who comes meanwhile."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
from pathlib import Path

import pytest

import tape
from tape.codecs import raw

from tests.kit.clocks import SetClock
from tests.kit.damage import (SECOND, append_at, cycle_file, pair_of, poke, read_all,
                               while_it_is_mended)


@pytest.fixture
def queue(tmp_path: Path) -> Path:
    """Messages in a finished cycle, and in the newest."""
    path = tmp_path / "q"
    append_at(path, SECOND, 100)
    append_at(path, SECOND + 1000, 5)
    return path


def hurt(queue: Path) -> Path:
    """Its oldest file has a wrong write position, so there is something to be mended."""
    poke(cycle_file(queue), pair_of(cycle_file(queue)), bytes(8))
    return queue


def test_nobody_opens_a_queue_for_writing_while_it_is_mended(queue: Path) -> None:
    """Neither this process nor another one; a reader may, and loses nothing; and then all may."""
    there = read_all(queue)
    program = ("import sys, tape\nfrom tape.codecs import raw\n"
               "try: tape.open(sys.argv[1], codec=raw)\nexcept tape.QueueBusy as e: print(e)")

    def others() -> None:
        with pytest.raises(tape.QueueBusy, match="being mended in place") as caught:
            tape.open(queue, codec=raw)
        assert "tape repair" in caught.value.hint
        said = subprocess.run([sys.executable, "-c", program, str(queue)], capture_output=True,
                              text=True, timeout=60, check=True).stdout
        assert "being mended in place" in said
        with pytest.raises(tape.QueueBusy, match="mended by somebody else"):
            tape.repair(queue, in_place=True)
        assert read_all(queue) == there
    assert while_it_is_mended(hurt(queue), others).outcome == "lossless"
    assert tape.verify(queue).ok
    with tape.open(queue, codec=raw, clock=SetClock(SECOND + 1000)) as q:
        q.appender().write(b"after")
    assert read_all(queue) == [*there, b"after"]


def test_a_queue_that_is_open_for_writing_unseen_is_not_mended(
        queue: Path) -> None:
    """By another user, or in a container: its mappings cannot be seen, its kernel lock can."""
    program = ("import sys, tape\nfrom tape.codecs import raw\nq = tape.open(sys.argv[1], "
               "codec=raw)\nprint('open', flush=True)\nsys.stdin.read()")
    elsewhere = ["unshare", "--pid", "--fork", "--mount-proc"] if os.getuid() == 0 else []
    if elsewhere and subprocess.run([*elsewhere, "true"], capture_output=True).returncode:
        elsewhere = []
    with subprocess.Popen([*elsewhere, sys.executable, "-c", program, str(queue)], text=True,
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout and other.stdin
        assert other.stdout.readline() == "open\n"
        with pytest.raises(tape.QueueBusy, match="open in process|open for writing"):
            tape.repair(queue, in_place=True)
        other.stdin.close()
        assert other.wait(30) == 0
    assert tape.repair(queue, in_place=True).outcome == "clean"


def test_the_write_lock_is_held_while_a_queue_is_mended(queue: Path) -> None:
    """By which a JVM waits; and it is free again."""
    seen: list[int] = []

    def lock() -> None:
        seen.append(write_lock(queue))
    while_it_is_mended(hurt(queue), lock)
    assert seen == [os.getpid()]
    assert write_lock(queue) == -1 << 63


def write_lock(queue: Path) -> int:
    """The word of the table store."""
    table = (queue / "metadata.cq4t").read_bytes()
    at = table.index(b"chronicle.write.lock") + 20
    at = table.index(b"\xa7", at) + 1
    return int(struct.unpack_from("<q", table, at)[0])
