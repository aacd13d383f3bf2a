"""tape.delete(): a whole queue or nothing of it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import tape

from tests.kit.queues import Filled


def test_an_open_queue_is_not_deleted_and_foreign_files_stay(
        filled: Filled, tmp_path: Path) -> None:
    """Refused while open, by this process or another, and then nothing goes; foreign files stay."""
    path = tmp_path / "q"
    names = {p.name for p in path.iterdir()}
    with pytest.raises(tape.QueueBusy, match=str(os.getpid())):
        tape.delete(path)
    filled.q.close()
    code = "import sys, tape\nq = tape.open(sys.argv[1])\nprint('open', flush=True)\ninput()"
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen([sys.executable, "-c", code, path], env=env, text=True,
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout.readline() == "open\n"
        with pytest.raises(tape.QueueBusy, match=str(other.pid)):
            tape.delete(path)
        assert {p.name for p in path.iterdir()} == names
        other.communicate("\n")
    (path / "notes.txt").write_text("mine")
    tape.delete(path)
    assert [p.name for p in path.iterdir()] == ["notes.txt"]
    for bad in (path, path / "none"):
        with pytest.raises(tape.QueueNotFound):
            tape.delete(bad)


@pytest.mark.parametrize("kind", ["gzip", "zstd"])
def test_compressed_cycles_are_deleted_with_the_queue(
        filled: Filled, tmp_path: Path, kind: str) -> None:
    """Whatever they were compressed by: a queue that is made at the path later has none of them."""
    filled.q.compress(kind)
    filled.q.close()
    tape.delete(tmp_path / "q")
    assert not (tmp_path / "q").exists()
