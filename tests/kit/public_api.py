"""What is public, a line each: names and signatures of the package, functions of the library.

``python -m tests.kit.public_api > tests/house/public_api.txt`` accepts what is public now.
"""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Iterator
from types import ModuleType
from typing import Any

from tape._lanes import BEHIND
from tests.kit.sources import CSRC

MODULES = ["tape", "tape.errors", "tape.codecs", "tape.codecs.raw", "tape.codecs.document",
           "tape.codecs.text", "tape.codecs.json", "tape.codecs.msgpack", "tape.codecs.pickle",
           "tape.codecs.wire", "tape.codecs.edn", "tape.codecs.fressian", "tape.metrics",
           "tape.tasks"]


def signature(thing: Any) -> str:
    """As written, or empty where there is none to be had."""
    try:
        text = str(inspect.signature(thing))
    except (TypeError, ValueError):
        return ""
    text = re.sub(r"ForwardRef\('([^']*)'\)", r"\1", text)
    text = re.sub(r"(?<=: )'([^']*)'|(?<=-> )'([^']*)'", lambda m: m[1] or m[2], text)
    text = re.sub(r" at 0x[0-9a-f]+|, (c|python)(?=>)", "", text)
    return re.sub(r"typing\.|collections\.abc\.|\btape\.\w+\.", "", text)


def shape(thing: type) -> str:
    """What an error is caught as; how anything else is made."""
    if issubclass(thing, BaseException):
        return ": " + ", ".join(b.__name__ for b in thing.__bases__)
    if getattr(thing, "_is_protocol", False):
        return ": protocol"
    ours = [c for c in thing.__mro__ if c.__module__.startswith("tape")]
    made = any({"__init__", "__new__"} & set(vars(c)) for c in ours)  # else as its base is made
    return signature(thing) if made else ""


def members(name: str, thing: type) -> Iterator[str]:
    """What a class itself and its bases of this project have of public names."""
    ours = [c for c in thing.__mro__ if c.__module__.startswith("tape")]
    for member in sorted({m for c in ours for m in vars(c) if not m.startswith("_")}):
        if member.isupper() or member == "code":
            continue
        found = inspect.getattr_static(thing, member)
        found = BEHIND.get(found, found) if callable(found) else found
        call = found.__func__ if isinstance(found, classmethod | staticmethod) else found
        yield f"{name}.{member}" + (signature(call) if callable(call) else "")


def of_module(name: str, module: ModuleType) -> Iterator[str]:
    """The names that a module says are public, or that do not begin with a line."""
    for word in sorted(getattr(module, "__all__", None) or vars(module)):
        thing = getattr(module, word)
        if word.startswith("_") or isinstance(thing, ModuleType):
            continue
        if not hasattr(module, "__all__") and getattr(thing, "__module__", name) != name:
            continue
        if isinstance(thing, type) and thing.__module__.startswith("tape"):
            yield f"{name}.{word}" + shape(thing)
            yield from members(f"{name}.{word}", thing)
        else:
            yield f"{name}.{word}" + (signature(thing) if inspect.isroutine(thing) else "")


def of_the_library() -> Iterator[str]:
    """The functions of the public headers, in order of their names."""
    text = "\n".join(path.read_text() for path in sorted(CSRC.glob("*.h")))
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
    found = re.findall(r"(?m)^TAPE_API\s+([^;{]+?\));", text)
    yield from sorted((" ".join(line.split()) for line in found), key=lambda f: f.split("(")[0])


def public_api() -> list[str]:
    """All of it."""
    lines = [line for name in MODULES for line in of_module(name, importlib.import_module(name))]
    return [*lines, *of_the_library()]


if __name__ == "__main__":
    print("\n".join(public_api()))
