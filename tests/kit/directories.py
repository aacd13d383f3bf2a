"""Helpers of tests that look at queue directories from outside."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

UNPRIVILEGED = 65534


def on_a_small_disk(tmp_path: Path, size: str, program: str | list[str], *words: str,
                    timeout: float, **more: Any) -> str:
    """What Python prints that runs a program, a text or "-m" and a module, with a tmpfs of that
    size which nobody else sees, and the words. Skips where that may not be mounted."""
    unshare = shutil.which("unshare")
    if not unshare or subprocess.run([unshare, "-rm", "true"], check=False,
                                     capture_output=True).returncode:
        pytest.skip("no file system can be mounted here")
    disk, file = tmp_path / "disk", tmp_path / "program.py"
    disk.mkdir()
    if isinstance(program, str):
        file.write_text(textwrap.dedent(program))
        program = [str(file)]
    mount = f'mount -t tmpfs -o size={size} none "$0" && exec "$@"'
    ran = subprocess.run(
        [unshare, "-rm", "sh", "-c", mount, disk, sys.executable, *program, disk, *words],
        capture_output=True, text=True, check=False, timeout=timeout, **more)
    assert ran.returncode == 0, ran.stderr[-3000:]
    return ran.stdout


def digest(directory: Path) -> dict[str, str]:
    """Name and content of every file, but tape's own side file: what must not change."""
    found = {}
    for path in sorted(directory.rglob("*")):
        if path.is_file() and path.name != "tape.side":
            found[str(path.relative_to(directory))] = _content(path)
    return found


def _content(path: Path) -> str:
    """Size and a hash of the pages that are not zeros; holes are not read. What the kernel calls a
    hole may change when somebody reads it."""
    size, hashed = path.stat().st_size, hashlib.sha256()
    with path.open("rb") as file:
        at = 0
        while at < size:
            try:
                at = os.lseek(file.fileno(), at, os.SEEK_DATA)
            except OSError:
                break
            end = os.lseek(file.fileno(), at, os.SEEK_HOLE)
            while at < end:
                block = os.pread(file.fileno(), min(1 << 20, end - at), at)
                for page in range(0, len(block), 4096):
                    if (data := block[page:page + 4096]).strip(b"\0"):
                        hashed.update(b"%d:" % (at + page) + data)
                at += len(block)
    return f"{size} {hashed.hexdigest()}"


#: The first lines of a program of a user without rights; root would see no EACCES. All of tape is
#: imported before: that user may not even enter the folder where it is installed.
WITHOUT_RIGHTS = f'''
import contextlib, importlib, os, pkgutil, sys, tape, tape.codecs
for module in pkgutil.walk_packages(tape.__path__, "tape.", lambda name: None):
    if not module.name.startswith(("tape.__main__", "tape.cli", "tape.testing")):
        with contextlib.suppress(ImportError):  # an extra that is not installed
            importlib.import_module(module.name)
from tape.codecs import document, fressian, json, raw, text, wire
fressian.decode(fressian.encode({{1: 2}}))
if os.getuid() == 0:
    os.setgroups([])
    os.setgid({UNPRIVILEGED})
    os.setuid({UNPRIVILEGED})
'''


def as_unprivileged(script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs Python code as a user without rights."""
    return subprocess.run([sys.executable, "-c", WITHOUT_RIGHTS + script, *arguments],
                          capture_output=True, text=True, timeout=60, check=False,
                          env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)})
