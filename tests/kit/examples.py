"""What the project shows as examples, and where each runs as a test.

Docstrings run in tests/house/test_docs.py and, Fressian's, in tests/fressian/test_api.py; pages in
tests/package/test_pages.py, but for two; README's in tests/house/test_docs.py, word for word
examples/quickstart.py; the programs in C in tests/package.
"""

from __future__ import annotations

import doctest
import importlib
import pkgutil
import re

import tape

from tests.kit.sources import ROOT

DOCS = ROOT / "docs"
MODULES = ["tape"] + [m.name for m in pkgutil.walk_packages(tape.__path__, "tape.")
                      if not m.name.endswith(("_native", "._fast", "._speed"))]
#: Examples of each page run as one program, in their order; these two have tests of their own.
ELSEWHERE = {"async.md": "tests/wait/test_async_doc.py",
             "fressian.md": "tests/fressian/test_api.py"}
WITH_EXAMPLES = sorted(path for path in DOCS.rglob("*.md") if "```python\n" in path.read_text())
PAGES = [path for path in WITH_EXAMPLES if path.name not in ELSEWHERE]
BLOCK = re.compile(r"```python\n(.*?)```\n(?:\n```text\n(.*?)```\n)?", re.DOTALL)


def of_page(text: str) -> list[tuple[str, str | None]]:
    """Each example of a page, and what it should print, if the page says so."""
    return [(code, printed or None) for code, printed in BLOCK.findall(text)]


def of_docstrings() -> list[doctest.DocTest]:
    """One for each docstring that has lines with >>>."""
    finder = doctest.DocTestFinder()
    return [found for name in MODULES for found in finder.find(importlib.import_module(name))
            if found.examples]


def counted() -> dict[str, int]:
    """How many there are of each kind."""
    return {"in docstrings": len(of_docstrings()),
            "on pages": sum(len(of_page(path.read_text())) for path in WITH_EXAMPLES),
            "in the README": len(of_page((ROOT / "README.md").read_text())),
            "programs in C": len([*(ROOT / "examples" / "c").glob("*.c")])}
