"""Chronicle Queue itself, as the judge of tape's tests.

The JVM program under ``tests/jvm`` does what it is told over a line protocol; this module
builds it, starts it, and gives its commands Python types. Nothing here knows tape.

>>> with Peer() as peer:                                       # doctest: +SKIP
...     queue = peer.open("orders", roll_cycle="TEST_SECONDLY")
...     index = queue.appender().append(b"payload")
...     queue.tailer().read()
Message(index=..., kind='tape', data=b'payload')

Live runs use processes of their own, see :class:`LiveWriter` and :class:`LiveTailer`.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import select
import shutil
import signal
import struct
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any, NamedTuple

PROJECT = Path(__file__).resolve().parent / "jvm"

#: Environment: a skip becomes a failure. Set by CI, where the JVM must be there.
REQUIRE = "TAPE_REQUIRE_JVM"
#: Environment: another release of chronicle-queue than the one that pom.xml names.
VERSION = "TAPE_CHRONICLE_VERSION"

UNLOCKED = -(1 << 63)

JVM_OPTIONS = (
    "-Dchronicle.analytics.disable=true",
    "-Dchronicle.announcer.disable=true",
    # Names of weekly cycles depend on the locale: the tests expect those of a default JVM.
    "-Duser.language=en", "-Duser.country=US", "-Dfile.encoding=UTF-8",
    "-Dorg.slf4j.simpleLogger.levelInBrackets=true",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS",
    # Several JVMs share few cores in these tests; parallel collectors only get in the way.
    "-XX:+UseSerialGC", "-Xmx1g",
    # What Chronicle asks for on Java 17.
    "--add-exports=java.base/jdk.internal.ref=ALL-UNNAMED",
    "--add-exports=java.base/sun.nio.ch=ALL-UNNAMED",
    "--add-exports=jdk.unsupported/sun.misc=ALL-UNNAMED",
    "--add-exports=jdk.compiler/com.sun.tools.javac.file=ALL-UNNAMED",
    "--add-opens=jdk.compiler/com.sun.tools.javac=ALL-UNNAMED",
    "--add-opens=java.base/java.lang=ALL-UNNAMED",
    "--add-opens=java.base/java.lang.reflect=ALL-UNNAMED",
    "--add-opens=java.base/java.io=ALL-UNNAMED",
    "--add-opens=java.base/java.util=ALL-UNNAMED",
)

#: Log lines at WARN or ERROR that say nothing about a queue.
HARMLESS: tuple[tuple[str, str], ...] = (
)


# ---- building

def available() -> str | None:
    """Why there can be no JVM peer, or ``None`` when there can."""
    for tool, package in (("java", "a JDK, 17 or later"), ("javac", "a JDK, 17 or later"),
                          ("mvn", "Maven")):
        if shutil.which(tool) is None:
            return f"{tool} is not on the path: the JVM peer needs {package}"
    return None


def require_jvm() -> None:
    """For pytest: build the peer; skip without a JDK or Maven, or fail if it is required."""
    import pytest

    reason = available()
    if reason is None:
        build()
    elif os.environ.get(REQUIRE) == "1":
        pytest.fail(f"{reason} ({REQUIRE}=1)")
    else:
        pytest.skip(reason)


def build(version: str | None = None) -> str:
    """Build the peer unless it is up to date; return the class path to start it with.

    Each release of chronicle-queue has a directory of its own under ``target``, so tests
    may use several side by side. Concurrent builds wait for each other.
    """
    version = version or os.environ.get(VERSION) or None
    target = PROJECT / "target" / (version or "default")
    target.mkdir(parents=True, exist_ok=True)
    stamp = target / "sources.sha256"
    with open(target / "build.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        digest = _digest_of_sources()
        if not stamp.exists() or stamp.read_text() != digest:
            command = ["mvn", "-q", "-B", "package",
                       f"-Dpeer.build={target.relative_to(PROJECT)}"]
            if version:
                command.append(f"-Dchronicle.version={version}")
            done = subprocess.run(command, cwd=PROJECT, stdin=subprocess.DEVNULL,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            if done.returncode != 0:
                raise RuntimeError(f"{' '.join(command)} failed:\n{done.stdout}")
            stamp.write_text(digest)
    return f"{target}/peer.jar{os.pathsep}{target}/lib/*"


def _digest_of_sources() -> str:
    # Contents, not times: a checkout gives old files new times and the reverse.
    digest = hashlib.sha256()
    files = sorted(p for p in (PROJECT / "src").rglob("*") if p.is_file())
    for path in [PROJECT / "pom.xml", *files]:
        digest.update(f"{path.relative_to(PROJECT)}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


# ---- what both sides can compute

def payload(seed: int, n: int, size: int) -> bytes:
    """The payload of message ``n`` of :meth:`JvmAppender.append_many`: the little-endian
    32-bit words n and seed, repeated and cut to size.

    >>> payload(7, 1, 10).hex()
    '01000000070000000100'
    """
    word = struct.pack("<II", n & 0xFFFFFFFF, seed & 0xFFFFFFFF)
    return (word * (size // 8 + 1))[:size]


def live_padding_length(n: int, low: int, high: int) -> int:
    """Length of the padding in message ``n`` of a live writer."""
    return low + n * 7919 % (high - low + 1)


def live_padding(n: int, length: int) -> str:
    """Padding of message ``n`` of a live writer, which is the value ``[id, n, padding]``.

    A :class:`LiveTailer` counts messages whose padding is anything else as bad, so other
    writers of a live run must pad in the same way; the length is theirs to choose.

    >>> live_padding(27, 4)
    'bbbb'
    """
    return chr(ord("a") + n % 26) * length


class Record(NamedTuple):
    """A message as a :class:`LiveTailer` saw it; ``id`` is -1 for one that is not whole."""

    index: int
    id: int
    n: int


def read_records(path: str | os.PathLike[str]) -> list[Record]:
    """The records that a :class:`LiveTailer` wrote."""
    return [Record._make(r) for r in struct.iter_unpack("<qii", Path(path).read_bytes())]


# ---- errors

class JvmError(Exception):
    """Java threw; the message is Java's, with those of its causes."""

    def __init__(self, class_name: str, message: str) -> None:
        super().__init__(f"{class_name}: {message}")
        self.class_name = class_name
        self.message = message

    @property
    def name(self) -> str:
        """The class without its package."""
        return re.split(r"[.$]", self.class_name)[-1]


