"""Fixtures that several modules share: queues, the JVM, and how much a run is to do."""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

import tape
from tape.codecs import raw

from tests.kit import jvm_peer
from tests.kit.clocks import SetClock
from tests.kit.jvm_peer import Peer
from tests.kit.queues import CYCLE, Changing, Filled

#: Environment, 0 to 1: how long the live and kill runs are; 1 is the full length.
SCALE = "TAPE_TEST_SCALE"

_summary: list[str] = []

# A shell starts what runs in the background (``pytest &``) with Ctrl-C ignored, and so would what
# the tests start: those that press it mean a program in the foreground.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def scaled() -> Callable[[float, float], float]:
    """``scaled(short, full)``: the size of a run, ``short`` unless the environment says more."""
    scale = min(1.0, max(0.0, float(os.environ.get(SCALE) or 0)))
    return lambda short, full: short + (full - short) * scale


@pytest.fixture
def report(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Prints a line of measurements, at once and again at the end of the whole run."""
    def say(line: str) -> None:
        print(line)
        _summary.append(f"{request.node.name}: {line}")
    return say


def pytest_collection_finish() -> None:
    """What was collected stays to the end: who collects garbage at each step need not walk it."""
    gc.collect()
    gc.freeze()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if _summary:
        terminalreporter.section("measured")
        for line in _summary:
            terminalreporter.line(line)


@pytest.fixture(scope="module", autouse=True)
def _release(request: pytest.FixtureRequest) -> None:
    jvm_peer.begin_module(request.module.__name__)


@pytest.fixture(scope="session")
def _session_peers() -> Iterator[dict[str, Peer]]:
    with ExitStack() as stack:
        peers: dict[str, Peer] = {}
        yield peers
        for peer in peers.values():
            stack.enter_context(peer)


@pytest.fixture
def peer(_session_peers: dict[str, Peer]) -> Iterator[Peer]:
    """One JVM of each release for all tests; none of them may make it log a warning or error."""
    jvm_peer.require_jvm()
    version = jvm_peer.chosen()
    peer = _session_peers.get(version) or _session_peers.setdefault(version, Peer())
    before = len(peer.warnings())
    yield peer
    assert peer.warnings()[before:] == []


@pytest.fixture(scope="module")
def own_peer(_release: None) -> Iterator[Peer]:
    """A JVM for one module, whose log may hold warnings: Chronicle warns when it breaks a lock."""
    jvm_peer.require_jvm()
    with Peer() as peer:
        yield peer


@pytest.fixture
def jvm() -> None:
    """For tests that start JVMs of their own: skips, or fails, where there can be none."""
    jvm_peer.require_jvm()


@pytest.fixture
def clock() -> SetClock:
    """A clock that stands at CYCLE."""
    return SetClock(CYCLE * 1000)


@pytest.fixture
def q(tmp_path: Path, clock: SetClock) -> Iterator[tape.Queue]:
    """An empty queue of bytes with a cycle a second, under that clock."""
    with tape.open(tmp_path / "q", codec=raw, roll_cycle="TEST_SECONDLY", clock=clock) as queue:
        yield queue


@pytest.fixture
def filled(tmp_path: Path) -> Iterator[Filled]:
    """493 messages in five cycles, with gaps between them."""
    f = Filled(tmp_path / "q")
    assert [(e.index, e.value) for e in f.q.tailer().entries()] == [
        *zip(f.indexes, f.messages, strict=True)]
    yield f
    f.q.close()


@pytest.fixture
def closed(tmp_path: Path) -> Path:
    """A closed queue of twenty messages, DAILY and with blocks as they are by default."""
    path = tmp_path / "q"
    with tape.open(path, codec=tape.codecs.raw) as q:
        a = q.appender()
        for n in range(20):
            a.write(b"message %d" % n)
    return path


@pytest.fixture
def changing(tmp_path: Path) -> Iterator[Changing]:
    """Messages 0.0, 0.1, 1.0, 1.1, 2.0, 2.1, 5.0, 5.1: second and number; 3 and 4 have no file."""
    c = Changing(tmp_path / "q")
    yield c
    c.q.close()
