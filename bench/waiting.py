"""What waiting costs, in one run: ``python bench/waiting.py [--quick]``."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import socket
import statistics
import struct
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

import tape

QUICK = "--quick" in sys.argv
CODEC = tape.codecs.raw


def idle(kind: str, seconds: float) -> None:
    """100 streams on 100 queues wait; the share of one core that they take meanwhile."""
    async def work() -> float:
        with tempfile.TemporaryDirectory() as folder:
            queues = [tape.open(f"{folder}/{n}", codec=CODEC) for n in range(100)]
            for q in queues:
                q.appender().write(b"x")
            streams = [q.tailer().stream() for q in queues]
            for s in streams:
                await s.__anext__()
            tasks = [asyncio.ensure_future(s.__anext__()) for s in streams]
            await asyncio.sleep(0.2)
            if kind == "foreign":  # without its side file a writer wakes nobody, as Java's
                for q in queues:
                    os.unlink(f"{q.path}/tape.side")
                child = multiprocessing.get_context("spawn").Process(
                    target=write_one_to_each, args=([q.path for q in queues],))
                child.start()
                await asyncio.gather(*tasks)
                tasks = [asyncio.ensure_future(s.__anext__()) for s in streams]
                await asyncio.sleep(2)
            before, begun = time.process_time(), time.monotonic()
            await asyncio.sleep(seconds)
            share = (time.process_time() - before) / (time.monotonic() - begun)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            for q in queues:
                q.close()
            return share
    print(f"idle, 100 streams on 100 queues, {kind} writers: {asyncio.run(work()):.3%} of one core "
          f"in {seconds:g} s", flush=True)


def write_one_to_each(paths: list[str]) -> None:
    for path in paths:
        with tape.open(path, codec=CODEC) as q:
            q.appender().write(b"y")


# ---- late by how much ----

def stamps(send: Callable[[bytes], Any], n: int, pause: float) -> None:
    for _ in range(n):
        time.sleep(pause)
        send(struct.pack("q", time.monotonic_ns()))


def tape_writer(path: str, n: int, pause: float) -> None:
    with tape.open(path, codec=CODEC) as q:
        stamps(q.appender().write, n, pause)


def pipe_writer(connection: Any, n: int, pause: float) -> None:
    stamps(connection.send_bytes, n, pause)


def socket_writer(path: str, n: int, pause: float) -> None:
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(path)
        stamps(s.sendall, n, pause)


def told(name: str, late: list[int]) -> float:
    late = sorted(late[len(late) // 10:])
    p50, p99, p999 = (late[int(len(late) * p)] / 1e3 for p in (0.5, 0.99, 0.999))
    print(f"{name:28} p50 {p50:9.1f}  p99 {p99:9.1f}  p99.9 {p999:9.1f} us", flush=True)
    return p50


def age(stamp: bytes) -> int:
    return time.monotonic_ns() - int(struct.unpack("q", stamp)[0])


def latency(n: int, pause: float) -> None:
    context = multiprocessing.get_context("spawn")
    p50 = {}
    with tempfile.TemporaryDirectory() as folder:
        def begin(target: Any, *arguments: Any, count: int = n, gap: float = pause) -> Any:
            child = context.Process(target=target, args=(*arguments, count, gap))
            child.start()
            return child

        with tape.open(f"{folder}/q", codec=CODEC) as q:
            tailer = q.tailer()
            child = begin(tape_writer, q.path)
            p50["python"] = told("Python, t.get()", [age(tailer.get()) for _ in range(n)])
            child.join()

            async def stream() -> list[int]:
                s, ages = q.tailer(start="end").stream(), []
                child = begin(tape_writer, q.path)
                async for stamp in s:
                    ages.append(age(stamp))
                    if len(ages) == n:
                        break
                child.join()
                return ages
            p50["asyncio"] = told("asyncio, t.stream()", asyncio.run(stream()))
            few = max(n // 20, 50)
            child = begin(tape_writer, q.path, count=few, gap=0.01)
            tailer, ages = q.tailer(start="end"), []
            while len(ages) < few:
                if (stamp := tailer.read()) is None:
                    time.sleep(0.05)
                else:
                    ages.append(age(stamp))
            told("polling every 50 ms", ages)
            child.join()
        ours, theirs = context.Pipe(False)
        child = begin(pipe_writer, theirs)
        told("multiprocessing.Pipe", [age(ours.recv_bytes()) for _ in range(n)])
        child.join()
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(f"{folder}/socket")
            listener.listen()
            child = begin(socket_writer, f"{folder}/socket")
            connection, _ = listener.accept()
            p50["socket"] = told("Unix socket, recv()", [age(connection.recv(8)) for _ in range(n)])
            child.join()

        async def by_socket() -> list[int]:
            ages: list[int] = []
            done = asyncio.Event()

            async def serve(reader: asyncio.StreamReader, _writer: Any) -> None:
                for _ in range(n):
                    ages.append(age(await reader.readexactly(8)))
                done.set()
            server = await asyncio.start_unix_server(serve, f"{folder}/other")
            child = begin(socket_writer, f"{folder}/other")
            await done.wait()
            server.close()
            child.join()
            return ages
        p50["asyncio socket"] = told("asyncio, Unix socket", asyncio.run(by_socket()))
    print(f"Python / socket: {p50['python'] / p50['socket']:.2f}, asyncio / asyncio's socket: "
          f"{p50['asyncio'] / p50['asyncio socket']:.2f}, at p50")


# ---- by message ----

def throughput(n: int, rounds: int) -> None:
    reads: list[float] = []
    puts: dict[str, list[float]] = {"one at a time": [], "256 at a time": []}
    with tempfile.TemporaryDirectory() as folder, tape.open(f"{folder}/q") as q:
        appender = q.appender()
        for i in range(n):
            appender.write({"n": i})

        async def consume() -> float:
            begun, k = time.perf_counter(), 0
            async for _message in q.tailer().stream():
                if (k := k + 1) == n:
                    break
            return time.perf_counter() - begun

        async def produce(at_once: int, count: int) -> float:
            async with appender.sink() as put:
                begun = time.perf_counter()
                for _ in range(count // at_once):
                    if at_once == 1:
                        await put({"n": 1})
                    else:
                        await asyncio.gather(*[put({"n": 1}) for _ in range(at_once)])
                return (time.perf_counter() - begun) / (count // at_once * at_once)
        for _ in range(rounds):
            begun = time.perf_counter()
            k = 0
            for _message in q.tailer():
                if (k := k + 1) == n:
                    break
            plain = time.perf_counter() - begun
            reads.append(asyncio.run(consume()) / plain)
            begun = time.perf_counter()
            for _ in range(n // 4):
                appender.write({"n": 1})
            write = (time.perf_counter() - begun) / (n // 4)
            puts["one at a time"].append(asyncio.run(produce(1, n // 20)) / write)
            puts["256 at a time"].append(asyncio.run(produce(256, n // 4)) / write)
    print(f"async for / for: {statistics.median(reads):.2f} (medians of {rounds} rounds)")
    for name, ratios in puts.items():
        print(f"await put, {name} / write: {statistics.median(ratios):.1f}")


if __name__ == "__main__":
    throughput(2000 if QUICK else 20000, 3 if QUICK else 7)
    latency(200 if QUICK else 2000, 0.001)
    idle("tape", 2 if QUICK else 30)
    idle("foreign", 2 if QUICK else 30)
