"""Processes that write or tail a queue with tape by themselves, for the live and kill runs.

They speak the protocol of the JVM's live modes, and write its messages ``[id n "padding"]``::

    python -m tests.kit.live_worker write DIR --ids 1,2 --count 1000 --roll TEST_SECONDLY
    python -m tests.kit.live_worker tail DIR --out FILE

Both print ``ready`` when the queue is open. A writer begins at the line ``go``, prints
``ack ID N INDEX`` after each message if asked to, and ``slow BEGIN END DELAY HOLDER WAITED`` after
one that took longer than asked (:class:`Slow`). At the line ``pause`` it says ``paused`` between
two messages, and waits for ``resume``. It ends at the line ``stop`` at the latest, and then prints
``done {...}``. A tailer ends when it has seen the counts of the line ``until ID:N,...``, and prints
``done {...}``.

``tests/c/live_worker.c`` does the same in C; :mod:`tests.kit.c_worker` starts it.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import queue
import re
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import tape
from tape.codecs import raw

from tests.jvm.heard import Heard, counts_word
from tests.kit.jvm_peer import live_padding_length

PART = 65536
LETTERS = [bytes([c]) for c in b"abcdefghijklmnopqrstuvwxyz"]


# ---- the messages

def _packed(v: int) -> bytes:
    """A packed integer of Fressian, 0 to 2**31-1."""
    if v < 1 << 6:
        return bytes([v])
    for limit, code, width in ((12, 0x50, 1), (19, 0x68, 2), (25, 0x72, 3)):
        if v < 1 << limit:
            return ((code << 8 * width) + v).to_bytes(width + 1, "big")
    return b"\x76" + v.to_bytes(4, "big")


def encode(id: int, n: int, length: int) -> bytes:
    """The bytes of the vector [id n padding], as the JVM's live writer makes them."""
    letter = LETTERS[n % 26]
    if 64 <= length < 4096:  # most messages
        return b"\xe7%b%b\xe3%c%c%b" % (_packed(id), _packed(n), 0x50 + (length >> 8),
                                        length & 255, letter * length)
    parts = [b"\xe7", _packed(id), _packed(n)]
    while length > PART:
        parts += [b"\xe2", _packed(PART), letter * PART]
        length -= PART
    parts += [bytes([0xDA + length])] if length < 8 else [b"\xe3", _packed(length)]
    return b"".join([*parts, letter * length])


_WIDTHS = {**{c: (1, c - 0x50) for c in range(0x50, 0x60)},
           **{c: (2, c - 0x68) for c in range(0x68, 0x70)},
           **{c: (3, c - 0x72) for c in range(0x72, 0x74)},
           **{c: (4, c - 0x76) for c in range(0x76, 0x78)}}


def _unpacked(data: bytes, at: int) -> tuple[int, int]:
    code = data[at]
    if code < 0x40:
        return code, at + 1
    width, high = _WIDTHS[code]
    end = at + 1 + width
    return high << 8 * width | int.from_bytes(data[at + 1:end], "big"), end


def decode(data: bytes) -> tuple[int, int]:
    """id and n; (-1, -1) unless the message is whole, to the last letter of its padding."""
    try:
        if data[0] != 0xE7:
            return -1, -1
        id, at = _unpacked(data, 1)
        n, at = _unpacked(data, at)
        letter = LETTERS[n % 26]
        while True:
            code = data[at]
            if 0xDA <= code < 0xE2:
                size, at = code - 0xDA, at + 1
            elif code in (0xE2, 0xE3):
                size, at = _unpacked(data, at + 1)
            else:
                return -1, -1
            part = data[at:at + size]
            at += size
            if len(part) != size or part.strip(letter):
                return -1, -1
            if code != 0xE2:
                return (id, n) if at == len(data) else (-1, -1)
    except (IndexError, KeyError):
        return -1, -1


# ---- the driver's side

