"""Sinks: a put gives the index or raises, nothing holds the loop up, a cancelled put is told."""

from __future__ import annotations

import asyncio
import math
import threading
import time
from pathlib import Path
from typing import Any

import pytest

import tape
import tape.aio
from tape import _sink
from tests.wait.loops import Steps, run


async def warm(put: tape.aio.Sink) -> int:
    """Lets the thread make the cycle and map it; the last index."""
    return [await put("makes room") for _ in range(3)][-1]


class SlowClock:
    """Asked with the write lock held, it takes its time: so is a lock that is held elsewhere."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def now_ms(self) -> int:
        time.sleep(self.seconds)
        return time.time_ns() // 1_000_000


def test_a_put_gives_the_index(queue: tape.Queue, loop: Any) -> None:
    """In the order of the puts; nil and false, too."""
    messages = [*range(500), None, False, "end"]

    async def work() -> None:
        async with queue.appender().sink() as put:
            first = await put("first")
            indexes = await asyncio.gather(*[put(m) for m in messages])
            assert indexes == list(range(first + 1, first + 1 + len(messages)))
            assert put.last_index == indexes[-1]
    run(loop, work())
    assert list(queue.tailer()) == ["first", *messages]


def test_an_error_is_raised_at_the_put_that_caused_it(queue: tape.Queue, loop: Any) -> None:
    """What cannot be encoded, what is too large, a queue that was closed."""
    async def work() -> None:
        async with queue.appender().sink() as put:
            with pytest.raises(tape.EncodeError):
                await put(object())
            with pytest.raises(tape.MessageTooLarge):
                await put("x" * (20 << 20))
            assert await put("good") == queue.last_index
            queue.close()
            with pytest.raises(tape.QueueClosed):
                await put("late")
            with pytest.raises(tape.QueueClosed):
                await put("later")
    run(loop, work())


def test_leaving_flushes_and_raises_what_nobody_saw(queue: tape.Queue, loop: Any) -> None:
    """put_nowait() has no other way to tell; an error of the body goes first."""
    async def work() -> None:
        async with queue.appender().sink() as put:
            for number in range(300):
                put.put_nowait(number)
        assert list(queue.tailer()) == list(range(300))
        with pytest.raises(tape.MessageTooLarge):
            async with queue.appender().sink() as put:
                put.put_nowait("x" * (20 << 20))
                put.put_nowait("after it")
        assert len(put.errors) == 0 and put.last_index == queue.last_index
        with pytest.raises(KeyError):
            async with queue.appender().sink() as put:
                put.put_nowait("x" * (20 << 20))
                raise KeyError
        assert [type(e) for e in put.errors] == [tape.MessageTooLarge]
    run(loop, work())


def test_so_many_may_be_on_their_way(tmp_path: Path, loop: Any) -> None:
    """put_nowait() raises QueueFull, a put waits; cancelled waiters give their room on."""
    async def work() -> None:
        with tape.open(tmp_path / "slow", clock=SlowClock(0.02)) as q:
            async with q.appender().sink(maxsize=2) as put:
                put.put_nowait(0)
                put.put_nowait(1)
                with pytest.raises(asyncio.QueueFull):
                    put.put_nowait(2)
                waiting = [asyncio.ensure_future(put(n)) for n in range(2, 8)]
                await asyncio.sleep(0)
                waiting[0].cancel()
                waiting[2].cancel()
                results = await asyncio.gather(*waiting, return_exceptions=True)
            read = list(q.tailer())
            assert [r for r in read if r not in (2, 4)] == [0, 1, 3, 5, 6, 7]
            for number, result in zip(range(2, 8), results):
                if isinstance(result, int):
                    assert read[result - (q.first_index or 0)] == number
    run(loop, work())


def test_a_lock_that_is_held_elsewhere_does_not_hold_up_the_loop(tmp_path: Path,
                                                                 loop: Any) -> None:
    """Other tasks run meanwhile: the write goes on only after one of them has."""
    asked, ran, in_time = threading.Event(), threading.Event(), list[bool]()

    class Waiting:
        def now_ms(self) -> int:
            if armed:
                asked.set()
                in_time.append(ran.wait(20))
            return time.time_ns() // 1_000_000
    armed = list[int]()

    async def other() -> None:
        while not asked.is_set():
            await asyncio.sleep(0.001)
        ran.set()

    async def work() -> None:
        with tape.open(tmp_path / "slow", clock=Waiting()) as q:
            task = asyncio.ensure_future(other())
            async with q.appender().sink() as put:
                armed.append(1)
                await put("slowly")
            await task
    run(loop, work())
    assert in_time and all(in_time)


def test_an_uncontended_put_is_written_at_once(queue: tape.Queue, loop: Any,
                                               monkeypatch: pytest.MonkeyPatch) -> None:
    """No thread, no other task runs between; all the same others run every 256 messages."""
    monkeypatch.setattr(_sink, "SLOW", math.inf)  # however busy the machine is

    async def work() -> None:
        async with queue.appender().sink() as put:
            first = await warm(put)
            ticks: list[int] = []

            async def others() -> None:
                while len(ticks) < 100:
                    ticks.append(1)
                    await asyncio.sleep(0)
            task = asyncio.ensure_future(others())
            assert await put(1) == first + 1 and not ticks
            for number in range(2, 3000):
                assert await put(number) == first + number
            assert 5 <= len(ticks)
            put.put_nowait("at once, too")
            assert queue.last_index == first + 3000 == put.last_index
            await task
    run(loop, work())


def test_the_order_of_the_puts_is_that_of_the_messages(tmp_path: Path, loop: Any) -> None:
    """At once, by the thread, and where there is no room at first; in any mixture."""
    async def work() -> None:
        clock = SlowClock(0)
        with tape.open(tmp_path / "q", clock=clock) as q:
            q.appender().write("first")
            async with q.appender().sink(maxsize=7) as put:
                puts: list[Any] = []
                for number in range(1200):
                    puts.append(asyncio.ensure_future(put(number)))
                    if number % 50 == 0:
                        await asyncio.sleep(0)
                    if number == 700:
                        clock.seconds = 0.001
                indexes = await asyncio.gather(*puts)
            assert indexes == sorted(indexes)
            assert list(q.tailer()) == ["first", *range(1200)]
    run(loop, work())


def test_a_put_that_was_told_and_cancelled_at_once_is_unclaimed(queue: tape.Queue,
                                                               loop: Any) -> None:
    """The result is there, but the task that awaits it was not run yet."""
    async def work() -> None:
        async with queue.appender().sink() as put:
            told = put._told

            def tell_and_cancel(puts: Any) -> None:
                told(puts)
                task.cancel()
            put._told = tell_and_cancel  # the thread may be done as soon as the task has begun
            task = asyncio.ensure_future(put("told"))
            with pytest.raises(asyncio.CancelledError):
                await task
            assert put.unclaimed == [queue.last_index]
    run(loop, work())


def test_a_put_cancelled_while_others_run_is_unclaimed(queue: tape.Queue, loop: Any,
                                                       monkeypatch: pytest.MonkeyPatch) -> None:
    """Every 256 messages a put that was written at once lets others run, and hears cancelling."""
    monkeypatch.setattr(_sink, "SLOW", math.inf)

    async def work() -> None:
        async with queue.appender().sink() as put:
            first, given = await warm(put), []

            async def writes() -> None:
                while True:
                    given.append(await put(0))
            task = asyncio.ensure_future(writes())
            await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert given + put.unclaimed == list(range(first + 1, queue.last_index + 1))
            assert len(put.unclaimed) == 1 and len(given) > 200
    run(loop, work())


def test_a_slow_disk_sends_the_next_puts_through_the_thread(
        queue: tape.Queue, loop: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A write in the loop that took long is followed by a time in which the thread writes."""
    now = [1000.0]
    monkeypatch.setattr(_sink, "_now", lambda: now[0])

    async def work() -> None:
        async with queue.appender().sink() as put:
            await warm(put)
            quick, started = put._try_write, []

            def slow(obj: Any) -> Any:
                now[0] += 0.01
                return quick(obj)
            put._try_write = slow
            await put("held up")
            put._try_write = quick
            start = put._start
            put._start = lambda p: (started.append(p), start(p))
            for number in (1, 2):
                await put("by the thread")
                assert len(started) == number
                now[0] += 0.01 * _sink.CALM * 0.6
            await put("at once")
            assert len(started) == 2
    run(loop, work())


