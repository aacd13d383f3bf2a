"""What is measured from Python, tape and others: each subject in its own directory.

Every method ``name(count)`` does its work ``count`` times (reading methods: as often as there is
something to be read) and returns nanoseconds and how often. Readers read what was written since
their last round, so that all find their bytes equally warm. All stores are set so that what was
written survives the death of the process, not that of the machine, as tape's ``durability="os"``.
"""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import tape

from . import building

now = time.perf_counter_ns
EVENT = {"id": 12345, "kind": "order", "price": 101.25, "tags": ["a", "b"]}
CHUNK = 1000


def timed(action: Callable[[Any], Any], count: int, message: Any) -> tuple[float, int]:
    """``action(message)``, ``count`` times."""
    begin = now()
    for _ in itertools.repeat(None, count):
        action(message)
    return now() - begin, count


class Subject:
    """A store in a directory of its own."""

    def __init__(self, directory: Path, size: int = 64) -> None:
        self.directory = directory
        self.message: Any = b"m" * size
        self.written = 0
        directory.mkdir(parents=True, exist_ok=True)
        self.open()

    def open(self) -> None:
        raise NotImplementedError

    def wrote(self, result: tuple[float, int]) -> tuple[float, int]:
        self.written += result[1]
        return result

    def bytes_on_disk(self) -> float:
        """Of a message, with everything that the store keeps beside it."""
        total = sum(p.stat().st_blocks * 512 for p in self.directory.rglob("*"))
        return total / max(self.written, 1)


class Tape(Subject):
    """tape through its Python package; ``codec`` decides what a message is."""

    codec: Any = tape.codecs.raw

    def open(self) -> None:
        self.queue = tape.open(self.directory / "q", codec=self.codec)
        self.appender = self.queue.appender()
        self.tailers = {name: self.queue.tailer() for name in ("iterate", "read", "many")}
        self.seeker = self.queue.tailer()
        self.first = self.appender.write(self.message)
        self.written = 1
        for tailer in self.tailers.values():
            tailer.read()

    def write(self, count: int) -> tuple[float, int]:
        return self.wrote(timed(self.appender.write, count, self.message))

    def write_many(self, count: int) -> tuple[float, int]:
        messages = [self.message] * count
        begin = now()
        self.appender.write_many(messages)
        return self.wrote((now() - begin, count))

    def _to_read(self, name: str) -> tuple[Any, int]:
        tailer = self.tailers[name]
        if (there := self.written - 1 - (tailer.index - self.first - 1)) == 0:
            self.write(there := CHUNK)
        return tailer, there

    def iterate(self, count: int) -> tuple[float, int]:
        tailer, there = self._to_read("iterate")
        begin = now()
        for _ in tailer:
            pass
        return now() - begin, there

    def read(self, count: int) -> tuple[float, int]:
        tailer, there = self._to_read("read")
        read = tailer.read
        begin = now()
        for _ in itertools.repeat(None, there):
            read()
        return now() - begin, there

    def read_many(self, count: int) -> tuple[float, int]:
        tailer, there = self._to_read("many")
        begin = now()
        while tailer.read_many(CHUNK):
            pass
        return now() - begin, there

    def seek_read(self, count: int) -> tuple[float, int]:
        wanted = [self.first + random.randrange(self.written) for _ in range(count)]
        seek, read = self.seeker.seek, self.seeker.read
        begin = now()
        for index in wanted:
            seek(index)
            read()
        return now() - begin, count


class TapeEvents(Tape):
    """Dicts, by Fressian."""

    codec = tape.codecs.fressian

    def open(self) -> None:
        self.message = EVENT
        super().open()


class Floor(Subject):
    """Not a store: what the C API of Python allows at all."""

    SIZE = 256 << 20

    def open(self) -> None:
        self.log = building.python_floor().Log(str(self.directory / "log"), self.SIZE)
        self.unread = 0

    def append(self, count: int) -> tuple[float, int]:
        room = count * (len(self.message) + 8)
        if (self.written + count) * (len(self.message) + 8) + room > self.SIZE:
            self.log.clear()
            self.written = self.unread = 0
        self.unread += count
        return self.wrote(timed(self.log.append, count, self.message))

    def iterate(self, count: int) -> tuple[float, int]:
        if self.unread == 0:
            self.append(count)
        there, self.unread = self.unread, 0
        log = self.log
        begin = now()
        for _ in log:
            pass
        return now() - begin, there


