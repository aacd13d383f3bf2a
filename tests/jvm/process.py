"""A JVM as a process: its options, its streams, its log."""

from __future__ import annotations

import contextlib
import os
import re
import select
import signal
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from .building import build, chosen, release_of

JVM_OPTIONS = (
    "-Dchronicle.analytics.disable=true",
    "-Dchronicle.announcer.disable=true",
    # Names of weekly cycles depend on the locale: the tests expect those of a default JVM.
    "-Duser.language=en", "-Duser.country=US", "-Dfile.encoding=UTF-8",
    "-Dorg.slf4j.simpleLogger.levelInBrackets=true",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS",
    # Several JVMs share few cores in these tests; parallel collectors only get in the way.
    "-XX:+UseSerialGC", "-Xmx1g",
    # What Chronicle asks for on Java 17, and releases of 5.24 besides.
    "--add-exports=java.base/jdk.internal.util=ALL-UNNAMED",
    "--add-exports=java.base/jdk.internal.ref=ALL-UNNAMED",
    "--add-exports=java.base/sun.nio.ch=ALL-UNNAMED",
    "--add-exports=jdk.unsupported/sun.misc=ALL-UNNAMED",
    "--add-exports=jdk.compiler/com.sun.tools.javac.file=ALL-UNNAMED",
    "--add-opens=jdk.compiler/com.sun.tools.javac=ALL-UNNAMED",
    "--add-opens=java.base/java.lang=ALL-UNNAMED",
    "--add-opens=java.base/java.lang.reflect=ALL-UNNAMED",
    "--add-opens=java.base/java.io=ALL-UNNAMED",
    "--add-opens=java.base/java.util=ALL-UNNAMED",
)

#: Log lines at WARN or ERROR that say nothing about a queue.
HARMLESS: tuple[tuple[str, str], ...] = (
)


class JvmError(Exception):
    """Java threw; the message is Java's, with those of its causes."""

    def __init__(self, class_name: str, message: str) -> None:
        super().__init__(f"{class_name}: {message}")
        self.class_name = class_name
        self.message = message

    @property
    def name(self) -> str:
        """The class without its package."""
        return re.split(r"[.$]", self.class_name)[-1]


class JvmDied(Exception):
    """The JVM ended, or did not answer in time and was killed."""


class JvmProcess:
    """A JVM with its standard streams; what it logs goes to a file."""

    def __init__(self, arguments: Sequence[str], *, version: str | None = None,
                 jvm_options: Sequence[str] = ()) -> None:
        #: The release of chronicle-queue, as a tuple that compares: (5, 26), (2026, 4).
        self.release = release_of(version := version or chosen())
        class_path = build(version)
        self._scratch = tempfile.TemporaryDirectory(prefix="jvm-peer-")
        self._log_path = Path(self._scratch.name) / "log"
        self._last_log: str | None = None
        with open(self._log_path, "wb") as log:
            self._process = subprocess.Popen(
                ["java", *JVM_OPTIONS, *jvm_options, "-cp", class_path, "tape.peer.Main",
                 *arguments],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log,
                # Chronicle may leave files where it is started.
                cwd=self._scratch.name, bufsize=0)
        assert self._process.stdin is not None and self._process.stdout is not None
        self._stdin: IO[bytes] = self._process.stdin
        self._stdout: IO[bytes] = self._process.stdout

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def log(self) -> str:
        """All that the JVM logged."""
        if self._last_log is not None:
            return self._last_log
        return self._log_path.read_text(errors="replace")

    def warnings(self) -> list[str]:
        """The lines that the JVM logged as warnings or errors, but for harmless ones."""
        marks = re.compile(r"\[(WARN|ERROR)\]|^Exception in thread|^# A fatal error"
                           r"|VM warning:|^WARNING:")
        return [line for line in self.log().splitlines()
                if marks.search(line) and not any(text in line for text, _ in HARMLESS)]

    def kill(self) -> None:
        """SIGKILL, and wait until the process is gone."""
        self._process.kill()
        self._process.wait()

    def pause(self) -> None:
        """SIGSTOP, and wait until all of its threads stand still."""
        self._process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, self.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)

    def resume(self) -> None:
        """SIGCONT."""
        self._process.send_signal(signal.SIGCONT)

    def _send(self, line: str) -> None:
        data = memoryview(line.encode() + b"\n")
        try:
            while data:
                data = data[self._stdin.write(data):]
        except BrokenPipeError:
            raise self._died("ended") from None

    def _died(self, how: str) -> JvmDied:
        status = self._process.poll()
        tail = "\n".join(self.log().splitlines()[-30:])
        return JvmDied(f"the JVM {how} (status {status}); its log ends:\n{tail}")

    def _dispose(self, timeout: float) -> None:
        with contextlib.suppress(BrokenPipeError):
            self._stdin.close()
        try:
            self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
        self._stdout.close()
        self._last_log = self.log()
        self._scratch.cleanup()


class Lines:
    """Lines of a pipe, each with a deadline; fit for lines of many megabytes."""

    def __init__(self, pipe: IO[bytes]) -> None:
        self._fd = pipe.fileno()
        self._parts: list[bytes] = []      # of the line that is not complete yet
        self._lines: list[str] = []        # complete ones, newest first

    def next(self, deadline: float) -> str | None:
        """The next line, ``None`` at the end of the pipe; TimeoutError after the deadline."""
        while not self._lines:
            left = deadline - time.monotonic()
            if not select.select([self._fd], [], [], max(left, 0))[0]:
                raise TimeoutError
            data = os.read(self._fd, 1 << 20)
            if not data:
                return None
            *complete, rest = data.split(b"\n")
            if complete:
                complete[0] = b"".join([*self._parts, complete[0]])
                self._parts = []
                self._lines = [line.decode() for line in reversed(complete)]
            if rest:
                self._parts.append(rest)
        return self._lines.pop()
