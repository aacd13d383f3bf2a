"""The pages of the documentation: their examples run, and print what stands below them."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.kit import examples
from tests.kit.sources import ROOT

MARK = "--- the end of an example ---"
SETUP = re.compile(r"<!-- before the examples\n(.*?)-->", re.DOTALL)


def outputs(text: str, directory: Path) -> list[str]:
    """Runs the examples of a page as one program; what each printed."""
    setup = "".join(SETUP.findall(text))
    program = setup + "".join(f"{code}\nprint({MARK!r}, flush=True)\n"
                              for code, _ in examples.of_page(text))
    ran = subprocess.run([sys.executable, "-X", "dev", "-W", "ignore::ResourceWarning", "-c",
                          program], cwd=directory, text=True, capture_output=True, timeout=120,
                         check=False)
    assert ran.returncode == 0 and not ran.stderr, ran.stderr
    return ran.stdout.split(f"{MARK}\n")[:-1]


@pytest.mark.parametrize("page", examples.PAGES, ids=lambda p: str(p.relative_to(examples.DOCS)))
def test_the_examples_of_a_page_print_what_it_says(page: Path, tmp_path: Path) -> None:
    """In an empty folder, from the top to the bottom; an example that shows nothing prints what
    it likes."""
    text = page.read_text()
    found = examples.of_page(text)
    for (code, expected), printed in zip(found, outputs(text, tmp_path), strict=True):
        assert expected is None or printed == expected, code


def test_every_example_runs_somewhere(report: Callable[[str], None]) -> None:
    """How many there are, which is said here alone; none is lost by another way of writing fences,
    and none stands where nobody looks."""
    found = examples.counted()
    report(f"{sum(found.values())} examples run as tests: "
           + ", ".join(f"{number} {kind}" for kind, number in found.items()))
    assert {"tutorial.md", "consumers.md", "from-java.md", "retention.md"} <= {
        path.name for path in examples.PAGES}
    assert found["in docstrings"] > 100 and found["on pages"] > 55
    assert found["in the README"] == 1 and found["programs in C"] > 6
    assert all((ROOT / test).exists() for test in examples.ELSEWHERE.values())
    fence = re.compile(r"(?m)^ *(?:```+|~~~+) *(?:py|python|pycon|python3)\b")
    for path in [*ROOT.glob("*.md"), *ROOT.glob("bench/**/*.md"), *examples.DOCS.rglob("*.md")]:
        run = path in examples.WITH_EXAMPLES or path == ROOT / "README.md"
        assert len(fence.findall(path.read_text())) == (
            len(examples.of_page(path.read_text())) if run else 0), path


def test_an_example_that_prints_something_else_is_found(tmp_path: Path) -> None:
    """The check can fail."""
    page = "```python\nprint(1)\n```\n\n```text\n2\n```\n"
    (_, expected), = examples.of_page(page)
    assert outputs(page, tmp_path) == ["1\n"] != [expected]
