"""What type checkers see of the public names."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

USES = """
import tape

def in_with() -> None:
    with tape.open("orders") as q:
        q.appender(codec=5)
        q.tailer(start=1.5).raed()
        with q.tailer() as t, q.appender() as a:
            t.raed()
            a.wrote()

def plain() -> None:
    q = tape.open("orders")
    q.appender(codec=5)
    q.tailer(start=1.5).raed()
"""


def test_what_a_with_block_gives_keeps_its_type(tmp_path: Path) -> None:
    """The same errors inside and outside of ``with``: what it gives is not Any."""
    pytest.importorskip("mypy")
    file = tmp_path / "uses.py"
    file.write_text(USES)
    ran = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", "--follow-imports=silent",
         "--cache-dir", str(tmp_path), str(file)],
        capture_output=True, text=True, timeout=300, check=False)
    lines = [int(line.split(":")[1]) for line in ran.stdout.splitlines() if ": error:" in line]
    assert lines == [6, 7, 9, 10, 14, 15], ran.stdout + ran.stderr
