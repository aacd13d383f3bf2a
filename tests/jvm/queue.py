"""Queues, appenders and tailers that are open in a peer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from .messages import Digest, Message, message_of, messages_of
from .words import bytes_of, expand_runs, field_words, pair_of

if TYPE_CHECKING:
    from .peer import Peer


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
        return dict(pair_of(line) for line in self.peer.call("info", self.name))

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
        return {bytes_of(key).decode(): int(value) for value, key in pairs}

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


class _OfQueue:
    """What a :class:`JvmQueue` has open, by the name that the peer knows it by."""

    def __init__(self, queue: JvmQueue, name: str) -> None:
        self.queue = queue
        self.name = name

    def _call(self, command: str, *words: object) -> list[str]:
        return self.queue.peer.call(command, self.name, *words)

    def _int(self, command: str, *words: object) -> int:
        return int(self._call(command, *words)[0])


class JvmAppender(_OfQueue):
    """An appender of Java's. Every method that appends gives the index."""

    def append(self, data: bytes) -> int:
        """One message in tape's framing."""
        return self._int("append", data)

    def append_many(self, count: int, sizes: int | Sequence[int], seed: int,
                    start: int = 0) -> list[int]:
        """Messages ``start`` to ``start + count``; n has ``payload(seed, n, size)``, where
        its size is ``sizes[n % len(sizes)]``."""
        listed = [sizes] if isinstance(sizes, int) else sizes
        runs = self._call("appendmany", count, ",".join(map(str, listed)), seed, start)
        return list(expand_runs(runs))

    def write_bytes(self, data: bytes) -> int:
        """``writeBytes``: a body as it is."""
        return self._int("writebytes", data)

    def write_text(self, text: str | None) -> int:
        return self._int("writetext", "null" if text is None else text.encode())

    def write_document(self, **fields: str | int | float | bool | bytes) -> int:
        """``writeDocument`` with these fields."""
        words: list[object] = []
        for key, value in fields.items():
            words += [key, *field_words(value)]
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

    def forward_call(self, tailer: JvmTailer) -> int | None:
        """Read the next call of a method writer and write it here: its history then names
        the tailer's queue. ``None`` when there is none."""
        word = self._call("forwardcall", tailer.name)[0]
        return None if word == "absent" else int(word)

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


class JvmTailer(_OfQueue):
    """A tailer of Java's."""

    def _bool(self, command: str, *words: object) -> bool:
        return self._call(command, *words)[0] == "true"

    # -- reading

    def read(self) -> Message | None:
        """The next data document, or ``None``."""
        return message_of(self._call("read"))

    def read_meta(self) -> Message | None:
        """The next document, metadata too (``readingDocument(true)``)."""
        return message_of(self._call("readmeta"))

    def read_many(self, count: int) -> list[Message]:
        return messages_of(self._call("readmany", count))

    def read_all(self) -> list[Message]:
        """Everything that is there now."""
        return messages_of(self._call("readall"))

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
