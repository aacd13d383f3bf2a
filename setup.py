"""Only what pyproject.toml cannot say: the three extensions and the wheel's tag.

``tape._native`` (cffi) has the stable ABI: one file for CPython 3.10 and later. Fressian's C codec
and the lanes (``tape._fast``) are built for the one Python at hand, because the limited API would
cost them speed, so the wheel is that Python's. ``TAPE_ABI3=1`` leaves both out and gives a
``cp310-abi3`` wheel; what is written in Python then does the same work, slower.
"""

import importlib.util
import os
import re
import sys
import sysconfig
import tempfile
from glob import glob
from pathlib import Path

from setuptools import Extension, setup


def speed():
    """Fressian's extension, without importing the package that is about to be built."""
    spec = importlib.util.spec_from_file_location("fressian_build",
                                                  "tape/codecs/fressian/_build.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.extension()


def fast():
    """The lanes; not for PyPy."""
    if sys.implementation.name != "cpython":
        return []
    return [Extension("tape._fast", sorted(glob("tape/c/*.c")), include_dirs=["csrc", "tape/c"],
                      depends=[*glob("tape/c/*.h"), "csrc/tape.h",
                               "tape/codecs/fressian/c/lane.h"],
                      extra_compile_args=["-std=c11", "-O2", "-Wall", "-Wextra", "-flto",
                                          "-fvisibility=hidden", "-Wno-missing-field-initializers"],
                      extra_link_args=["-flto"], optional=True)]


def readme():
    """README.md for an index page: links into the project become links to its repository."""
    address = re.search(r'(?m)^Repository = "(.*)"', Path("pyproject.toml").read_text())[1]
    return re.sub(r"\]\((?!https?:|#)([^)]+)\)", rf"]({address}/blob/main/\1)",
                  Path("README.md").read_text())


if sysconfig.get_config_var("Py_GIL_DISABLED"):
    raise SystemExit("tape does not work on a Python without the GIL yet: take the usual build")

abi3 = os.environ.get("TAPE_ABI3") == "1"

options = {"bdist_wheel": {"py_limited_api": "cp310"}} if abi3 else {}
if "bdist_wheel" in sys.argv:  # what an older build left in build/ has no place in a wheel
    scratch = tempfile.TemporaryDirectory(prefix="tape-build-")  # goes with the last reference
    options["build"] = {"build_base": scratch.name}

setup(
    long_description=readme(),
    long_description_content_type="text/markdown",
    cffi_modules=["build_ffi.py:ffibuilder"],
    ext_modules=[] if abi3 else [speed(), *fast()],
    options=options,
)