class JvmDied(Exception):
    """The JVM ended, or did not answer in time and was killed."""


# ---- processes

class _Process:
    """A JVM with its standard streams; what it logs goes to a file."""

    def __init__(self, arguments: Sequence[str], *, version: str | None = None,
                 jvm_options: Sequence[str] = ()) -> None:
        class_path = build(version)
        self._scratch = tempfile.TemporaryDirectory(prefix="jvm-peer-")
        self._log_path = Path(self._scratch.name) / "log"
        with open(self._log_path, "wb") as log:
            self._process = subprocess.Popen(
                ["java", *JVM_OPTIONS, *jvm_options, "-cp", class_path, "tape.peer.Main",
                 *arguments],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log,
                # Chronicle may leave files where it is started.
                cwd=self._scratch.name, bufsize=0)
        assert self._process.stdin is not None and self._process.stdout is not None
        self._stdin: IO[bytes] = self._process.stdin
        self._stdout: IO[bytes] = self._process.stdout

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def log(self) -> str:
        """All that the JVM logged."""
        return self._log_path.read_text(errors="replace")

    def warnings(self) -> list[str]:
        """The lines that the JVM logged as warnings or errors, but for harmless ones."""
        marks = re.compile(r"\[(WARN|ERROR)\]|^Exception in thread|^# A fatal error"
                           r"|VM warning:|^WARNING:")
        return [line for line in self.log().splitlines()
                if marks.search(line) and not any(text in line for text, _ in HARMLESS)]

    def kill(self) -> None:
        """SIGKILL, and wait until the process is gone."""
        self._process.kill()
        self._process.wait()

    def pause(self) -> None:
        """SIGSTOP."""
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT."""
        self._process.send_signal(signal.SIGCONT)

    def _send(self, line: str) -> None:
        data = memoryview(line.encode() + b"\n")
        try:
            while data:
                data = data[self._stdin.write(data):]
        except BrokenPipeError:
            raise self._died("ended") from None

    def _died(self, how: str) -> JvmDied:
        status = self._process.poll()
        tail = "\n".join(self.log().splitlines()[-30:])
        return JvmDied(f"the JVM {how} (status {status}); its log ends:\n{tail}")

    def _dispose(self, timeout: float) -> None:
        try:
            self._stdin.close()
        except BrokenPipeError:
            pass
        try:
            self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
        self._stdout.close()


class _Lines:
    """Lines of a pipe, each with a deadline; fit for lines of many megabytes."""

    def __init__(self, pipe: IO[bytes]) -> None:
        self._fd = pipe.fileno()
        self._parts: list[bytes] = []      # of the line that is not complete yet
        self._lines: list[str] = []        # complete ones, newest first

    def next(self, deadline: float) -> str | None:
        """The next line, ``None`` at the end of the pipe; TimeoutError after the deadline."""
        while not self._lines:
            left = deadline - time.monotonic()
            if not select.select([self._fd], [], [], max(left, 0))[0]:
                raise TimeoutError
            data = os.read(self._fd, 1 << 20)
            if not data:
                return None
            *complete, rest = data.split(b"\n")
            if complete:
                complete[0] = b"".join([*self._parts, complete[0]])
                self._parts = []
                self._lines = [line.decode() for line in reversed(complete)]
            if rest:
                self._parts.append(rest)
        return self._lines.pop()


# ---- the peer

class Message(NamedTuple):
    """A document as Java's tailer saw it.

    ``kind`` is ``"tape"`` when the body is exactly one ``wire.write().bytes(..)``: then
    ``data`` is the payload; else ``"data"`` or ``"meta"``, and ``data`` the raw body.
    """

    index: int
    kind: str
    data: bytes


class Digest(NamedTuple):
    """As :class:`Message`, with the length and the CRC-32 of ``data`` in its place."""

    index: int
    kind: str
    length: int
    crc32: int


class RollCycleRow(NamedTuple):
    """One roll cycle as Java knows it."""

    name: str
    pattern: str
    length_ms: int
    index_count: int
    index_spacing: int
    max_messages: int


class Pending:
    """A command that was sent without waiting for its reply."""

    def __init__(self, peer: Peer) -> None:
        self._peer = peer
        self._reply: list[str] | None = None

    def wait(self, timeout: float = 60) -> list[str]:
        """The reply, as :meth:`Peer.call` gives it; TimeoutError leaves it pending."""
        if self._reply is None:
            self._reply = self._peer._receive(time.monotonic() + timeout)
        return self._reply

    def done(self) -> bool:
        """Whether the reply is there; raises what the command raised."""
        try:
            self.wait(0)
        except TimeoutError:
            return False
        return True


class Peer(_Process):
    """A JVM that does what it is told. Everything it does, it does on one thread."""

    def __init__(self, *, version: str | None = None, jvm_options: Sequence[str] = (),
                 timeout: float = 60) -> None:
        super().__init__((), version=version, jvm_options=jvm_options)
        self._timeout = timeout
        self._lines = _Lines(self._stdout)
        self._pending: Pending | None = None
        self._names = 0
        line = self._line(time.monotonic() + timeout)
        if line != "ready":
            raise self._died(f"said {line!r} instead of ready")

    def __enter__(self) -> Peer:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close what is open in the JVM and end it."""
        self._dispose(timeout=30)

    # -- the protocol

    def call(self, *words: object, timeout: float | None = None) -> list[str]:
        """Run one command. The reply is its words, or its lines when it has several.

        Bytes become hex, booleans Java's; a text with spaces must be the last word.

        Raises:
            JvmError: Java threw.
            JvmDied: no answer in time; the JVM is killed, since its state is unknown.
        """
        self.send(*words)
        limit = self._timeout if timeout is None else timeout
        try:
            return self._receive(time.monotonic() + limit)
        except TimeoutError:
            error = self._died(f"did not answer {str(words[0])!r} within {limit} s")
            self.kill()
            raise error from None

    def send(self, *words: object) -> Pending:
        """Send a command that may block; nothing else can be sent until it is answered."""
        if self._pending is not None:
            raise RuntimeError("an earlier command is still pending")
        self._send(" ".join(map(_word, words)))
        self._pending = Pending(self)
        return self._pending

    def _receive(self, deadline: float) -> list[str]:
        line = self._line(deadline)
        kind, _, rest = line.partition(" ")
        self._pending = None
        if kind == "ok":
            return rest.split(" ") if rest else []
        if kind == "lines":
            # The JVM made all lines before it sent the first.
            limit = max(deadline, time.monotonic() + self._timeout)
            return [self._line(limit) for _ in range(int(rest))]
        if kind == "err":
            raise JvmError(*rest.partition(" ")[::2])
        raise self._died(f"said {line[:200]!r}")

    def _line(self, deadline: float) -> str:
        line = self._lines.next(deadline)
        if line is None:
            self._process.wait()
            raise self._died("ended")
        return line

    def _name(self, letter: str) -> str:
        self._names += 1
        return f"{letter}{self._names}"

    # -- what needs no queue

    def java_pid(self) -> int:
        """The process id as the JVM sees it: what it writes into lock words."""
        return int(self.call("pid")[0])

    def commands(self) -> list[str]:
        return self.call("help")

    def open(self, path: str | os.PathLike[str], *, clock: int | bool | None = None,
             **settings: object) -> JvmQueue:
        """Open or create a queue.

        Args:
            path: its directory.
            clock: milliseconds at which a clock of the tests' own stands, or True for now;
                :meth:`JvmQueue.set_clock` moves it.
            settings: ``roll_cycle`` (a Java constant of any of the five enums), ``epoch``,
                ``roll_time``, ``block_size``, ``read_only``, ``source_id``, ``timeout_ms``,
                ``index_count``, ``index_spacing``, ``double_buffer``, ``listing_refresh_ms``.
        """
        words = [f"{_camel(key)}={_word(value)}" for key, value in settings.items()]
        if clock is not None and clock is not False:
            words.append(f"clock={'set' if clock is True else clock}")
        name = self._name("q")
        self.call("open", name, os.fsencode(os.path.abspath(path)), *words)
        return JvmQueue(self, name)

    def roll_cycles(self) -> list[RollCycleRow]:
        """All roll cycles, in the order in which Java searches them."""
        rows = (line.split(" ") for line in self.call("rollcycles"))
        return [RollCycleRow(r[0], r[1], *map(int, r[2:])) for r in rows]

    def fressian(self, edn: str) -> bytes:
        """What data.fressian makes of a value written as EDN; ``#bytes "00ff"`` for bytes."""
        return _bytes(self.call("fressian", edn)[0])

    def eval_fressian(self, clojure: str) -> bytes:
        """What data.fressian makes of the value of a Clojure expression."""
        return _bytes(self.call("evalfressian", clojure)[0])

    def edn(self, data: bytes) -> str:
        """What data.fressian reads from these bytes, printed."""
        return " ".join(self.call("edn", data))

    def dump(self, path: str | os.PathLike[str]) -> str:
        """A file or directory as Chronicle's DumpMain prints it."""
        return "\n".join(self.call("dump", os.fsencode(os.path.abspath(path))))

    def gc(self) -> None:
        """Collect garbage and release what Chronicle releases in the background."""
        self.call("gc")


