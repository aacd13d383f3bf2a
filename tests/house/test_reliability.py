"""What docs/reliability.md and SECURITY.md name as proof is there."""

from __future__ import annotations

import re

import pytest

from tests.kit.sources import ROOT


def missing(text: str) -> list[str]:
    """The tests that a page names and that do not exist; a bare name is in the folder before it."""
    absent, folder = [], ""
    for name in re.findall(r"`([\w./]+)`", text):
        if name.startswith("tests/"):
            path = ROOT / name
            folder = name if path.is_dir() else name.rpartition("/")[0]
        elif re.fullmatch(r"\w+\.(c|py)", name):
            path = ROOT / folder / name
        else:
            continue
        if not path.exists():
            absent.append(name)
    return absent


@pytest.mark.parametrize("page", ["docs/reliability.md", "SECURITY.md"])
def test_each_test_that_is_named_as_proof_exists(page: str) -> None:
    text = (ROOT / page).read_text()
    assert "`tests/" in text
    assert missing(text) == []


def test_a_test_that_does_not_exist_is_found() -> None:
    absent = missing("`tests/c/crash.c`, `no_such.c`, `tests/nowhere`")
    assert absent == ["no_such.c", "tests/nowhere"]
