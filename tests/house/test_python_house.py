"""The house of the Python package: who imports whom, and what an import brings along."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import _cffi_backend
import pytest

from tests.kit.sources import ROOT

PACKAGE = ROOT / "tape"
MODULES = {path: ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
           for path in sorted(PACKAGE.rglob("*.py"))}
# An appender and a tailer tell which queue made them, and a queue makes them; a stream has its
# tailer, a sink its appender: their types name each other, their code does not. So with what a
# queue does by modules that it imports when asked.
TYPES_UPWARD = {("tape.aio", "tape.tailer"), ("tape._sink", "tape.appender"),
                ("tape.metrics", "tape.stats"),
                *((f"tape.{name}", "tape.queue")
                  for name in ("appender", "tailer", "retention", "stats", "replaying", "tasks",
                               "compression"))}


def imports(path: Path) -> set[str]:
    """The modules of the package that a module names in its imports, types' included."""
    name = MODULES[path]
    home = name.split(".") if path.name == "__init__.py" else name.split(".")[:-1]
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = home[:len(home) - node.level + 1] + (node.module or "").split(".")
            where = ".".join(part for part in base if part)
            found |= {f"{where}.{alias.name}" for alias in node.names} | {where}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return {module for module in found if module in MODULES.values() and module != "tape"} - {name}


def circle(graph: dict[str, set[str]]) -> list[str]:
    """Some circle, or nothing."""
    done: set[str] = set()

    def visit(module: str, trail: list[str]) -> list[str]:
        if module in trail:
            return trail[trail.index(module):]
        if module in done:
            return []
        for other in sorted(graph.get(module, ())):
            if found := visit(other, [*trail, module]):
                return found
        done.add(module)
        return []

    return next((found for module in sorted(graph) if (found := visit(module, []))), [])


def test_no_module_imports_itself_by_others() -> None:
    """Codecs are a package of their own, with its own rules: seen from here it is one module."""
    graph: dict[str, set[str]] = {}
    for path, name in MODULES.items():
        name = "tape.codecs" if name.startswith("tape.codecs") else name
        others = {"tape.codecs" if other.startswith("tape.codecs") else other
                  for other in imports(path)}
        graph.setdefault(name, set()).update(others - {name})
    for upper, lower in TYPES_UPWARD:
        graph[upper].remove(lower)  # it is there, and nothing else is
    assert circle(graph) == []


def test_the_search_for_circles_finds_one() -> None:
    """A check that cannot fail checks nothing."""
    assert circle({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == ["b", "c"]
    assert circle({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == []


def modules_after(code: str, *arguments: str) -> set[str]:
    """What a fresh interpreter has imported beyond what it begins with."""
    path = [str(ROOT), str(Path(_cffi_backend.__file__).parent)]
    code = f"sys.path[:0] = {path!r}\n" + code  # and no .pth files, which import what they like
    ran = subprocess.run(
        [sys.executable, "-S", "-E", "-c", "import sys\nbefore = set(sys.modules)\n" + code
         + "\nprint(*sorted(set(sys.modules) - before))", *arguments],
        capture_output=True, text=True, timeout=60, check=True)
    return set(ran.stdout.split())


# What takes long to import and neither reading nor writing needs: each some ms.
HEAVY = {"typing", "dataclasses", "inspect", "re", "pathlib", "uuid", "decimal", "datetime", "json",
         "threading", "queue", "importlib.util", "tempfile", "argparse", "fractions", "copy"}
WRITES = ("import tape\n"
          "with tape.open(sys.argv[1]) as q: q.appender().write({'at': 1, 'what': ['a', 2.5]})")


@pytest.mark.parametrize("code", ["import tape", WRITES], ids=["import", "first write"])
def test_importing_and_the_first_write_bring_nothing_heavy_along(code: str, tmp_path: Path) -> None:
    """So a program that only appends starts quickly."""
    assert modules_after(code, str(tmp_path / "q")) & HEAVY == set()


def test_the_names_that_are_imported_late_are_there(tmp_path: Path) -> None:
    """``from tape import *``, ``dir(tape)`` and attributes know them."""
    code = ("from tape import *\nimport tape\n"
            "assert set(tape.__all__) <= set(dir(tape))\n"
            "assert all(getattr(tape, name) is globals()[name] for name in tape.__all__)")
    assert {"tape.info", "tape.deletion"} <= modules_after(code)
