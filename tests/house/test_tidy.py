"""Style as a test: banned calls, lengths."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.kit.sources import C_SOURCES, ROOT, code_of

BANNED = {
    r"\b(s?printf|strcat|gets|strtok)\(": "use snprintf",
    r"\bassert\(": "bytes from files are errors; the process is somebody else's",
    r"\b(malloc|calloc|realloc|free)\(": "tape__alloc, tape__free",
    r"\b(puts|perror|exit|abort|getenv|signal|sigaction)\(": "a library does none of these",
    r"\b(open|close|mmap|munmap|fcntl|ftruncate|fallocate|stat|fstat|link|unlink|rename|kill|"
    r"nanosleep|sched_yield|getpid)\(": "only platform.c makes system calls",
}
ALLOWED = {"platform.c"}


@pytest.mark.parametrize("path", C_SOURCES, ids=lambda p: p.name)
def test_banned_calls(path: Path) -> None:
    """Calls that a library like this does not make, with what to use instead."""
    if path.name in ALLOWED:
        return
    code = code_of(path)
    for pattern, remedy in BANNED.items():
        for match in re.finditer(pattern, code):
            line = code.count("\n", 0, match.start()) + 1
            assert False, f"{path.name}:{line}: {match[0]} {remedy}"


@pytest.mark.parametrize("path", C_SOURCES + sorted((ROOT / "tape").rglob("*.py")),
                         ids=lambda p: p.name)
def test_lines_are_short(path: Path) -> None:
    """At most 100 columns."""
    for number, line in enumerate(path.read_text().splitlines(), 1):
        assert len(line) <= 100, f"{path.name}:{number}"


@pytest.mark.parametrize("path", [p for p in C_SOURCES if p.suffix == ".c"], ids=lambda p: p.name)
def test_functions_fit_a_screen(path: Path) -> None:
    """A function has at most 75 lines: more is two functions."""
    begun = 0
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if line == "{":
            begun = number
        elif line == "}" and begun:
            length, begun = number - begun, 0
            # error.c's table is one switch over all codes
            assert length <= 75 or path.name == "error.c", f"{path.name}:{number}: {length} lines"


@pytest.mark.parametrize("path", C_SOURCES, ids=lambda p: p.name)
def test_files_say_what_they_are(path: Path) -> None:
    """Each file opens with a comment that begins with its name."""
    assert path.read_text().startswith(f"/* {path.name} - ")


def test_codecs_know_no_queues() -> None:
    """Bytes in, objects out: codecs import the standard library and tape.errors."""
    for path in (ROOT / "tape" / "codecs").rglob("*.py"):
        text = path.read_text()
        assert not re.search(r"(?m)^\s*(from|import) .*(_ffi|_native|\bqueue\b|appender|tailer)",
                             text), path