class Slow(NamedTuple):
    """An append that took long, by the monotonic clock, in ns."""

    begin: int
    end: int
    delay: int   # it could have run, and did not
    holder: int  # of the lock, for which it waited: the process, or 0
    waited: int


class Worker:
    """A process of this module, or one in C. Ended at the end of a ``with``."""

    #: What is started, before the arguments.
    command: Sequence[str | os.PathLike[str]] = (sys.executable, "-m", "tests.kit.live_worker")

    def __init__(self, *arguments: object, environment: Mapping[str, str] | None = None) -> None:
        self._process = subprocess.Popen(
            [*self.command, *map(str, arguments)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **(environment or {})})
        self._pauses = 0
        assert self._process.stdin is not None and self._process.stdout is not None
        self._stdin, self._stdout = self._process.stdin, self._process.stdout
        self._heard = Heard(self._stdout, lambda: RuntimeError(
            f"the worker ended (status {self._process.wait()})"))

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *exc: object) -> None:
        self.kill()
        self._stdin.close()
        self._stdout.close()

    @property
    def pid(self) -> int:
        return self._process.pid

    def kill(self) -> int:
        """SIGKILL; afterwards everything that it said is there. When it was dead, in monotonic
        nanoseconds: a busy machine takes its time."""
        self._process.kill()
        self._process.wait()
        dead = time.monotonic_ns()
        self._heard.join()
        return dead

    def wait_ready(self, timeout: float = 60) -> None:
        """Wait until its queue is open."""
        self._heard.wait_words("ready", timeout=timeout)

    def send(self, line: str) -> None:
        self._stdin.write(line.encode() + b"\n")

    def go(self) -> None:
        self.send("go")

    def pause(self, timeout: float = 60) -> None:
        """Let a writer rest between two messages, and wait until it does."""
        self._pauses += 1
        self.send("pause")
        self._heard.wait_lines("paused", self._pauses, timeout)

    def resume(self) -> None:
        """Let a writer go on that was paused."""
        self.send("resume")

    def signal(self, number: int) -> None:
        """Sends it a signal, if it is there."""
        self._process.send_signal(number)

    def wait_stopped(self, timeout: float, go: bool = False) -> bool:
        """Wait until it is stopped, by whom ever; False when it ended, or after the time.

        ``go``: and let it begin, once its queue is open.
        """
        deadline = time.monotonic() + timeout
        while self._process.poll() is None and time.monotonic() < deadline:
            try:
                if os.waitid(os.P_PID, self.pid, os.WSTOPPED | os.WNOHANG):
                    return True
            except ChildProcessError:  # it has just ended
                return False
            if go and any(line == "ready" for line in self._heard.said()):
                self.go()
                go = False
            time.sleep(0.0002)
        return False

    def slow(self) -> list[Slow]:
        """Each append that took longer than asked."""
        lines = (line.split(" ") for line in self._heard.said())
        return [Slow(*map(int, w[1:])) for w in lines if w[0] == "slow"]

    def until(self, counts: Mapping[int, int]) -> None:
        """Let a tailer end once it has seen so many messages of each id."""
        self.send(f"until {counts_word(counts)}")

    def acks(self) -> list[tuple[int, int, int]]:
        """id, n and index of each acknowledged message; see :meth:`Heard.acks`."""
        return [(id, n, index) for id, n, index in self._heard.acks()]

    def wait_acks(self, count: int, timeout: float = 60) -> None:
        self._heard.wait_acks(count, timeout)

    def result(self, timeout: float = 120) -> Any:
        """What it says at its end."""
        words = self._heard.wait_words("done", timeout=timeout)
        self._process.wait(30)
        return json.loads(" ".join(words[1:]))


def writer(path: Path, *, ids: str, roll: str, environment: Mapping[str, str] | None = None,
           **options: object) -> Worker:
    """A writer, one thread for each of the ids; see :func:`main` for the options."""
    return Worker("write", path, "--ids", ids, "--roll", roll, *_flags(options),
                  environment=environment)