class Lmdb(Subject):
    """lmdb: keys are numbers, as a log would have them."""

    def open(self) -> None:
        import lmdb
        self.env = lmdb.open(str(self.directory / "db"), map_size=32 << 30, writemap=True,
                             map_async=True, sync=False, metasync=False)
        self.read_from = 0

    def key(self, number: int) -> bytes:
        return number.to_bytes(8, "big")

    def encoded(self) -> bytes:
        return self.message

    def put(self, count: int) -> tuple[float, int]:
        """A transaction for each message."""
        begin_transaction, number, message = self.env.begin, self.written, self.message
        begin = now()
        for n in range(number, number + count):
            with begin_transaction(write=True) as transaction:
                transaction.put(n.to_bytes(8, "big"), message, append=True)
        return self.wrote((now() - begin, count))

    def batch(self, count: int) -> tuple[float, int]:
        """Transactions of 1000 messages."""
        number, encoded = self.written, self.encoded
        begin = now()
        for start in range(number, number + count, CHUNK):
            items = [(n.to_bytes(8, "big"), encoded())
                     for n in range(start, min(start + CHUNK, number + count))]
            with self.env.begin(write=True) as transaction:
                transaction.cursor().putmulti(items, append=True)
        return self.wrote((now() - begin, count))

    def cursor(self, count: int) -> tuple[float, int]:
        if self.read_from == self.written:
            self.batch(count)
        there = self.written - self.read_from
        with self.env.begin() as transaction:
            cursor = transaction.cursor()
            cursor.set_key(self.key(self.read_from))
            begin = now()
            for _ in cursor.iternext(keys=False):
                pass
            took = now() - begin
        self.read_from = self.written
        return took, there

    def get(self, count: int) -> tuple[float, int]:
        """Random gets within one transaction."""
        wanted = [self.key(random.randrange(self.written)) for _ in range(count)]
        with self.env.begin() as transaction:
            return self._gets(transaction.get, wanted)

    @staticmethod
    def _gets(get: Callable[[bytes], Any], wanted: list[bytes]) -> tuple[float, int]:
        begin = now()
        for key in wanted:
            get(key)
        return now() - begin, len(wanted)


class LmdbEvents(Lmdb):
    """Dicts, by orjson."""

    def open(self) -> None:
        import orjson
        self.dumps, self.loads = orjson.dumps, orjson.loads
        super().open()

    def encoded(self) -> bytes:
        return self.dumps(EVENT)

    def cursor(self, count: int) -> tuple[float, int]:
        if self.read_from == self.written:
            self.batch(count)
        there, loads = self.written - self.read_from, self.loads
        with self.env.begin(buffers=True) as transaction:
            cursor = transaction.cursor()
            cursor.set_key(self.key(self.read_from))
            begin = now()
            for value in cursor.iternext(keys=False):
                loads(value)
            took = now() - begin
        self.read_from = self.written
        return took, there


class Sqlite(Subject):
    """sqlite3 with a write-ahead log: a transaction for each message, and of 1000."""

    def open(self) -> None:
        import sqlite3
        self.db = sqlite3.connect(self.directory / "db", isolation_level=None)
        self.db.execute("pragma journal_mode=wal")
        self.db.execute("pragma synchronous=off")
        self.db.execute("create table log (id integer primary key, body blob)")
        self.read_from = 0

    def put(self, count: int) -> tuple[float, int]:
        execute, row = self.db.execute, (self.message,)
        begin = now()
        for _ in itertools.repeat(None, count):
            execute("insert into log (body) values (?)", row)
        return self.wrote((now() - begin, count))

    def batch(self, count: int) -> tuple[float, int]:
        begin = now()
        for start in range(0, count, CHUNK):
            self.db.execute("begin")
            self.db.executemany("insert into log (body) values (?)",
                                [(self.message,)] * min(CHUNK, count - start))
            self.db.execute("commit")
        return self.wrote((now() - begin, count))

    def select(self, count: int) -> tuple[float, int]:
        there = self.written - self.read_from
        begin = now()
        for _ in self.db.execute("select body from log where id > ? order by id",
                                 (self.read_from,)):
            pass
        self.read_from = self.written
        return now() - begin, there


class Queuelib(Subject):
    """queuelib's FIFO of files; reading removes."""

    def open(self) -> None:
        import queuelib
        self.log = queuelib.FifoDiskQueue(str(self.directory / "q"))

    def push(self, count: int) -> tuple[float, int]:
        return self.wrote(timed(self.log.push, count, self.message))

    def pop(self, count: int) -> tuple[float, int]:
        pop, there = self.log.pop, len(self.log)
        begin = now()
        while pop() is not None:
            pass
        return now() - begin, there


class PersistQueue(Subject):
    """persist-queue's file queue; reading removes."""

    def open(self) -> None:
        import persistqueue
        self.log = persistqueue.Queue(str(self.directory / "q"), autosave=False)
        self.unread = 0

    def put(self, count: int) -> tuple[float, int]:
        self.unread += count
        return self.wrote(timed(self.log.put, count, self.message))

    def get(self, count: int) -> tuple[float, int]:
        there, self.unread = self.unread, 0
        get = self.log.get
        begin = now()
        for _ in itertools.repeat(None, there):
            get()
        return now() - begin, there


class PlainFile(Subject):
    """Lengths and bodies, one write(2) a message, read back through a buffer."""

    def open(self) -> None:
        path = self.directory / "log"
        self.out = path.open("ab", buffering=0)
        self.into = path.open("rb", buffering=1 << 16)
        self.read_from = 0

    def write(self, count: int) -> tuple[float, int]:
        write, message = self.out.write, self.message
        begin = now()
        for _ in itertools.repeat(None, count):
            write(len(message).to_bytes(4, "little") + message)
        return self.wrote((now() - begin, count))

    def read(self, count: int) -> tuple[float, int]:
        read, there = self.into.read, self.written - self.read_from
        begin = now()
        while word := read(4):
            read(int.from_bytes(word, "little"))
        self.read_from = self.written
        return now() - begin, there
