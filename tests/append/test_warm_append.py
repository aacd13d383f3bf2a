"""The C library's promise of a warm append: no system call, no allocation.

Needs CMake and strace; ``ctest`` runs everything else that is tested in C.
"""

from __future__ import annotations

import re
import shutil
import subprocess
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


def traced(appends: Path, tmp_path: Path, *options: str) -> tuple[list[str], int]:
    """The system calls between the two markers, and the number of allocations."""
    trace = tmp_path / "trace"
    command = ["strace", "-f", "-o", str(trace), str(appends), "-d", str(tmp_path), *options]
    run = subprocess.run(command, capture_output=True, text=True)
    if "ptrace" in run.stderr and run.returncode != 0:
        pytest.skip("strace is not permitted")
    assert run.returncode == 0, run.stderr
    between = trace.read_text().split("getppid(")[1].splitlines()[1:-1]
    allocations = re.search(r"allocations (\d+)", run.stdout)
    assert allocations is not None
    return [re.sub(r"^\d+ +(\w+).*", r"\1", line) for line in between], int(allocations[1])


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
