"""The public headers, read: sections, and in each what is declared under which comment.

The form that ``csrc/tape.h`` has anyway is all that is asked of a header: a comment on top,
sections begun by ``/* ---- name ---- */``, and a comment directly before what it speaks of. A
comment that ends its paragraph speaks of the section. Whatever is added in this form is taken.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HEADERS = [ROOT / "csrc" / "tape.h", ROOT / "csrc" / "tape_fressian.h"]


@dataclass
class Item:
    """A comment and what is declared under it, in order."""

    comment: str
    code: list[str] = field(default_factory=list)

    @property
    def functions(self) -> list[str]:
        """The declarations of functions, without the macro that exports them."""
        return [" ".join(line.removeprefix("TAPE_API ").split())
                for line in self.code if line.startswith("TAPE_API ")]

    @property
    def names(self) -> list[str]:
        """The functions by name."""
        return [name_of(function) for function in self.functions]

    @property
    def others(self) -> list[str]:
        """Types and constants."""
        return [line for line in self.code if not line.startswith("TAPE_API ")]


@dataclass
class Section:
    """What stands between two rules of a header."""

    title: str
    text: list[str] = field(default_factory=list)
    items: list[Item] = field(default_factory=list)


@dataclass
class Header:
    """A header: the first line of its comment, the rest of it, and its sections."""

    name: str
    title: str
    overview: str
    sections: list[Section]

    @property
    def items(self) -> list[Item]:
        return [item for section in self.sections for item in section.items]

    def codes(self) -> dict[str, str]:
        """What the comments of the enum say of each code."""
        found = {}
        for item in self.items:
            for code in item.code:
                if type_name(code) == "tape_code_t":
                    found.update(_enumerators(code))
        return found

    def types(self) -> dict[str, str]:
        """The definition of each struct, enum and function type, by its name."""
        return {name: code for item in self.items for code in item.code
                if (name := type_name(code)) and ("{" in code or "(*" in code)}


def name_of(function: str) -> str:
    """The name of a declared function."""
    found = re.search(r"(\w+)\(", function)
    assert found, function
    return found[1]


def type_name(code: str) -> str | None:
    """The name that a typedef gives."""
    if not code.startswith("typedef"):
        return None
    found = re.search(r"\(\*(\w+)\)|(\w+);$", code)
    return (found[1] or found[2]) if found else None


def _enumerators(code: str) -> Iterator[tuple[str, str]]:
    """The constants of an enum, each with the comment beside it, or before it."""
    if not code.startswith("typedef enum"):
        return
    before = ""
    for line in code.splitlines():
        comment = re.search(r"/\*\s*(.*?)\s*\*/", line)
        if found := re.match(r"\s+(TAPE_\w+)", line):
            yield found[1], comment[1] if comment else before
            before = ""
        elif comment:
            before = comment[1]


def _plain(comment: str) -> str:
    """A comment without its frame, its indentation kept."""
    body = comment.strip().removeprefix("/*").removesuffix("*/")
    lines = [re.sub(r"^ \*(?: |$)", "", line).rstrip() for line in body.splitlines()]
    return "\n".join([lines[0].strip(), *lines[1:]]).strip("\n")


def _parts(block: str) -> Iterator[str]:
    """Comments and declarations of a paragraph, in order, each whole."""
    rest = block.strip("\n")
    while rest:
        if rest.startswith("/*"):
            end = rest.index("*/") + 2
        elif rest.startswith("#"):
            end = (rest + "\n").index("\n")
            if "/*" in rest[:end]:  # its comment may go on
                end = rest.index("*/") + 2
        else:
            end = _statement(rest)
        yield rest[:end]
        rest = rest[end:].lstrip("\n").removeprefix(" ")


def _statement(text: str) -> int:
    """Where a declaration ends: behind the semicolon outside of braces and comments, and what
    comment stands on the rest of that line."""
    depth, at = 0, 0
    while at < len(text):
        if text.startswith("/*", at):
            at = text.index("*/", at) + 2
            continue
        depth += {"{": 1, "}": -1}.get(text[at], 0)
        at += 1
        if text[at - 1] == ";" and depth == 0:
            beside = re.match(r" */\*.*?\*/", text[at:], re.DOTALL)
            return at + (beside.end() if beside else 0)
    raise ValueError(f"no end of: {text[:60]}")


def _add(section: Section, block: str) -> None:
    """Puts a paragraph of a header into its section."""
    parts = list(_parts(block))
    item: Item | None = None
    for at, part in enumerate(parts):
        if part.startswith("/*"):
            item = None
            if at + 1 < len(parts) and not parts[at + 1].startswith("/*"):
                item = Item(_plain(part))
                section.items.append(item)
            else:
                section.text.append(_plain(part))
        elif item is None:
            item = Item("", [part])
            section.items.append(item)
        else:
            item.code.append(part)


def read(path: Path) -> Header:
    """Reads a header of the form above."""
    text = path.read_text()
    top = text[:text.index("*/") + 2]
    first, _, overview = _plain(top).partition("\n")
    body = text[len(top):]
    body = re.sub(r"(?m)^#(ifndef TAPE\w*_H|define TAPE\w*_H|include.*|endif.*)$", "", body)
    body = re.sub(r'(?s)#ifdef __cplusplus\n.*?(?=\n\n|\Z)', "", body)
    body = re.sub(r"#ifndef TAPE_API\n.*?\n", "", body)
    body = re.sub(r"/\* \[cdef (begin|end)\].*?\*/", "", body, flags=re.DOTALL)
    body = re.sub(r"(?m)^#define TAPE_API .*$", "", body)
    sections = [Section("")]
    for block in _blocks(body):
        if rule := re.fullmatch(r"/\* -+ (.*?) -+ \*/", block.strip()):
            sections.append(Section(rule[1]))
        else:
            _add(sections[-1], block)
    return Header(path.name, first.partition(" - ")[2], overview.strip("\n"),
                  [s for s in sections if s.title or s.items])


def _blocks(body: str) -> Iterator[str]:
    """Paragraphs: what empty lines outside of comments and braces part."""
    block: list[str] = []
    for line in body.splitlines():
        text = "\n".join(block)
        inside = text.count("/*") > text.count("*/") or text.count("{") > text.count("}")
        if line.strip() or inside:
            block.append(line)
        elif block:
            yield text
            block = []
    if block:
        yield "\n".join(block)


def all_headers() -> list[Header]:
    """The public headers, ``tape.h`` first."""
    return [read(path) for path in HEADERS]


def paragraphs(text: str) -> Iterator[tuple[bool, str]]:
    """The paragraphs of a comment: whether each is to be shown as it is (an example), and it."""
    block: list[str] = []
    shown = False
    for line in [*text.splitlines(), ""]:
        if block and not line.strip():
            yield shown, "\n".join(block)
            block = []
        if line.strip():
            shown = shown if block else line.startswith("    ")
            block.append(line)


def first_sentence(text: str) -> str:
    """The first sentence of a comment, on one line."""
    for shown, block in paragraphs(text):
        if not shown:
            return re.split(r"(?<=[.:;])\s", " ".join(block.split()) + " ")[0].strip(" .:;")
    return ""