class JvmQueue:
    """A queue that is open in a :class:`Peer`."""

    def __init__(self, peer: Peer, name: str) -> None:
        self.peer = peer
        self.name = name

    def _int(self, command: str, *words: object) -> int:
        return int(self.peer.call(command, self.name, *words)[0])

    def __enter__(self) -> JvmQueue:
        return self

    def __exit__(self, *exc: object) -> None:
        if self.peer.alive:
            self.close()

    def close(self) -> None:
        """Close it, with its appenders and tailers."""
        self.peer.call("close", self.name)

    def appender(self) -> JvmAppender:
        name = self.peer._name("a")
        self.peer.call("appender", name, self.name)
        return JvmAppender(self, name)

    def tailer(self, id: str | None = None) -> JvmTailer:
        name = self.peer._name("t")
        self.peer.call("tailer", name, self.name, *([] if id is None else [id.encode()]))
        return JvmTailer(self, name)

    def set_clock(self, millis: int) -> None:
        """Set the clock that the queue was opened with; backwards too."""
        self.peer.call("clock", self.name, millis)

    def info(self) -> dict[str, str]:
        return dict(_pair(line) for line in self.peer.call("info", self.name))

    def first_index(self) -> int:
        return self._int("firstindex")

    def last_index(self) -> int:
        return self._int("lastindex")

    def entry_count(self) -> int:
        return self._int("entrycount")

    def count_excerpts(self, a: int, b: int) -> int:
        return self._int("countexcerpts", a, b)

    def first_cycle(self) -> int:
        return self._int("firstcycle")

    def last_cycle(self) -> int:
        return self._int("lastcycle")

    def current_cycle(self) -> int:
        """The cycle of the queue's clock."""
        return self._int("currentcycle")

    def cycle_file(self, cycle: int) -> str:
        """The name that Java gives to the file of a cycle."""
        return self.peer.call("cyclefile", self.name, cycle)[0]

    def refresh(self) -> None:
        self.peer.call("refresh", self.name)

    def dump(self) -> str:
        return "\n".join(self.peer.call("dumpqueue", self.name))

    # -- the table store

    def table(self) -> dict[str, int]:
        """All words of the table store."""
        pairs = (line.split(" ") for line in self.peer.call("tablekeys", self.name))
        return {_bytes(key).decode(): int(value) for value, key in pairs}

    def table_get(self, key: str) -> int:
        return self._int("tableget", key)

    def table_put(self, key: str, value: int) -> None:
        self.peer.call("tableput", self.name, key, value)

    # -- locks

    def lock(self) -> None:
        """Take the write lock, as an appender does, without a document."""
        self.peer.call("lock", self.name)

    def unlock(self) -> None:
        self.peer.call("unlock", self.name)

    def locked_by(self) -> int | None:
        """Process id of the holder of the write lock."""
        word = self.peer.call("lockedby", self.name)[0]
        return None if word == "nobody" else int(word)

    def append_lock(self) -> None:
        self.peer.call("appendlock", self.name)

    def append_unlock(self) -> None:
        self.peer.call("appendunlock", self.name)


