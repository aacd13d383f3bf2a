"""Every target of the fuzzer: a short run is clean, and a planted bug is found."""

from __future__ import annotations

import os
import resource
from collections.abc import Callable
from pathlib import Path

import pytest

from .workshop import PLANTED, TARGETS, Workshop, can_build, run, run_again

SECONDS = os.environ.get("TAPE_FUZZ_SECONDS")
needs_clang = pytest.mark.skipif(
    not can_build() or SECONDS is None,
    reason="needs clang, and TAPE_FUZZ_SECONDS: how long to look")


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    return Workshop(tmp_path_factory.mktemp("fuzz"))


@pytest.mark.slow
@needs_clang
@pytest.mark.parametrize("target", TARGETS)
def test_the_fuzzer_finds_nothing(
        shop: Workshop, target: str, report: Callable[[str], None]) -> None:
    """The kept corpus, and so many more that it takes about so long: the same ones each time, so
    that a change does not fail by what somebody else's long run would have found, too."""
    ran = run_again(shop.program(), target, float(SECONDS or 0), shop.corpus(target))
    assert ran.returncode == 0, ran.stderr[-4000:]
    report([line for line in ran.stderr.splitlines() if line.startswith("Done")][-1])


@pytest.mark.slow
@needs_clang
@pytest.mark.parametrize("target", PLANTED)
def test_the_fuzzer_finds_a_planted_bug_within_a_minute(
        shop: Workshop, target: str, tmp_path: Path, report: Callable[[str], None]) -> None:
    """Of the processor's time: a busy machine takes longer. Beginning with nothing."""
    program, before = shop.program(planted=True), spent()
    ran = run(program, target, tmp_path, "-max_total_time=500", "-seed=1")
    took = spent() - before
    assert ran.returncode != 0, ran.stderr[-2000:]
    assert "found: " in ran.stderr or "Sanitizer" in ran.stderr, ran.stderr[-4000:]
    assert took < 60
    report(f"the planted bug was found in {took:.1f} s")


def spent() -> float:
    """Seconds that the processes we waited for have had the processor."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
