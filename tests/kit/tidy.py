"""Checks of style over a tree of sources. Each gives what it found, as ``place: what``.

They take a root, so that a test can show them a small bad tree: a check that finds nothing there
would find nothing anywhere.
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path

COLUMNS = 100
FUNCTION = 75  # lines: a screen and a half
FILE = 550

#: Folders that hold the project's own sources.
FOLDERS = ["csrc", "tape", "tests", "bench", "examples", "tools", "cmake"]
SKIPPED = {"__pycache__", "target", "golden", ".venv"}
GENERATED = {"_native.c", "_native.pyi"}
TELLING = {"test_tidy.py", "planted.py"}  # they name what is not used


@cache
def text_of(path: Path) -> str:
    return path.read_text()


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(text_of(path))


def sources(root: Path, *kinds: str) -> Iterator[Path]:
    """The files of these endings, and those in the root itself."""
    places = [root.glob("*"), *((root / folder).rglob("*") for folder in FOLDERS)]
    for path in sorted(p for place in places for p in place):
        if path.suffix in kinds and path.name not in GENERATED \
                and not SKIPPED & set(path.relative_to(root).parts):
            yield path


def code_of(path: Path) -> str:
    """The text of a C file without comments and strings, lines kept."""
    text = re.sub(r"/\*.*?\*/", lambda m: "\n" * m[0].count("\n"), text_of(path), flags=re.DOTALL)
    return re.sub(r'"(\\.|[^"\\\n])*"', '""', re.sub(r"//[^\n]*", "", text))


# ---- lengths ----

def long_lines(root: Path) -> Iterator[str]:
    """Lines of more than 100 columns, in code of every language."""
    for path in sources(root, ".py", ".pyi", ".c", ".h", ".sh", ".java", ".clj", ".cmake"):
        for number, line in enumerate(text_of(path).splitlines(), 1):
            if len(line) > COLUMNS:
                yield f"{path.relative_to(root)}:{number}: {len(line)} columns"


def long_functions_of_python(root: Path) -> Iterator[str]:
    """Functions of more than 75 lines, without their docstrings."""
    for path in sources(root, ".py"):
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = (node.end_lineno or node.lineno) - node.lineno + 1
                if ast.get_docstring(node) is not None:
                    length -= (node.body[0].end_lineno or 0) - node.body[0].lineno + 1
                if length > FUNCTION:
                    yield f"{path.relative_to(root)}: {node.name}: {length} lines"


def long_functions_of_c(root: Path) -> Iterator[str]:
    """Functions of more than 75 lines: from a brace in the first column to the next such one."""
    for path in sources(root, ".c", ".h"):
        begun, name = 0, ""
        for number, line in enumerate(code_of(path).splitlines(), 1):
            if found := re.match(r"[A-Za-z_].*?(\w+)\(", line):
                name = found[1]
            if line == "{" or re.match(r"[a-z].*\)\s*\{$", line):
                begun = number
            elif line == "}" and begun:
                length, begun = number - begun, 0
                if length > FUNCTION:
                    yield f"{path.relative_to(root)}: {name}: {length} lines"


def long_files(root: Path) -> Iterator[str]:
    """Files of more than 550 lines."""
    for path in sources(root, ".py", ".c", ".h", ".java"):
        length = text_of(path).count("\n")
        if length > FILE:
            yield f"{path.relative_to(root)}: {length} lines"


# ---- what a file says ----

def nameless_files(root: Path) -> Iterator[str]:
    """C files that do not open with their name, Python modules without a docstring."""
    for path in sources(root, ".c", ".h"):
        named = {"csrc", "tape", "bench"} & set(path.relative_to(root).parts)
        opening = f"/* {path.name} - " if named else "/* "
        if not text_of(path).startswith(opening):
            yield f"{path.relative_to(root)}: does not open with '{opening}'"
    for path in sources(root, ".py"):
        if text_of(path).strip() and ast.get_docstring(tree_of(path)) is None:
            yield f"{path.relative_to(root)}: has no docstring"


# ---- dead things ----

def counts(texts: Iterable[str]) -> dict[str, int]:
    """How often each word stands there."""
    return Counter(word for text in texts for word in re.findall(r"\w+", text))


def unused_imports(root: Path) -> Iterator[str]:
    """Names that a Python file imports and does not use; a package's __init__ hands them on."""
    for path in sources(root, ".py"):
        if path.name == "__init__.py" or path.name == "conftest.py":
            continue
        tree = tree_of(path)
        used = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name)}
        used |= {word for n in ast.walk(tree) if isinstance(n, ast.Constant)
                 and isinstance(n.value, str) for word in re.findall(r"\w+", n.value)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Import | ast.ImportFrom) \
                    and getattr(node, "module", "") != "__future__" \
                    and "noqa" not in text_of(path).splitlines()[node.lineno - 1]:
                for alias in node.names:
                    name = alias.asname or alias.name.split(".")[0]
                    if name not in used and not (alias.asname and alias.asname == alias.name):
                        yield f"{path.relative_to(root)}:{node.lineno}: {name} is not used"


