"""Retention that dies at a system call of its own, and what must be left of the queue then."""

from __future__ import annotations

import gzip
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import tape
from tape import _side, _zstd, retention, tasks
from tape.codecs import raw
from tape.tasks import Gzip

from tests.kit.clocks import SetClock
from tests.kit.deaths import killed_at
from tests.kit.queues import BLOCK, CYCLE, Changing

SECONDS = (0, 1, 2, 5)
Work = Callable[[], object]
SIDE = {"metadata.cq4t", "tape.side", "tape.codec", _side.TASKS}


def unpacked(data: bytes, kind: str) -> bytes:
    """What a compressed file holds, by the libraries themselves."""
    return (gzip.decompress(data) if kind == "gzip"
            else _zstd.module().decompress(data))  # type: ignore[no-any-return]


def everything(seconds: tuple[int, ...]) -> list[bytes]:
    """The messages of these cycles."""
    return [b"%d.%d" % (s, n) for s in seconds for n in (0, 1)]


@dataclass
class Scene:
    """What dies, what is there before it, and the cycles whose files it leaves: as they are, and
    compressed with this ending."""

    work: Callable[[tape.Queue], object]
    plain: tuple[int, ...] = ()
    packed: tuple[int, ...] = ()
    suffix: str = ""
    before: Callable[[tape.Queue], object] = lambda q: None
    tasks: dict[str, object] = field(default_factory=dict)

    @property
    def left(self) -> tuple[int, ...]:
        return tuple(sorted((*self.plain, *self.packed)))


def look(q: tape.Queue) -> None:
    """What the thread of the tasks does when a cycle ended: as if 2 had been the newest."""
    assert q._watch
    q._watch._seen = CYCLE + 2
    q._watch.look(q)


KEEP = tape.Keep(max_cycles=2)
SCENES = {
    "gc": Scene(lambda q: q.gc(KEEP), (2, 5)),
    "gc of compressed": Scene(lambda q: q.gc(KEEP), (5,), (2,), ".zst", lambda q: q.compress()),
    "compress zstd": Scene(lambda q: q.compress("zstd"), (5,), (0, 1, 2), ".zst"),
    "compress gzip": Scene(lambda q: q.compress("gzip"), (5,), (0, 1, 2), ".gz"),
    "thaw zstd": Scene(lambda q: q.thaw(), SECONDS, before=lambda q: q.compress("zstd")),
    "thaw gzip": Scene(lambda q: q.thaw(), SECONDS, before=lambda q: q.compress("gzip")),
    "task keep": Scene(look, (2, 5), tasks={"on_released": [KEEP]}),
    "task gzip": Scene(look, (5,), (1, 2), ".gz", tasks={"on_released": [Gzip()]}),
}


class Deaths:
    """A queue of four cycles that is copied for each death of a scene."""

    def __init__(self, folder: Path, scene: Scene) -> None:
        self.scene, self.path, self.pattern = scene, folder / "q", folder / "pattern"
        made = Changing(self.pattern)
        self.names = {s: made.file(s).name for s in SECONDS}
        self.files = {s: made.file(s).read_bytes() for s in SECONDS}
        scene.before(made.q)
        made.q.close()

    def open(self) -> tape.Queue:
        return tape.open(self.path, codec=raw, roll_cycle="TEST4_SECONDLY", block_size=BLOCK,
                         clock=SetClock((CYCLE + 5) * 1000),
                         **self.scene.tasks)  # type: ignore[arg-type]

    def die_at(self, number: int) -> bool:
        """One death; false when the work was done before it."""
        shutil.rmtree(self.path, ignore_errors=True)
        shutil.copytree(self.pattern, self.path)

        def prepare() -> Work:
            retention._users = lambda paths: {}  # looks at all processes that there are
            q = self.open()
            return lambda: self.scene.work(q)
        return killed_at(number, prepare)

    def check_the_dead(self) -> None:
        """Each message once but for whole cycles that may go, oldest first; each file whole."""
        report = tape.verify(self.path)
        assert report.damage == 0, [str(f) for f in report.findings]
        with tape.open(self.path, codec=raw, read_only=True) as q:
            messages, lowest = list(q.tailer()), q.table()["listing.lowestCycle"]
            gone = len(SECONDS) - len(q) // 2
            assert list(q.tailer()) == everything(SECONDS[gone:])
        # Who begins before anybody looked into the directory believes the words, as Java does.
        named = tuple(s for s in SECONDS[gone:] if s + CYCLE >= lowest)
        assert messages in (everything(SECONDS[gone:]), everything(named))
        assert set(SECONDS[gone:]) >= set(self.scene.left)
        for second, name in self.names.items():
            copies = [p for p in self.path.iterdir() if p.name.startswith(name)]
            for copy in copies:
                data = copy.read_bytes()
                assert data == self.files[second] if copy.suffix == ".cq4" else unpacked(
                    data, "zstd" if copy.suffix == ".zst" else "gzip") == self.files[second]
            assert copies or second in SECONDS[:gone]

    def check_the_next(self) -> None:
        """Whoever comes next does what was cut, leaves nothing over, and all go on."""
        with self.open() as q:
            if self.scene.tasks:  # it was noted before it was done: its next roll makes up for it
                for each in self.scene.tasks["on_released"]:  # type: ignore[attr-defined]
                    each(tasks.CycleEvent(q, CYCLE + 5, "", "released"))
            else:
                self.scene.work(q)
            assert list(q.tailer()) == everything(self.scene.left)
            assert q.table()["listing.lowestCycle"] == CYCLE + min(self.scene.plain)
            assert q.appender().write(b"on") == q.last_index
            assert list(q.tailer())[-1] == b"on"
        found = set(os.listdir(self.path))
        assert found - SIDE == {self.names[s] for s in self.scene.plain} | {
            self.names[s] + self.scene.suffix for s in self.scene.packed}
        assert tape.verify(self.path).findings == ()
