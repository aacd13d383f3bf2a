"""Writers and tailers in C, ``tests/c/live_worker.c``, which can stop at each sync point."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.kit.live_worker import Worker
from tests.kit.sources import ROOT

SOURCES = sorted(ROOT.glob("csrc/*/*.c"))
POINT = re.compile(r"\bSYNC_POINT\(([a-z_]+)\)")


def sync_points() -> list[str]:
    """The names of all steps of csrc at which a process can be stopped."""
    files = [*SOURCES, *ROOT.glob("csrc/*/*.h")]
    found = {name for path in files if path.name != "sync_point.h"
             for name in POINT.findall(path.read_text())}
    return sorted(found)


def build(out: Path) -> Path:
    """The program, built with the sync points in; skips where there is no compiler."""
    compiler = shutil.which(os.environ.get("CC", "cc").split()[-1])
    if compiler is None:
        pytest.skip("needs a C compiler")
    tests, program = ROOT / "tests" / "c", out / "live_worker"
    subprocess.run([compiler, "-std=c11", "-O1", "-D_GNU_SOURCE=", "-DTAPE_SYNC_POINTS",
                    f"-I{ROOT / 'csrc'}", f"-I{tests}", *SOURCES, tests / "helpers.c",
                    tests / "live_worker.c", "-o", program, "-lpthread"], check=True)
    return program


class CWorker(Worker):
    """A process in C; ``start`` makes one."""

    @classmethod
    def start(cls, program: Path, role: str, path: Path, roll: str, what: object,
              **options: object) -> CWorker:
        """``what``: the id of a writer, the file for a tailer's records. Options as in the C."""
        worker = cls.__new__(cls)
        worker.command = (program,)
        words = (f"{name}={int(value) if isinstance(value, bool) else value}"
                 for name, value in options.items())
        worker.__init__(role, path, roll, what, *words)  # type: ignore[misc]
        return worker
