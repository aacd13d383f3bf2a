"""Streams in trouble: several loops, threads, forks, limits, deaths, and what others delete."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

import tape
from tests.wait.loops import LOOPS, run

NEVER = 3600.0


def filled(queue: tape.Queue, n: int) -> list[int]:
    appender = queue.appender()
    return [appender.write(i) for i in range(n)]


def test_two_loops_have_a_waiter_each(queue: tape.Queue, loop: Any) -> None:
    """One after the other, and in two threads at once; a loop closed with a stream open is none's
    harm."""
    left = []

    async def leave_open() -> None:
        stream = queue.tailer(poll_interval=NEVER).stream()
        left.append(stream)
        left.append(asyncio.ensure_future(stream.__anext__()))
        await asyncio.sleep(0.02)

    async def one() -> Any:
        tailer = queue.tailer(poll_interval=NEVER)
        return await tailer.stream().__anext__()
    run(loop, leave_open())
    results: list[Any] = []
    threads = [threading.Thread(target=lambda: results.append(run(loop, one()))) for _ in range(2)]
    for thread in threads:
        thread.start()
    threading.Timer(0.1, lambda: queue.appender().write("both")).start()
    for thread in threads:
        thread.join()
    assert results == ["both", "both"]
    left[1]._log_destroy_pending = False


def test_a_tailer_used_by_a_thread_and_a_loop_is_busy_and_not_corrupt(queue: tape.Queue,
                                                                      loop: Any) -> None:
    """TailerBusy, on either side; together they get each message at most once."""
    filled(queue, 2000)
    tailer, by_thread = queue.tailer(), []

    def reads() -> None:
        while len(by_thread) < 200:
            try:
                by_thread.append(tailer.read())
            except tape.TailerBusy:
                pass
    thread = threading.Thread(target=reads)

    async def work() -> list[Any]:
        got: list[Any] = []
        while len(got) < 500:
            try:
                async for message in tailer.stream():
                    got.append(message)
                    if len(got) == 500:
                        break
            except tape.TailerBusy:
                await asyncio.sleep(0)
        return got
    thread.start()
    by_loop = run(loop, work())
    thread.join()
    both = sorted(by_thread + by_loop)
    assert len(set(both)) == len(both) == 700


def test_a_forked_child_makes_a_loop_of_its_own(queue: tape.Queue, loop: Any) -> None:
    """The parent's tailer says that it is the parent's; a queue opened again works."""
    async def parent() -> None:
        tailer = queue.tailer(poll_interval=NEVER)
        task = asyncio.ensure_future(tailer.stream().__anext__())
        await asyncio.sleep(0.02)
        child = os.fork()
        if child == 0:
            os._exit(_child(queue.path, tailer, loop))
        _pid, status = await asyncio.get_running_loop().run_in_executor(None, os.waitpid, child, 0)
        assert os.waitstatus_to_exitcode(status) == 0
        assert await asyncio.wait_for(task, 20) == "child's"
    run(loop, parent())


def _child(path: str, tailer: tape.Tailer, loop: Any) -> int:
    asyncio._set_running_loop(None)

    async def work() -> None:
        with pytest.raises(tape.Forked):
            await tailer.stream().__anext__()
        async with tape.open(path) as own:
            mine = own.tailer(poll_interval=NEVER)
            task = asyncio.ensure_future(mine.stream().__anext__())
            await asyncio.sleep(0.02)
            own.appender().write("child's")
            assert await asyncio.wait_for(task, 20) == "child's"
    try:
        run(LOOPS["asyncio"], work())
    except BaseException:
        import traceback
        traceback.print_exc()
        return 1
    return 0


def test_many_streams_take_no_descriptor_each(tmp_path: Path, loop: Any) -> None:
    """1000 streams on 100 queues: a queue has its descriptors, a loop one, a stream none."""
    async def work() -> None:
        queues = [tape.open(tmp_path / str(n)) for n in range(100)]
        before = len(os.listdir("/proc/self/fd"))
        tailers = [q.tailer(poll_interval=NEVER) for q in queues for _ in range(10)]
        tasks = [asyncio.ensure_future(t.stream().__anext__()) for t in tailers]
        await asyncio.sleep(0.1)
        assert len(os.listdir("/proc/self/fd")) - before < 10
        for number, q in enumerate(queues):
            q.appender().write(number)
        got = await asyncio.wait_for(asyncio.gather(*tasks), 30)
        assert got == [n for n in range(100) for _ in range(10)]
        for q in queues:
            q.close()
    run(loop, work())


def test_the_descriptor_limit_is_told(queue: tape.Queue) -> None:
    """No descriptor for the loop's waiter: StorageError at the await, and later it works."""
    async def work() -> None:
        queue.appender()
        tailer = queue.tailer(poll_interval=NEVER)
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(map(int, os.listdir("/proc/self/fd"))),
                                                    hard))
        held = []
        try:
            while True:
                try:
                    held.append(os.open("/dev/null", os.O_RDONLY))
                except OSError:
                    break
            with pytest.raises(tape.StorageError):
                await tailer.stream().__anext__()
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            for fd in held:
                os.close(fd)
        queue.appender().write("after")
        assert await tailer.stream().__anext__() == "after"
    run(LOOPS["asyncio"], work())


def test_a_queue_deleted_under_a_stream_is_told(tmp_path: Path, loop: Any) -> None:
    """QueueNotFound at the await."""
    import shutil

    async def work() -> None:
        with tape.open(tmp_path / "gone") as q:
            q.appender().write(1)
            stream = q.tailer().stream()
            assert await stream.__anext__() == 1
            shutil.rmtree(q.path)
            with pytest.raises(tape.QueueNotFound):
                await asyncio.wait_for(stream.__anext__(), 20)
    run(loop, work())


