"""The three references of the site, made of the sources: Python, C, errors."""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Iterator

from tools import header
from tools.header import Item, Section


def _rst(*lines: str) -> list[str]:
    return ["```{eval-rst}", *lines, "```", ""]


# ---- Python ----

MODULES = {  # beside tape itself: the title of its part
    "tape.tasks": "Cycle tasks", "tape.metrics": "Metrics",
    "tape.codecs.raw": "Codec raw", "tape.codecs.json": "Codec json",
    "tape.codecs.msgpack": "Codec msgpack", "tape.codecs.pickle": "Codec pickle",
    "tape.codecs.text": "Codec text", "tape.codecs.document": "Codec document",
    "tape.codecs.wire": "Codec wire", "tape.codecs.edn": "EDN",
    "tape.codecs.fressian": "Codec fressian",
}


def python() -> str:
    """Every public name of the package, by its docstring."""
    import tape
    lines = ["# Python", "", "All public names. `import tape` brings them; what is not needed for "
             "reading and writing is loaded when it is asked for.", ""]
    functions: list[str] = []
    classes: list[str] = []
    values: list[str] = []
    for name in sorted(tape.__all__):
        thing = getattr(tape, name)
        if isinstance(thing, type) and issubclass(thing, BaseException):
            continue  # reference/errors.md
        if isinstance(thing, type):
            classes.append(name)
        elif inspect.isfunction(thing):
            functions.append(name)
        elif not inspect.ismodule(thing):
            values.append(name)
    lines += ["## Functions", ""]
    for name in functions:
        lines += _rst(f".. autofunction:: tape.{name}")
    for name in values:
        lines += _rst(f".. autodata:: tape.{name}")
    order = ["Queue", "Appender", "Tailer"]
    for name in [*order, *(c for c in classes if c not in order)]:
        lines += [f"## {name}", "", *_rst(f".. autoclass:: tape.{name}", "   :members:",
                                          "   :inherited-members: Exception, int, tuple, Enum")]
    for module, title in MODULES.items():
        importlib.import_module(module)
        lines += [f"## {title}", "", *_rst(f".. automodule:: {module}", "   :members:",
                                           "   :exclude-members: DecodeError, EncodeError")]
    return "\n".join(lines)


# ---- errors ----

def errors() -> str:
    """Each class: when it is raised, and what to do, in the words of the library."""
    import tape
    from tape import errors as module
    from tape._ffi import code_classes, lib, text
    codes: dict[type, list[int]] = {}
    for code, kind in code_classes().items():
        codes.setdefault(kind, []).append(code)
    lines = ["# Errors, and what to do", "",
             "Every error of tape is a `tape.Error`. It has `hint` (what to do), and `file`, "
             "`position`, `index` where there are such; `__cause__` where another caused it. "
             "In C `tape_hint()` and `tape_error_trail()` tell the same.", "",
             "| class | also a | code in C |", "| --- | --- | --- |"]
    kinds = [getattr(module, name) for name in module.__all__]
    kinds.sort(key=lambda kind: (issubclass(kind, Warning), kind.__name__))
    for kind in kinds:
        bases = ", ".join(f"`{b.__name__}`" for b in kind.__bases__)
        names = ", ".join(f"`{text(lib.tape_code_name(c))}`" for c in codes.get(kind, []))
        lines.append(f"| [{kind.__name__}](#{kind.__name__.lower()}) | {bases} | {names} |")
    for kind in kinds:
        lines += ["", f"## {kind.__name__}", ""]
        for code in codes.get(kind, []):
            lines += [f"*{_sentence(text(lib.tape_strerror(code)))}* "
                      f"**{_sentence(text(lib.tape_hint(code)))}**", ""]
        lines += _rst(f".. autoexception:: tape.{kind.__name__}"
                      if hasattr(tape, kind.__name__) else f".. autoexception:: {kind.__module__}."
                      f"{kind.__name__}")
    return "\n".join(lines)


def _sentence(words: str) -> str:
    words = words.strip()
    return (words[:1].upper() + words[1:]).rstrip(".") + "." if words else ""


# ---- C ----

def c() -> str:
    """Every call, type and constant of the public headers."""
    lines = ["# C", "", "Made of `csrc/tape.h` and `csrc/tape_fressian.h`; the same stands in the "
             "man pages, `man 3 tape`. `cc program.c $(pkg-config --cflags --libs tape)` builds a "
             "program; `examples/c/` has some.", ""]
    for of in header.all_headers():
        lines += [f"## {of.name}", "", _cap(of.title), "", *_markdown(of.overview)]
        for section in of.sections:
            lines += _c_section(section, of.name)
    return "\n".join(lines)


def _cap(words: str) -> str:
    return words if words.startswith("libtape") else words[:1].upper() + words[1:]


def _c_section(section: Section, name: str) -> Iterator[str]:
    if section.title:
        yield from (f"### {_cap(section.title)} ({name})", "")
    for text in section.text:
        yield from _markdown(text)
    for item in section.items:
        yield from _c_item(item)


def _c_item(item: Item) -> Iterator[str]:
    """Constants and types as they stand in the header; calls as what can be linked to."""
    if item.functions:
        lines = [f".. c:function:: {item.functions[0]}",
                 *(f"                 {function}" for function in item.functions[1:]), ""]
        for shown, block in header.paragraphs(item.comment):
            lines += _rst_block(shown, block)
        yield from _rst(*lines)
    elif item.comment:
        yield from _markdown(item.comment)
    if item.others:
        yield from ("```c", *item.others, "```", "")


def _rst_block(shown: bool, block: str) -> list[str]:
    if shown:
        example = [f"      {line[4:]}" for line in block.splitlines()]
        return ["   .. code-block:: c", "", *example, ""]
    text = " ".join(block.split())
    text = re.sub(r"([*|\\])", r"\\\1", text)
    text = re.sub(r"`([^`]+)`", r"``\1``", text)
    text = re.sub(r"\b(tape_\w+)\(\)", r":c:func:`\1`", text)
    return [f"   {text}", ""]


def _markdown(text: str) -> Iterator[str]:
    """A comment as Markdown: an indented block is an example, `Word` alone on top a heading."""
    for shown, block in header.paragraphs(text):
        if shown:
            yield from ("```c", *(line[4:] for line in block.splitlines()), "```", "")
            continue
        first, *rest = block.splitlines()
        if rest and " " not in first:  # Conventions, Caveats
            yield from (f"**{_escape(first)}**", "")
            yield from _list(rest)
        else:
            yield from (_escape(" ".join(block.split())), "")


def _list(lines: list[str]) -> Iterator[str]:
    """The sentences under a word like Conventions: a line that goes on is indented further."""
    items: list[str] = []
    for line in lines:
        if items and (line.startswith("   ") or not items[-1].endswith(".")):
            items[-1] += " " + line.strip()
        else:
            items.append(line.strip())
    for item in items:
        yield f"* {_escape(item)}"
    yield ""


def _escape(text: str) -> str:
    parts = text.split("`")  # every other one is code
    parts[::2] = [re.sub(r"([*<>_])", r"\\\1", part) for part in parts[::2]]
    return "`".join(parts)
