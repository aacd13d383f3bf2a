"""tape.repair(in_place=True) and a JVM: one that has the queue open, or that comes meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import tape
from tape.codecs import raw

from tests.kit.clocks import SetClock
from tests.kit.damage import SECOND, append_at, pair_of, poke, read_all, while_it_is_mended
from tests.kit.directories import digest
from tests.kit.jvm_peer import JvmError, JvmQueue, Peer, Pending

pytestmark = pytest.mark.jvm

NOW = SECOND + 1000


@pytest.fixture
def queue(tmp_path: Path) -> Path:
    """Messages in a finished cycle and in the newest, both with a write position that is wrong."""
    path = tmp_path / "q"
    append_at(path, SECOND, 100)
    append_at(path, NOW, 5)
    for file in path.glob("*.cq4"):
        poke(file, pair_of(file), b"\x03" + bytes(7))
    return path


def opened(peer: Peer, path: Path, **options: object) -> JvmQueue:
    """It waits no longer than 3 s for the lock."""
    return peer.open(path, roll_cycle="TEST4_SECONDLY", clock=NOW, timeout_ms=2000, **options)


@pytest.mark.parametrize("use", [
    lambda java: java.tailer().read(), lambda java: java.last_index(), lambda java: None],
    ids=["reads", "looks", "idle"])
@pytest.mark.parametrize("read_only", [False, True])
def test_a_queue_that_a_jvm_has_open_is_not_mended(
        own_peer: Peer, queue: Path, use: Callable[[JvmQueue], object], read_only: bool) -> None:
    """Whatever it does there; and not a byte changes."""
    with opened(own_peer, queue, read_only=read_only) as java:
        use(java)
        before = digest(queue)
        with pytest.raises(tape.QueueBusy, match=f"open in process {own_peer.java_pid()}"):
            tape.repair(queue, in_place=True)
        after = digest(queue)
        assert {name: after[name] for name in before} == before
    own_peer.gc()
    assert tape.repair(queue, in_place=True).outcome == "lossless"


@pytest.mark.parametrize("reads", [True, False], ids=["it reads first", "it only writes"])
def test_a_jvm_that_comes_while_a_queue_is_mended_writes_nothing_that_is_lost(
        own_peer: Peer, queue: Path, reads: bool) -> None:
    """What it reads before is right. Its write waits for the lock and is refused, since it may have
    a file in hand that is not the queue's any more; opening the queue again puts all right."""
    there, pid = read_all(queue), own_peer.java_pid()
    came: list[JvmQueue] = []
    waits: list[Pending] = []

    def come() -> None:
        came.append(opened(own_peer, queue))
        if reads:
            assert [m.data for m in came[0].tailer().read_all()] == there
        waits.append(own_peer.send("appender", "late", came[0].name))
        with pytest.raises(TimeoutError):
            waits[0].wait(0.5)

    report = while_it_is_mended(queue, come)
    assert report.outcome == "lossless"
    assert any(f"process {pid} opened the queue" in f.text
               and "opened it again" in f.text for f in report.findings)
    with pytest.raises(JvmError):
        waits[0].wait(60)
        own_peer.call("append", "late", b"refused")
    assert read_all(queue) == there
    came[0].close()
    with opened(own_peer, queue) as java, \
            tape.open(queue, codec=raw, clock=SetClock(NOW)) as ours:
        java.appender().append(b"java")
        ours.appender().write(b"tape")
        assert [m.data for m in java.tailer().read_all()] == [*there, b"java", b"tape"]
        assert list(ours.tailer()) == [*there, b"java", b"tape"]
    assert tape.verify(queue).ok


def test_nothing_is_renewed_where_nothing_was_wrong(own_peer: Peer, tmp_path: Path) -> None:
    """Then a JVM that came meanwhile goes on with the files that it has."""
    path = tmp_path / "q"
    append_at(path, NOW, 5)
    waits: list[Pending] = []
    came: list[JvmQueue] = []

    def come() -> None:
        came.append(opened(own_peer, path))
        waits.append(own_peer.send("appender", "early", came[0].name))
        with pytest.raises(TimeoutError):
            waits[0].wait(0.5)

    assert while_it_is_mended(path, come).outcome == "clean"
    waits[0].wait(60)
    own_peer.call("append", "early", b"java")
    assert read_all(path)[-1] == b"java"
    came[0].close()
