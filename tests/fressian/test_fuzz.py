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
IN_A_SECOND = 1500      # executions, about


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The folder in which the first run builds."""
    return tmp_path_factory.mktemp("fuzz")


@pytest.mark.parametrize("plant", [False, True])
def test_the_fuzzer_finds_a_planted_bug_and_nothing_else(plant, built):
    """Exit status 0 without a finding; the planted bug is one. So many inputs as take about so
    long, the same ones each time (tests/fuzz/workshop.py)."""
    runs = int(IN_A_SECOND * float(os.environ["TAPE_FUZZ_SECONDS"]))
    environment = {**os.environ, "FUZZ_OUT": str(built), "PYTHONHASHSEED": "0",
                   **({"PLANT": "1"} if plant else {})}
    ran = subprocess.run([SCRIPT, "600", "-seed=1", "-use_cmp=0", "-reload=0", f"-runs={runs}"],
                         env=environment, capture_output=True, text=True, errors="replace")
    assert (ran.returncode != 0) == plant, ran.stderr[-3000:]
    if plant:
        assert "libFuzzer" in ran.stderr or "Sanitizer" in ran.stderr
