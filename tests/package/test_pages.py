"""The pages of the documentation: their examples run, and print what stands below them."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.kit.sources import ROOT

DOCS = ROOT / "docs"
#: Examples of each page in one program, in their order; these two have tests of their own.
ELSEWHERE = {"async.md": "tests/wait/test_async_doc.py",
             "fressian.md": "tests/fressian/test_api.py"}
PAGES = sorted(path for path in DOCS.rglob("*.md")
               if path.name not in ELSEWHERE and "```python\n" in path.read_text())
MARK = "--- the end of an example ---"
SETUP = re.compile(r"<!-- before the examples\n(.*?)-->", re.DOTALL)
BLOCK = re.compile(r"```python\n(.*?)```\n(?:\n```text\n(.*?)```\n)?", re.DOTALL)


def examples(text: str) -> list[tuple[str, str | None]]:
    """Each example of a page, and what it should print, if the page says so."""
    return [(code, printed or None) for code, printed in BLOCK.findall(text)]


def outputs(text: str, directory: Path) -> list[str]:
    """Runs the examples of a page as one program; what each printed."""
    setup = "".join(SETUP.findall(text))
    program = setup + "".join(f"{code}\nprint({MARK!r}, flush=True)\n"
                              for code, _ in examples(text))
    ran = subprocess.run([sys.executable, "-X", "dev", "-W", "ignore::ResourceWarning", "-c",
                          program], cwd=directory, text=True, capture_output=True, timeout=120,
                         check=False)
    assert ran.returncode == 0 and not ran.stderr, ran.stderr
    return ran.stdout.split(f"{MARK}\n")[:-1]


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(DOCS)))
def test_the_examples_of_a_page_print_what_it_says(page: Path, tmp_path: Path) -> None:
    """In an empty folder, from the top to the bottom; an example that shows nothing prints what
    it likes."""
    text = page.read_text()
    found = examples(text)
    for (code, expected), printed in zip(found, outputs(text, tmp_path), strict=True):
        assert expected is None or printed == expected, code


def test_there_are_many_examples() -> None:
    """So that none is lost by another way of writing fences."""
    pages = {path.name for path in PAGES}
    assert {"tutorial.md", "consumers.md", "from-java.md", "retention.md"} <= pages
    assert sum(len(examples(path.read_text())) for path in PAGES) > 35
    assert all((ROOT / test).exists() for test in ELSEWHERE.values())


def test_an_example_that_prints_something_else_is_found(tmp_path: Path) -> None:
    """The check can fail."""
    page = "```python\nprint(1)\n```\n\n```text\n2\n```\n"
    (_, expected), = examples(page)
    assert outputs(page, tmp_path) == ["1\n"] != [expected]