class JvmAppender:
    """An appender of Java's. Every method that appends gives the index."""

    def __init__(self, queue: JvmQueue, name: str) -> None:
        self.queue = queue
        self.name = name

    def _call(self, command: str, *words: object) -> list[str]:
        return self.queue.peer.call(command, self.name, *words)

    def _int(self, command: str, *words: object) -> int:
        return int(self._call(command, *words)[0])

    def append(self, data: bytes) -> int:
        """One message in tape's framing."""
        return self._int("append", data)

    def append_many(self, count: int, sizes: int | Sequence[int], seed: int,
                    start: int = 0) -> list[int]:
        """Messages ``start`` to ``start + count``; n has ``payload(seed, n, size)``, where
        its size is ``sizes[n % len(sizes)]``."""
        listed = [sizes] if isinstance(sizes, int) else sizes
        runs = self._call("appendmany", count, ",".join(map(str, listed)), seed, start)
        return list(_expand(runs))

    def write_bytes(self, data: bytes) -> int:
        """``writeBytes``: a body as it is."""
        return self._int("writebytes", data)

    def write_text(self, text: str | None) -> int:
        return self._int("writetext", "null" if text is None else text.encode())

    def write_document(self, **fields: str | int | float | bool | bytes) -> int:
        """``writeDocument`` with these fields."""
        words: list[object] = []
        for key, value in fields.items():
            words += [key, *_field(value)]
        return self._int("writedocument", *words)

    def write_meta(self, data: bytes) -> None:
        """A metadata document; it has no index."""
        self._call("writemeta", data)

    def say(self, text: str) -> int:
        """The call ``say(text)`` of a method writer; with a history if the queue has a
        source id. The index is the queue's last one: appenders do not tell."""
        return self._int("methodcall", "say", text.encode())

    def move(self, id: int, distance: float, text: str) -> int:
        """The call ``move(id, distance, text)`` of a method writer."""
        return self._int("methodcall", "move", id, distance, text.encode())

    def ping(self) -> int:
        """The call ``ping()`` of a method writer."""
        return self._int("methodcall", "ping")

    def tape_write(self, edn: str) -> int:
        """What a Clojure program does with tape: a value, written with data.fressian."""
        return self._int("tapewrite", edn)

    def last_appended(self) -> int:
        return self._int("lastappended")

    def cycle(self) -> int:
        return self._int("appendercycle")

    def normalise(self) -> None:
        """``normaliseEOFs``."""
        self._call("normalise")

    # -- a document that stays open

    def hold(self) -> int:
        """Open a document, and with it hold the write lock; gives its index."""
        return self._int("hold")

    def fill_held(self, data: bytes) -> None:
        self._call("fillheld", data)

    def release_held(self) -> None:
        """Publish the held document."""
        self._call("releasehold")

    def rollback_held(self) -> None:
        """Give up the held document."""
        self._call("rollback")

    def close(self) -> None:
        self._call("closeappender")


