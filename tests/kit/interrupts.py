"""Interrupts: an exception at any step of tape's code, as a signal handler would raise it."""

from __future__ import annotations

import dis
import itertools
import linecache
import os
import random
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import tape

HOME = str(Path(tape.__file__).parent)
LEFT = "with no call until the message has left"
LEAVES = {"RETURN_VALUE", "RETURN_CONST", "YIELD_VALUE"}
_operations: dict[CodeType, dict[int, str]] = {}
_left: dict[tuple[CodeType, int], bool] = {}


class Interrupt(BaseException):
    """What the handler raises; as Ctrl-C it is no Exception."""


class SoftLimit(Exception):
    """A time limit, which is one."""


def _operation(frame: FrameType) -> str:
    code = frame.f_code
    if code not in _operations:
        _operations[code] = {i.offset: i.opname for i in dis.get_instructions(code)}
    return _operations[code].get(frame.f_lasti, "")


def _has_left(frame: FrameType) -> bool:
    """Whether a message is on its last steps to the caller, among which there is no call: Python
    runs signal handlers after calls, at the begin of functions and when jumping back."""
    place = frame.f_code, frame.f_lasti
    if place not in _left:
        _left[place] = _is_leaving(frame)
    return _left[place]


def _is_leaving(frame: FrameType) -> bool:
    name, line = frame.f_code.co_filename, frame.f_lineno or 0
    if _operation(frame) in LEAVES:
        return "next(" not in linecache.getline(name, line)  # a call of C, after which one is heard
    before = [linecache.getline(name, n) for n in range(line - 4, line + 1)]
    near = any(LEFT in text for text in before)
    if before[-1].lstrip().startswith("return "):  # a loop's iterator is dropped before
        return near
    return near and _operation(frame) not in ("RESUME", "POP_TOP", "JUMP_BACKWARD")


@contextmanager
def tracing(trace: Callable[[FrameType, str, object], Any]) -> Iterator[None]:
    """With ``trace`` as the trace function, which is :func:`trace_operations`'s as well."""
    before = sys.gettrace()
    sys._getframe().f_trace_opcodes = True  # 3.12 traces operations if somebody wants it before
    sys.settrace(trace)
    try:
        yield
    finally:
        sys.settrace(before)


def trace_operations(frame: FrameType, trace: Callable[[FrameType, str, object], Any]) -> None:
    """Each operation of the frame, and not its lines."""
    frame.f_trace = trace  # without it 3.13 traces none of the first call
    frame.f_trace_opcodes, frame.f_trace_lines = True, False


class Where:
    """How many steps there were, and where the interrupt fell; empty: it did not."""

    def __init__(self) -> None:
        self.steps, self.place = 0, ""


@contextmanager
def interrupted_at(step: int, kind: type[BaseException] = Interrupt) -> Iterator[Where]:
    """Raises before the ``step``-th operation of tape's own code; yields where that was."""
    where = Where()

    def trace(frame: FrameType, event: str, argument: object) -> Any:
        if not frame.f_code.co_filename.startswith(HOME) or "/codecs/" in frame.f_code.co_filename:
            return None
        trace_operations(frame, trace)
        if event == "opcode" and not _has_left(frame):
            where.steps += 1
            if where.steps == step:
                where.place = f"{frame.f_code.co_name}:{frame.f_lineno} {_operation(frame)}"
                raise kind
        return trace

    with tracing(trace):
        yield where


@contextmanager
def told_by_python(kind: type[BaseException]) -> Iterator[list[str]]:
    """What of ``kind`` is raised where there is no caller; other things are told as ever."""
    told, before = list[str](), sys.unraisablehook

    def hook(what: sys.UnraisableHookArgs) -> None:
        if isinstance(what.exc_value, kind):
            told.append(str(what.object))  # a name: the error would keep its frames
        else:
            before(what)

    sys.unraisablehook = hook
    try:
        yield told
    finally:
        sys.unraisablehook = before


#: Environment: an interrupt falls at each so-many-th step; at all with TAPE_TEST_SCALE=1. Otherwise
#: at about FEW of a call, which are others in each test and always the same.
EVERY = "TAPE_INTERRUPTS_EVERY"
FEW = 24


def chosen_steps(steps: int, few: int) -> Iterator[int]:
    """Those of a call at which it is to be interrupted."""
    if os.environ.get("TAPE_TEST_SCALE") == "1":
        return itertools.count(1)  # until a call is through
    among = int(os.environ.get(EVERY) or max(1, steps // few))
    chance = random.Random(os.environ.get("PYTEST_CURRENT_TEST", "").removesuffix(" (call)"))
    return (first + chance.randrange(among) for first in range(1, steps + 1, among))


def at_every_step(call: Callable[[], Any], after: Callable[[bool, Any, str], None], *,
                  kind: type[BaseException] = Interrupt, most: int = 20_000,
                  few: int = FEW) -> int:
    """Calls ``call`` again and again, interrupted one step later each time, until it is through;
    ``after(interrupted, result, where)`` judges each time. Returns how many steps there were.

    An ordinary run takes some of the steps, about ``few`` (see :data:`EVERY`).

    ``interrupted`` as well when Python told of the interrupt and went on, with a result then: what
    is raised where a loop that nobody refers to any more is closed reaches no caller.
    """
    def attempt(step: int) -> Where:
        result, hit = None, False
        with interrupted_at(step, kind) as where, told_by_python(kind) as told:
            try:
                result = call()
            except kind:
                hit = True
        after(bool(where.place) and (hit or bool(told)), result, where.place)
        return where

    steps = attempt(0).steps
    for step in chosen_steps(steps, few):
        assert step < most, "it never comes to an end"
        if not attempt(step).place and step > steps:
            break
    return steps
