"""What processes that work by themselves have said: JVMs and tape's own live workers."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import IO, TypeVar

from .process import Lines

T = TypeVar("T")


class Heard:
    """The lines of a process: acknowledgements ``ack N...``, and all others."""

    def __init__(self, pipe: IO[bytes], died: Callable[[], Exception]) -> None:
        """``died`` makes the error of a process that ended before it said what was awaited."""
        self._died = died
        self._said: list[str] = []
        self._acks: list[tuple[int, ...]] = []
        self._news = threading.Condition()
        self._ended = False
        # A thread, so that the process never waits for a full pipe.
        self._reader = threading.Thread(target=self._listen, args=(Lines(pipe),), daemon=True)
        self._reader.start()

    def _listen(self, lines: Lines) -> None:
        while (line := lines.next(time.monotonic() + 86400)) is not None:
            with self._news:
                if line.startswith("ack "):
                    self._acks.append(tuple(map(int, line.split(" ")[1:])))
                else:
                    self._said.append(line)
                self._news.notify_all()
        with self._news:
            self._ended = True
            self._news.notify_all()

    def join(self) -> None:
        """Wait until all is heard that a dead process said."""
        self._reader.join()

    def said(self) -> list[str]:
        """All lines so far, but for acknowledgements."""
        with self._news:
            return list(self._said)

    def acks(self) -> list[tuple[int, ...]]:
        """The numbers of each acknowledgement so far, in order.

        After a kill these are all: a line that was cut has no newline and is not seen.
        """
        with self._news:
            return list(self._acks)

    def wait_acks(self, count: int, timeout: float) -> None:
        """Wait until that many messages are acknowledged."""
        self._wait(f"{count} messages", lambda: len(self._acks) >= count or None, timeout)

    def wait_words(self, *first_words: str, timeout: float) -> list[str]:
        """The words of the first line that begins with one of these."""
        def find() -> list[str] | None:
            found = (line.split(" ") for line in self._said)
            return next((words for words in found if words[0] in first_words), None)

        return self._wait(" or ".join(first_words), find, timeout)

    def wait_lines(self, first_word: str, count: int, timeout: float) -> None:
        """Wait until that many lines began with this word."""
        def find() -> bool | None:
            lines = sum(line.split(" ")[0] == first_word for line in self._said)
            return lines >= count or None

        self._wait(f"{first_word}, the {count}th time", find, timeout)

    def _wait(self, what: str, find: Callable[[], T | None], timeout: float) -> T:
        deadline = time.monotonic() + timeout
        with self._news:
            while (found := find()) is None:
                if self._ended:
                    raise self._died()
                if not self._news.wait(max(deadline - time.monotonic(), 0)):
                    raise TimeoutError(f"no {what} within {timeout} s")
            return found


def counts_word(counts: Mapping[int, int]) -> str:
    """How many messages of each id a tailer is to wait for, as ``until`` says it."""
    return ",".join(f"{id}:{count}" for id, count in counts.items())