class JvmTailer:
    """A tailer of Java's."""

    def __init__(self, queue: JvmQueue, name: str) -> None:
        self.queue = queue
        self.name = name

    def _call(self, command: str, *words: object) -> list[str]:
        return self.queue.peer.call(command, self.name, *words)

    def _int(self, command: str, *words: object) -> int:
        return int(self._call(command, *words)[0])

    def _bool(self, command: str, *words: object) -> bool:
        return self._call(command, *words)[0] == "true"

    # -- reading

    def read(self) -> Message | None:
        """The next data document, or ``None``."""
        return _message(self._call("read"))

    def read_meta(self) -> Message | None:
        """The next document, metadata too (``readingDocument(true)``)."""
        return _message(self._call("readmeta"))

    def read_many(self, count: int) -> list[Message]:
        return _messages(self._call("readmany", count))

    def read_all(self) -> list[Message]:
        """Everything that is there now."""
        return _messages(self._call("readall"))

    def digest(self, count: int | None = None) -> list[Digest]:
        """As read_all or read_many, but of each message length and CRC-32 only."""
        rows = (line.split(" ") for line in
                self._call("digest", *([] if count is None else [count])))
        return [Digest(int(r[0]), r[1], int(r[2]), int(r[3])) for r in rows]

    def read_call(self) -> str | None:
        """The next message as a call of the method writer: method, arguments, then
        ``history`` and the sources, each as ``id:index``. Texts are hex."""
        words = self._call("readcall")
        return None if words == ["absent"] else " ".join(words)

    def tape_read(self) -> tuple[int, str] | None:
        """What a Clojure program does with tape: index and value, printed as EDN."""
        words = self._call("taperead")
        return None if words == ["absent"] else (int(words[0]), " ".join(words[1:]))

    # -- position

    def index(self) -> int:
        return self._int("index")

    def last_read_index(self) -> int:
        return self._int("lastread")

    def cycle(self) -> int:
        return self._int("cycle")

    def state(self) -> str:
        return self._call("state")[0]

    def direction(self) -> str:
        return self._call("direction")[0]

    def set_direction(self, direction: str) -> None:
        """FORWARD, BACKWARD or NONE."""
        self._call("direction", direction)

    def set_striding(self, striding: bool) -> None:
        self._call("striding", striding)

    def set_acknowledged_only(self, on: bool) -> None:
        """``readAfterReplicaAcknowledged``."""
        self._call("acknowledged", on)

    def to_start(self) -> None:
        self._call("tostart")

    def to_end(self) -> None:
        self._call("toend")

    def move_to_index(self, index: int) -> bool:
        return self._bool("movetoindex", index)

    def move_to_cycle(self, cycle: int) -> bool:
        return self._bool("movetocycle", cycle)

    def move_many(self, indexes: Iterable[int]) -> list[tuple[int, int] | None]:
        """Move to each index and read there: (index, CRC-32 of the data), or ``None`` when
        it was not found or nothing was there."""
        found: list[tuple[int, int] | None] = []
        for line in self._call("movemany", *indexes):
            words = line.split(" ")
            found.append((int(words[1]), int(words[2])) if len(words) == 3 else None)
        return found

    def excerpts_in_cycle(self, cycle: int) -> int:
        """Number of messages; -1 without a file. It moves the tailer: take one for this."""
        return self._int("excerptsincycle", cycle)

    def close(self) -> None:
        self._call("closetailer")


