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

from tests.kit.sources import C_SOURCES, ROOT, TESTS

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
def test_the_examples_of_docstrings_run(name: str) -> None:
    """The examples of public docstrings run."""
    result = doctest.testmod(importlib.import_module(name))
    assert result.failed == 0


def test_the_recovery_table_is_that_of_the_code() -> None:
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


def test_tests_that_documents_cite_exist() -> None:
    """Names of tests, and paths of their files, in the documents and in the C sources."""
    pages = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("bench/**/*.md"), *C_SOURCES]
    files = [*TESTS.rglob("*.py"), *ROOT.glob("bench/*.py")]
    known = {name for path in files for name in re.findall(r"def (test_\w+)", path.read_text())}
    known |= {path.stem for path in files}
    for page in pages:
        if page.name != "CHANGELOG.md":  # which tells of what was
            text = page.read_text()
            assert not set(re.findall(r"\btest_\w+", text)) - known, page
            for path in re.findall(r"\btests/[\w/]+\.(?:py|c|h|sh|hex)\b", text):
                assert (ROOT / path).exists(), f"{page}: {path}"


def test_the_architecture_names_what_there_is() -> None:
    """Files and functions in docs/architecture.md."""
    text = (ROOT / "docs" / "architecture.md").read_text()
    files = re.findall(r"`((?:base|format|file|write|read|queue)/\w+\.[ch])`", text)
    assert len(files) > 20
    assert [name for name in files if not (ROOT / "csrc" / name).exists()] == []
    sources = "\n".join(path.read_text() for path in C_SOURCES)
    words = set(re.findall(r"`(tape_\w+)`", text))
    assert len(words) > 8
    assert [word for word in words if not re.search(rf"\b{word}\b", sources)] == []
