"""The promise of a warm append, from C and from Python: no system call; in C no allocation.

Needs CMake and strace; ``ctest`` runs everything else that is tested in C.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NEEDED = ("cmake", "strace")

pytestmark = pytest.mark.skipif(
    not all(shutil.which(tool) for tool in NEEDED), reason="needs cmake and strace"
)


@pytest.fixture(scope="module")
def appends(tmp_path_factory: pytest.TempPathFactory) -> Path:
    build = tmp_path_factory.mktemp("build")
    configure = ["cmake", "-S", str(ROOT), "-B", str(build), "-DTAPE_BENCH=ON"]
    subprocess.run(configure, check=True, stdout=subprocess.DEVNULL)
    target = ["cmake", "--build", str(build), "--target", "tape_bench_appends"]
    subprocess.run(target, check=True, stdout=subprocess.DEVNULL)
    return build / "bench" / "appends"


def calls_of(tmp_path: Path, *command: str) -> tuple[list[str], str]:
    """The system calls between the two markers, and what the program printed."""
    trace = tmp_path / "trace"
    run = subprocess.run(["strace", "-f", "-o", str(trace), *command], capture_output=True,
                         text=True)
    if "ptrace" in run.stderr and run.returncode != 0:
        pytest.skip("strace is not permitted")
    assert run.returncode == 0, run.stderr
    between = trace.read_text().split("getppid(")[1].splitlines()[1:-1]
    return [re.sub(r"^\d+ +(\w+).*", r"\1", line) for line in between], run.stdout


def traced(appends: Path, tmp_path: Path, *options: str) -> tuple[list[str], int]:
    """The system calls between the two markers, and the number of allocations."""
    calls, printed = calls_of(tmp_path, str(appends), "-d", str(tmp_path), *options)
    allocations = re.search(r"allocations (\d+)", printed)
    assert allocations is not None
    return calls, int(allocations[1])


def test_a_warm_append_makes_no_system_call(appends: Path, tmp_path: Path) -> None:
    calls, allocations = traced(appends, tmp_path, "-w", "-n", "3000")
    assert calls == []
    assert allocations == 0


def test_a_growing_file_costs_a_call_per_step_only(appends: Path, tmp_path: Path) -> None:
    count = 200_000
    calls, allocations = traced(appends, tmp_path, "-n", str(count))
    steps = count * 68 / (256 << 10)
    assert calls.count("madvise") <= 1.5 * steps + 10
    assert len(calls) - calls.count("madvise") < 150  # one cycle made and entered, windows moved
    assert allocations == 0


def test_a_warm_write_from_python_makes_no_system_call(tmp_path: Path) -> None:
    """Nor does looking after the clock, at each 1024th message; all is in one step of the file."""
    program = f"""
import os, tape
with tape.open({str(tmp_path / "q")!r}, codec=tape.codecs.raw) as q:
    a = q.appender()
    for _ in range(10):
        a.write(b"m" * 64)
    a.write_many([b"m" * 64] * 500)
    os.getppid()
    for _ in range(2500):
        a.write(b"m" * 64)
    os.getppid()
"""
    assert calls_of(tmp_path, sys.executable, "-c", program)[0] == []
