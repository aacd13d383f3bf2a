"""What waiting costs: ``python bench/waiting.py [--quick] [PART...]``; the parts: see main()."""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import tape

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from bench.building import JAVA_VERSIONS, c_program, java_command, java_is_there  # noqa: E402

QUICK = "--quick" in sys.argv
CODEC = tape.codecs.raw


class JavaWriter:
    """A JVM with Chronicle Queue's appenders; bench/jvm/Stamps.java."""

    def __init__(self, paths: list[str]) -> None:
        self.process = subprocess.Popen(
            [*java_command(JAVA_VERSIONS[0], "Stamps"), *paths], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.hear("ready")

    def hear(self, word: str) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line == f"{word}\n":
                return
        raise RuntimeError("the JVM ended")

    def begin(self, *words: object) -> None:
        assert self.process.stdin is not None
        print(*words, file=self.process.stdin, flush=True)

    def close(self) -> None:
        self.process.communicate()


def idle(kind: str, seconds: float) -> None:
    """100 streams on 100 queues wait; the share of one core that they take meanwhile. ``JVM``: it
    has written one message to each of them, and has them open."""
    async def work() -> float:
        with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
            queues = [tape.open(f"{folder}/{n}", codec=CODEC) for n in range(100)]
            for q in queues:
                q.appender().write(b"x")
            streams = [q.tailer().stream() for q in queues]
            for s in streams:
                await s.__anext__()
            tasks = [asyncio.ensure_future(s.__anext__()) for s in streams]
            if kind == "JVM":
                java = JavaWriter([q.path for q in queues])
                stack.callback(java.close)
                java.begin("touch")
                java.hear("done")
                await asyncio.gather(*tasks)
                tasks = [asyncio.ensure_future(s.__anext__()) for s in streams]
            await asyncio.sleep(2)  # after a message it is looked more often for a while
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


def from_java(quick: bool) -> None:
    """How late a sleeping reader has a JVM's messages, and what looking for them costs it."""
    with tempfile.TemporaryDirectory() as folder, tape.open(f"{folder}/q", codec=CODEC) as q:
        q.appender().write(b"x")
        tailer = q.tailer(start="end")
        java = JavaWriter([q.path])
        for pause, n in ((1000, 2000), (10_000, 300), (100_000, 40), (1_000_000, 12)):
            n = max(n // 10, 5) if quick else n
            if quick and pause > 100_000:
                continue
            java.begin("stamps", n, pause)
            ages, before, begun = [], time.process_time(), time.monotonic()
            for _ in range(n):
                ages.append(age(tailer.get()))
            share = (time.process_time() - before) / (time.monotonic() - begun)
            java.hear("done")
            late = sorted(ages)
            print(f"JVM's message each {pause / 1000:g} ms: p50 {late[n // 2] / 1e3:9.1f}  "
                  f"p99 {late[n * 99 // 100] / 1e3:9.1f} us late; the reader takes {share:.2%} "
                  f"of a core ({n})", flush=True)
        java.close()


# ---- late by how much ----

ROUND = 100  # messages of one subject, before it is the next one's turn
POLLED = 10  # so many of the subject that polls: it takes 50 ms for each


def send_in_rounds(path: str, names: list[str], pipe: Any, rounds: int, pause: float) -> None:
    """The other process: the time in each message, with pauses so that the reader sleeps."""
    with tape.open(f"{path}/q", codec=CODEC) as q, tape.open(f"{path}/a", codec=CODEC) as a, \
            socket.socket(socket.AF_UNIX) as plain, socket.socket(socket.AF_UNIX) as served:
        plain.connect(f"{path}/plain")
        served.connect(f"{path}/served")
        sends = {"get": q.appender().write, "stream": a.appender().write, "pipe": pipe.send_bytes,
                 "socket": plain.sendall, "asyncio socket": served.sendall}
        sends["polling"] = sends["get"]
        for _ in range(rounds):
            for name in names:
                polled = name == "polling"
                for _ in range(POLLED if polled else ROUND):
                    time.sleep(0.061 if polled else pause)
                    sends[name](struct.pack("q", time.monotonic_ns()))
                if polled:
                    time.sleep(0.1)  # the reader sleeps once more


def age(stamp: bytes) -> int:
    return time.monotonic_ns() - int(struct.unpack("q", stamp)[0])


def read_by_polling(tailer: tape.Tailer) -> int:
    while (stamp := tailer.read()) is None:
        time.sleep(0.05)
    return age(stamp)


class Subjects:
    """Who reads, by name: each has its function, or its coroutine."""

    TITLES = {"get": "tape, t.get()", "stream": "tape, asyncio, t.stream()",
              "polling": "tape, polling every 50 ms", "pipe": "multiprocessing.Pipe",
              "socket": "Unix socket, recv()", "asyncio socket": "Unix socket, asyncio"}

    def __init__(self, folder: str, receive: Callable[[], bytes]) -> None:
        self.loop = asyncio.new_event_loop()
        self.queue = tape.open(f"{folder}/q", codec=CODEC)
        self.tailer = self.queue.tailer()
        self.other = tape.open(f"{folder}/a", codec=CODEC)
        self.stream = self.other.tailer().stream()
        self.receive = receive
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(f"{folder}/plain")
        self.listener.listen()
        self.came: asyncio.Future[asyncio.StreamReader] = self.loop.create_future()

        async def serve() -> None:
            await asyncio.start_unix_server(lambda r, _w: self.came.set_result(r),
                                            f"{folder}/served")
        self.loop.run_until_complete(serve())

    def connected(self) -> None:
        self.plain, _ = self.listener.accept()
        self.served = self.loop.run_until_complete(self.came)

    async def streamed(self, n: int) -> list[int]:
        ages: list[int] = []
        async for stamp in self.stream:
            ages.append(age(stamp))
            if len(ages) == n:
                break
        return ages

    async def from_socket(self, n: int) -> list[int]:
        return [age(await self.served.readexactly(8)) for _ in range(n)]

    def round(self, name: str) -> list[int]:
        n = POLLED if name == "polling" else ROUND
        if name == "get":
            return [age(self.tailer.get()) for _ in range(n)]
        if name == "polling":
            return [read_by_polling(self.tailer) for _ in range(n)]
        if name == "pipe":
            return [age(self.receive()) for _ in range(n)]
        if name == "socket":
            return [age(self.plain.recv(8)) for _ in range(n)]
        work = self.streamed(n) if name == "stream" else self.from_socket(n)
        return self.loop.run_until_complete(work)


def latency(rounds: int, pause: float) -> None:
    """All readers sleep and are woken by one writer, round by round in turn."""
    context = multiprocessing.get_context("spawn")
    names = list(Subjects.TITLES)
    ages: dict[str, list[int]] = {name: [] for name in names}
    with tempfile.TemporaryDirectory() as folder:
        ours, theirs = context.Pipe(False)
        subjects = Subjects(folder, ours.recv_bytes)
        child = context.Process(target=send_in_rounds, args=(folder, names, theirs, rounds, pause))
        child.start()
        subjects.connected()
        for _ in range(rounds):
            for name in names:
                ages[name] += subjects.round(name)[1:]  # for the first one it came from elsewhere
        child.join()
    for name in names:
        late = sorted(ages[name])
        p50, p99, p999 = (late[int(len(late) * p)] / 1e3 for p in (0.5, 0.99, 0.999))
        print(f"{Subjects.TITLES[name]:28} p50 {p50:9.1f}  p99 {p99:9.1f}  p99.9 {p999:9.1f} us  "
              f"({len(late)})", flush=True)
    for ours_, theirs_ in (("get", "socket"), ("stream", "asyncio socket")):
        ratio = statistics.median(ages[ours_]) / statistics.median(ages[theirs_])
        print(f"{Subjects.TITLES[ours_]} / {Subjects.TITLES[theirs_]}: {ratio:.2f} at p50")


# ---- by message ----

def throughput(n: int, rounds: int) -> None:
    reads: dict[str, list[float]] = {"": [], ", a named tailer": []}
    puts: dict[str, list[float]] = {"one at a time": [], "256 at a time": []}
    with tempfile.TemporaryDirectory() as folder, tape.open(f"{folder}/q") as q:
        appender = q.appender()
        for i in range(n):
            appender.write({"n": i})

        async def consume(tailer: tape.Tailer) -> float:
            begun, k = time.perf_counter(), 0
            async for _message in tailer.stream():
                if (k := k + 1) == n:
                    break
            return time.perf_counter() - begun

        def plain(tailer: tape.Tailer) -> float:
            begun, k = time.perf_counter(), 0
            for _message in tailer:
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
            for kind, ratios in reads.items():
                with q.tailer(kind or None, start=q.first_index) as tailer:
                    tailer.seek_start()
                    alone = plain(tailer)
                    tailer.seek_start()
                    ratios.append(asyncio.run(consume(tailer)) / alone)
            begun = time.perf_counter()
            for _ in range(n // 4):
                appender.write({"n": 1})
            write = (time.perf_counter() - begun) / (n // 4)
            puts["one at a time"].append(asyncio.run(produce(1, n // 20)) / write)
            puts["256 at a time"].append(asyncio.run(produce(256, n // 4)) / write)
    for kind, ratios in reads.items():
        print(f"async for / for{kind}: {statistics.median(ratios):.2f} (median of {rounds} rounds)")
    for name, ratios in puts.items():
        print(f"await put, {name} / write: {statistics.median(ratios):.1f}")


def main(parts: list[str]) -> None:
    if "throughput" in parts:
        throughput(2000 if QUICK else 20000, 3 if QUICK else 7)
    if "latency" in parts:
        print("from C, bench/wakeup.c:", flush=True)
        subprocess.run([c_program("wakeup"), "300" if QUICK else "5000"], check=True)
        print("from Python and asyncio:", flush=True)
        latency(2 if QUICK else 20, 0.001)
    has_java = java_is_there()
    if not has_java:
        print("no JDK or Maven here: what a JVM's messages cost is left out")
    if "java" in parts and has_java:
        from_java(QUICK)
    if "idle" in parts:
        for kind in ["tape", *(["JVM"] if has_java else [])]:
            idle(kind, 2 if QUICK else 30)


if __name__ == "__main__":
    main([a for a in sys.argv[1:] if not a.startswith("-")]
         or ["throughput", "latency", "java", "idle"])
