"""Users' programs under mypy and pyright: right ones pass, wrong ones are found line by line."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.kit.sources import ROOT, TESTS

PROGRAMS = TESTS / "typing"
WRONG = {number for number, line in enumerate((PROGRAMS / "bad.py").read_text().splitlines(), 1)
         if line.endswith("# error")}

pytestmark = pytest.mark.slow


def found(*command: str) -> set[tuple[str, int]]:
    """File and line of each error that a checker reports."""
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300,
                         check=False)
    lines = re.findall(r"(\w+\.py):(\d+)(?::\d+)?(?:: error| - error)", ran.stdout)
    assert lines, ran.stdout + ran.stderr
    return {(name, int(line)) for name, line in lines}


def test_mypy_finds_what_is_wrong_and_nothing_else() -> None:
    """With --strict; in the package, too, for which CI calls it by itself."""
    errors = found(sys.executable, "-m", "mypy", "--strict", str(PROGRAMS / "good.py"),
                   str(PROGRAMS / "bad.py"))
    assert errors == {("bad.py", line) for line in WRONG}


def test_pyright_finds_what_is_wrong_and_nothing_else() -> None:
    """Where it is installed."""
    tool = shutil.which("pyright", path=str(Path(sys.executable).parent)) or shutil.which("pyright")
    if tool is None:
        pytest.skip("needs pyright")
    errors = found(tool, "--pythonpath", sys.executable, str(PROGRAMS / "good.py"),
                   str(PROGRAMS / "bad.py"))
    assert errors == {("bad.py", line) for line in WRONG}


def test_the_stubs_of_the_extensions_are_true() -> None:
    """stubtest imports them and compares."""
    pytest.importorskip("tape._fast")
    ran = subprocess.run([sys.executable, "-m", "mypy.stubtest", "--concise",
                          "--ignore-missing-stub", "tape._fast", "tape._native",
                          "tape.codecs.fressian._speed"], cwd=ROOT, capture_output=True,
                         text=True, timeout=300, check=False)
    assert ran.returncode == 0, ran.stdout
