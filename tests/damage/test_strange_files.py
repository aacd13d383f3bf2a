"""Directories, pipes, links and foreign files under the names of a queue's files."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

import tape

from tests.kit.damage import (SECOND, append_at, cycle_file, entry_of, poke, read_all,
                              refuses_to_append, refuses_to_open)


def test_a_directory_named_like_a_cycle_file_is_passed_by_readers_and_told_to_writers(
        queue: Path) -> None:
    """No writer made it, so there are no messages in it; in the cycle itself nobody can write."""
    file = cycle_file(queue)
    file.unlink()
    file.mkdir()
    assert read_all(queue) == []
    with pytest.raises(tape.Error, match="not a regular file: move it away") as caught:
        append_at(queue, SECOND, 1)
    assert caught.value.file == str(file) and caught.value.hint


@pytest.mark.parametrize("name", ["cycle", "table"])
def test_a_pipe_under_the_name_of_a_file_is_not_waited_for(queue: Path, name: str) -> None:
    """Opening a pipe waited for its writer for ever."""
    file = cycle_file(queue) if name == "cycle" else queue / "metadata.cq4t"
    file.unlink()
    os.mkfifo(file)
    for call in (lambda: read_all(queue), lambda: append_at(queue, SECOND, 1)):
        began = time.monotonic()
        with pytest.raises(tape.Error) as caught:
            call()
        assert caught.value.file == str(file) and time.monotonic() - began < 1


def test_a_symbolic_link_is_its_file_or_nothing(queue: Path, tmp_path: Path) -> None:
    """A link to a file is that file; one to nothing or to itself is no message and no hang."""
    file = cycle_file(queue)
    elsewhere = tmp_path / "elsewhere"
    file.rename(elsewhere)
    file.symlink_to(elsewhere)
    assert len(read_all(queue)) == 20
    file.unlink()
    file.symlink_to(tmp_path / "nothing")
    assert read_all(queue) == []
    with pytest.raises(tape.Error) as caught:
        append_at(queue, SECOND, 1)
    assert caught.value.file == str(file)
    file.unlink()
    file.symlink_to(file)
    with pytest.raises(tape.Error) as caught:
        read_all(queue)
    assert caught.value.file == str(file)


def test_a_cycle_file_of_another_roll_cycle_keeps_its_own_settings(tmp_path: Path) -> None:
    """Under a name of this queue its own index settings count, as in Java."""
    append_at(tmp_path / "a", SECOND, 20)
    with tape.open(tmp_path / "b", codec=tape.codecs.raw, roll_cycle="FAST_DAILY") as q:
        for n in range(5):
            q.appender().write(b"daily %d" % n)
    other = cycle_file(tmp_path / "b")
    cycle_file(tmp_path / "a").write_bytes(other.read_bytes()[:131072])
    assert read_all(tmp_path / "a") == [b"daily %d" % n for n in range(5)]
    file = cycle_file(tmp_path / "a")
    append_at(tmp_path / "a", SECOND, 253)
    assert entry_of(file, b"message 251") == entry_of(file, b"daily 0") + 8  # message 256 of them


def test_a_table_store_is_no_cycle_file(queue: Path) -> None:
    """A sound header of another type is no cycle file."""
    file = cycle_file(queue)
    file.write_bytes((queue / "metadata.cq4t").read_bytes())
    with pytest.raises(tape.CorruptQueue, match="not that of a cycle file"):
        read_all(queue)
    refuses_to_append(queue, file)


def test_bytes_of_a_file_are_no_text_of_ours(queue: Path) -> None:
    """Bytes of the file in a message: an error of ours, not one of decoding it."""
    table = queue / "metadata.cq4t"
    at = table.read_bytes().index(b"yyyyMMdd")
    poke(table, at, b"\xff\xfe\x80\n")
    assert isinstance(refuses_to_open(queue, table), tape.UnsupportedQueue)
