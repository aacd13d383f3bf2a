"""How the codec in C is built; setup.py calls :func:`extension`.

One translation unit, ``c/unity.c``, which includes the others: what is called for each value of a
message is inlined across files then, whatever the compiler. ``c/speed.h`` says how they stand.
"""

from __future__ import annotations

from pathlib import Path

from setuptools import Extension  # type: ignore[import-untyped, unused-ignore]

_FOLDER = "tape/codecs/fressian/c"


def extension() -> Extension:
    """The extension module, optional: where it cannot be built the one in Python is used."""
    parts = sorted(path.as_posix() for path in Path(_FOLDER).glob("*.[ch]"))
    return Extension("tape.codecs.fressian._speed", [f"{_FOLDER}/unity.c"], depends=parts,
                     extra_compile_args=["-std=c11", "-O2", "-Wall", "-Wextra",
                                         "-Wno-missing-field-initializers"], optional=True)
