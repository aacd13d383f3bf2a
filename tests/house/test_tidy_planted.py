"""The checks of style can fail: a small bad tree for each, and what it must say of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.kit import tidy
from tests.kit.planted import PLANTED


@pytest.mark.parametrize("name", [check.__name__ for check in tidy.CHECKS])
def test_a_planted_failure_is_found(name: str, tmp_path: Path) -> None:
    """Exactly those findings that stand beside the tree, and none in the tree once mended."""
    check = getattr(tidy, name)
    for kind in ("bad", "good"):
        root = tmp_path / kind
        for path, text in PLANTED[name][kind].items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(text)
    assert list(check(tmp_path / "bad")) == PLANTED[name]["finds"]
    assert list(check(tmp_path / "good")) == []


def test_every_check_has_its_planted_failure() -> None:
    """And nothing is planted for a check that is gone."""
    assert set(PLANTED) == {check.__name__ for check in tidy.CHECKS}