# ---- live runs

class LiveProcess(_Process):
    """A JVM that writes or reads by itself. Ended at the end of a ``with``."""

    def __init__(self, arguments: Sequence[str], *, version: str | None = None,
                 jvm_options: Sequence[str] = ()) -> None:
        super().__init__(arguments, version=version, jvm_options=jvm_options)
        self._said: list[str] = []
        self._news = threading.Condition()
        self._ended = False
        # A thread, so that the JVM never waits for a full pipe.
        self._reader = threading.Thread(target=self._listen, daemon=True)
        self._reader.start()

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """End it, by force if it still runs."""
        if self.alive:
            self.kill()
        self._reader.join()
        self._dispose(timeout=30)

    def kill(self) -> None:
        """SIGKILL; afterwards everything that it said is there."""
        super().kill()
        self._reader.join()

    def said(self) -> list[str]:
        """All lines so far."""
        with self._news:
            return list(self._said)

    def wait_ready(self, timeout: float = 60) -> None:
        """Wait until its queue is open."""
        self._wait_for("ready", timeout=timeout)

    def stop(self) -> None:
        """Ask it to end; :meth:`result` waits for it."""
        self._send("stop")

    def _listen(self) -> None:
        lines = _Lines(self._stdout)
        while (line := lines.next(time.monotonic() + 86400)) is not None:
            with self._news:
                self._said.append(line)
                self._news.notify_all()
        with self._news:
            self._ended = True
            self._news.notify_all()

    def _wait_for(self, *first_words: str, timeout: float) -> list[str]:
        """The words of the first line that begins with one of these."""
        deadline = time.monotonic() + timeout
        seen = 0
        with self._news:
            while True:
                for line in self._said[seen:]:
                    words = line.split(" ")
                    if words[0] in first_words:
                        return words
                    if words[0] == "failed":
                        raise JvmError(words[1], " ".join(words[2:]))
                seen = len(self._said)
                if self._ended:
                    raise self._died("ended")
                if not self._news.wait(max(deadline - time.monotonic(), 0)) \
                        and time.monotonic() >= deadline:
                    raise TimeoutError(f"no {' or '.join(first_words)} within {timeout} s")


