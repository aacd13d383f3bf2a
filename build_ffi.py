"""Builds ``tape._native``: cffi's view of ``csrc/tape.h`` over the C sources.

The cdef is the header itself, between its two marker comments; nothing is written twice. cffi wants
constants as ``#define NAME ...``: then the C compiler supplies the values.
"""

from __future__ import annotations

import re
from pathlib import Path

from cffi import FFI

ROOT = Path(__file__).resolve().parent
SOURCES = sorted(f"csrc/{path.name}" for path in (ROOT / "csrc").glob("*.c"))
FLAGS = ["-std=c11", "-O3", "-Wall", "-Wextra", "-fvisibility=hidden"]


def cdef(header: str) -> str:
    """The declarations between ``[cdef begin]`` and ``[cdef end]``, as cffi takes them."""
    begin, end = header.index("/* [cdef begin]"), header.index("/* [cdef end]")
    text = header[begin:end]
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
    text = text.replace("TAPE_API ", "")
    text = re.sub(r"(?m)^#define (\w+) .*$", r"#define \1 ...", text)
    return text + '\nextern "Python" int64_t tape_python_clock(void *user);\n'


ffibuilder = FFI()
ffibuilder.cdef(cdef((ROOT / "csrc" / "tape.h").read_text()))
ffibuilder.set_source(
    "tape._native",
    '#include "tape.h"\n',
    sources=SOURCES,
    include_dirs=["csrc"],
    depends=sorted(f"csrc/{path.name}" for path in (ROOT / "csrc").glob("*.h")),
    extra_compile_args=FLAGS,
    libraries=["pthread"],
)

if __name__ == "__main__":
    ffibuilder.compile(verbose=True)
