"""The man pages of the commands: of today's help, and sound; tools.wheels sees one in a wheel."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tape.cli.app import COMMANDS

from tests.kit.commands import inside
from tools import man_commands

PAGES = sorted(man_commands.HOME.glob("*.1"))


def test_the_pages_are_those_of_the_help_of_today(tmp_path: Path) -> None:
    """Else: python -m tools.man_commands."""
    (tmp_path / "tape-gone.1").touch()  # of a command that is no more
    man_commands.main(tmp_path)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {
        path.name: path.read_text() for path in PAGES}
    assert [path.name for path in PAGES] == sorted(
        ["tape.1", *(f"tape-{name}.1" for name in COMMANDS)])


@pytest.mark.parametrize("name", COMMANDS)
def test_each_option_and_example_of_the_help_is_in_the_page(name: str) -> None:
    """Nothing is left out, and every page says what the exit codes mean."""
    text = (man_commands.HOME / f"tape-{name}.1").read_text().replace("\\-", "-")
    shown = inside(name, "--help")[1]
    words = {word.strip(",") for word in shown.split() if word.startswith("--")}
    assert words and all(word in text for word in words), words
    examples = shown.partition("Examples:")[2].split("\n")
    assert all(line.strip().replace("\\", "\\e") in text for line in examples)
    assert ".SH EXIT STATUS" in text and f"tape-{name} - " in text


def test_the_pages_are_sound() -> None:
    """By mandoc's own check, where it is there."""
    if not shutil.which("mandoc"):
        pytest.skip("no mandoc")
    found = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", *PAGES], text=True,
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False).stdout
    assert not [line for line in found.splitlines() if "missing date" not in line], found
    shown = subprocess.run(["mandoc", PAGES[1]], text=True, capture_output=True, check=True).stdout
    assert "EXAMPLES" in re.sub(r".\x08", "", shown)
