"""The command line under test: real processes, with pipes or in a terminal of their own."""

from __future__ import annotations

import contextlib
import fcntl
import io
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Sequence
from pathlib import Path

import tape
from tape.cli.app import main

from tests.kit.clocks import SetClock
from tests.kit.sources import ROOT

ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"}
for _name in ("NO_COLOR", "COLUMNS", "LINES", "FORCE_COLOR"):
    ENVIRONMENT.pop(_name, None)
TAPE = [sys.executable, "-m", "tape"]
T0 = 1_577_880_000_000  # 2020-01-01T12:00Z
DAY_MS = 86_400_000


def run(*arguments: str | os.PathLike[str], stdin: bytes = b"",
        **environment: str) -> subprocess.CompletedProcess[bytes]:
    """Runs a command to its end, its output through pipes."""
    return subprocess.run([*TAPE, *arguments], input=stdin, capture_output=True, timeout=60,
                          check=False, env={**ENVIRONMENT, **environment})


def outcome(*arguments: str | os.PathLike[str], stdin: bytes = b"") -> tuple[int, str, str]:
    """Exit code, output and messages of a command; none may ever end in a traceback."""
    ran = run(*arguments, stdin=stdin)
    errors = ran.stderr.decode(errors="backslashreplace")
    assert "Traceback" not in errors, errors
    return ran.returncode, ran.stdout.decode(errors="backslashreplace"), errors


def inside(*arguments: str | os.PathLike[str]) -> tuple[int, str, str]:
    """As :func:`outcome`, in this process: for many calls. What is raised is raised."""
    out, errors = (io.TextIOWrapper(io.BytesIO(), "utf-8", "surrogateescape") for _ in range(2))
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(errors):
        try:
            code = main([os.fspath(argument) for argument in arguments])
        except SystemExit as error:
            code = int(error.code or 0)
    for stream in (out, errors):
        stream.flush()
    shown = [stream.buffer for stream in (out, errors)]
    texts = [each.getvalue().decode(errors="backslashreplace")  # type: ignore[attr-defined]
             for each in shown]
    return code, texts[0], texts[1]


class Terminal:
    """A command in a pseudo terminal of some width."""

    def __init__(self, *arguments: str | os.PathLike[str], columns: int = 80,
                 program: Sequence[str] = TAPE, **environment: str) -> None:
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        self.process = subprocess.Popen(
            [*program, *map(os.fspath, arguments)], stdin=slave, stdout=slave, stderr=slave,
            env={**ENVIRONMENT, "TERM": "xterm-256color", **environment},
            preexec_fn=_own_terminal)  # so that Ctrl-C reaches it
        os.close(slave)
        self.seen = ""

    def expect(self, text: str, timeout: float = 20) -> str:
        """Waits until the screen has shown some text, and gives all that it has."""
        end = time.monotonic() + timeout
        while text not in self.seen:
            left = end - time.monotonic()
            assert left > 0 and self._more(left), f"{text!r} not in {self.seen!r}"
        return self.seen

    def _more(self, timeout: float) -> bool:
        if not select.select([self.master], [], [], timeout)[0]:
            return False
        try:
            data = os.read(self.master, 65536)
        except OSError:  # the other end is closed
            return False
        self.seen += data.decode(errors="backslashreplace").replace("\r\n", "\n")
        return bool(data)

    def press(self, keys: bytes) -> None:
        """Types."""
        os.write(self.master, keys)

    def end(self, timeout: float = 20) -> tuple[int, str]:
        """Waits for its end: exit code, and all that was shown."""
        stop = time.monotonic() + timeout
        while self._more(max(0.1, stop - time.monotonic())):
            pass
        code = self.process.wait(timeout)
        os.close(self.master)
        assert "Traceback" not in self.seen, self.seen
        return code, self.seen

    def text(self) -> str:
        """What was shown, without colours and movements."""
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", self.seen)


def _own_terminal() -> None:
    os.setsid()
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    signal.signal(signal.SIGINT, signal.default_int_handler)


def filled(path: Path, count: int = 20, cycles: int = 2) -> list[int]:
    """Makes a queue with ``{"n": i}`` in a cycle a day; the indexes."""
    clock = SetClock(T0)
    indexes = []
    with tape.open(path, clock=clock) as q:
        a = q.appender()
        for n in range(count):
            clock.ms = T0 + DAY_MS * (n * cycles // count)
            indexes.append(a.write({"n": n}))
    return indexes
