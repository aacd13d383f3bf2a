"""Processes that die at a system call: every place where files can be left half done.

No step needs a name for that, so none can be forgotten. By ptrace, which sees each call begin.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Callable

import pytest

TRACEME, DETACH, SYSCALL, SET_OPTIONS, GET_SYSCALL_INFO = 0, 17, 24, 0x4200, 0x420E
TRACE_SYSGOOD, EXIT_KILL = 1, 0x100000
AT_A_CALL = signal.SIGTRAP | 0x80

_libc = ctypes.CDLL(None, use_errno=True)
_libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
_libc.ptrace.restype = ctypes.c_long


def _ptrace(request: int, pid: int, data: int = 0) -> None:
    if _libc.ptrace(request, pid, None, data) < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))


def killed_at(number: int, prepare: Callable[[], Callable[[], object]]) -> bool:
    """Whether a child was killed when it began its system call of that number, from 1 on.

    Args:
        number: of the call; fewer than that, and the child ends by itself.
        prepare: called in the child; what it returns is what dies.
    """
    child = os.fork()
    if child == 0:
        _work_and_end(prepare)
    _, status = os.waitpid(child, 0)
    if not os.WIFSTOPPED(status):
        if os.waitstatus_to_exitcode(status) == 77:
            pytest.skip("no process may be traced here")
        raise RuntimeError(f"the child ended before its work: {status:#x}")
    _ptrace(SET_OPTIONS, child, TRACE_SYSGOOD | EXIT_KILL)
    calls, inside, passed_on = 0, False, 0
    while True:
        _ptrace(SYSCALL, child, passed_on)
        _, status = os.waitpid(child, 0)
        if not os.WIFSTOPPED(status):
            if os.waitstatus_to_exitcode(status):
                raise RuntimeError(f"the child ended by itself: {status:#x}")
            return False
        passed_on = 0 if os.WSTOPSIG(status) == AT_A_CALL else os.WSTOPSIG(status)
        if passed_on:
            continue
        inside = not inside
        calls += inside
        if inside and calls == number:
            os.kill(child, signal.SIGKILL)
            while not os.WIFSIGNALED(status):
                _, status = os.waitpid(child, 0)
            return True


class Stopped:
    """A child that stands before a system call, until it is let go on."""

    def __init__(self, pid: int) -> None:
        self.pid = pid

    def go_on(self) -> None:
        """To its end, which must be a good one."""
        _ptrace(DETACH, self.pid)
        _, status = os.waitpid(self.pid, 0)
        assert os.waitstatus_to_exitcode(status) == 0


def stopped_before_link(prepare: Callable[[], Callable[[], object]]) -> Stopped:
    """A child that stands before it gives a file a name: at its first link() or linkat().

    Args:
        prepare: called in the child; what it returns is what is stopped.
    """
    calls = {"x86_64": (86, 265), "aarch64": (37,)}[os.uname().machine]
    child = os.fork()
    if child == 0:
        _work_and_end(prepare)
    _, status = os.waitpid(child, 0)
    if not os.WIFSTOPPED(status):
        pytest.skip("no process may be traced here")
    _ptrace(SET_OPTIONS, child, TRACE_SYSGOOD | EXIT_KILL)
    while True:
        _ptrace(SYSCALL, child)
        _, status = os.waitpid(child, 0)
        if not os.WIFSTOPPED(status):
            raise RuntimeError(f"the child linked nothing: {status:#x}")
        info = ctypes.create_string_buffer(88)
        if _libc.ptrace(GET_SYSCALL_INFO, child, ctypes.sizeof(info), info) < 0:
            pytest.skip("the kernel does not say which call it is")
        kind, number = info.raw[0], int.from_bytes(info.raw[24:32], "little")
        if kind == 1 and number in calls:  # it begins
            return Stopped(child)


def _work_and_end(prepare: Callable[[], Callable[[], object]]) -> None:
    """In the child: what is to die, and an end without anything of pytest's."""
    code = 70
    try:
        work = prepare()
        try:
            _ptrace(TRACEME, 0)
        except OSError:
            os._exit(77)
        os.kill(os.getpid(), signal.SIGSTOP)
        work()
        code = 0
    except BaseException as error:
        print(f"the child: {error!r}", file=sys.stderr)
    finally:
        os._exit(code)
