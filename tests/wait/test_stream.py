"""Streams: exactly the first undelivered message comes next, whatever ends them."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Callable
from typing import Any

import pytest

import tape
from tape._loop import _WAITERS
from tests.wait.loops import Steps, run

NEVER = 3600.0
N = 700  # more than are read ahead at a time, and than are given before others run


def filled(queue: tape.Queue, n: int = N) -> list[int]:
    appender = queue.appender()
    return [appender.write(i) for i in range(n)]


class Stop(Exception):
    """What a consumer raises."""


async def consume(tailer: tape.Tailer, n: int, how: str) -> list[Any]:
    """Reads ``n`` messages of a stream and ends it in that way."""
    got: list[Any] = []

    async def body() -> None:
        async with tailer.stream() as stream:
            async for message in stream:
                got.append(message)
                if len(got) < n:
                    continue
                if how == "break":
                    break
                if how == "raise":
                    raise Stop
                if how == "cancel":
                    await asyncio.sleep(3600)
                if how == "close":
                    await stream.aclose()
                    return
    task = asyncio.ensure_future(body())
    if how == "cancel":
        while len(got) < n:
            await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    elif how == "raise":
        with pytest.raises(Stop):
            await task
    else:
        await task
    return got


@pytest.mark.parametrize("how", ["break", "raise", "cancel", "close"])
@pytest.mark.parametrize("n", [1, 2, 3, 5, 100, 256, 257, 300])
@pytest.mark.parametrize("direction", ["forward", "backward"])
def test_the_first_undelivered_message_is_next(queue: tape.Queue, loop: Any, how: str, n: int,
                                               direction: str) -> None:
    """However the consumer leaves, wherever in what was read ahead."""
    filled(queue)
    tailer = queue.tailer(direction=direction)
    if direction == "backward":
        tailer.seek_end()
    expected = list(range(N)) if direction == "forward" else list(range(N - 1, -1, -1))
    assert run(loop, consume(tailer, n, how)) == expected[:n]
    assert tailer.read() == expected[n]
    assert run(loop, consume(tailer, 3, how)) == expected[n + 1:n + 4]
    assert tailer.index == queue.first_index + expected[n + 4]
    assert list(tailer) == expected[n + 4:]


@pytest.mark.parametrize("how", ["break", "raise", "cancel"])
@pytest.mark.parametrize("n", [1, 2, 5, 100])
def test_a_named_position_is_never_beyond_what_was_delivered(queue: tape.Queue, loop: Any,
                                                             how: str, n: int) -> None:
    """Left in order, the position is the first undelivered message's; after an error in the loop's
    body the last one is repeated. In the process the next one comes next."""
    filled(queue, 200)
    tailer = queue.tailer("worker")
    assert run(loop, consume(tailer, n, how)) == list(range(n))
    assert queue.tailers()["worker"] == queue.first_index + (n if how == "break" else n - 1) or (
        n == 1 and how != "break" and queue.tailers()["worker"] == 0)
    assert tailer.read() == n
    tailer.close()
    assert queue.tailer("worker").read() == n + 1


def test_cancelled_while_it_waits_it_has_stored_what_was_done(queue: tape.Queue, loop: Any) -> None:
    """n is stored when n+1 is asked for."""
    filled(queue, 3)
    tailer = queue.tailer("worker", poll_interval=NEVER)

    async def work() -> None:
        got = []

        async def body() -> None:
            async for message in tailer.stream():
                got.append(message)
        task = asyncio.ensure_future(body())
        while len(got) < 3:
            await asyncio.sleep(0)
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    run(loop, work())
    last = queue.last_index
    assert last is not None and queue.tailers()["worker"] == last + 1


@pytest.mark.parametrize("kind", ["forward", "backward", "named"])
def test_cancelling_at_every_await_loses_and_repeats_nothing(queue: tape.Queue, loop: Any,
                                                             kind: str) -> None:
    """The consumer is cancelled at its k-th await, for every k there is; then another one goes on.
    All messages come once, in their order; some are written while it waits."""
    name = "worker" if kind == "named" else None
    filled(queue, 40)

    async def once(k: int) -> int:
        appender = queue.appender()
        tailer = queue.tailer(name, poll_interval=NEVER, steal=True)
        if kind == "backward":
            tailer.direction = "backward"
        tailer.seek_start() if kind != "backward" else tailer.seek_end()
        wanted = len(queue) + (0 if kind == "backward" else 6)
        got: list[Any] = []
        task: asyncio.Future[Any]

        class Cancelled(Steps):
            def cancel_here(self) -> None:
                if self.yielded == k:
                    task.cancel()

        async def body() -> None:
            if len(got) == wanted:
                return
            async for message in tailer.stream():
                got.append(message)
                if len(got) % 7 == 0:
                    await asyncio.sleep(0)
                if len(got) == wanted:
                    return

        async def driven(steps: Steps) -> None:
            await steps
        steps = Cancelled(body())
        task = asyncio.ensure_future(driven(steps))
        for number in range(6):
            await asyncio.sleep(0.001)
            if kind != "backward":
                appender.write(1000 + number)
        try:
            await task
        except asyncio.CancelledError:
            assert steps.yielded >= k
        else:
            return -1
        task = asyncio.ensure_future(body())  # what was not delivered comes now
        await task
        assert got == _all(queue, kind)
        tailer.close()
        appender.close()
        return steps.yielded

    def every() -> None:
        k = 1
        while run(loop, once(k)) >= 0:
            k += 1
        assert k > 3
    every()


def _all(queue: tape.Queue, kind: str) -> list[Any]:
    messages = list(queue.tailer())
    return messages[::-1] if kind == "backward" else messages


def test_a_dropped_stream_gives_back_what_it_read_ahead(queue: tape.Queue, loop: Any) -> None:
    """No close, no await: only forgotten."""
    filled(queue)

    async def work() -> None:
        tailer = queue.tailer()
        async for message in tailer:
            if message == 20:
                break
        gc.collect()
        assert tailer.read() == 21
        kept = tailer.stream()
        assert [await kept.__anext__() for _ in range(30)] == list(range(22, 52))
        assert tailer.index == queue.first_index + 52  # while the stream is still there
        assert tailer.read() == 52
        assert await kept.__anext__() == 53
    run(loop, work())


def test_a_step_that_is_not_awaited_takes_nothing(queue: tape.Queue, loop: Any) -> None:
    """Made and dropped, or closed, or thrown into: the message is delivered to the next one."""
    filled(queue, 5)

    async def work() -> None:
        stream = queue.tailer().stream()
        stream.__anext__().close()
        made = stream.__anext__()
        with pytest.raises(Stop):
            made.throw(Stop())
        with pytest.raises(RuntimeError):
            await made
        assert await anext(stream) == 0
        assert await asyncio.create_task(stream.__anext__()) == 1
        assert await asyncio.wait_for(stream.__anext__(), 20) == 2
        step = stream.__anext__()
        assert await step == 3
        with pytest.raises(RuntimeError):  # once is enough
            await step
        assert await anext(stream, "none") == 4
    run(loop, work())


def test_a_step_that_waits_can_be_thrown_into_and_closed(queue: tape.Queue, loop: Any) -> None:
    """By hand, as a scheduler does; nobody is left to be woken, nothing was taken."""
    async def work() -> None:
        tailer = queue.tailer(poll_interval=NEVER)
        first, second, third = (tailer.stream().__anext__() for _ in range(3))
        for step in (first, second, third):
            assert asyncio.isfuture(step.send(None))
        with pytest.raises(Stop):
            first.throw(Stop())
        second.close()
        del step, third
        gc.collect()
        assert _WAITERS[asyncio.get_running_loop()]._sleepers == {}
        queue.appender().write("once")
        await asyncio.sleep(0.05)
        assert await asyncio.wait_for(tailer.stream().__anext__(), 20) == "once"
    run(loop, work())


def test_streams_leave_nothing_behind(queue: tape.Queue, loop: Any) -> None:
    """Steps, streams and those cancelled are gone, without the collector where nothing refers
    around."""
    import weakref
    filled(queue, 300)

    async def work() -> None:
        tailer = queue.tailer(poll_interval=NEVER)
        stream = tailer.stream()
        for _ in range(300):
            await stream.__anext__()
        task = asyncio.ensure_future(stream.__anext__())
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        gone = weakref.ref(tailer._cursor)
        del task, stream, tailer
        await asyncio.sleep(0.01)  # asyncio itself holds on to the task's last exception
        gc.collect()
        assert gone() is None
    run(loop, work())


def test_nil_and_false_are_messages(queue: tape.Queue, loop: Any) -> None:
    """As any other."""
    appender = queue.appender()
    for message in (None, False, 0, "", None):
        appender.write(message)

    async def work() -> list[Any]:
        stream = queue.tailer().stream()
        return [await stream.__anext__() for _ in range(5)]
    assert run(loop, work()) == [None, False, 0, "", None]


def test_an_error_is_raised_at_the_await_that_met_it(queue: tape.Queue, loop: Any) -> None:
    """A message in the middle cannot be decoded: its index and bytes are there, skip() goes on."""
    indexes = filled(queue, 10)
    bad = queue.appender(codec=tape.codecs.raw).write(b"\xff\xff no fressian")
    filled(queue, 3)

    async def work() -> None:
        tailer = queue.tailer()
        got = []
        with pytest.raises(tape.DecodeError) as caught:
            async for message in tailer.stream():
                got.append(message)
        assert got == list(range(10))
        assert caught.value.index == bad == indexes[-1] + 1
        assert caught.value.raw == b"\xff\xff no fressian"
        assert tailer.skip() == 1
        stream = tailer.stream()
        assert [await stream.__anext__() for _ in range(3)] == [0, 1, 2]
    run(loop, work())


@pytest.mark.parametrize("close", ["queue", "tailer", "thread"])
def test_it_ends_when_the_queue_is_closed(queue: tape.Queue, loop: Any, close: str) -> None:
    """As following does; what was not delivered is not delivered."""
    filled(queue, 3)

    async def work() -> list[Any]:
        tailer, got = queue.tailer(poll_interval=NEVER), []
        if close == "thread":
            threading.Timer(0.05, queue.close).start()
        else:
            asyncio.get_running_loop().call_later(
                0.05, queue.close if close == "queue" else tailer.close)
        async for message in tailer.stream():
            got.append(message)
        return got
    assert run(loop, work()) == [0, 1, 2]


def test_a_consumer_that_never_awaits_lets_others_run(queue: tape.Queue, loop: Any) -> None:
    """And can be cancelled."""
    filled(queue, 3000)

    async def work() -> None:
        seen, ticks = [], []

        async def greedy() -> None:
            async for message in queue.tailer().stream():
                seen.append(message)

        async def others() -> None:
            while len(seen) < 3000:
                ticks.append(len(seen))
                await asyncio.sleep(0)
        task = asyncio.ensure_future(greedy())
        await others()
        assert len(ticks) >= 10
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    run(loop, work())


def test_a_call_beside_a_waiting_stream_does_not_put_it_to_sleep(queue: tape.Queue,
                                                                loop: Any) -> None:
    """The call ends the watch; the stream is told and looks again."""
    async def work() -> None:
        tailer = queue.tailer(poll_interval=NEVER)
        task = asyncio.ensure_future(tailer.stream().__anext__())
        await asyncio.sleep(0.02)
        assert tailer.index == 0 and tailer.last_read is None
        await asyncio.sleep(0.02)
        queue.appender().write("here")
        assert await asyncio.wait_for(task, 20) == "here"
    run(loop, work())


def test_two_tasks_share_a_stream(queue: tape.Queue, loop: Any) -> None:
    """Each message goes to one of them."""
    async def work() -> None:
        stream, got = queue.tailer(poll_interval=NEVER).stream(), []

        async def one() -> None:
            got.append(await stream.__anext__())
        tasks = [asyncio.ensure_future(one()) for _ in range(4)]
        await asyncio.sleep(0.02)
        filled(queue, 4)
        await asyncio.wait_for(asyncio.gather(*tasks), 20)
        assert sorted(got) == [0, 1, 2, 3]
    run(loop, work())


async def woken(queue: tape.Queue, move_on_after: Callable[[float], Any],
                fail_after: Callable[[float], Any]) -> list[Any]:
    """What came after a cancelled wait, all but the last message, which is still next."""
    tailer, got = queue.tailer(poll_interval=NEVER), []
    with move_on_after(0.05):
        await tailer.stream().__anext__()
    threading.Timer(0.05, lambda: filled(queue, 600)).start()
    with fail_after(20):
        async for message in tailer.stream():
            got.append(message)
            if len(got) == 599:
                break
    assert tailer.read() == 599
    return got


def test_trio_has_streams_too(queue: tape.Queue) -> None:
    """By the tailer's own descriptor; cancelled, it has taken nothing."""
    trio = pytest.importorskip("trio")
    got = trio.run(woken, queue, trio.move_on_after, trio.fail_after)
    assert got == list(range(599))


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_anyio_has_streams_on_either_backend(queue: tape.Queue, backend: str) -> None:
    """anyio's cancelling takes nothing; what comes wakes."""
    anyio = pytest.importorskip("anyio")
    if backend == "trio":
        pytest.importorskip("trio")
    got = anyio.run(woken, queue, anyio.move_on_after, anyio.fail_after, backend=backend)
    assert got == list(range(599))
