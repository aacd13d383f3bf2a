"""What tests of damage begin with."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.kit.damage import SECOND, append_at


@pytest.fixture
def queue(tmp_path: Path) -> Path:
    """Twenty messages in a cycle that is over."""
    path = tmp_path / "q"
    append_at(path, SECOND, 20)
    return path
