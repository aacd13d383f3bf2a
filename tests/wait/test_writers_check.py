"""What a writer pays for waiters while there are none: a few instructions, counted as compiled."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MOST = 8

PROBE = """
#include "file/notice.h"
void probe(tape__notice_t *n) { tape__notice_ring(n); }
"""


def test_the_check_takes_at_most_eight_instructions(tmp_path: Path) -> None:
    """From the notice's address to going on, on the path that is gone when nobody waits: up to the
    return, with one branch not taken."""
    if shutil.which("objdump") is None:
        pytest.skip("no objdump here")
    (tmp_path / "probe.c").write_text(PROBE)
    compiler = os.environ.get("CC", "cc").split()
    subprocess.run([*compiler, "-std=c11", "-O3", "-I", str(ROOT / "csrc"), "-c", "probe.c"],
                   cwd=tmp_path, check=True)
    text = subprocess.run(["objdump", "-d", "--no-show-raw-insn", "probe.o"], cwd=tmp_path,
                          check=True, capture_output=True, text=True).stdout
    lines = re.findall(r"^\s+[0-9a-f]+:\s+(\S.*)$", text.split("<probe>:")[1], re.MULTILINE)
    path = [line for line in lines if not line.startswith(("endbr", "nop", "bti"))]
    path = path[:next(n for n, line in enumerate(path) if line.startswith("ret"))]
    print(f"the writer's check: {len(path)} instructions\n  " + "\n  ".join(path))
    assert 2 <= len(path) <= MOST
    assert sum(line.startswith(("j", "b.", "tb", "cb")) for line in path) == 1
