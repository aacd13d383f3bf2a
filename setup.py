"""Only what pyproject.toml cannot say: the two extensions and the wheel's tag.

``tape._native`` (cffi) has the stable ABI: one file for CPython 3.10 and later. Fressian's C codec
is built for the one Python at hand, because the limited API would cost it speed, so the wheel is
that Python's. ``TAPE_ABI3=1`` leaves the C codec out and gives a ``cp310-abi3`` wheel; the codec in
Python then does the same work, slower.
"""

import importlib.util
import os

from setuptools import setup


def speed():
    """Fressian's extension, without importing the package that is about to be built."""
    spec = importlib.util.spec_from_file_location("fressian_build",
                                                  "tape/codecs/fressian/_build.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.extension()


abi3 = os.environ.get("TAPE_ABI3") == "1"

setup(
    cffi_modules=["build_ffi.py:ffibuilder"],
    ext_modules=[] if abi3 else [speed()],
    options={"bdist_wheel": {"py_limited_api": "cp310"}} if abi3 else {},
)
