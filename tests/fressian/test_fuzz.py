"""A short run of the fuzzer: clean as it is, and it finds a planted bug."""

from __future__ import annotations

import os
import pathlib
import shutil
import subprocess

import pytest

SCRIPT = pathlib.Path(__file__).parents[1] / "fuzz" / "fressian_fuzz.sh"
pytestmark = [pytest.mark.slow, pytest.mark.skipif(
    not shutil.which("clang") or os.environ.get("TAPE_FUZZ_SECONDS") is None,
    reason="needs clang, and TAPE_FUZZ_SECONDS: how long to look")]


@pytest.mark.parametrize("plant", [False, True])
def test_the_fuzzer_finds_a_planted_bug_and_nothing_else(plant, tmp_path):
    """Exit status 0 without a finding; the planted bug is one."""
    environment = {**os.environ, "FUZZ_OUT": str(tmp_path), **({"PLANT": "1"} if plant else {})}
    ran = subprocess.run([SCRIPT, os.environ["TAPE_FUZZ_SECONDS"]], env=environment,
                         capture_output=True, text=True, errors="replace")
    assert (ran.returncode != 0) == plant, ran.stderr[-3000:]
    if plant:
        assert "libFuzzer" in ran.stderr or "Sanitizer" in ran.stderr
