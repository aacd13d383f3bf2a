"""Style as a test: floors, banned calls, lengths."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CSRC = ROOT / "csrc"

FLOORS = [
    ["tape", "atomics", "bytes", "sync_point", "error", "platform", "process"],
    ["header_word", "roll_cycle", "wire"],
    ["mapping", "excerpt"],
    ["table_store", "table_header", "table_build", "side_file", "write_lock",
     "directory_listing", "cycle_store", "cycle_header", "cycle_measure", "excerpt_index",
     "cycle_end", "cycle_build"],
    ["recovery"],
    ["queue", "queue_open", "roll", "roll_older", "roll_end", "roll_room", "appender", "tailer", "tailer_cycles",
     "tailer_walk", "named_tailer", "census", "tailer_info",
     "tailer_batch"],
]
# Neighbours on one floor that look at each other: a cycle's end is found through its index, and the
# index lives in the cycle's file; an appender's header declares nothing.
NEIGHBOURS = {("cycle_store", "excerpt_index")}
PURE = {"header_word", "roll_cycle", "wire", "recovery"}
BANNED = {
    r"\b(s?printf|strcat|gets|strtok)\(": "use snprintf",
    r"\bassert\(": "bytes from files are errors; the process is somebody else's",
    r"\b(malloc|calloc|realloc|free)\(": "tape__alloc, tape__free",
    r"\b(puts|perror|exit|abort|getenv|signal|sigaction)\(": "a library does none of these",
    r"\b(open|close|mmap|munmap|fcntl|ftruncate|fallocate|stat|fstat|link|unlink|rename|kill|"
    r"nanosleep|sched_yield|getpid)\(": "only platform.c makes system calls",
}
ALLOWED = {"platform.c"}


def place(name: str) -> tuple[int, int]:
    """Floor and place of a module."""
    for floor, modules in enumerate(FLOORS):
        if name in modules:
            return floor, modules.index(name)
    raise AssertionError(f"{name} stands on no floor")


def code_of(path: Path) -> str:
    """The text without comments and strings, lines kept."""
    text = path.read_text()
    text = re.sub(r"/\*.*?\*/", lambda m: "\n" * m[0].count("\n"), text, flags=re.DOTALL)
    return re.sub(r'"(\\.|[^"\\\n])*"', '""', text)


def includes(path: Path) -> list[str]:
    return re.findall(r'(?m)^#include "(?:\w+/)?(\w+)\.h"', path.read_text())


SOURCES = sorted(CSRC.rglob("*.[ch]"))


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: p.name)
def test_floors(path: Path) -> None:
    """A file includes lower floors, and of its own floor what stands to its left."""
    for name in includes(path):
        if name != path.stem and (path.stem, name) not in NEIGHBOURS:
            assert place(name) < place(path.stem), f"{path.name} includes {name}.h"


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: p.name)
def test_the_language_is_pure(path: Path) -> None:
    """Header words, roll cycles, wire and judgement: arithmetic, with no file and no atomics."""
    if path.stem in PURE:
        assert not {"atomics", "platform", "mapping", "process"} & set(includes(path))


def test_readers_cannot_write() -> None:
    """Files of reading know nothing of appending, locking or repairing."""
    for path in [*sorted((CSRC / "read").iterdir()), CSRC / "queue" / "census.c"]:
        assert not {"roll", "write_lock", "recovery", "excerpt"} & set(includes(path)), path.name


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: p.name)
def test_banned_calls(path: Path) -> None:
    """Calls that a library like this does not make, with what to use instead."""
    if path.name in ALLOWED:
        return
    code = code_of(path)
    for pattern, remedy in BANNED.items():
        for match in re.finditer(pattern, code):
            line = code.count("\n", 0, match.start()) + 1
            assert False, f"{path.name}:{line}: {match[0]} {remedy}"


@pytest.mark.parametrize("path", SOURCES + sorted((ROOT / "tape").rglob("*.py")),
                         ids=lambda p: p.name)
def test_lines_are_short(path: Path) -> None:
    """At most 100 columns."""
    for number, line in enumerate(path.read_text().splitlines(), 1):
        assert len(line) <= 100, f"{path.name}:{number}"


@pytest.mark.parametrize("path", [p for p in SOURCES if p.suffix == ".c"], ids=lambda p: p.name)
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


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: p.name)
def test_files_say_what_they_are(path: Path) -> None:
    """Each file opens with a comment that begins with its name."""
    assert path.read_text().startswith(f"/* {path.name} - ")


def test_codecs_know_no_queues() -> None:
    """Bytes in, objects out: codecs import the standard library and tape.errors."""
    for path in (ROOT / "tape" / "codecs").rglob("*.py"):
        text = path.read_text()
        assert not re.search(r"(?m)^\s*(from|import) .*(_ffi|_native|\bqueue\b|appender|tailer)",
                             text), path
