"""The hot calls of C take no more instructions than instructions.json says.

callgrind counts the same in every run, whatever else the machine does; so a step back shows here
and not in a benchmark months later. Who makes a call cheaper lowers its limit: about 5 % above what
is counted, for other compilers. Needs valgrind; CI has it.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from bench import building

LIMITS = json.loads((Path(__file__).parent / "instructions.json").read_text())
FEW, MANY = 1000, 5000  # their difference leaves out what happens once

pytestmark = [
    pytest.mark.skipif(shutil.which("valgrind") is None, reason="needs valgrind"),
    pytest.mark.skipif(shutil.which("cmake") is None, reason="needs CMake"),
]


def collected(scenario: str, calls: int, functions: list[str], directory: Path) -> int:
    """Instructions of that many calls, everything below them included."""
    command = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null",
               *(f"--toggle-collect={name}" for name in functions),
               building.c_program("floor"), "-i", scenario, "-n", str(calls), "-d", str(directory)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=300)
    found = re.search(r"Collected : (\d+)", ran.stderr)
    assert ran.returncode == 0 and found, ran.stderr
    return int(found[1])


@pytest.mark.slow
@pytest.mark.parametrize("scenario", LIMITS)
def test_a_hot_call_takes_no_more_instructions_than_allowed(scenario: str, tmp_path: Path) -> None:
    """The cost of one, counted; and a limit far above it is no limit."""
    rule = LIMITS[scenario]
    few, many = (collected(scenario, n, rule["functions"], tmp_path) for n in (FEW, MANY))
    cost = (many - few) / (MANY - FEW)
    assert cost <= rule["limit"], f"{scenario}: {cost:.1f} instructions a call"
    assert cost >= rule["limit"] * 0.8, f"{scenario}: {cost:.1f}, so lower the limit"
