"""The floors of csrc/ and who looks at whom: by `#include`, and by the symbols of object files.

``python -m tests.kit.floors`` prints the structure in figures.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from tests.kit.sources import C_SOURCES, CSRC, ROOT

CC = shutil.which(os.environ.get("CC", "cc").split()[-1]) or shutil.which("gcc")
NM = shutil.which("nm")

# Who is looked at by each: by name of a header's or a source's stem, or of an object.
Graph = Mapping[str, Iterable[str]]


#: The headers that programs include, which every floor may.
FACE = ("tape.h", "tape_fressian.h")


def floors() -> dict[str, int]:
    """The folders by height, as CONTRIBUTING.md has them: the one place where they stand.

    The wings stand on one floor and do not know each other.
    """
    rows = re.findall(r"(?m)^\| (\d) \| ((?:`\w+/` ?)+) \|",
                      (ROOT / "CONTRIBUTING.md").read_text())
    return {folder: int(floor) for floor, names in rows for folder in re.findall(r"\w+", names)}


FLOORS = floors()


def refusal(folder: str, other: str) -> str | None:
    """Why a file in one folder may not look at one of another; None when it may."""
    if other in (*FACE, folder):
        return None
    if other not in FLOORS:
        return f"{other} is no floor"
    return None if FLOORS[other] < FLOORS[folder] else f"{other}/ is not below {folder}/"


def circles(graph: Graph) -> list[list[str]]:
    """All sets of those that look at each other, over however many corners."""
    def reach(start: str) -> set[str]:
        seen: set[str] = set()
        todo = list(graph.get(start, ()))
        while todo:
            name = todo.pop()
            if name not in seen:
                seen.add(name)
                todo.extend(graph.get(name, ()))
        return seen

    far = {name: reach(name) for name in graph}
    found = {tuple(sorted(other for other in far[name] if name in far.get(other, ())))
             for name in graph if name in far[name]}
    return [list(circle) for circle in sorted(found)]


def include_graph() -> dict[str, list[str]]:
    """The headers that each file of csrc/ includes, by path below csrc/."""
    return {str(path.relative_to(CSRC)): re.findall(r'(?m)^#include "([^"]+)"', path.read_text())
            for path in C_SOURCES}


def compile_all(folder: Path, sources: Iterable[Path] | None = None) -> list[Path]:
    """Compiles without optimising, so that no call is inlined away; the objects, by folder."""
    assert CC
    objects = []
    for source in sources or [p for p in C_SOURCES if p.suffix == ".c"]:
        place = folder / source.parent.name
        place.mkdir(parents=True, exist_ok=True)
        target = place / f"{source.stem}.o"
        subprocess.run([CC, "-std=c11", "-O0", "-c", f"-I{CSRC}", str(source), "-o", str(target)],
                       check=True)
        objects.append(target)
    return objects


def symbols(target: Path) -> tuple[set[str], set[str]]:
    """What an object defines for others, and what it wants from them."""
    assert NM
    out = subprocess.run([NM, str(target)], capture_output=True, text=True, check=True).stdout
    defined, wanted = set(), set()
    for line in out.splitlines():
        *_, kind, name = line.split()
        if kind == "U":
            wanted.add(name)
        elif kind.isupper():
            defined.add(name)
    return defined, wanted


def call_graph(objects: Iterable[Path]) -> dict[str, dict[str, set[str]]]:
    """Which object wants which symbols of which other one, by "folder/name"."""
    names = {f"{path.parent.name}/{path.stem}": symbols(path) for path in objects}
    home = {symbol: name for name, (defined, _) in names.items() for symbol in defined}
    graph: dict[str, dict[str, set[str]]] = {name: {} for name in names}
    for name, (_, wanted) in names.items():
        for symbol in wanted & home.keys():
            if home[symbol] != name:
                graph[name].setdefault(home[symbol], set()).add(symbol)
    return graph


def upward(graph: Mapping[str, Mapping[str, Iterable[str]]]) -> list[str]:
    """The calls that do not go down, in words."""
    return [f"{a} calls {b}: {why} ({', '.join(sorted(symbols))})"
            for a, others in graph.items() for b, symbols in others.items()
            if (why := refusal(a.split("/")[0], b.split("/")[0]))]


def upward_includes(graph: Graph) -> list[str]:
    """The includes that do not go down, in words."""
    return [f"{a} includes {b}: {why}" for a, others in graph.items() if "/" in a for b in others
            if (why := refusal(a.split("/")[0], b.split("/")[0]))]


def longest_function() -> tuple[int, str]:
    """Lines of the longest function, and where it ends."""
    found = []
    for path in C_SOURCES:
        begun = 0
        for number, line in enumerate(path.read_text().splitlines(), 1):
            if line == "{":
                begun = number
            elif line == "}" and begun:
                found.append((number - begun, f"{path.relative_to(CSRC)}:{number}"))
                begun = 0
    return max(found)


def main() -> None:
    """Prints the figures."""
    with tempfile.TemporaryDirectory() as folder:
        calls = call_graph(compile_all(Path(folder)))
    includes = include_graph()
    print(f"files: {len(C_SOURCES)}, in folders: "
          + ", ".join(f"{name} {sum(p.parent.name == name for p in C_SOURCES)}" for name in FLOORS))
    print(f"circles of calls: {circles(calls)}; of includes: {circles(includes)}")
    print(f"upward calls: {upward(calls)}; includes: {upward_includes(includes)}")
    lines, path = max((len(p.read_text().splitlines()), str(p.relative_to(CSRC)))
                      for p in C_SOURCES)
    print(f"longest file: {path}, {lines} lines; longest function: {longest_function()}")


if __name__ == "__main__":
    main()