class WriterResult(NamedTuple):
    """What a live writer did: messages, first and last index, cycles, slowest append."""

    count: int
    first: int
    last: int
    cycles: int
    slowest_us: int


class LiveWriter(LiveProcess):
    """A JVM that writes messages ``[id, n, padding]`` for a time or up to a count.

    >>> with LiveWriter("orders", id=1, seconds=3, wait=True) as writer:   # doctest: +SKIP
    ...     writer.wait_ready()
    ...     writer.go()
    ...     writer.result()
    """

    def __init__(self, path: str | os.PathLike[str], *, id: int, count: int | None = None,
                 seconds: float | None = None, start: int = 0, roll_cycle: str | None = None,
                 rate: float = 0, size: tuple[int, int] = (20, 200), ack: bool = False,
                 wait: bool = False, block_size: int | None = None,
                 timeout_ms: int | None = None, version: str | None = None,
                 jvm_options: Sequence[str] = ()) -> None:
        """
        Args:
            path: directory of the queue.
            id: first item of its messages.
            count: number of messages to write; or ``seconds``, or both.
            start: the first n.
            rate: messages a second; 0 is as fast as it can.
            size: shortest and longest padding, see :func:`live_padding_length`.
            ack: report each message once the append returned, see :meth:`acks`.
            wait: begin at :meth:`go`.
        """
        options: dict[str, object] = {
            "id": id, "from": start, "count": count, "seconds": seconds, "roll": roll_cycle,
            "rate": rate, "size": f"{size[0]}..{size[1]}", "block-size": block_size,
            "timeout-ms": timeout_ms}
        flags = [f"--{name}" for name, on in (("ack", ack), ("wait", wait)) if on]
        super().__init__(["write", os.path.abspath(path), *_options(options), *flags],
                         version=version, jvm_options=jvm_options)

    def go(self) -> None:
        """Let a writer begin that was made with ``wait=True``."""
        self._send("go")

    def acks(self) -> list[tuple[int, int]]:
        """n and index of each message that it acknowledged so far, in order."""
        lines = (line.split(" ") for line in self.said() if line.startswith("ack "))
        # A killed writer's last line may be cut: it is without newline, so it is not here.
        return [(int(words[1]), int(words[2])) for words in lines]

    def wait_acks(self, count: int, timeout: float = 60) -> None:
        """Wait until that many messages are acknowledged."""
        deadline = time.monotonic() + timeout
        with self._news:
            while sum(line.startswith("ack ") for line in self._said) < count:
                if self._ended:
                    raise self._died("ended")
                left = deadline - time.monotonic()
                if left <= 0:
                    raise TimeoutError(f"fewer than {count} messages within {timeout} s")
                self._news.wait(left)

    def result(self, timeout: float = 120) -> WriterResult:
        """Wait for its end."""
        words = self._wait_for("done", timeout=timeout)
        named = dict(_pair(word) for word in words[4:])
        self._process.wait(30)
        return WriterResult(*map(int, words[1:4]), int(named["cycles"]),
                            int(named["slowest_us"]))


