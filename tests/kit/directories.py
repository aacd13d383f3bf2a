"""Helpers of tests that look at queue directories from outside."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

UNPRIVILEGED = 65534


def own_mounts() -> str:
    """The ``unshare`` with which a child may mount a file system of its own; else it skips."""
    unshare = shutil.which("unshare")
    if not unshare or subprocess.run([unshare, "-rm", "true"], check=False,
                                     capture_output=True).returncode:
        pytest.skip("no file system can be mounted here")
    return unshare


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
