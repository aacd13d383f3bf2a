"""Scenarios and rounds: all scenarios of a run take turns, so that a slow moment meets them all."""

from __future__ import annotations

import statistics
import subprocess
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import IO


@dataclass
class Scenario:
    """One thing that is timed.

    ``run(count)`` does it ``count`` times and returns nanoseconds and how often it did it; a worker
    does it several times on end by ``run_on(count, times)``.
    """

    name: str
    run: Callable[[int], tuple[float, int]]
    count: int = 2000
    ns: list[float] = field(default_factory=list)
    run_on: Callable[[int, int], list[float]] | None = None

    def one_round(self, times: int = 1) -> None:
        if self.run_on is not None:
            self.ns += [ns / self.count for ns in self.run_on(self.count, times)]
            return
        for _ in range(times):
            took, done = self.run(self.count)
            if done:  # a store that is read to its end has nothing a second time
                self.ns.append(took / done)


def interleave(scenarios: Sequence[Scenario], rounds: int, *, warm: int = 1, times: int = 1,
               tell: Callable[[str], None] = lambda text: None) -> dict[str, float]:
    """The median cost of each scenario, in nanoseconds, over rounds in which all take turns, each
    so many ``times``: the first after the others finds its code and data in no cache."""
    for number in range(-warm, rounds):
        for scenario in scenarios:
            scenario.one_round(times)
            if number < 0:
                scenario.ns.clear()
        if number >= 0 and (number + 1) % 10 == 0:
            tell(f"{number + 1} of {rounds} rounds")
    return {s.name: statistics.median(s.ns) for s in scenarios}


class Worker:
    """A process that answers lines "SCENARIO COUNT" by nanoseconds."""

    def __init__(self, command: Iterable[str]) -> None:
        self._process = subprocess.Popen(list(command), stdin=subprocess.PIPE,
                                         stdout=subprocess.PIPE, text=True, bufsize=1)

    def _streams(self) -> tuple[IO[str], IO[str]]:
        assert self._process.stdin is not None and self._process.stdout is not None
        return self._process.stdin, self._process.stdout

    def send(self, line: str) -> None:
        self._streams()[0].write(line + "\n")

    def answers(self) -> list[float]:
        line = self._streams()[1].readline()
        if not line:
            raise RuntimeError(f"{self._process.args!r} ended with {self._process.wait()}")
        return [float(word) for word in line.split()]

    def answer(self) -> float:
        return self.answers()[0]

    def ask(self, line: str) -> float:
        self.send(line)
        return self.answer()

    def ask_on(self, line: str) -> list[float]:
        self.send(line)
        return self.answers()

    def scenario(self, name: str, word: str, count: int = 2000) -> Scenario:
        """The worker's scenario ``word`` under the name ``name``."""
        return Scenario(name, lambda n: (self.ask(f"{word} {n}"), n), count,
                        run_on=lambda n, times: self.ask_on(f"{word} {n} {times}"))

    def close(self) -> None:
        self._streams()[0].close()
        self._process.wait(timeout=60)
