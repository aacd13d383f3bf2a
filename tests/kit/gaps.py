"""Asking for a gap."""

from __future__ import annotations

from collections.abc import Callable

import pytest

import tape


def gap_of(call: Callable[[], object]) -> tuple[int | None, int | None]:
    """The ends of the gap that a call raises."""
    with pytest.raises(tape.Gap) as caught:
        call()
    assert caught.value.hint and str(caught.value)
    return caught.value.from_index, caught.value.to_index