def unused_names(root: Path) -> Iterator[str]:
    """Functions, classes, methods and constants of Python that nothing names a second time.

    Public names of the package are its users'; tests are pytest's, and what C calls is C's.
    """
    words = counts(text_of(p) for p in sources(root, ".py", ".pyi", ".c", ".h", ".toml", ".sh")
                   if p.name not in TELLING)
    for path in sources(root, ".py"):
        public = path.relative_to(root).parts[0] in ("tape", "examples")
        for node in ast.walk(tree_of(path)):
            for name in _defined(node):
                if words[name] == 1 and not (public and not name.startswith("_")) \
                        and not name.startswith(("test_", "pytest_", "__", "visit_")):
                    yield f"{path.relative_to(root)}: {name} is not used"


def _defined(node: ast.AST) -> list[str]:
    if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef):
        outside = ("autouse", "def_extern")  # called by pytest, by C
        return [] if any(word in ast.dump(d) for d in node.decorator_list for word in outside) \
            else [node.name]
    if isinstance(node, ast.Assign):
        return [t.id for t in node.targets if isinstance(t, ast.Name) and t.id != "_"]
    return []


def unused_modules(root: Path) -> Iterator[str]:
    """Python modules that nobody imports, headers that nobody includes."""
    mentioned = " ".join(text_of(p) for p in sources(root, ".py", ".toml", ".sh", ".md", ".txt"))
    for path in sources(root, ".py"):
        entry = path.stem in ("__init__", "__main__", "conftest", "setup", "build_ffi") \
            or path.stem.startswith("test_") or "examples" in path.parts
        if not entry and not re.search(rf"\b{path.stem}\b", mentioned):
            yield f"{path.relative_to(root)}: nobody imports it"
    included = {name.rsplit("/", 1)[-1] for path in sources(root, ".c", ".h", ".py")
                for name in re.findall(r'#include "([\w/]+\.h)"', text_of(path))}
    for path in sources(root, ".h"):
        if path.name not in included:
            yield f"{path.relative_to(root)}: nobody includes it"


def unused_functions_of_c(root: Path) -> Iterator[str]:
    """Private functions of the library that no other line of code names."""
    code = {path: code_of(path) for path in sources(root, ".c", ".h")}
    words = counts(code.values())
    for path, text in code.items():
        if path.suffix == ".c" and "csrc" in path.parts:
            for name in re.findall(r"(?m)^[a-z][\w \*]*?\b(tape__\w+)\([^;]*?\)\s*\{", text):
                declared = sum(len(re.findall(rf"(?m)^\w[\w \*]*\b{name}\([^;{{]*?\);", t))
                               for p, t in code.items() if p.suffix == ".h")
                if words[name] <= 1 + declared:
                    yield f"{path.relative_to(root)}: nobody calls {name}()"


FIELD = re.compile(r"(?m)^\s+(?:const |unsigned |struct |enum |volatile )*\w+[\s\*]+([^;(){}]+);")
READ = re.compile(r"(?:->|\.)\s*(\w+)\b(?!\s*(?:\[[^\]]*\])?\s*=[^=])")


def unused_fields(root: Path) -> Iterator[str]:
    """Fields of structs that no code reads: nothing at all, or assignments alone.

    Fields of ``tape.h`` may be read by Python. Padding says so in its name. A field that has the
    name of one that is read is taken for it: the check sees words, not types.
    """
    code = {path: code_of(path) for path in sources(root, ".c", ".h")}
    read = {name for text in code.values() for name in READ.findall(text)}
    python = {word for p in sources(root, ".py") for word in re.findall(r"\.(\w+)", text_of(p))}
    for path, text in code.items():
        if path.suffix == ".c" and "tests" in path.relative_to(root).parts:
            continue  # structs of one test are shaped like something else
        for kind, body in re.findall(r"\bstruct\b([^;{}()]*)\{((?:[^{}]|\{[^{}]*\})*)\}", text):
            if "Arrow" in kind:
                continue  # an interface: others read it
            for names in FIELD.findall(body):
                for name in re.findall(r"(\w+)(?:\[[^\]]*\])?(?:\s*:\s*\d+)?\s*(?:,|$)", names):
                    if name not in read and not re.search("pad|reserved|unused", name) \
                            and not (path.name == "tape.h" and name in python):
                        yield f"{path.relative_to(root)}: nobody reads field {name}"


