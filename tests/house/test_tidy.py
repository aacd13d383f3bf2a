"""Style as a test, over the whole tree: lengths, dead things, names, calls that a library avoids.

The checks are in ``tests/kit/tidy.py``; here is what they may find, each with a reason. That each
of them finds something when something is there, ``test_tidy_planted.py`` shows.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

from tests.kit import tidy
from tests.kit.sources import C_SOURCES, ROOT, code_of

#: The one list of exceptions: what a check finds, up to its first number, and why it stays.
EXCEPTIONS = {
    "tape/_cursor.py: ": "one state that its parts share: undoing stands beside doing",
    "csrc/tape.h: ": "the face of the library is one file, to be read and shipped as one",
    "csrc/base/error.c: code_row": "one switch over all codes, each with its text and hint",
    "tape/codecs/fressian/_reader.py: _object": "one dispatch over all codes of the format: a call"
        " for each code would cost a third of its speed",
    "tape/codecs/fressian/_writer.py: _object": "the same, over all types",
    "tape/codecs/fressian/_reader.py: ": "the reader with its dispatch: its parts share its state",
    "tape/codecs/fressian/_writer.py: ": "the same",
    "tape/codecs/fressian/types.py: ": "one small class after the other",
    "tests/mutate/mutate.c: ": "one driver, built alone with guard pages around every mapping",
    "tape/codecs/fressian/_reader.py: _byte": "called by its tag",
    "tape/codecs/fressian/_reader.py: _ratio": "called by its tag",
    "tests/typing/good.py: several_codecs": "for type checkers to read, not to be called",
    "csrc/base/platform_wait.h: nobody reads field address": "the kernel does",
    "tape/c/fast.h: nobody reads field pointer": "the objects that begin so call it by its kind",
}

BANNED = {
    r"\b(s?printf|strcat|gets|strtok)\(": "use snprintf",
    r"\bassert\(": "bytes from files are errors; the process is somebody else's",
    r"\b(malloc|calloc|realloc|free)\(": "tape__alloc, tape__free",
    r"\b(puts|perror|exit|abort|getenv|signal|sigaction)\(": "a library does none of these",
    r"\b(open|close|mmap|munmap|fcntl|ftruncate|fallocate|stat|fstat|link|unlink|rename|kill|"
    r"nanosleep|sched_yield|getpid)\(": "only platform.c makes system calls",
}
ALLOWED = {"platform.c", "platform_process.c", "platform_wait.c", "platform_check.c",
           "platform_sync.c"}


FILES = sorted(str(path.relative_to(ROOT)) for path in tidy.sources(
    ROOT, ".py", ".pyi", ".c", ".h", ".sh", ".java", ".clj", ".cmake"))


@cache
def findings() -> list[str]:
    """What all checks find in this tree, looked for once."""
    return [finding for check in tidy.CHECKS for finding in check(ROOT)]


def excepted(finding: str) -> str | None:
    """The exception that a finding falls under: the longest that it begins with."""
    keys = [key for key in EXCEPTIONS if finding.startswith(key)
            and (not key.endswith(": ") or finding[len(key):][:1].isdigit())]
    return max(keys, key=len, default=None)


@pytest.mark.parametrize("path", FILES)
def test_a_file_is_tidy(path: str) -> None:
    """By every check of ``tests/kit/tidy.py``, but for the exceptions above."""
    found = [f for f in findings() if f.startswith(f"{path}:") and excepted(f) is None]
    assert not found, "\n".join(found)


def test_every_finding_is_of_a_file_that_is_asked_for() -> None:
    """So that nothing that is found goes unheard."""
    assert {finding.split(":")[0] for finding in findings()} <= set(FILES)


def test_no_exception_is_out_of_date() -> None:
    """Each is still found; what was mended leaves the list."""
    used = {excepted(finding) for finding in findings()}
    assert set(EXCEPTIONS) <= used, set(EXCEPTIONS) - used


@pytest.mark.parametrize("path", C_SOURCES, ids=lambda p: p.name)
def test_the_library_makes_no_banned_call(path: Path) -> None:
    """Calls that a library like this does not make, with what to use instead."""
    if path.name in ALLOWED:
        return
    code = code_of(path)
    for pattern, remedy in BANNED.items():
        for match in re.finditer(pattern, code):
            line = code.count("\n", 0, match.start()) + 1
            assert False, f"{path.name}:{line}: {match[0]} {remedy}"


def test_codecs_know_no_queues() -> None:
    """Bytes in, objects out: codecs import the standard library and tape.errors."""
    for path in (ROOT / "tape" / "codecs").rglob("*.py"):
        text = path.read_text()
        assert not re.search(r"(?m)^\s*(from|import) .*(_ffi|_native|\bqueue\b|appender|tailer)",
                             text), path
