"""Several writing processes on one queue: ``python -m bench.writers tape|lmdb PATH`` is one.

It obeys lines "write COUNT" as bench/floor.c does.
"""

from __future__ import annotations

import itertools
import os
import statistics
import sys
import time
from pathlib import Path
from typing import Any

from .rounds import Worker

MESSAGE = b"m" * 64


def _writing(kind: str, path: str) -> Any:
    if kind == "tape":
        import tape
        return tape.open(path, codec=tape.codecs.raw).appender().write
    import lmdb
    env = lmdb.open(path, map_size=32 << 30, writemap=True, map_async=True, sync=False,
                    metasync=False)
    numbers = itertools.count(os.getpid() << 40)

    def put(message: bytes) -> None:
        with env.begin(write=True) as transaction:
            transaction.put(next(numbers).to_bytes(8, "big"), message)
    return put


def _serve(kind: str, path: str) -> None:
    write = _writing(kind, path)
    for line in sys.stdin:
        begin = time.perf_counter_ns()
        for _ in itertools.repeat(None, int(line.split()[1])):
            write(MESSAGE)
        print(time.perf_counter_ns() - begin, flush=True)


def measure(kinds: dict[str, tuple[list[str], str, int]], directory: Path, rounds: int,
            numbers: tuple[int, ...] = (1, 2, 4)) -> dict[str, dict[int, float]]:
    """Messages a second of all writers together, by kind and by how many processes write.

    ``kinds``: a command that takes the queue's path as its last argument, the word to send, and how
    many messages each process writes in a round.
    """
    found: dict[str, dict[int, float]] = {kind: {} for kind in kinds}
    for kind, (command, word, count) in kinds.items():
        for number in numbers:
            path = directory / f"writers-{kind}-{number}"
            workers = [Worker([*command, str(path)]) for _ in range(number)]
            for worker in workers:  # opened, compiled, warm
                worker.ask(f"{word} {count}")
            rates = []
            for _ in range(rounds):
                begin = time.perf_counter()
                for worker in workers:
                    worker.send(f"{word} {count}")
                for worker in workers:
                    worker.answer()
                rates.append(number * count / (time.perf_counter() - begin))
            for worker in workers:
                worker.close()
            found[kind][number] = statistics.median(rates)
    return found


if __name__ == "__main__":
    _serve(sys.argv[1], sys.argv[2])
