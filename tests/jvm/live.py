"""JVMs that write or read by themselves: for live and kill runs."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .heard import Heard, counts_word
from .process import JvmError, JvmProcess
from .words import pair_of


class LiveProcess(JvmProcess):
    """A JVM that writes or reads by itself. Ended at the end of a ``with``."""

    def __init__(self, arguments: Sequence[str], *, version: str | None = None,
                 jvm_options: Sequence[str] = ()) -> None:
        super().__init__(arguments, version=version, jvm_options=jvm_options)
        self._heard = Heard(self._stdout, lambda: self._died("ended"))

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """End it, by force if it still runs."""
        if self.alive:
            self.kill()
        self._heard.join()
        self._dispose(timeout=30)

    def kill(self) -> None:
        """SIGKILL; afterwards everything that it said is there."""
        super().kill()
        self._heard.join()

    def said(self) -> list[str]:
        """All lines so far, but for acknowledgements."""
        return self._heard.said()

    def wait_ready(self, timeout: float = 60) -> None:
        """Wait until its queue is open."""
        self._wait_for("ready", timeout=timeout)

    def stop(self) -> None:
        """Ask it to end; :meth:`result` waits for it."""
        self._send("stop")

    def _wait_for(self, *first_words: str, timeout: float) -> list[str]:
        """The words of the first line that begins with one of these."""
        words = self._heard.wait_words(*first_words, "failed", timeout=timeout)
        if words[0] == "failed":
            raise JvmError(words[1], " ".join(words[2:]))
        return words


@dataclass(frozen=True)
class WriterResult:
    """What a live writer did: messages, first and last index, cycles, slowest append."""

    count: int
    first: int
    last: int
    cycles: int
    slowest_us: int


class LiveWriter(LiveProcess):
    """A JVM that writes messages ``[id, n, padding]`` for a time or up to a count.

    >>> with LiveWriter("orders", id=1, seconds=3, wait=True) as writer:   # doctest: +SKIP
    ...     writer.wait_ready()
    ...     writer.go()
    ...     writer.result()
    """

    def __init__(self, path: str | os.PathLike[str], *, id: int, count: int | None = None,
                 seconds: float | None = None, start: int = 0, roll_cycle: str | None = None,
                 rate: float = 0, size: tuple[int, int] = (20, 200), ack: bool = False,
                 wait: bool = False, slow_ms: float | None = None,
                 block_size: int | None = None,
                 timeout_ms: int | None = None, version: str | None = None,
                 jvm_options: Sequence[str] = ()) -> None:
        """
        Args:
            path: directory of the queue.
            id: first item of its messages.
            count: number of messages to write; or ``seconds``, or both.
            start: the first n.
            rate: messages a second; 0 is as fast as it can.
            size: shortest and longest padding, see :func:`live_padding_length`.
            ack: report each message once the append returned, see :meth:`acks`.
            wait: begin at :meth:`go`.
            slow_ms: tell of appends that take longer, see :meth:`slow`.
        """
        self.id = id
        options: dict[str, object] = {
            "id": id, "from": start, "count": count, "seconds": seconds, "roll": roll_cycle,
            "rate": rate, "size": f"{size[0]}..{size[1]}", "block-size": block_size,
            "timeout-ms": timeout_ms, "slow-ms": slow_ms}
        flags = [f"--{name}" for name, on in (("ack", ack), ("wait", wait)) if on]
        super().__init__(["write", os.path.abspath(path), *_options(options), *flags],
                         version=version, jvm_options=jvm_options)

    def go(self) -> None:
        """Let a writer begin that was made with ``wait=True``."""
        self._send("go")

    def acks(self) -> list[tuple[int, int]]:
        """n and index of each message that it acknowledged so far, in order; see
        :meth:`Heard.acks`."""
        return [(n, index) for n, index in self._heard.acks()]

    def wait_acks(self, count: int, timeout: float = 60) -> None:
        """Wait until that many messages are acknowledged."""
        self._heard.wait_acks(count, timeout)

    def slow(self) -> list[tuple[int, int]]:
        """Begin and end of each append that took longer than asked, in monotonic ns."""
        lines = (line.split(" ") for line in self.said())
        return [(int(words[1]), int(words[2])) for words in lines if words[0] == "slow"]

    def result(self, timeout: float = 120) -> WriterResult:
        """Wait for its end."""
        words = self._wait_for("done", timeout=timeout)
        named = dict(pair_of(word) for word in words[4:])
        self._process.wait(30)
        return WriterResult(int(words[1]), int(words[2]), int(words[3]),
                            int(named["cycles"]), int(named["slowest_us"]))


@dataclass(frozen=True)
class TailerResult:
    """What a live tailer saw; ``complete`` is false when counts were not reached."""

    count: int
    bad: int
    cycles: int
    complete: bool


class LiveTailer(LiveProcess):
    """A JVM that reads from the start and records all that it sees, in a file."""

    def __init__(self, path: str | os.PathLike[str], out: str | os.PathLike[str], *,
                 until: Mapping[int, int] | None = None, idle_seconds: float | None = None,
                 named: str | None = None, read_only: bool = False,
                 roll_cycle: str | None = None, give_up_seconds: float = 60,
                 block_size: int | None = None,
                 version: str | None = None, jvm_options: Sequence[str] = ()) -> None:
        """
        Args:
            path: directory of the queue.
            out: file for the records, see :func:`read_records`.
            until: how many messages of each id to wait for; also :meth:`until`, later.
            idle_seconds: end after so much silence.
            named: id of a named tailer.
            give_up_seconds: silence after which it ends although counts were not reached.
        """
        options: dict[str, object] = {
            "out": os.path.abspath(out),
            "until-counts": None if until is None else counts_word(until),
            "idle-seconds": idle_seconds, "named": named, "roll": roll_cycle,
            "read-only": "true" if read_only else None, "give-up-seconds": give_up_seconds,
            "block-size": block_size}
        super().__init__(["tail", os.path.abspath(path), *_options(options)],
                         version=version, jvm_options=jvm_options)

    def until(self, counts: Mapping[int, int]) -> None:
        """Let it end once it has seen so many messages of each id."""
        self._send(f"until {counts_word(counts)}")

    def result(self, timeout: float = 120) -> TailerResult:
        """Wait for its end: the counts, the silence, or one second of it after ``stop``."""
        words = self._wait_for("done", "incomplete", timeout=timeout)
        named = dict(pair_of(word) for word in words[2:])
        self._process.wait(30)
        return TailerResult(int(words[1]), int(named["bad"]), int(named["cycles"]),
                            words[0] == "done")


def _options(options: Mapping[str, object]) -> list[str]:
    return [word for name, value in options.items() if value is not None
            for word in (f"--{name}", str(value))]
