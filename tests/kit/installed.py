"""The C library as it was installed for others, and programs built with it."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.kit.sources import ROOT

EXAMPLES = ROOT / "examples" / "c"


def run(*command: str | os.PathLike[str], cwd: Path | None = None, **environment: str) -> str:
    """Runs a command that must succeed, and gives what it printed."""
    done = subprocess.run([os.fspath(word) for word in command], cwd=cwd, text=True, timeout=600,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
                          env={**os.environ, **environment})
    assert done.returncode == 0, f"{' '.join(map(str, command))}:\n{done.stdout}"
    return done.stdout


@dataclass
class Installed:
    """A build directory, and the prefix that was installed from it."""

    build: Path
    prefix: Path

    @property
    def libraries(self) -> Path:
        """Where the libraries are: lib, or what the system calls it."""
        return next(self.prefix.rglob("libtape.so")).parent

    def pkg_config(self, *wanted: str) -> list[str]:
        """What pkg-config says of it."""
        path = str(self.libraries / "pkgconfig")
        return run("pkg-config", *wanted, "tape", PKG_CONFIG_PATH=path).split()

    def make(self, out: Path, *variables: str) -> None:
        """Builds examples/c by its Makefile, warnings being errors."""
        run("make", "-C", EXAMPLES, f"OUT={out}", "CFLAGS=-O2 -Wall -Wextra -Wpedantic -Werror",
            f"PKG_CONFIG_PATH={self.libraries / 'pkgconfig'}", *variables)