@pytest.mark.parametrize("how", ["alone", "contended", "no room"])
def test_cancelling_at_every_await_of_a_sink(tmp_path: Path, loop: Any, how: str) -> None:
    """The task that puts is cancelled at its k-th await, for every k: what is in the queue is what
    was told, each message once, in order."""
    async def once(k: int) -> bool:
        clock = SlowClock(0.002 if how != "alone" else 0)
        with tape.open(tmp_path / f"q{k}", clock=clock) as q:
            sink, told, task = q.appender().sink(maxsize=2 if how == "no room" else 64), [], None

            class Cancelled(Steps):
                def cancel_here(self) -> None:
                    if self.yielded == k:
                        task.cancel()

            async def body() -> None:
                async with sink as put:
                    if how == "no room":
                        for _ in range(4):
                            put.put_nowait(-1) if put._under_way < 2 else None
                    for number in range(300 if how == "alone" else 6):
                        told.append((await put(number), number))

            async def driven(steps: Steps) -> None:
                await steps
            steps = Cancelled(body())
            task = asyncio.ensure_future(driven(steps))
            try:
                await task
            except asyncio.CancelledError:
                assert steps.yielded >= k
                more = True
            else:
                more = False
            there = {e.index: e.value for e in q.tailer().entries() if e.value != -1}
            assert {**dict(told), **{i: there.get(i) for i in sink.unclaimed}} == there
            assert list(there.values()) == list(range(len(there)))
            return more

    k = 1
    while run(loop, once(k)):
        k += 1
    assert k > 1