class TailerResult(NamedTuple):
    """What a live tailer saw; ``complete`` is false when counts were not reached."""

    count: int
    bad: int
    cycles: int
    complete: bool


class LiveTailer(LiveProcess):
    """A JVM that reads from the start and records all that it sees, in a file."""

    def __init__(self, path: str | os.PathLike[str], out: str | os.PathLike[str], *,
                 until: Mapping[int, int] | None = None, idle_seconds: float | None = None,
                 named: str | None = None, read_only: bool = False,
                 roll_cycle: str | None = None, give_up_seconds: float = 60,
                 version: str | None = None, jvm_options: Sequence[str] = ()) -> None:
        """
        Args:
            path: directory of the queue.
            out: file for the records, see :func:`read_records`.
            until: how many messages of each id to wait for; also :meth:`until`, later.
            idle_seconds: end after so much silence.
            named: id of a named tailer.
            give_up_seconds: silence after which it ends although counts were not reached.
        """
        options: dict[str, object] = {
            "out": os.path.abspath(out), "until-counts": None if until is None else _counts(until),
            "idle-seconds": idle_seconds, "named": named, "roll": roll_cycle,
            "read-only": "true" if read_only else None, "give-up-seconds": give_up_seconds}
        super().__init__(["tail", os.path.abspath(path), *_options(options)],
                         version=version, jvm_options=jvm_options)

    def until(self, counts: Mapping[int, int]) -> None:
        """Let it end once it has seen so many messages of each id."""
        self._send(f"until {_counts(counts)}")

    def result(self, timeout: float = 120) -> TailerResult:
        """Wait for its end: the counts, the silence, or one second of it after ``stop``."""
        words = self._wait_for("done", "incomplete", timeout=timeout)
        named = dict(_pair(word) for word in words[2:])
        self._process.wait(30)
        return TailerResult(int(words[1]), int(named["bad"]), int(named["cycles"]),
                            words[0] == "done")


# ---- words of the protocol

def _word(value: object) -> str:
    if isinstance(value, bytes):
        return value.hex() or "-"
    if isinstance(value, bool):
        return "true" if value else "false"
    text = str(value)
    if "\n" in text:
        raise ValueError(f"a word of the protocol cannot hold a newline: {text!r}")
    return text


def _bytes(word: str) -> bytes:
    return b"" if word == "-" else bytes.fromhex(word)


def _message(words: list[str]) -> Message | None:
    return None if words == ["absent"] else Message(int(words[0]), words[1], _bytes(words[2]))


def _messages(lines: list[str]) -> list[Message]:
    found = (_message(line.split(" ")) for line in lines)
    return [message for message in found if message is not None]


def _expand(runs: Iterable[str]) -> Iterator[int]:
    for run in runs:
        first, count = map(int, run.split("+"))
        yield from range(first, first + count)


def _field(value: str | int | float | bool | bytes) -> tuple[str, object]:
    if isinstance(value, bool):
        return "bool", value
    if isinstance(value, int):
        return "int64", value
    if isinstance(value, float):
        return "float64", value
    return ("bytes", value) if isinstance(value, bytes) else ("text", value.encode())


def _pair(text: str) -> tuple[str, str]:
    key, _, value = text.partition("=")
    return key, value


def _camel(name: str) -> str:
    if name.endswith("_ms"):
        name = name[:-3] + "_MS"
    head, *rest = name.split("_")
    return head + "".join(part if part.isupper() else part.capitalize() for part in rest)


def _options(options: Mapping[str, object]) -> list[str]:
    return [word for name, value in options.items() if value is not None
            for word in (f"--{name}", str(value))]


def _counts(counts: Mapping[int, int]) -> str:
    return ",".join(f"{id}:{count}" for id, count in counts.items())
