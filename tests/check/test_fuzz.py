"""A short run of the fuzzer of checking and mending: clean as it is, and it finds a planted bug."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "fuzz" / "queue_fuzz.sh"
pytestmark = [pytest.mark.slow, pytest.mark.skipif(
    not shutil.which("clang") or os.environ.get("TAPE_FUZZ_SECONDS") is None,
    reason="needs clang, and TAPE_FUZZ_SECONDS: how long to look")]


@pytest.mark.parametrize("plant", [False, True])
def test_the_fuzzer_of_repair_finds_a_planted_bug_and_nothing_else(
        plant: bool, tmp_path: Path) -> None:
    """Whatever is laid over its files, what is made of a queue is sound."""
    environment = {**os.environ, "PYTHON": sys.executable, "FUZZ_OUT": str(tmp_path),
                   **({"PLANT": "1"} if plant else {})}
    ran = subprocess.run([SCRIPT, os.environ["TAPE_FUZZ_SECONDS"]], env=environment,
                         capture_output=True, text=True, errors="replace")
    assert (ran.returncode != 0) == plant, ran.stderr[-3000:]
    if plant:
        assert "the copy is damaged" in ran.stderr
