"""What the documents say is what the code does: README, docstrings, the recovery table."""

from __future__ import annotations

import doctest
import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.kit import examples
from tests.kit.sources import C_SOURCES, ROOT, TESTS

README = (ROOT / "README.md").read_text()

MODULES = [name for name in examples.MODULES if not name.startswith("tape.codecs.fressian")]


def block(language: str) -> str:
    """The first fenced block of a language in the README."""
    found = re.search(rf"```{language}\n(.*?)```", README, re.DOTALL)
    assert found
    return found[1]


def said_to_print(code: str) -> list[str]:
    """The comments beside the lines that print."""
    return [line.split("  # ")[1] for line in code.splitlines() if "print(" in line]


def test_the_example_of_the_readme_is_the_quickstart() -> None:
    """One text: the README shows examples/quickstart.py."""
    code = (ROOT / "examples" / "quickstart.py").read_text()
    assert code.endswith("\n\n" + block("python"))


def test_the_quickstart_prints_what_the_readme_says(tmp_path: Path) -> None:
    """Word for word, in an empty folder."""
    ran = subprocess.run([sys.executable, ROOT / "examples" / "quickstart.py"], cwd=tmp_path,
                         capture_output=True, text=True, timeout=60, check=True)
    assert said_to_print(block("python")) == ran.stdout.splitlines() != []


def test_the_readme_is_one_screen() -> None:
    """Rendered as on GitHub, 1280 pixels wide, it has some 1,150. Lines of text of 115 characters,
    lines of code and rows of tables take the room, and what stands between paragraphs."""
    rows, paragraphs = 0, re.sub(r"<!--.*?-->|\]\([^)]*\)", "", README).split("\n\n")
    for paragraph in paragraphs:
        shown = [line for line in paragraph.split("\n")
                 if line and not line.startswith(("```", "| ---"))]
        as_it_is = paragraph.startswith(("```", "|"))
        rows += len(shown) if as_it_is else -(-sum(map(len, shown)) // 115)
    assert 20 < rows < 36 and len(paragraphs) < 20, (rows, len(paragraphs))


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_docstrings_run(name: str) -> None:
    """The examples of public docstrings run."""
    result = doctest.testmod(importlib.import_module(name))
    assert result.failed == 0


# What each constant of the recovery table is called in docs/recovery.md, and in which cell; rows
# of the code have the order of its struct, those of the document that of its head.
FACTS = {"AGE": "cycle", "FILE": "file", "END": "end of chain", "MESSAGES": "messages",
         "PAIR": "pair", "INDEX": "index", "OWN": "own"}
WORDS = {"HALF_MADE": "half-made", "MARK": "END_OF_DATA", "FREE": "0", "OPEN": "incomplete",
         "GOES_ON": "goes on"}
DEEDS = {"NOTHING": "nothing", "GIVE_UP": "give up the room", "CLEAR": "clear the word",
         "SEAL": "seal", "WAIT": "wait for the clock", "SET_PAIR": "set the pair"}


def rows_of_the_code(code: str) -> list[list[str]]:
    """Label, the facts that count, and the actions, of each row of recovery.c."""
    table = code[code.index("static const row_t table[]"):].split("};")[0]
    rows = []
    for row in re.findall(r"\{(\"@.*?)\}", table, re.DOTALL):
        label, *facts, actions = [cell.strip() for cell in row.split(",")]
        said = ["-" if fact == "ANY" else fact.split("_", 3)[3] for fact in facts]
        deeds = [deed.strip().removeprefix("TAPE__DO_") for deed in actions.split("|")]
        rows.append([label.strip('"'), *[WORDS.get(w, w.lower()) for w in said],
                     ", ".join(DEEDS.get(d, d.lower().replace("_", " ")) for d in deeds)])
    return rows


def test_the_recovery_table_is_that_of_the_code() -> None:
    """docs/recovery.md has the rows of the array in recovery.c: every fact and every action."""
    code = rows_of_the_code((ROOT / "csrc" / "write" / "recovery.c").read_text())
    document = (ROOT / "docs" / "recovery.md").read_text()
    head, _, *written = [[cell.strip() for cell in line.strip("|").split("|")]
                         for line in document[document.index("| row |"):].splitlines()
                         if line.startswith("|")][:len(code) + 2]
    assert head == ["row", *FACTS.values(), "actions"]
    assert [row[:-1] for row in written] == [row[:-1] for row in code] and len(code) == 21
    for row, said in zip(code, written, strict=True):
        assert said[-1].startswith(row[-1]), f"{row[0]}: {said[-1]} in the document, {row[-1]}"
        more = said[-1].removeprefix(row[-1])
        assert not more or more[0] in ":,", f"{row[0]}: {said[-1]}"
        assert not any(f", {deed}" in more for deed in DEEDS.values()), f"{row[0]}: {said[-1]}"


def test_the_comparison_of_the_recovery_table_can_fail() -> None:
    """Each constant of the code becomes its own word."""
    planted = 'static const row_t table[] = {\n {"@Z", TAPE__AGE_OLDER, ANY,\n TAPE__DO_SEAL},\n};'
    assert rows_of_the_code(planted) == [["@Z", "older", "-", "seal"]]


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
