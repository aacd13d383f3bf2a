"""The man pages of section 3, out of the public headers: tape, tape_fressian, and one a call.

``python -m tools.man DIRECTORY`` writes them. Calls that share a comment share a page, and the
other names of it lead there, as ``man`` wants it.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

from tools import header
from tools.header import ROOT, Header, Item

PROJECT = (ROOT / "CMakeLists.txt").read_text()
VERSION = re.search(r"project\(tape VERSION (\S+)", PROJECT)[1]  # type: ignore[index]


def escape(text: str) -> str:
    """Text as roff shows it again: backslashes, minus signs, and dots that begin a line."""
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return re.sub(r"(?m)^([.'])", r"\\&\1", text)


def words(text: str) -> str:
    """A paragraph, with names of calls and codes set apart."""
    text = escape(" ".join(text.split()))
    text = re.sub(r"\b(tape_\w+)\(\)", r"\\fB\1\\fR()", text)
    text = re.sub(r"\b(TAPE_[A-Z_]+)\b", r"\\fB\1\\fR", text)
    return re.sub(r"`([^`]+)`", r"\\fI\1\\fR", text)


def prose(text: str) -> Iterator[str]:
    """A comment, paragraph by paragraph; examples as they stand."""
    for shown, block in header.paragraphs(text):
        if shown:
            yield from (".PP", ".nf", ".RS 4", escape(block.replace("\n    ", "\n").strip()),
                        ".RE", ".fi")
        else:
            yield from (".PP", words(block))


def head(name: str) -> str:
    return f'.TH {name.upper()} 3 "" "tape {VERSION}" "libtape"\n.nh\n.ad l'


def code(text: str) -> Iterator[str]:
    yield from (".PP", ".nf", escape(text), ".fi")


def summary(item: Item) -> str:
    """What stands behind the dash of NAME, in one line of some 70 letters."""
    text = header.first_sentence(item.comment) or item.names[0].replace("_", " ")
    text = text[0].lower() + text[1:] if not text[:2].isupper() else text
    if len(text) > 72:
        text = text[:72].rsplit(" ", 1)[0] + " ..."
    return escape(text.replace("`", ""))


def errors(text: str, codes: dict[str, str]) -> Iterator[str]:
    """The codes that a comment names, each with what it means."""
    named = [name for name in codes if re.search(rf"\b{name}\b", text)]
    if named:
        yield ".SH ERRORS"
        for name in named:
            yield from (".TP", f".B {name}", words(codes[name]))
        yield from (".PP", "\\fBtape_strerror\\fR(3) and \\fBtape_hint\\fR(3) say it in words, "
                           "\\fBtape_error_trail\\fR(3) where and why.")


def types_of(item: Item, types: dict[str, str]) -> Iterator[str]:
    """The types that the calls of a page take, and what is declared with them."""
    yield from item.others
    used = " ".join(item.functions)
    for name, text in types.items():
        if re.search(rf"\b{name}\b", used) and text not in item.others and "private" not in text:
            yield text


def page(item: Item, of: Header, codes: dict[str, str], types: dict[str, str]) -> str:
    """The page of a call, or of those that share a comment."""
    lines = [head(item.names[0]), ".SH NAME", f"{', '.join(item.names)} \\- {summary(item)}",
             ".SH SYNOPSIS", ".nf", f".B #include <{of.name}>", ".PP"]
    lines += [f".B \"{escape(function)}\"" for function in item.functions]
    lines += [".fi", ".SH DESCRIPTION", *(prose(item.comment))]
    shown = list(types_of(item, types))
    if shown:
        lines.append(".SH TYPES")
        for text in shown:
            lines += code(text)
    lines += errors(item.comment, codes)
    near = [name for other in section_of(item, of) for name in other.names
            if name not in item.names]
    also = ["tape", *(["tape_fressian"] if "fressian" in of.name else []), *near[:6]]
    lines += [".SH SEE ALSO", ", ".join(f"\\fB{name}\\fR(3)" for name in also)]
    return "\n".join(lines) + "\n"


def section_of(item: Item, of: Header) -> list[Item]:
    """The items that stand nearest to one, within its section."""
    items = next(s.items for s in of.sections if item in s.items)
    at = items.index(item)
    return sorted(items, key=lambda other: abs(items.index(other) - at))


def overview(of: Header, codes: dict[str, str]) -> str:
    """tape(3): what stands on top of the header, and all calls."""
    name = of.name.removesuffix(".h")
    lines = [head(name), ".SH NAME", f"{name} \\- {escape(of.title.strip(' .'))}", ".SH SYNOPSIS",
             ".nf", f".B #include <{of.name}>", ".PP",
             escape("cc program.c $(pkg-config --cflags --libs tape)"), ".fi",
             ".SH DESCRIPTION", *prose(of.overview)]
    for section in of.sections:
        calls = [item for item in section.items if item.names]
        if calls:
            lines.append(f".SH {section.title.upper()}")
            for text in section.text:
                lines += prose(text)
            for item in calls:
                lines += [".TP", ", ".join(f"\\fB{n}\\fR(3)" for n in item.names), summary(item)]
    if codes:
        lines.append(".SH CODES")
        for word, text in codes.items():
            lines += [".TP", f".B {word}", words(text)]
    others = ["tape_fressian"] if name == "tape" else ["tape"]
    lines += [".SH SEE ALSO", ", ".join(f"\\fB{other}\\fR(3)" for other in others)]
    return "\n".join(lines) + "\n"


def pages() -> Iterator[tuple[str, str]]:
    """Every page: its file name and its text."""
    headers = header.all_headers()
    codes = headers[0].codes()
    types = {name: text for h in headers for name, text in h.types().items()}
    del types["tape_code_t"]
    for h in headers:
        yield h.name.removesuffix(".h") + ".3", overview(h, codes if h is headers[0] else {})
        for item in h.items:
            if item.names:
                yield f"{item.names[0]}.3", page(item, h, codes, types)
                for name in item.names[1:]:
                    yield f"{name}.3", f".so man3/{item.names[0]}.3\n"


def main(directory: str) -> None:
    """Writes them all."""
    target = Path(directory)
    target.mkdir(parents=True, exist_ok=True)
    for name, text in pages():
        (target / name).write_text(re.sub(r"(?m)^(\.SH .*\n)\.PP\n", r"\1", text))


if __name__ == "__main__":
    main(sys.argv[1])
