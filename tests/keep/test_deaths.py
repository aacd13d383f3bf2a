"""gc, compress, thaw and cycle tasks die by SIGKILL at every system call of theirs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tape import tasks

from tests.kit.retention_deaths import SCENES, Deaths


@pytest.mark.parametrize("name", SCENES)
def test_dying_at_any_system_call_loses_no_cycle_and_the_next_run_ends_the_work(
        tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch,
        scaled: Callable[[float, float], float], report: Callable[[str], None]) -> None:
    """At each one on a full run, else at one of so many, never the same ones for two scenes."""
    monkeypatch.setattr(tasks, "LOOK_EVERY_S", 3600.0)
    deaths = Deaths(tmp_path, SCENES[name])
    every = round(scaled(11, 1))
    number = 1 + list(SCENES).index(name) % every
    count = 0
    while deaths.die_at(number):
        deaths.check_the_dead()
        deaths.check_the_next()
        count, number = count + 1, number + every
    deaths.check_the_next()
    report(f"{count} deaths, at one of {every} of some {number} calls")
    assert count >= 4