def test_ten_thousand_streams_on_a_thousand_queues(tmp_path: Path) -> None:
    """Within the limit of descriptors: two for a queue, and one for the cycle file of each appender
    and tailer once there is one; a stream has none. Each message reaches its ten streams."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if 0 <= hard < 14000:
        pytest.skip(f"at most {hard} descriptors here")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 14000), hard))

    async def work() -> None:
        queues = [tape.open(tmp_path / str(n), block_size=1 << 16) for n in range(1000)]
        tailers = [q.tailer(poll_interval=NEVER) for q in queues for _ in range(10)]
        before = len(os.listdir("/proc/self/fd"))
        tasks = [asyncio.ensure_future(t.stream().__anext__()) for t in tailers]
        await asyncio.sleep(0.1)
        assert len(os.listdir("/proc/self/fd")) - before <= 2
        for number, q in enumerate(queues):
            with q.appender() as appender:
                appender.write(number)
            await asyncio.sleep(0)
        assert await asyncio.gather(*tasks) == [n for n in range(1000) for _ in range(10)]
        assert len(os.listdir("/proc/self/fd")) - before <= 2 + 10_000 + 1000
        for q in queues:
            q.close()
        assert len(os.listdir("/proc/self/fd")) < before
    loop = asyncio.new_event_loop()
    try:
        loop.run_until_complete(asyncio.wait_for(work(), 300))
    finally:
        loop.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


WAITS = {
    "get": "for _ in range(n): got.append(t.get(60))",
    "stream": """
async def work():
    async for message in t.stream():
        got.append(message)
        if len(got) == n:
            break
asyncio.run(asyncio.wait_for(work(), 60))""",
}


def waiting_process(path: str, how: str, n: int) -> subprocess.Popen[str]:
    """A process that waits for so many messages and prints whether they were 0, 1, 2, ..."""
    return subprocess.Popen(
        [sys.executable, "-c", "import asyncio, sys, tape\ngot, n = [], int(sys.argv[2])\n"
         "t = tape.open(sys.argv[1]).tailer(poll_interval=3600)\n" + WAITS[how] +
         "\nprint(got == list(range(n)))", path, str(n)], stdout=subprocess.PIPE, text=True)


def notice(queue: tape.Queue) -> int:
    """The word by which writers wake: bit 0, somebody waits; above it, how often it was rung."""
    with open(f"{queue.path}/tape.side", "rb") as side:
        side.seek(32)
        return int.from_bytes(side.read(4), sys.byteorder)


def until_somebody_waits(queue: tape.Queue) -> None:
    deadline = time.monotonic() + 60
    while not notice(queue) & 1:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    time.sleep(0.05)  # from arming to sleeping


@pytest.mark.parametrize("how", sorted(WAITS))
def test_a_waiter_killed_while_armed_costs_the_writers_one_ring(queue: tape.Queue,
                                                                how: str) -> None:
    """Its mark goes with the first message; the writers after it see nobody."""
    appender = queue.appender()
    child = waiting_process(queue.path, how, 10)
    until_somebody_waits(queue)
    child.kill()
    child.communicate()
    before = notice(queue)
    assert before & 1
    for number in range(100):
        appender.write(number)
        assert notice(queue) == before + 1  # rung once: the mark is gone, the count one more
    assert queue.tailer(poll_interval=NEVER).get(20) == 0


@pytest.mark.parametrize("how", sorted(WAITS))
def test_a_stopped_waiter_holds_up_nobody_and_misses_nothing(queue: tape.Queue, how: str) -> None:
    """SIGSTOP while it sleeps: one ring, and when it goes on everything is there."""
    appender, n = queue.appender(), 2000
    child = waiting_process(queue.path, how, n)
    until_somebody_waits(queue)
    os.kill(child.pid, signal.SIGSTOP)
    os.waitpid(child.pid, os.WUNTRACED)
    before = notice(queue)
    for number in range(n):
        appender.write(number)
    assert notice(queue) == before + 1
    os.kill(child.pid, signal.SIGCONT)
    assert child.communicate(timeout=60)[0] == "True\n"


def test_a_loop_closed_with_streams_and_sinks_open(queue: tape.Queue, loop: Any) -> None:
    """Nothing hangs, and what was not delivered is there for the next loop; what was put is
    written or was told not to be."""
    tailer = queue.tailer(poll_interval=NEVER)
    first = loop()
    stream, sink = tailer.stream(), queue.appender().sink()
    waiting = first.create_task(stream.__anext__())
    first.run_until_complete(asyncio.sleep(0.02))

    async def puts() -> None:
        put = await sink.__aenter__()
        for number in range(5):
            put.put_nowait(number)
    tailer_of_another = queue.tailer(poll_interval=NEVER)
    first.run_until_complete(puts())
    first.run_until_complete(first.shutdown_default_executor())
    first.close()
    waiting._log_destroy_pending = False
    delivered = 1 if waiting.done() else 0  # it was still run, or not

    async def again() -> list[Any]:
        got = [await tailer_of_another.stream().__anext__() for _ in range(5)]
        queue.appender().write("later")
        last = queue.tailer(start=queue.last_index).stream()
        return [*got, await last.__anext__()]
    assert run(loop, again()) == [0, 1, 2, 3, 4, "later"]
    with pytest.raises((tape.StateError, RuntimeError)):
        run(loop, sink("other loop"))
    assert tailer.read() == delivered