def tailer(path: Path, out: Path, *, roll: str) -> Worker:
    """A tailer from the start; its records are those of the JVM's live tailer."""
    return Worker("tail", path, "--out", out, "--roll", roll)


def _flags(options: Mapping[str, object]) -> list[object]:
    words: list[object] = []
    for name, value in options.items():
        flag = f"--{name.replace('_', '-')}"
        words += [] if value is False else [flag] if value is True else [flag, value]
    return words


# ---- the worker's side

def _say(text: str) -> None:
    # One write of a short line: a kill leaves all of it or nothing, and no buffer holds it back.
    os.write(1, text.encode() + b"\n")


def _run_delay() -> int:
    """How long this thread was ready to run and did not, in ns."""
    with open("/proc/thread-self/schedstat") as file:
        return int(file.read().split()[1])


class _Holder(logging.Handler):
    """Of the lock that an append waited for: from tape's log of slow ones."""

    pid = waited_ms = 0

    def emit(self, record: logging.LogRecord) -> None:
        if found := re.search(r"(\d+) ms waiting .*, held by process (\d+)", record.getMessage()):
            self.waited_ms, self.pid = int(found[1]), int(found[2])


class Writing:
    """What one thread of a writer does, and what became of it."""

    def __init__(self, appender: tape.Appender, id: int, o: argparse.Namespace) -> None:
        self.appender, self.id, self.o = appender, id, o
        self.low, self.high = (int(s) for s in o.size.split(".."))
        self.stopped = threading.Event()
        self.pauses = self.resumes = self.told = 0
        self.error: BaseException | None = None
        self.facts: dict[str, Any] = {}
        self.holder = _Holder()
        # What is encoded beforehand costs no time between appends: a kill then meets an append.
        self.prepared = [self._message(n) for n in range(o.prepare)]

    def _message(self, n: int) -> bytes:
        return encode(self.id, n, live_padding_length(n, self.low, self.high))

    def run(self) -> None:
        try:
            self._run()
        except BaseException as error:  # noqa: BLE001 - to be raised in the main thread
            self.error = error

    def _run(self) -> None:
        write = self._write_and_tell if self.o.slow_ms else self.appender.write
        id, ack = self.id, self.o.ack
        clock, prepared = time.perf_counter, self.prepared
        n, slowest, first, last = 0, 0.0, -1, -1
        begin = clock()
        end = begin + self.o.seconds if self.o.seconds else float("inf")
        while n < self.o.count and not self.stopped.is_set():
            if self.pauses > self.resumes:
                self._rest()
                continue
            data = prepared[n] if n < len(prepared) else self._message(n)
            before = clock()
            if before >= end:
                break
            last = write(data)
            slowest = max(slowest, clock() - before)
            if ack:
                _say(f"ack {id} {n} {last}")
            if n == 0:
                first = last
            n += 1
            if self.o.rate and (pause := begin + n / self.o.rate - clock()) > 0:
                self.stopped.wait(pause)
        self.facts = {"id": id, "count": n, "first": first, "last": last,
                      "slowest_ms": round(slowest * 1e3, 3)}


    def _write_and_tell(self, data: bytes) -> int:
        self.holder.pid = self.holder.waited_ms = 0
        delay, begin = _run_delay(), time.monotonic_ns()
        index = self.appender.write(data)
        end = time.monotonic_ns()
        if end - begin > self.o.slow_ms * 1e6:
            _say(f"slow {begin} {end} {_run_delay() - delay} {self.holder.pid} "
                 f"{self.holder.waited_ms * 1_000_000}")
        return index

    def _rest(self) -> None:
        if self.told < self.pauses:  # another one may come before the resuming of the last is seen
            self.told += 1
            _say("paused")
        else:
            self.stopped.wait(0.0005)


def jobs_of(q: tape.Queue, o: argparse.Namespace) -> list[Writing]:
    """One for each id, with one appender for all or one for each."""
    shared = q.appender(codec=raw) if o.shared else None
    return [Writing(shared or q.appender(codec=raw), int(id), o) for id in o.ids.split(",")]


