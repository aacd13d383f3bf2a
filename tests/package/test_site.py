"""The site is gathered from the pages; what Sphinx says of it CI hears (python -m tools.site)."""

from __future__ import annotations

import inspect
import json
import re
import runpy
from pathlib import Path

import pytest

import tape
from tools import figures, header, reference, site

from tests.kit.sources import ROOT


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return site.gather(tmp_path_factory.mktemp("site") / "source")


def test_every_page_is_in_a_list_and_every_link_leads_to_one(pages: dict[str, str]) -> None:
    """Links between pages, by file; Sphinx looks at their places, and tools.site at the HTML."""
    for name, text in pages.items():
        for target, _ in site.LINK.findall(text):
            path = Path(name).parent / target
            resolved = re.sub(r"[^/]+/\.\./", "", path.as_posix())
            assert resolved in pages or resolved.startswith("_static/"), f"{name}: {target}"
    assert site.more({"index.md": "", "new.md": "# New"}).split()[-2] == "new"


def test_what_is_no_page_is_linked_in_the_repository(pages: dict[str, str]) -> None:
    """By the one address that pyproject.toml has."""
    text = pages["changelog.md"] + pages["contributing.md"] + pages["bench.md"]
    assert "](../" not in text
    names = {(ROOT / "docs" / "cli.md").resolve(): "cli.md"}
    path = ROOT / "docs" / "guides" / "index.md"
    assert site.link("../cli.md", "guides/index.md", path, names) == "../cli.md"
    assert site.link("../../setup.py", "guides/index.md", path, names) == \
        f"{site.REPOSITORY}/blob/main/setup.py"
    assert site.link("../none.md", "guides/index.md", path, names) == "../none.md"


def test_the_references_have_every_name(pages: dict[str, str]) -> None:
    """Of the package, of its errors, and of the headers."""
    python, errors = pages["reference/python.md"], pages["reference/errors.md"]
    for name in tape.__all__:
        if not inspect.ismodule(getattr(tape, name)):
            assert f"tape.{name}\n" in python or f"tape.{name}\n" in errors, name
    text = reference.c()
    for of in header.all_headers():
        for item in of.items:
            assert all(f"{name}(" in text for name in item.names)
            assert all(code in text for code in item.others)


def test_llms_txt_names_each_page_with_what_it_says(pages: dict[str, str]) -> None:
    """One line each; a program that reads it finds the Markdown."""
    text = site.llms(pages)
    assert all(text.count(f"](_sources/{name}.txt)") == 1 for name in pages)
    assert "- [Ten minutes](_sources/tutorial.md.txt): Each step" in text


def test_the_site_may_be_built_outside_the_project(tmp_path: Path) -> None:
    """Its settings find the project wherever they were gathered."""
    conf = tmp_path / "conf.py"
    conf.write_text((ROOT / "docs" / "conf.py").read_text())
    assert runpy.run_path(str(conf))["release"] == tape.__version__


FOUND = {"machine": {"processor": "P", "system": "S", "Python": "3"},
         "medians": {"c.append": 31.4, "java.append": 312.0, "py.write": 1234.5, "lmdb.put": 2.5e6},
         "latency": {"c": {"p50": 210.0, "p99": 1900.0}, "java": {"p50": 900.0, "p99": 20000.0}}}


def test_figures_stand_where_the_marks_are(tmp_path: Path) -> None:
    """A row a language, a column a claim; what was not measured is left out; conditions below."""
    page = tmp_path / "page.md"
    page.write_text(f"above\n{figures.BEGIN}\nold\n{figures.END}\nbelow\n")
    text = figures.written(page, FOUND, figures.readme_table)
    assert text.startswith(f"above\n{figures.BEGIN}\n\n| |") and text.endswith("\nbelow\n")
    assert "old" not in text and "| | append | read | from process to process |" in text
    assert "| C | **31 ns** · Java 312 ns |  | **210 ns** · Java 900 ns |" in text
    assert "| Python | **1.2 µs** · lmdb 2.5 ms |  |  |" in text and "P, S, Python 3" in text
    rows = figures.comparison_table(FOUND).splitlines()
    assert "| tape, C | 31 ns |  |  |  |  | 210 ns |" in rows
    assert "| lmdb, Python | 2.5 ms |  |  |  |  |  |" in rows
    assert not any("SQLite" in row for row in rows)


@pytest.mark.parametrize("page, table", figures.PAGES, ids=lambda p: getattr(p, "name", ""))
def test_the_figures_shown_are_those_of_the_last_run(page: Path, table: object) -> None:
    """After a run: python -m tools.figures (python -m bench --write does it)."""
    assert page.read_text().count(figures.BEGIN) == page.read_text().count(figures.END) == 1
    if figures.RESULTS.exists():
        found = json.loads(figures.RESULTS.read_text())
        assert page.read_text() == figures.written(page, found, table)


def test_the_long_description_has_no_link_into_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """On an index page: README's links into the project lead to the repository."""
    text = (ROOT / "README.md").read_text()
    setup = (ROOT / "setup.py").read_text()
    code = setup[setup.index("def readme()"):setup.index("\n\n\nif sysconfig")]
    space: dict[str, object] = {}
    exec("import os, re\nfrom pathlib import Path\n" + code, space)  # noqa: S102
    monkeypatch.chdir(ROOT)
    long = space["readme"]()  # type: ignore[operator]
    links = re.findall(r"\]\(([^)]+)\)", long)
    assert len(links) > 10 and all(link.startswith("https://") for link in links)
    assert f"{site.REPOSITORY}/blob/main/docs/tutorial.md" in links
