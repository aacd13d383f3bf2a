"""What shows that a writer is dead outlives whoever opens the queue just then."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.kit.c_worker import CWorker, build


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The worker in C, with sync points."""
    return build(tmp_path_factory.mktemp("live_worker"))


def test_who_opens_while_a_writer_dies_does_not_take_its_place(
        program: Path, tmp_path: Path, report: Callable[[str], None]) -> None:
    """One looks who has the lock, and is stopped; another one takes it and dies; then the first
    takes a slot of the side file: not that of the dead one, as long as that has the lock. Else
    nothing would show the death, and who waits would do so for two seconds."""
    def start(id: int, **options: object) -> CWorker:
        return CWorker.start(program, "write", tmp_path / "q", "FAST_DAILY", id, **options)

    with start(1, rate=100) as living:
        living.wait_ready()
        living.go()
        living.wait_acks(1)
        with start(2, stop_at="side_file_opened") as opening:
            assert opening.wait_stopped(30)
            with start(3, stop_at="lock_taken") as dying:
                assert dying.wait_stopped(30, go=True)
                dying.kill()
                opening.signal(signal.SIGCONT)
                begun = time.monotonic()
                living.wait_acks(len(living.acks()) + 2)
                report(f"who lived went on after {time.monotonic() - begun:.3f} s")
                assert time.monotonic() - begun < 1
