"""What is public is a decision: names and signatures, listed in public_api.txt."""

from __future__ import annotations

from pathlib import Path

import tape

from tests.kit.public_api import public_api
from tests.kit.sources import CSRC

LISTED = (Path(__file__).parent / "public_api.txt").read_text().splitlines()


def test_the_public_names_and_signatures_are_these() -> None:
    """Nothing went, and nothing came without being listed (tests/kit/public_api.py says how)."""
    now = public_api()
    gone, new = sorted(set(LISTED) - set(now)), sorted(set(now) - set(LISTED))
    assert not gone and not new, f"gone: {gone}\nnew: {new}"


def test_the_symbols_are_the_functions_of_the_header() -> None:
    """tape.symbols exports what tape.h and tape_fressian.h declare."""
    symbols = (CSRC / "tape.symbols").read_text().split()
    declared = [line for line in public_api() if " tape_" in line.split("(")[0]
                or " *tape_" in line.split("(")[0]]
    names = [line.split("(")[0].split()[-1].lstrip("*") for line in declared]
    assert sorted(names) == sorted(symbols) and len(names) > 40


def test_all_is_what_dir_shows() -> None:
    """Every public name of the package can be had, and completion shows it."""
    assert set(tape.__all__) <= set(dir(tape))
    assert all(hasattr(tape, name) for name in tape.__all__)
