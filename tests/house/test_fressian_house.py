"""The house of Fressian's codec: floors of its C by symbols, lengths, numbers that stand twice."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest

from tape.codecs.fressian import codes, handlers
from tests.kit.sources import ROOT, code_of

FOLDER = ROOT / "tape" / "codecs" / "fressian"
HEADER = FOLDER / "c" / "speed.h"
SOURCES = sorted((FOLDER / "c").glob("*.[ch]"))
UNITS = [path for path in SOURCES if path.suffix == ".c" and path.name != "unity.c"]
#: Where the parts of a value lead back to any value: the only calls upward.
ENTRIES = {"write_value", "read_value"}
#: Longer than a screen and a half, each with its reason.
LONG_FUNCTIONS = {
    "_reader.py:Decoder._object": "one loop with its stack in local names: a method call costs a "
                                  "third of what reading a small integer costs; cases by code",
    "_writer.py:Encoder._object": "one loop with its stack in local names, as the reader's",
}
MOST_LINES = 75


# -- floors

def floors() -> list[list[str]]:
    """The table at the top of speed.h."""
    table = re.search(r"\n \*   ground.*?\n \*\n", HEADER.read_text(), re.DOTALL)
    assert table
    made: list[list[str]] = []
    for line in table[0].split("\n"):
        words = line.removeprefix(" *").split()
        if words and words[0] in ("ground", "writer", "reader", "top"):
            made.append(words[1:])
        elif words:
            made[-1] += words
    return made


def standing() -> dict[str, int]:
    """File to its place; reader and writer are wings, which do not call each other."""
    return {name: place for place, name in enumerate(sum(floors(), []))}


def upward(calls: dict[str, set[str]], home: dict[str, str]) -> list[str]:
    """Calls of a file that stands further up, or in the other wing."""
    place, (_, writer, reader, _) = standing(), floors()
    found = []
    for name, symbols in calls.items():
        for symbol in symbols - ENTRIES:
            to = home.get(symbol)
            wings = (name in writer and to in reader) or (name in reader and to in writer)
            if to and (place[to] > place[name] or wings):
                found.append(f"{name}.c calls {symbol} of {to}.c")
    return sorted(found)


@pytest.fixture(scope="module")
def symbols(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, set[str]],
                                                               dict[str, str]]:
    """What each unit calls, and where each name is defined, from its object file."""
    if not shutil.which("cc") or not shutil.which("nm"):
        pytest.skip("needs cc and nm")
    if not Path(sysconfig.get_path("include"), "Python.h").exists():
        pytest.skip("needs Python's headers")
    out = tmp_path_factory.mktemp("apart")
    calls: dict[str, set[str]] = {}
    home: dict[str, str] = {}
    for path in UNITS:
        made = out / f"{path.stem}.o"
        subprocess.run(["cc", "-std=c11", "-O0", "-DNDEBUG", "-Wall", "-Wextra", "-Werror",
                        "-Wno-missing-field-initializers", "-DSPEED_APART", "-c", str(path), "-o",
                        str(made), f"-I{sysconfig.get_path('include')}"], check=True)
        listed = subprocess.run(["nm", str(made)], check=True, capture_output=True, text=True)
        calls[path.stem] = set(re.findall(r"(?m)^ +U (\w+)$", listed.stdout))
        for name in re.findall(r"(?m)^[0-9a-f]+ [TBDR] (\w+)$", listed.stdout):
            home[name] = path.stem
    return calls, home


def test_each_file_is_a_unit_of_its_own_and_calls_no_floor_above(
        symbols: tuple[dict[str, set[str]], dict[str, str]]) -> None:
    calls, home = symbols
    assert ENTRIES <= set(home)
    assert upward(calls, home) == []


def test_a_planted_call_upward_is_found(
        symbols: tuple[dict[str, set[str]], dict[str, str]]) -> None:
    calls, home = symbols
    planted = {**calls, "write_text": calls["write_text"] | {"write_map"},
               "write_names": calls["write_names"] | {"read_text"}}
    assert upward(planted, home) == ["write_names.c calls read_text of read_text.c",
                                     "write_text.c calls write_map of write_collections.c"]


def test_the_units_together_need_nothing_but_python_and_the_c_library(
        symbols: tuple[dict[str, set[str]], dict[str, str]]) -> None:
    calls, home = symbols
    outside = set().union(*calls.values()) - set(home)
    libc = {"memcpy", "memset", "memcmp", "strcmp", "strtoll", "snprintf", "__isoc23_strtoll",
            "_GLOBAL_OFFSET_TABLE_", "__stack_chk_fail", "__memcpy_chk", "__snprintf_chk"}
    assert [name for name in outside if not re.match(r"_?Py", name) and name not in libc] == []


def test_unity_includes_every_file_lowest_floor_first() -> None:
    listed = re.findall(r'(?m)^#include "(\w+)\.c"$', (FOLDER / "c" / "unity.c").read_text())
    assert listed == sum(floors(), [])
    assert sorted(listed) == [path.stem for path in UNITS]


def test_files_include_the_private_header_alone() -> None:
    for path in UNITS:
        assert re.findall(r'#include "([^"]+)"', path.read_text()) == ["speed.h"], path.name
    assert re.findall(r'#include "([^"]+)"', HEADER.read_text()) == ["lane.h"]


# -- style

@pytest.mark.parametrize("path", SOURCES, ids=lambda p: p.name)
def test_a_file_says_what_it_is_in_short_lines_and_functions_that_fit_a_screen(
        path: Path) -> None:
    assert path.read_text().startswith(f"/* {path.name} - ")
    begun = 0
    for number, line in enumerate(path.read_text().splitlines(), 1):
        assert len(line) <= 100, f"{path.name}:{number}"
        if line == "{":
            begun = number
        elif line == "}" and begun:
            assert number - begun <= MOST_LINES, f"{path.name}:{begun}"
            begun = 0


def functions(path: Path) -> Iterator[tuple[str, int]]:
    """Qualified name and length of every function of a Python file."""
    def walk(node: ast.AST, prefix: str) -> Iterator[tuple[str, int]]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                if not isinstance(child, ast.ClassDef):
                    assert child.end_lineno
                    yield prefix + child.name, child.end_lineno - child.lineno
                yield from walk(child, f"{prefix}{child.name}.")
    return walk(ast.parse(path.read_text()), "")


def test_python_functions_fit_a_screen_or_are_argued_for() -> None:
    too_long = {f"{path.name}:{name}" for path in FOLDER.glob("*.py")
                for name, length in functions(path) if length > MOST_LINES}
    assert too_long == set(LONG_FUNCTIONS)


# -- one home for each number

def enumerators(name: str, text: str | None = None) -> dict[str, int]:
    """The names and values of an enum of speed.h."""
    body = re.search(rf"enum {name} \{{(.*?)\}}", text or code_of(HEADER), re.DOTALL)
    assert body
    made: dict[str, int] = {}
    value = -1
    for item in body[1].replace("\n", " ").split(","):
        key, _, given = (part.strip() for part in item.partition("="))
        value = int(given, 16) if given else value + 1
        made[key] = value
    return made


#: Names that are shorter in C.
SHORT = {"PRIORITY": "PRIORITY_CACHE_PACKED", "STRUCT_PACKED": "STRUCT_CACHE_PACKED",
         "LONGS": "LONG_ARRAY", "DOUBLES": "DOUBLE_ARRAY", "BOOLS": "BOOLEAN_ARRAY",
         "INTS": "INT_ARRAY", "FLOATS": "FLOAT_ARRAY", "OBJECTS": "OBJECT_ARRAY",
         "GET": "GET_PRIORITY_CACHE", "PUT": "PUT_PRIORITY_CACHE",
         "CLOSED_LIST": "BEGIN_CLOSED_LIST", "OPEN_LIST": "BEGIN_OPEN_LIST",
         "END": "END_COLLECTION", "RESET": "RESET_CACHES", "MINUS_1": "INT_MINUS_1"}
NO_CODES = {"FOOTER_SIZE", "STRING_PART_MAX", "BYTES_PART_MAX", "COUNT_MAX", "LONG_MIN",
            "LONG_MAX"}


def python_codes() -> dict[str, int]:
    return {name: value for name, value in vars(codes).items()
            if isinstance(value, int) and name not in NO_CODES}


def test_the_codes_in_c_are_those_of_codes_py() -> None:
    in_c = {SHORT.get(name[2:], name[2:]): value for name, value in enumerators("code").items()}
    assert in_c == python_codes()
    assert enumerators("code", "enum code { C_A = 0x80, C_B }") == {"C_A": 0x80, "C_B": 0x81}


def test_the_codes_in_libtape_are_those_of_codes_py() -> None:
    text = code_of(ROOT / "csrc" / "fressian" / "codes.h")
    assert {name[2:]: value for name, value in enumerators("code", text).items()} == python_codes()
    for name in ("COUNT_MAX", "STRING_PART_MAX", "BYTES_PART_MAX"):
        found = re.search(rf"(?m)^#define {name} (\w+)$", text)
        assert found and int(found[1], 0) == getattr(codes, name)


def test_the_kinds_in_c_are_those_of_handlers_py() -> None:
    in_c = {name[2:]: value for name, value in enumerators("kind").items()}
    assert in_c == {name: getattr(handlers, name) for name in in_c}
    assert list(in_c.values()) == list(range(handlers.REFUSED + 1))


@pytest.mark.parametrize("name", ["COUNT_MAX", "STRING_PART_MAX", "BYTES_PART_MAX"])
def test_a_limit_in_c_is_that_of_codes_py(name: str) -> None:
    found = re.search(rf"(?m)^#define {name} (?:INT64_C\()?(\w+)\)?$", HEADER.read_text())
    assert found and int(found[1], 0) == getattr(codes, name)


# -- a library of its own

def test_the_codec_takes_tape_errors_alone_from_outside() -> None:
    for path in FOLDER.glob("*.py"):
        outside = re.findall(r"(?m)^\s*from (\.\.\.?\w*(?:\.\w+)*) import", path.read_text())
        assert set(outside) <= {"...errors"}, path.name
    taken = re.findall(r'"(tape\.[\w.]+)"', "".join(p.read_text() for p in UNITS))
    outside = {name for name in taken if not name.startswith("tape.codecs.fressian")}
    assert outside == {"tape.errors"}


# -- errors that help

def without_hint(text: str) -> list[int]:
    """Lines on which an EncodeError is made that does not say what to do."""
    return [node.lineno for node in ast.walk(ast.parse(text))
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "EncodeError"
            and "hint" not in {keyword.arg for keyword in node.keywords}]


def test_every_encode_error_of_a_codec_says_what_to_do() -> None:
    for path in FOLDER.parent.rglob("*.py"):
        assert without_hint(path.read_text()) == [], path.name
    assert without_hint("x = 1\nraise EncodeError('no', path='')") == [2]
