"""The floors of csrc/: its folders, each of which may know of lower ones alone."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.kit.sources import C_SOURCES, CSRC, ROOT, includes

PURE = {"header_word", "roll_cycle", "wire", "recovery"}


def floors() -> dict[str, int]:
    """The folders by height, as CONTRIBUTING.md has them: the one place where they stand.

    The two wings stand on one floor and do not know each other.
    """
    rows = re.findall(r"(?m)^\| (\d) \| ((?:`\w+/` ?)+) \|",
                      (ROOT / "CONTRIBUTING.md").read_text())
    return {folder: int(floor) for floor, names in rows for folder in re.findall(r"\w+", names)}


FLOORS = floors()


def refusal(folder: str, included: str) -> str | None:
    """Why a file in one folder may not include a file of another; None when it may."""
    if included in ("tape.h", folder):
        return None
    if included not in FLOORS:
        return f"{included} is no floor"
    return None if FLOORS[included] < FLOORS[folder] else f"{included}/ is not below {folder}/"


def test_every_folder_is_a_floor() -> None:
    """No file lies beside the floors but the face of the library."""
    assert {path.name for path in CSRC.iterdir() if path.is_dir()} == set(FLOORS)
    assert [path.name for path in CSRC.iterdir() if path.is_file()] in (
        ["tape.h", "tape.symbols"], ["tape.symbols", "tape.h"])


@pytest.mark.parametrize("path", C_SOURCES, ids=lambda p: p.name)
def test_a_file_includes_its_own_floor_and_lower_ones(path: Path) -> None:
    """And of a neighbour's wing nothing."""
    for name in re.findall(r'(?m)^#include "([^"]+)"', path.read_text()):
        why = refusal(path.parent.name, name.split("/")[0]) if path.parent != CSRC else None
        assert why is None, f"{path.name} includes {name}: {why}"


@pytest.mark.parametrize(("folder", "included"), [("read", "write"), ("write", "read"),
                                                  ("file", "read"), ("base", "format"),
                                                  ("read", "queue"), ("file", "elsewhere")])
def test_the_check_finds_a_planted_include(folder: str, included: str) -> None:
    """Upward, across, and to where no floor is."""
    assert refusal(folder, included)


@pytest.mark.parametrize("path", C_SOURCES, ids=lambda p: p.name)
def test_the_language_is_pure(path: Path) -> None:
    """Header words, roll cycles, wire and judgement: arithmetic, with no file and no atomics."""
    if path.stem in PURE:
        assert not {"atomics", "platform", "mapping", "process"} & set(includes(path))
