"""A newest file that a power cut left damaged: the error names the command, as it is to be typed,
and after it writing goes on in the same cycle."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

import tape
from tape.codecs import raw

from tests.kit.clocks import SetClock
from tests.kit.damage import cycle_file, poke

NOW = 1_700_000_000_000


def without_its_last_page(path: Path) -> list[bytes]:
    """What can still be read."""
    messages = [b"%06d" % n + b"x" * 40 for n in range(2000)]
    with tape.open(path, codec=raw, block_size=1 << 20, clock=SetClock(NOW)) as q:
        q.appender().write_many(messages)
    file = cycle_file(path)
    whole = file.read_bytes()
    at = whole.index(messages[-1]) // 4096 * 4096
    poke(file, at, bytes(4096))
    begins = 0
    for n, message in enumerate(messages):
        begins = whole.index(message, begins)
        if begins - 8 >= at:
            return messages[:n]
    raise AssertionError("the last one was on that page")


@pytest.mark.parametrize("name", ["q", "two words & more"])
def test_the_named_command_lets_writing_go_on(tmp_path: Path, name: str) -> None:
    """The writer is told of it; it mends; nothing that could be read is lost."""
    path = tmp_path / name
    there = without_its_last_page(path)
    assert len(there) > 1900
    with tape.open(path, codec=raw, clock=SetClock(NOW)) as q:
        a = q.appender()
        with pytest.raises(tape.CorruptQueue, match="next cycle") as caught:
            a.write(b"new")
        hint = caught.value.hint
        assert f"tape verify {shlex.quote(str(path))}`" in hint
        assert f"tape repair {shlex.quote(str(path))}`" in hint
    command = re.search(r"^ *(tape repair .*)$", caught.value.message, re.M)
    assert command
    words = shlex.split(command[1])
    assert words == ["tape", "repair", "--in-place", str(path)]
    done = subprocess.run([sys.executable, "-m", *words], capture_output=True, text=True,
                          timeout=120, check=False)
    assert done.returncode in (0, 3), done.stderr
    with tape.open(path, codec=raw, clock=SetClock(NOW)) as q:
        q.appender().write(b"new")
        assert len(list(q.cycles())) == 1
        got = list(q.tailer(on_error="skip"))
    assert got[:len(there)] == there
    assert got[-1] == b"new"


def test_when_the_cycle_is_over_nothing_need_be_done(tmp_path: Path) -> None:
    """As the error says, too; readers are told what they cannot have."""
    path = tmp_path / "q"
    there = without_its_last_page(path)
    with tape.open(path, codec=raw, clock=SetClock(NOW + 86_400_000)) as q:
        q.appender().write(b"new")
    with tape.open(path, codec=raw, read_only=True) as q:
        t = q.tailer()
        read = t.read_many(5000)
        assert read[:len(there) - 1] == there[:-1] and len(read) - len(there) in (0, 1)
        with pytest.raises(tape.Gap) as caught:
            t.read()
        assert caught.value.from_index is not None
        assert caught.value.from_index & 0xFFFFFFFF == len(read)
        assert list(t) == [b"new"]
