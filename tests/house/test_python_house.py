"""The house of the Python package: who imports whom, and what an import brings along."""

from __future__ import annotations

import ast
from pathlib import Path

from tests.kit.sources import ROOT

PACKAGE = ROOT / "tape"
MODULES = {path: ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
           for path in sorted(PACKAGE.rglob("*.py"))}
# An appender and a tailer tell which queue made them, and a queue makes them: their types name each
# other, their code does not.
TYPES_UPWARD = {("tape.appender", "tape.queue"), ("tape.tailer", "tape.queue")}


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