# ---- names of C ----

#: Words of the house's own language: they are verbs of no module, as those of C's library are.
LANGUAGE = {"atomics", "bytes", "error", "platform", "platform_process", "platform_wait",
            "platform_check", "platform_sync"}
#: What a file's names begin with beside its own: a part of it, or what it is about.
SUBJECTS = {"directory_listing": "listing", "header_word": "word", "mapping": "window",
            "tailer_places": "places", "tailer_names": "name", "pair_write": "pair",
            "bell": "waiter", "roll_cycle": "index"}

DECLARED = re.compile(r"(?m)^(?!static)\w[\w \*]*\b(tape__\w+)\([^;{]*?\)[^;{}]*;")


def functions_of_c(root: Path) -> Iterator[tuple[Path, str, set[str]]]:
    """Each private function of the library, where it is defined, and the files that have it."""
    code = {path: code_of(path) for path in sources(root, ".c", ".h") if "csrc" in path.parts}
    declared: dict[str, str] = {}
    for path, text in code.items():
        if path.suffix == ".h":
            for name in DECLARED.findall(text):
                declared[name] = path.stem
    for path, text in code.items():
        for name in re.findall(r"(?m)^[a-z][\w \*]*?\b(tape__\w+)\([^;]*?\)\s*\{", text):
            yield path, name, {path.stem, declared.get(name, path.stem)}


def names_without_their_module(root: Path) -> Iterator[str]:
    """A private function is ``tape__<module>_<verb>``: by its .c file, or the header it is in."""
    for path, name, stems in functions_of_c(root):
        begins = {f"tape__{word}" for stem in stems for word in (stem, SUBJECTS.get(stem, stem))}
        if path.stem not in LANGUAGE and name not in begins \
                and not name.startswith(tuple(f"{word}_" for word in begins)):
            yield f"{path.relative_to(root)}: {name} does not begin with its module"


def namesakes(root: Path) -> Iterator[str]:
    """Private functions that have a public one's name but for an underscore."""
    public = {name for path in sources(root, ".h") if path.name == "tape.h"
              for name in re.findall(r"\b(tape_[a-z]\w*)\(", code_of(path))}
    for path, name, _ in functions_of_c(root):
        if name.replace("__", "_", 1) in public:
            yield f"{path.relative_to(root)}: {name} is the namesake of a public function"


def outcomes_in_numbers(root: Path) -> Iterator[str]:
    """Bare numbers beside codes of errors, in a comment or where one is compared: an outcome is of
    an enum. The face alone tells numbers, as C does."""
    for path in sources(root, ".c", ".h"):
        if "csrc" not in path.parts or path.name == "tape.h":
            continue
        for comment in re.finditer(r"/\*.*?\*/", text_of(path), re.DOTALL):
            said = re.sub(r"\s*\n[\s*]*", " ", comment[0])
            if re.search(r"(?<![\w.*-])(?:-1|[0-3])\b[^.;]*\bor (?:a|another) code\b", said):
                number = text_of(path).count("\n", 0, comment.start()) + 1
                yield f"{path.relative_to(root)}:{number}: {said}"
        for number, line in enumerate(code_of(path).splitlines(), 1):
            if re.search(r"\b(?:rc|code|named|found|got)\b\s*[!=]=\s*-?[1-9]\b", line):
                yield f"{path.relative_to(root)}:{number}: {line.strip()}"


# ---- tests ----

def tests_that_import_tests(root: Path) -> Iterator[str]:
    """What two tests need is in the kit."""
    for path in sources(root, ".py"):
        for number, line in enumerate(text_of(path).splitlines(), 1):
            if re.match(r"\s*(from|import) [\w.]*\btest_\w+", line):
                yield f"{path.relative_to(root)}:{number}: {line.strip()}"


def names_that_state_nothing(root: Path) -> Iterator[str]:
    """The name of a test is a sentence: of three words at the least, and no noun of its subject."""
    for path in sources(root, ".py"):
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_") \
                    and "tests" in path.parts and node.name.count("_") < 3:
                yield f"{path.relative_to(root)}:{node.lineno}: {node.name}"


CHECKS: list[Callable[[Path], Iterator[str]]] = [
    long_lines, long_functions_of_python, long_functions_of_c, long_files, nameless_files,
    unused_imports, unused_names, unused_modules, unused_functions_of_c, unused_fields,
    names_without_their_module, namesakes, outcomes_in_numbers, tests_that_import_tests,
    names_that_state_nothing,
]
