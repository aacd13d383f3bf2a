"""What users of Clojure's tape find again, row by row of the list that was made by running it.

Each test is named after its row. ``CLOJURE`` in it says what Clojure's tape (mpenet/tape
1.0.0-alpha47 on Chronicle Queue 5.27) was seen to do; where tape does otherwise, on purpose, the
test holds both against each other.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import threading
import time
from pathlib import Path
from typing import Any

import pytest

import tape
from tests.kit.clocks import SetClock
from tests.wait.loops import run

NEVER = 3600.0
DAY_MS = 86_400_000


def write(queue: tape.Queue, *messages: Any) -> list[int]:
    appender = queue.appender()
    return [appender.write(m) for m in messages]


def poison(queue: tape.Queue) -> int:
    return queue.appender(codec=tape.codecs.raw).write(b"\xff\xff no fressian")


def in_thread(work: Any) -> Any:
    results: list[Any] = []

    def keep() -> None:
        try:
            results.append(work())
        except Exception as error:
            results.append(error)
    thread = threading.Thread(target=keep)
    thread.start()
    thread.join()
    return results[0]


def waiting(tailer: tape.Tailer) -> None:
    """Waits for a message, again when told that another thread was in the tailer first."""
    with contextlib.suppress(tape.TailerBusy):
        tailer.read(timeout=60)
        return
    waiting(tailer)


def test_a28_a_tailer_of_a_queue(queue: tape.Queue) -> None:
    """CLOJURE: one a call, no close, bound to the first thread that reads. Here: any thread in its
    turn, two at once are told, and closing gives the mapping back."""
    write(queue, 1, 2, 3)
    with queue.tailer() as tailer:
        assert (tailer.poll_interval, tailer.id, tailer.direction) == (0.05, None, "forward")
        assert tailer.read() == 1
        assert in_thread(tailer.read) == 2  # Clojure: ThreadingIllegalStateException
        mapped = maps(queue)
        assert tailer.read() == 3
        waits = threading.Thread(target=waiting, args=(tailer,))
        waits.start()
        with pytest.raises(tape.TailerBusy):
            while waits.is_alive():
                assert tailer.read() is None  # it has yet to begin
        write(queue, "wakes it")
        waits.join()
    assert maps(queue) < mapped


def maps(queue: tape.Queue) -> int:
    with open("/proc/self/maps") as lines:
        return sum(f"{queue.path}/" in line and ".cq4" in line for line in lines)


def test_a29_the_poll_interval_is_an_upper_bound(queue: tape.Queue) -> None:
    """CLOJURE: 50 ms, slept whenever nothing is there. Here: for writers alone that do not wake,
    as those are whose side file is another one."""
    assert queue.tailer().poll_interval == 0.05
    tailer = queue.tailer(poll_interval=NEVER)
    threading.Timer(0.05, lambda: write(queue, "woken")).start()
    assert tailer.get(20) == "woken"
    os.unlink(f"{queue.path}/tape.side")
    with tape.open(queue.path) as foreign:
        tailer = queue.tailer(start="end", poll_interval=0.01)
        threading.Timer(0.05, lambda: write(foreign, "found")).start()
        assert tailer.get(20) == "found"
    with pytest.raises(ValueError):
        queue.tailer(poll_interval=-1)


def test_a30_a_named_tailer_goes_on(queue: tape.Queue) -> None:
    """CLOJURE: `index.<id>`, 0 when made, stored before `read!` returns; moving stores at once, so
    does reading backwards; ids ignore case."""
    indexes = write(queue, *"abcd")
    tailer = queue.tailer("Bill")
    stored = lambda: queue.tailers()[next(iter(queue.tailers()))]  # noqa: E731
    assert stored() == 0 and any(k.lower() == "index.bill" for k in queue.table())
    assert tailer.read() == "a" and stored() == indexes[1]
    assert tailer.seek(indexes[3]) and stored() == indexes[3]
    assert tailer.seek_start().index == stored() == indexes[0]
    assert tailer.seek_end().index == stored() == indexes[3] + 1
    tailer.direction = "backward"
    assert tailer.read() == "d" and stored() == indexes[2]
    with pytest.raises(tape.TailerBusy):  # Clojure: both read everything, and skip after a restart
        queue.tailer("BILL")
    tailer.close()
    again = queue.tailer("bILL")
    assert again.read() == "c"
    with pytest.raises(TypeError):
        queue.tailer(7)  # type: ignore[arg-type]


def test_a30_a_decode_failure_moves_no_stored_position(queue: tape.Queue) -> None:
    """CLOJURE: at most once, also when decoding fails: the message is lost. Here it stays next."""
    write(queue, "a")
    bad = poison(queue)
    tailer = queue.tailer("worker")
    assert tailer.read() == "a"
    for _ in range(2):
        with pytest.raises(tape.DecodeError):
            tailer.read()
        assert queue.tailers()["worker"] == bad


def test_a31_reading_never_blocks(queue: tape.Queue) -> None:
    """CLOJURE: nil when there is nothing, and for a stored nil, too; false is false. Here a stored
    nil can be told."""
    tailer, nothing = queue.tailer(), object()
    assert tailer.read() is None and tailer.read(nothing) is nothing
    assert tailer.read_entry() is None
    index = write(queue, None, False, None)[0]
    assert tailer.read(nothing) is None  # consumed, as in Clojure
    assert tailer.read(nothing) is False
    entry = tailer.read_entry()
    assert entry is not None and entry.value is None and entry.index == index + 2
    with pytest.raises(tape.Empty):
        tailer.get(0)


@pytest.mark.parametrize("direction", ["forward", "backward"])
def test_a32_a_decode_failure_has_an_address(queue: tape.Queue, direction: str) -> None:
    """CLOJURE: no index, the message is skipped, forwards and backwards. Here: its index and bytes,
    and it stays until `skip()`."""
    write(queue, "before")
    bad = poison(queue)
    write(queue, "after")
    tailer = queue.tailer(direction=direction)
    if direction == "backward":
        tailer.seek_end()
    first, last = ("before", "after") if direction == "forward" else ("after", "before")
    assert tailer.read() == first
    for _ in range(2):
        with pytest.raises(tape.DecodeError) as caught:
            tailer.read()
        assert caught.value.index == bad and caught.value.raw == b"\xff\xff no fressian"
        assert caught.value.__cause__ is not None
    assert tailer.skip() == 1 and tailer.read() == last
    seen: list[Any] = []
    assert list(queue.tailer(on_error=seen.append)) == ["before", "after"]
    assert [e.index for e in seen] == [bad]
    assert list(queue.tailer(on_error="skip")) == ["before", "after"]  # as Clojure


def test_a33_the_direction(queue: tape.Queue) -> None:
    """CLOJURE, and here: turned after reading a it reads b, then a; at the end, the last; a fresh
    tailer reads the first; beyond the start nothing, and forward again the first. CLOJURE reads nil
    once before that."""
    write(queue, *"abc")
    tailer = queue.tailer()
    assert tailer.read() == "a"
    tailer.direction = "backward"
    assert [tailer.read() for _ in range(3)] == ["b", "a", None]
    tailer.direction = "forward"
    assert tailer.read() == "a"  # Clojure: nil, then a
    tailer = queue.tailer()
    assert list(tailer) == ["a", "b", "c"]
    tailer.direction = "backward"
    assert tailer.read() == "c"
    fresh = queue.tailer()
    fresh.direction = "backward"
    assert [fresh.read(), fresh.read()] == ["a", None]
    assert queue.tailer(direction="backward").read() == "c"  # made so, it begins at the end
    tailer = queue.tailer().seek_end()
    assert list(reversed(tailer)) == ["c", "b", "a"]
    with pytest.raises(ValueError):
        tailer.direction = "none"  # Clojure: the same message for ever


def test_a34_moving_to_an_index(queue: tape.Queue) -> None:
    """CLOJURE: false when there is no such index, and it may move all the same: last + 1 waits
    there, so does last + 2 of the live cycle. Here last + 1 waits, all others stay put."""
    indexes = write(queue, *"abc")
    tailer = queue.tailer()
    assert tailer.seek(indexes[1]) is True and tailer.read() == "b"
    assert tailer.seek(indexes[2] + 2) is False and tailer.read() == "c"
    assert tailer.seek(indexes[2] + (5 << 32)) is False and tailer.read() is None
    assert tailer.seek(indexes[2] + 1) is False and tailer.read() is None
    write(queue, "d")
    assert tailer.read() == "d"
    with pytest.raises(tape.IndexNotFound):
        tailer.seek(indexes[2] + 9, strict=True)
    with pytest.raises(TypeError):
        tailer.seek(1.5)  # type: ignore[arg-type]  # Clojure: takes a double


def test_a35_moving_to_the_end(tmp_path: Path) -> None:
    """CLOJURE, and here: behind the last message, across cycles; on an empty queue it does nothing,
    so that what comes next is read; the tailer is returned."""
    clock = SetClock(1_700_000_000_000)
    with tape.open(tmp_path / "q", clock=clock) as queue:
        tailer = queue.tailer()
        assert tailer.seek_end() is tailer
        write(queue, "first")
        assert tailer.read() == "first"
        clock.ms += DAY_MS
        write(queue, "next day")
        assert queue.tailer().seek_end().read() is None
        tailer.seek_end()
        clock.ms += DAY_MS
        write(queue, "third day")
        assert tailer.read() == "third day"


def test_a36_moving_to_the_start_keeps_the_direction(queue: tape.Queue) -> None:
    """CLOJURE, and here: the first message, the tailer is returned."""
    write(queue, *"abc")
    tailer = queue.tailer()
    assert list(tailer) == ["a", "b", "c"]
    assert tailer.seek_start() is tailer and tailer.read() == "a"
    tailer.direction = "backward"
    tailer.seek_start()
    assert tailer.direction == "backward" and [tailer.read(), tailer.read()] == ["a", None]


def test_a37_the_index_is_that_of_the_next_read(queue: tape.Queue) -> None:
    """CLOJURE: the first one on a queue with data; made on an empty queue 0, also after reads that
    found nothing and after the first write, until the first read; a named one's stored value;
    backwards the next one backwards. Here the same, but that the first message shows at once; and
    the last one read beside it."""
    tailer = queue.tailer()
    assert tailer.index == 0 and tailer.last_read is None
    assert tailer.read() is None and tailer.index == 0
    indexes = write(queue, *"abc")
    assert tailer.index == indexes[0]  # Clojure: 0
    assert tailer.read() == "a"
    assert (tailer.index, tailer.last_read) == (indexes[1], indexes[0])
    assert queue.tailer().index == indexes[0]
    named = queue.tailer("n")
    assert queue.tailers()["n"] == 0  # until the first read, as in Clojure
    assert named.read() == "a" and named.index == indexes[1]
    tailer.direction = "backward"
    assert tailer.read() == "b" and tailer.index == indexes[0]
    assert tailer.read() == "a" and tailer.index == indexes[0] - 1


def test_a38_the_queue_of_a_tailer(queue: tape.Queue) -> None:
    """CLOJURE, and here."""
    assert queue.tailer().queue is queue


def test_a39_a_loop_over_a_tailer(queue: tape.Queue) -> None:
    """CLOJURE: `(doseq [m t])` blocks until the queue is closed, and nil ends up skipped. Here a
    loop takes what is there, `follow()` does as Clojure; nil is a message; closing raises nothing
    out of it; a decode failure ends it."""
    write(queue, 1, None, 2)
    tailer = queue.tailer()
    assert list(tailer) == [1, None, 2] and list(tailer) == []
    with pytest.raises(TypeError):
        len(tailer)  # type: ignore[arg-type]  # Clojure: count throws, too
    follower = queue.tailer(poll_interval=NEVER)
    threading.Timer(0.1, queue.close).start()
    assert list(follower.follow()) == [1, None, 2]
    with pytest.raises(tape.QueueClosed):
        follower.read()


def test_a39_a_decode_failure_ends_a_loop(queue: tape.Queue) -> None:
    """CLOJURE, and here: with the exception."""
    write(queue, 1)
    poison(queue)
    for loop in (iter(queue.tailer()), queue.tailer().follow()):
        assert next(loop) == 1
        with pytest.raises(tape.DecodeError):
            next(loop)


def test_a40_reducing_stops_where_it_is_told_to(queue: tape.Queue) -> None:
    """CLOJURE: `(reduce f init t)` blocks, ends on `reduced`, and that message is consumed. Here a
    loop that is left, and `functools.reduce` over what is there."""
    write(queue, *range(10))
    tailer, total = queue.tailer(), 0
    for message in tailer.follow():
        total += message
        if total > 5:
            break
    assert total == 6 and tailer.read() == 4
    assert functools.reduce(lambda a, b: a + b, queue.tailer(), 100) == 145


def test_a40b_facts_about_a_tailer(queue: tape.Queue) -> None:
    """CLOJURE: `datafy` has cycle, index, source-id, direction, state and queue. Here these and
    more, also when closed."""
    indexes = write(queue, *"ab")
    tailer = queue.tailer("n")
    tailer.read()
    info = tailer.info().asdict()
    assert {"cycle", "index", "source_id", "direction", "state", "queue"} <= set(info)
    assert (info["index"], info["direction"], info["lag_messages"], info["id"]) == (
        indexes[1], "forward", 1, "n")
    tailer.close()
    assert tailer.info().closed


def test_a41_a_channel_of_messages(queue: tape.Queue, loop: Any) -> None:
    """CLOJURE: a thread each; closed with the queue, with an exception as its last value at times.
    Here no thread each, and closing is the end of the loop, nothing else."""
    write(queue, *range(5))

    async def work() -> None:
        tailers = [queue.tailer(poll_interval=NEVER) for _ in range(20)]

        async def consume(tailer: tape.Tailer) -> list[Any]:
            return [m async for m in tailer]
        tasks = [asyncio.ensure_future(consume(t)) for t in tailers]
        await asyncio.sleep(0.05)
        threads = len(os.listdir("/proc/self/task"))
        more = [asyncio.ensure_future(consume(queue.tailer(poll_interval=NEVER)))
                for _ in range(20)]
        await asyncio.sleep(0.05)
        assert len(os.listdir("/proc/self/task")) <= threads
        queue.close()
        assert await asyncio.gather(*tasks, *more) == [[0, 1, 2, 3, 4]] * 40
    run(loop, work())


def test_a42_exceptions_are_raised_and_are_no_messages(queue: tape.Queue, loop: Any) -> None:
    """CLOJURE: they come out of the channel as values. Here out of the `async for`."""
    write(queue, 1)
    bad = poison(queue)
    write(queue, 2)

    async def work() -> None:
        tailer, got = queue.tailer(), []
        with pytest.raises(tape.DecodeError) as caught:
            async for message in tailer.stream():
                got.append(message)
        assert got == [1] and caught.value.index == bad
        tailer.skip()
        assert await anext(tailer.stream()) == 2
        seen: list[Any] = []
        stream = queue.tailer(on_error=seen.append).stream()
        assert [await anext(stream), await anext(stream)] == [1, 2] and len(seen) == 1
    run(loop, work())


@pytest.mark.parametrize("ends", ["break", "cancel", "close", "error"])
@pytest.mark.parametrize("kind", ["forward", "backward", "named"])
def test_a43_what_was_not_delivered_is_given_back(queue: tape.Queue, loop: Any, kind: str,
                                                  ends: str) -> None:
    """CLOJURE: right for forward, by a read more; skips two backwards (8 7 6, next 3); what the
    channel had buffered is lost; nil and false are dropped. Here the next reader, in either
    direction, has exactly the first undelivered message."""
    messages = [0, None, False, 3, None, 5, 6, 7, 8, 9]
    write(queue, *messages)
    expected = messages[::-1] if kind == "backward" else messages
    tailer = queue.tailer("worker" if kind == "named" else None)
    if kind == "backward":
        tailer.direction = "backward"
        tailer.seek_end()
    got: list[Any] = []

    async def consume() -> None:
        async with tailer.stream() as stream:
            async for message in stream:
                got.append(message)
                if len(got) < 5:
                    continue
                if ends == "break":
                    break
                if ends == "close":
                    await stream.aclose()
                    return
                if ends == "error":
                    raise KeyError
                await asyncio.sleep(NEVER)

    async def work() -> None:
        task = asyncio.ensure_future(consume())
        while ends == "cancel" and len(got) < 5:
            await asyncio.sleep(0)
        if ends == "cancel":
            task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    run(loop, work())
    assert got == expected[:5]
    assert tailer.read(NEVER) == expected[5]
    if kind == "named":
        tailer.close()
        assert list(queue.tailer("worker")) == expected[6:]


def test_a44_a_channel_to_write_to(queue: tape.Queue, loop: Any) -> None:
    """CLOJURE: a thread each, and only the channel is returned. Here each put gives its index, and
    there is a limit to what is on its way."""
    async def work() -> None:
        async with queue.appender().sink() as put:
            first = await put("a")
            assert await asyncio.gather(*map(put, "bcd")) == [first + 1, first + 2, first + 3]
            assert put._maxsize == 1024
        async with queue.appender().sink(maxsize=1) as put:
            put._calm = time.monotonic() + NEVER  # as when the disk is slow
            put.put_nowait("by the thread")
            with pytest.raises(asyncio.QueueFull):
                put.put_nowait("no room")
    run(loop, work())
    assert list(queue.tailer()) == [*"abcd", "by the thread"]


def test_a45_write_errors_reach_who_wrote(queue: tape.Queue, loop: Any) -> None:
    """CLOJURE: they go to a channel that by default nobody has; false ends the writing for ever;
    puts into a closed queue succeed. Here each is raised where it was caused, or on leaving."""
    async def work() -> None:
        sink = queue.appender().sink()
        with pytest.raises(tape.MessageTooLarge):
            async with sink as put:
                assert await put(False) < await put(None) < await put("goes on")
                with pytest.raises(tape.EncodeError):
                    await put(object())
                put.put_nowait("x" * (20 << 20))  # nobody awaits it
        other = queue.appender()
        async with other.sink() as put:
            await put("before")
            queue.close()
            with pytest.raises(tape.QueueClosed):
                await put("after")
    run(loop, work())
    with tape.open(queue.path) as again:
        assert list(again.tailer()) == [False, None, "goes on", "before"]
