"""merge(): messages of several tailers as one, each with its source."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import tape
from tests.wait.loops import LOOPS, run

NEVER = 3600.0


@pytest.fixture
def queues(tmp_path: Path) -> Iterator[list[tape.Queue]]:
    made = [tape.open(tmp_path / str(n)) for n in range(3)]
    yield made
    for q in made:
        q.close()


def tailers_of(queues: list[tape.Queue]) -> list[tape.Tailer]:
    return [q.tailer(poll_interval=NEVER) for q in queues]


def write_in_turn(queues: list[tape.Queue], pause: float) -> None:
    appenders = [q.appender() for q in queues]
    for number in range(12):
        appenders[number * 7 % 3].write(number)
        time.sleep(pause)


def test_they_come_in_the_order_in_which_they_arrive(queues: list[tape.Queue]) -> None:
    """With a pause between, so that the order is one."""
    tailers, got = tailers_of(queues), []
    thread = threading.Thread(target=write_in_turn, args=(queues, 0.02))
    thread.start()
    for source, message in tape.merge(*tailers, timeout=20):
        got.append(message)
        assert source is tailers[message * 7 % 3]
        if message == 11:
            break
    thread.join()
    assert got == list(range(12))


@pytest.mark.parametrize("kind", sorted(LOOPS))
def test_for_async_loops_too(queues: list[tape.Queue], kind: str) -> None:
    """The same, awaited."""
    async def work() -> list[Any]:
        tailers, got = tailers_of(queues), []
        thread = threading.Thread(target=write_in_turn, args=(queues, 0.02))
        thread.start()
        async for source, message in tape.merge(*tailers):
            got.append(message)
            assert source is tailers[message * 7 % 3]
            if message == 11:
                break
        thread.join()
        return got
    assert run(LOOPS[kind], work()) == list(range(12))


def test_what_is_there_comes_in_turn_and_nothing_is_taken_ahead(queues: list[tape.Queue]) -> None:
    """Left in the middle, each tailer stands before its first message that was not given."""
    for number, q in enumerate(queues):
        appender = q.appender()
        for k in range(20):
            appender.write((number, k))
    tailers = tailers_of(queues)
    got: list[Any] = []
    for _source, message in tape.merge(*tailers, timeout=0):
        got.append(list(message))
        if len(got) == 10:
            break
    assert got == [[n % 3, n // 3] for n in range(10)]
    assert [list(t.read()) for t in tailers] == [[0, 4], [1, 3], [2, 3]]
    assert len(list(tape.merge(*tailers, timeout=0))) == 60 - 13


def test_it_ends_with_the_last_tailer_and_with_the_time(queues: list[tape.Queue]) -> None:
    """A closed one is left out."""
    tailers = tailers_of(queues)
    begun = time.monotonic()
    assert list(tape.merge(*tailers, timeout=0.05)) == []
    assert time.monotonic() - begun < 10
    threading.Timer(0.05, lambda: [q.close() for q in queues]).start()
    assert list(tape.merge(*tailers)) == []
    assert list(tape.merge()) == []


def test_an_error_is_raised_and_the_others_lose_nothing(queues: list[tape.Queue]) -> None:
    """A message that cannot be decoded stays next on its tailer."""
    queues[0].appender().write("a")
    bad = queues[1].appender(codec=tape.codecs.raw).write(b"\xff\xff no fressian")
    queues[2].appender().write("c")
    tailers = tailers_of(queues)
    got = []
    with pytest.raises(tape.DecodeError) as caught:
        for _source, message in tape.merge(*tailers, timeout=0):
            got.append(message)
    assert got == ["a"] and caught.value.index == bad
    tailers[1].skip()
    assert [m for _s, m in tape.merge(*tailers, timeout=0)] == ["c"]


def test_a_tailer_twice_is_refused(queues: list[tape.Queue]) -> None:
    """ValueError."""
    tailer = queues[0].tailer()
    with pytest.raises(ValueError):
        tape.merge(tailer, tailer)
    asyncio.run(asyncio.sleep(0))