def write_by_threads(q: tape.Queue, jobs: list[Writing]) -> dict[str, Any]:
    """Does each job in a thread of its own."""
    threads = [threading.Thread(target=job.run) for job in jobs]
    begin = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - begin
    for job in jobs:
        if job.error:
            raise job.error
    info = q.info()
    return {"writers": [job.facts for job in jobs], "seconds": seconds,
            "acquired": info.lock_acquired, "contended": info.lock_contended,
            "broken": info.lock_broken, "lost": info.lock_lost, "rolls": info.rolls,
            "repairs": info.repairs}


def _write(o: argparse.Namespace) -> None:
    with tape.open(o.path, roll_cycle=o.roll, codec=raw, block_size=o.block_size,
                   slow_append=o.slow_ms / 1e3 or 0.1) as q:
        jobs = jobs_of(q, o)
        for job in jobs if o.slow_ms else ():
            logging.getLogger("tape.append").addHandler(job.holder)
        _say("ready")
        if sys.stdin.readline() != "go\n":
            return
        threading.Thread(target=_do_as_told, args=(jobs,), daemon=True).start()
        _say("done " + json.dumps(write_by_threads(q, jobs)))


def _do_as_told(jobs: list[Writing]) -> None:
    for line in sys.stdin:
        for job in jobs:
            if line == "pause\n":
                job.pauses += 1
            elif line == "resume\n":
                job.resumes += 1
            else:
                job.stopped.set()


def _lines() -> queue.SimpleQueue[str]:
    lines: queue.SimpleQueue[str] = queue.SimpleQueue()

    def read() -> None:
        for line in sys.stdin:
            lines.put(line)

    threading.Thread(target=read, daemon=True).start()
    return lines


def _tail(o: argparse.Namespace) -> None:
    lines, record = _lines(), struct.Struct("<qii")
    counts: dict[int, int] = {}
    wanted: dict[int, int] | None = None
    bad, silent_since = 0, time.monotonic()
    with tape.open(o.path, roll_cycle=o.roll, codec=raw) as q, \
            q.tailer(poll_interval=0.001) as t, open(o.out, "wb") as out:
        _say("ready")
        while True:
            seen = 0
            for entry in t.entries():
                id, n = decode(entry.value)
                bad += id < 0
                counts[id] = counts.get(id, 0) + 1
                out.write(record.pack(entry.index, id, n))
                seen += 1
            try:
                words = lines.get(timeout=0.001).split()
                wanted = {int(i): int(c) for i, c in (p.split(":") for p in words[1].split(","))}
            except queue.Empty:
                pass
            now = time.monotonic()
            silent_since = now if seen else silent_since
            complete = wanted is not None and all(counts.get(i, 0) >= c
                                                  for i, c in wanted.items())
            if complete or (wanted is not None and now - silent_since > o.give_up_seconds):
                break
    _say("done " + json.dumps({"count": sum(counts.values()), "bad": bad, "complete": complete}))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("role", choices=["write", "tail"])
    parser.add_argument("path")
    parser.add_argument("--roll", required=True)
    parser.add_argument("--ids", help="one thread for each")
    parser.add_argument("--count", type=int, default=1 << 31)
    parser.add_argument("--seconds", type=float, default=0)
    parser.add_argument("--rate", type=float, default=0, help="messages a second of each thread")
    parser.add_argument("--size", default="20..200", help="of the padding")
    parser.add_argument("--shared", action="store_true", help="one appender for all threads")
    parser.add_argument("--prepare", type=int, default=0, help="messages to encode beforehand")
    parser.add_argument("--ack", action="store_true")
    parser.add_argument("--slow-ms", type=float, default=0, help="tell of slower appends")
    parser.add_argument("--block-size", type=int)
    parser.add_argument("--out")
    parser.add_argument("--give-up-seconds", type=float, default=30)
    options = parser.parse_args()
    (_write if options.role == "write" else _tail)(options)


if __name__ == "__main__":
    main()
