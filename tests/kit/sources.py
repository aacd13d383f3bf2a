"""Where the sources of the project stand, and what a test asks of their text."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CSRC = ROOT / "csrc"
TESTS = ROOT / "tests"
C_SOURCES = sorted(CSRC.rglob("*.[ch]"))


def code_of(path: Path) -> str:
    """The text without comments and strings, lines kept."""
    text = path.read_text()
    text = re.sub(r"/\*.*?\*/", lambda m: "\n" * m[0].count("\n"), text, flags=re.DOTALL)
    return re.sub(r'"(\\.|[^"\\\n])*"', '""', text)


def includes(path: Path) -> list[str]:
    return re.findall(r'(?m)^#include "(?:\w+/)?(\w+)\.h"', path.read_text())
