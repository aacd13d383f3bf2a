"""Facts that must stand in two places are equal there."""

from __future__ import annotations

import re

import tape
from tape.deletion import OURS
from tests.kit.sources import C_SOURCES, ROOT


def test_the_library_the_package_and_the_build_have_one_version() -> None:
    """tape_version() in C, which Python gives on, pyproject.toml and CMakeLists.txt."""
    package = re.search(r'(?m)^version = "(.*)"$', (ROOT / "pyproject.toml").read_text())
    build = re.search(r"(?m)^project\(tape VERSION (\S+) ", (ROOT / "CMakeLists.txt").read_text())
    assert package and build
    assert package[1] == build[1] == tape.__version__


def names_that_c_makes() -> set[str]:
    """Names of files out of the string literals of csrc, with digits where a number stands."""
    text = "\n".join(path.read_text() for path in C_SOURCES)
    text = re.sub(r'"\s*PRI[dx]64\s*"', "0", text)
    named = re.findall(r'"(?:%s[/-])*([^"/ \n]*(?:\.cq4t?|\.discard|\.tmp|tape\.side))"', text)
    return {re.sub(r"%0?", "1", name) for name in named}


def test_delete_knows_every_file_that_c_makes() -> None:
    """tape.delete() leaves nothing of a queue behind, and takes nothing else."""
    names = names_that_c_makes()
    assert {"metadata.cq4t", "tape.side"} <= names and len(names) >= 4, names
    for name in names - {".cq4", ".tmp"}:
        made = f"20200101F.cq4-{name}" if name.endswith(".discard") else name
        assert OURS.fullmatch(made), name
    assert not OURS.fullmatch("notes.txt")
