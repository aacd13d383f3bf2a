"""A JVM that is told what to do, command by command."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from types import TracebackType

from .messages import RollCycleRow
from .process import JvmError, JvmProcess, Lines
from .queue import JvmQueue
from .words import bytes_of, camel, word_of


class Pending:
    """A command that was sent without waiting for its reply."""

    def __init__(self, peer: Peer) -> None:
        self._peer = peer
        self._reply: list[str] | None = None

    def wait(self, timeout: float = 60) -> list[str]:
        """The reply, as :meth:`Peer.call` gives it; TimeoutError leaves it pending."""
        if self._reply is None:
            self._reply = self._peer._receive(time.monotonic() + timeout)
        return self._reply

    def done(self) -> bool:
        """Whether the reply is there; raises what the command raised."""
        try:
            self.wait(0)
        except TimeoutError:
            return False
        return True


class Peer(JvmProcess):
    """A JVM that does what it is told. Everything it does, it does on one thread."""

    def __init__(self, *, version: str | None = None, jvm_options: Sequence[str] = (),
                 timeout: float = 60) -> None:
        super().__init__((), version=version, jvm_options=jvm_options)
        self._timeout = timeout
        self._lines = Lines(self._stdout)
        self._pending: Pending | None = None
        self._names = 0
        try:
            line = self._line(time.monotonic() + timeout)
            if line != "ready":
                raise self._died(f"said {line!r} instead of ready")
        except BaseException:
            self.kill()
            self.close()
            raise

    def __enter__(self) -> Peer:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close what is open in the JVM and end it."""
        self._dispose(timeout=30)

    # -- the protocol

    def call(self, *words: object, timeout: float | None = None) -> list[str]:
        """Run one command. The reply is its words, or its lines when it has several.

        Bytes become hex, booleans Java's; a text with spaces must be the last word.

        Raises:
            JvmError: Java threw.
            JvmDied: no answer in time; the JVM is killed, since its state is unknown.
        """
        self.send(*words)
        limit = self._timeout if timeout is None else timeout
        try:
            return self._receive(time.monotonic() + limit)
        except TimeoutError:
            error = self._died(f"did not answer {str(words[0])!r} within {limit} s")
            self.kill()
            raise error from None

    def send(self, *words: object) -> Pending:
        """Send a command that may block; nothing else can be sent until it is answered."""
        if self._pending is not None:
            raise RuntimeError("an earlier command is still pending")
        self._send(" ".join(map(word_of, words)))
        self._pending = Pending(self)
        return self._pending

    def _receive(self, deadline: float) -> list[str]:
        line = self._line(deadline)
        kind, _, rest = line.partition(" ")
        self._pending = None
        if kind == "ok":
            return rest.split(" ") if rest else []
        if kind == "lines":
            # The JVM made all lines before it sent the first.
            limit = max(deadline, time.monotonic() + self._timeout)
            return [self._line(limit) for _ in range(int(rest))]
        if kind == "err":
            raise JvmError(*rest.partition(" ")[::2])
        raise self._died(f"said {line[:200]!r}")

    def _line(self, deadline: float) -> str:
        line = self._lines.next(deadline)
        if line is None:
            self._process.wait()
            raise self._died("ended")
        return line

    def _name(self, letter: str) -> str:
        self._names += 1
        return f"{letter}{self._names}"

    # -- what needs no queue

    def java_pid(self) -> int:
        """The process id as the JVM sees it: what it writes into lock words."""
        return int(self.call("pid")[0])

    def chronicle_version(self) -> str:
        """The release of chronicle-queue, by the name of its library."""
        name = os.path.basename(self.call("jar")[0])
        return name.removeprefix("chronicle-queue-").removesuffix(".jar")

    def commands(self) -> list[str]:
        return self.call("help")

    def open(self, path: str | os.PathLike[str], *, clock: int | bool | None = None,
             **settings: object) -> JvmQueue:
        """Open or create a queue.

        Args:
            path: its directory.
            clock: milliseconds at which a clock of the tests' own stands, or True for now;
                :meth:`JvmQueue.set_clock` moves it.
            settings: ``roll_cycle`` (a Java constant of any of the five enums), ``epoch``,
                ``roll_time``, ``block_size``, ``read_only``, ``source_id``, ``timeout_ms``,
                ``index_count``, ``index_spacing``, ``double_buffer``, ``listing_refresh_ms``,
                ``wire_type``.
        """
        words = [f"{camel(key)}={word_of(value)}" for key, value in settings.items()]
        if clock is not None and clock is not False:
            words.append(f"clock={'set' if clock is True else clock}")
        name = self._name("q")
        self.call("open", name, os.fsencode(os.path.abspath(path)), *words)
        return JvmQueue(self, name)

    def roll_cycles(self) -> list[RollCycleRow]:
        """All roll cycles, in the order in which Java searches them."""
        rows = (line.split(" ") for line in self.call("rollcycles"))
        return [RollCycleRow(r[0], r[1], *map(int, r[2:])) for r in rows]

    def fressian(self, edn: str) -> bytes:
        """What data.fressian makes of a value written as EDN; ``#bytes "00ff"`` for bytes."""
        return bytes_of(self.call("fressian", edn)[0])

    def eval_fressian(self, clojure: str) -> bytes:
        """What data.fressian makes of the value of a Clojure expression."""
        return bytes_of(self.call("evalfressian", clojure)[0])

    def edn(self, data: bytes) -> str:
        """What data.fressian reads from these bytes, printed."""
        return " ".join(self.call("edn", data))

    def dump(self, path: str | os.PathLike[str]) -> str:
        """A file or directory as Chronicle's DumpMain prints it."""
        return "\n".join(self.call("dump", os.fsencode(os.path.abspath(path))))

    def gc(self) -> None:
        """Collect garbage and release what Chronicle releases in the background."""
        self.call("gc")
