"""What the documents say is what the code does: README, docstrings, the recovery table."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import pytest

import tape

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()

MODULES = ["tape"] + [m.name for m in pkgutil.walk_packages(tape.__path__, "tape.")
                      if not m.name.startswith("tape.codecs.fressian") and "_native" not in m.name]


def block(language: str, after: str) -> str:
    """The first fenced block of a language after some text of the README."""
    found = re.search(rf"```{language}\n(.*?)```", README[README.index(after):], re.DOTALL)
    assert found
    return found[1]


def test_the_example_of_the_readme_is_the_quickstart() -> None:
    """One text: the README shows examples/quickstart.py."""
    code = (ROOT / "examples" / "quickstart.py").read_text()
    assert code.endswith("\n\n" + block("python", "## Example"))


def test_the_quickstart_prints_what_the_readme_says(tmp_path: Path) -> None:
    """Word for word, in an empty folder."""
    ran = subprocess.run([sys.executable, ROOT / "examples" / "quickstart.py"], cwd=tmp_path,
                         capture_output=True, text=True, timeout=60, check=True)
    assert ran.stdout == block("text", "prints, the first time")


@pytest.mark.parametrize("name", MODULES)
def test_docstrings(name: str) -> None:
    """The examples of public docstrings run."""
    result = doctest.testmod(importlib.import_module(name))
    assert result.failed == 0


def test_the_recovery_table() -> None:
    """docs/recovery.md has the rows of csrc/recovery.c, label by label."""
    code = (ROOT / "csrc" / "write" / "recovery.c").read_text()
    drawn = [re.split(r"\s{2,}", line.strip(" *")) for line in code.splitlines()
             if re.match(r" \*  @\w", line)]
    written = [[cell.strip() for cell in line.strip("|").split("|")]
               for line in (ROOT / "docs" / "recovery.md").read_text().splitlines()
               if line.startswith("| @")]
    assert drawn == written and len(drawn) >= 13


def test_links_of_the_readme_lead_somewhere() -> None:
    """Every relative link names a file of the project."""
    for target in re.findall(r"\]\(((?!http)[^)#]+)\)", README):
        assert (ROOT / target).exists(), target
