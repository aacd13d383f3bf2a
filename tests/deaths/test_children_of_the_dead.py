"""A writer dies with the lock held and leaves children, which sleep on: nobody waits for them."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import tape
from tape.codecs import raw

SLEEPS = 60.0


def _by_fork() -> int:
    pid = os.fork()
    if pid == 0:
        time.sleep(SLEEPS)
        os._exit(0)
    return pid


def _by_subprocess() -> int:
    """Which inherits what may be inherited."""
    return subprocess.Popen(["sleep", str(SLEEPS)], close_fds=False).pid


def _by_multiprocessing() -> int:
    child = multiprocessing.get_context("fork").Process(target=time.sleep, args=(SLEEPS,))
    child.start()
    assert child.pid is not None
    return child.pid


def _by_the_kernel() -> int:
    """As a program may do that makes children by itself: no function of ours is called there."""
    libc = ctypes.CDLL(None, use_errno=True)
    clone = {"x86_64": 56, "aarch64": 220}.get(os.uname().machine)
    if clone is None:
        raise RuntimeError("its number is not known here")
    pid: int = libc.syscall(clone, ctypes.c_ulong(signal.SIGCHLD), 0, 0, 0, 0)
    if pid == 0:
        time.sleep(SLEEPS)
        os._exit(0)
    return pid


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("leave", [_by_fork, _by_subprocess, _by_multiprocessing, _by_the_kernel])
def test_the_lock_of_a_killed_writer_is_taken_over_while_its_children_live(
        leave: Callable[[], int], tmp_path: Path) -> None:
    path, (ends, begins) = tmp_path / "q", os.pipe()
    holder = os.fork()
    if holder == 0:
        try:
            q = tape.open(path, codec=raw)
            q.appender().write(b"before")
            with q.appender().writing(6):
                os.write(begins, b"%d" % leave())
                time.sleep(SLEEPS)
        finally:
            os._exit(1)
    child = int(os.read(ends, 20))
    try:
        os.kill(holder, signal.SIGKILL)
        os.waitpid(holder, 0)
        with tape.open(path, codec=raw, lock_timeout=10, stale_after=None) as q:
            begun = time.monotonic()
            q.appender().write(b"after")
            took = time.monotonic() - begun
            assert list(q.tailer()) == [b"before", b"after"]
        assert took < 0.5
        os.kill(child, 0)  # it lives
    finally:
        os.kill(child, signal.SIGKILL)
        os.close(ends)
        os.close(begins)