@pytest.mark.parametrize("delay", [0, 0.001, 0.005, 0.02, 0.05])
def test_a_cancelled_put_wrote_and_its_index_is_told_or_did_not(tmp_path: Path, loop: Any,
                                                               delay: float) -> None:
    """Whatever the moment: what is in the queue is what was told."""
    async def work() -> None:
        with tape.open(tmp_path / "slow", clock=SlowClock(0.01)) as q:
            async with q.appender().sink() as put:
                tasks = [asyncio.ensure_future(put(n)) for n in range(8)]
                await asyncio.sleep(delay)
                for task in tasks:
                    task.cancel()
                told = [r for r in await asyncio.gather(*tasks, return_exceptions=True)
                        if isinstance(r, int)]
            there = [e.index for e in q.tailer().entries()]
            assert sorted(told + put.unclaimed) == there
    run(loop, work())


def test_wrong_use_is_refused(queue: tape.Queue, loop: Any) -> None:
    """No room at all, put outside, entered twice, from another loop."""
    with pytest.raises(ValueError):
        queue.appender().sink(0)

    async def work() -> None:
        sink = queue.appender().sink()
        with pytest.raises(tape.StateError):
            await sink("before")
        with pytest.raises(tape.StateError):
            sink.put_nowait("before")
        async with sink as put:
            with pytest.raises(tape.StateError):
                await sink.__aenter__()
        with pytest.raises(tape.StateError):
            await put("after")
        with pytest.raises(tape.StateError):
            put.put_nowait("after")
    run(loop, work())


def test_opening_is_an_async_context_manager(tmp_path: Path, loop: Any) -> None:
    """It is closed in the end, also by an error."""
    async def work() -> None:
        async with tape.open(tmp_path / "a") as q:
            q.appender().write(1)
        assert q.closed
        with pytest.raises(KeyError):
            async with tape.open(tmp_path / "a") as q:
                raise KeyError
        assert q.closed
    run(loop, work())


@pytest.mark.filterwarnings("ignore::tape.DurabilityReduced")
def test_puts_that_await_the_disk_share_a_sync(tmp_path: Path, loop: Any) -> None:
    """With ``durability="each"`` the loop itself writes nothing, and many puts need few syncs."""
    async def work() -> None:
        with tape.open(tmp_path / "q", durability="each") as q:
            async with q.appender().sink() as put:
                first = await put("first")
                before = q.info().syncs
                indexes = await asyncio.gather(*[put(n) for n in range(300)])
                assert indexes == list(range(first + 1, first + 301))
                assert 1 <= q.info().syncs - before <= 30
            assert list(q.tailer()) == ["first", *range(300)]
    run(loop, work())
