"""A tailer whose name was taken over (steal=True) is told, and stores nothing any more."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import tape
from tape.codecs import raw

from tests.kit.queues import Filled

Call = Callable[[tape.Tailer], object]
THIEF = """
import sys, tape
q = tape.open(sys.argv[1], codec=tape.codecs.raw)
t = q.tailer("one", steal=True)
print(t.read_many(2), flush=True)
for line in sys.stdin:
    try: print(t.read(), flush=True)
    except tape.TailerBusy as e: print("busy", flush=True)
"""
CALLS: dict[str, Call] = {
    "read": lambda t: t.read(),
    "read_many": lambda t: t.read_many(3),
    "iterate": lambda t: list(t),
    "skip": lambda t: t.skip(1),
    "commit": lambda t: t.commit(),
    "seek": lambda t: t.seek(0),
    "follow": lambda t: next(t.follow(timeout=0)),
}


def thief(path: Path) -> subprocess.Popen[str]:
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    run = [sys.executable, "-c", THIEF, str(path)]
    return subprocess.Popen(run, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env)


def ask(process: subprocess.Popen[str]) -> str:
    assert process.stdin and process.stdout
    process.stdin.write("\n")
    process.stdin.flush()
    return process.stdout.readline()


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_a_robbed_tailer_is_told_at_its_next_call(filled: Filled, call: Call) -> None:
    """Whatever it does that reads or stores; it still tells where it stands, and is closed."""
    old = filled.q.tailer("one")
    old.read_many(5)
    place = old.index, old.last_read
    new = filled.q.tailer("one", steal=True)
    assert new.read() == filled.messages[5]
    for _ in range(2):
        with pytest.raises(tape.TailerBusy, match='"one" was taken over'):
            call(old)
    assert (old.index, old.last_read) == place
    assert filled.q.tailers() == {"one": filled.indexes[6]} == {"one": old.info().committed}
    old.close()
    with pytest.raises(tape.TailerBusy):
        filled.q.tailer("one")  # the new one has it, whoever was closed
    assert new.read_many(2) == filled.messages[6:8]


def test_a_name_is_taken_from_another_process_and_back(filled: Filled, tmp_path: Path) -> None:
    """Each of them knows at its next read; the position is the last owner's."""
    old = filled.q.tailer("one")
    assert old.read() == filled.messages[0]
    with thief(tmp_path / "q") as other:
        assert other.stdout
        assert other.stdout.readline() == f"{filled.messages[1:3]}\n"
        with pytest.raises(tape.TailerBusy):
            old.read()
        old.close()
        with pytest.raises(tape.TailerBusy, match=f"in process {other.pid} "):
            filled.q.tailer("one")  # although the first of the kernel locks is free now
        with filled.q.tailer("one", steal=True) as back:
            assert back.read() == filled.messages[3]
            assert ask(other) == "busy\n"
            assert back.read() == filled.messages[4]
        assert filled.q.tailers() == {"one": filled.indexes[5]}


def test_a_name_whose_thief_was_killed_is_free(filled: Filled, tmp_path: Path) -> None:
    """Kernel locks end with their process; who was robbed before stays robbed."""
    old = filled.q.tailer("one")
    with thief(tmp_path / "q") as other:
        assert other.stdout and other.stdout.readline()
        other.send_signal(signal.SIGKILL)
    with pytest.raises(tape.TailerBusy):
        old.read()
    old.close()
    assert filled.q.tailer("one").read() == filled.messages[2]


def test_other_names_and_nameless_ones_are_not_disturbed(filled: Filled) -> None:
    """However many names are taken, as long as the others read now and then."""
    watched, other, taken = filled.q.tailer(), filled.q.tailer("other"), filled.q.tailer("one")
    for n in range(600):
        new = filled.q.tailer("one", steal=True)
        taken.close()
        taken = new
        if n % 100 == 0:
            assert other.read() == watched.read() == filled.messages[n // 100]
    assert taken.read() == filled.messages[0]


def test_who_slept_through_more_thefts_than_are_kept_is_robbed(filled: Filled) -> None:
    """It cannot be known any more: then it is safe to say so. 511 are kept."""
    sleeper, taken = filled.q.tailer("sleeper"), filled.q.tailer("one")
    for _ in range(512):
        new = filled.q.tailer("one", steal=True)
        taken.close()
        taken = new
    with pytest.raises(tape.TailerBusy):
        sleeper.read()
    assert taken.read() == filled.messages[0]


def test_without_a_side_file_it_holds_in_this_process(tmp_path: Path) -> None:
    """A directory where none can be made."""
    path = tmp_path / "q"
    with tape.open(path, codec=raw) as q:
        q.appender().write(b"m")
    (path / "tape.side").unlink()
    (path / "tape.side").mkdir()
    with tape.open(path, codec=raw) as q:
        old, new = q.tailer("one"), q.tailer("one", steal=True)
        with pytest.raises(tape.TailerBusy):
            old.read()
        assert new.read() == b"m"
        with pytest.raises(tape.TailerBusy, match="in this process"):
            q.tailer("one")
    shutil.rmtree(path)
