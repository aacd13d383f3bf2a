"""What the tests of waiting share: each runs on every loop there is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import tape
from tests.wait.loops import LOOPS


@pytest.fixture(params=sorted(LOOPS))
def loop(request: pytest.FixtureRequest) -> Any:
    """What makes a loop of asyncio."""
    return LOOPS[request.param]


@pytest.fixture
def queue(tmp_path: Path) -> Iterator[tape.Queue]:
    """An empty one."""
    with tape.open(tmp_path / "q") as q:
        yield q
