"""Which release of Chronicle the tests have beside them, and that it is the one that was asked."""

from __future__ import annotations

import pytest

from tests.jvm import building
from tests.kit.jvm_peer import Peer


@pytest.mark.jvm
def test_the_jvm_has_the_release_that_was_asked_for(peer: Peer) -> None:
    """By the jar that it loaded."""
    assert peer.chronicle_version() == building.chosen()


def test_modules_share_the_releases(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each module has one, always the same; together they have all that there are to be."""
    for given in (None, "5.25ea16", ",".join(building.RELEASES)):
        monkeypatch.setenv(building.VERSION, given or "")
        got = {}
        for turn in range(2):
            for n in range(60):
                monkeypatch.setattr(building, "_module", f"tests.with_jvm.test_{n}")
                assert got.setdefault(n, building.chosen()) == building.chosen(), turn
        assert set(got.values()) == set((given or ",".join(building.USUAL)).split(","))
