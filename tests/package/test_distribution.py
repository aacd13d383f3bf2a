"""What is built from the sources and sent around: the sdist, and the rules for wheels.

``python -m tools.wheels`` builds, audits and tries the wheels themselves.
"""

from __future__ import annotations

import py_compile
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from tools import wheels

from tests.kit.sources import ROOT


def test_the_sdist_has_every_file_of_the_repository(tmp_path: Path) -> None:
    """.ci and the hidden ones included, and no built one."""
    if not (ROOT / ".git").exists():
        pytest.skip("needs the repository")
    py_compile.compile(str(ROOT / "tests" / "kit" / "sources.py"))  # as any run of the tests leaves
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True,
                            check=True).stdout.split("\n")
    source = wheels.sdist(Path(sys.executable), tmp_path)
    with tarfile.open(source) as packed:
        names = {name.partition("/")[2] for name in packed.getnames()}
    missing = [name for name in listed if name and name not in names]
    assert not missing, missing
    built = [name for name in names if name.endswith((".so", ".o", ".pyc", ".class"))]
    assert not built, built


@pytest.mark.parametrize("sign", ["abiflags = 't'", "_is_gil_enabled = lambda: False"])
def test_a_python_without_the_gil_is_refused_clearly(sign: str) -> None:
    """At import, before anything of C is loaded, by its build and by what it says."""
    code = ("import sys, atexit; atexit.register(lambda: print('tape._native' in sys.modules)); "
            f"sys.{sign}; import tape")
    ran = subprocess.run([sys.executable, "-c", code], cwd="/", capture_output=True, text=True,
                         check=False)
    assert ran.returncode == 1 and "without the GIL" in ran.stderr
    assert ran.stderr.strip().splitlines()[-1].startswith("ImportError")
    assert ran.stdout == "False\n"


@pytest.mark.parametrize("name", ["tape/c/table.h", "tape/codecs/fressian/c/read.c", "csrc/tape.h",
                                  "tests/conftest.py", "build/lib/tape/old.py", "tape/x.o"])
def test_what_has_no_place_in_a_wheel_is_found(name: str) -> None:
    """Sources, objects, other folders."""
    assert wheels.FOREIGN.search(name)
    assert not wheels.FOREIGN.search("tape/_native.abi3.so")
    assert not wheels.FOREIGN.search("tape/cli/app.py")
