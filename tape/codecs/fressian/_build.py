"""How the codec in C is built; setup.py calls :func:`extension`."""

from __future__ import annotations

from setuptools import Extension  # type: ignore[import-untyped, unused-ignore]

_FOLDER = "tape/codecs/fressian"


def extension() -> Extension:
    """The extension module, optional: where it cannot be built the one in Python is used."""
    parts = ("common", "write", "write_caches", "write_collections", "write_structs", "read",
             "read_text", "read_collections", "read_structs")
    return Extension("tape.codecs.fressian._speed", [f"{_FOLDER}/_speed.c"],
                     depends=[f"{_FOLDER}/_speed_{part}.h" for part in parts],
                     extra_compile_args=["-std=c11", "-O2", "-Wall", "-Wextra",
                                         "-Wno-missing-field-initializers"], optional=True)
