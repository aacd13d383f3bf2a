"""Builds ``tape._native``: cffi's view of ``csrc/tape.h`` over the C sources.

The cdef is the header itself, between its two marker comments; nothing is written twice. cffi wants
constants as ``#define NAME ...``: then the C compiler supplies the values.

``python build_ffi.py`` builds the extension in place; ``python build_ffi.py --stub`` prints the
stub for type checkers, which is checked in as ``tape/_native.pyi``.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from cffi import FFI

ROOT = Path(__file__).resolve().parent


def _files(pattern: str) -> list[str]:
    """Files below ``csrc``, from the root: setuptools wants no absolute paths."""
    return sorted(str(path.relative_to(ROOT)) for path in (ROOT / "csrc").glob(pattern))


SOURCES = _files("*/*.c")
FLAGS = ["-std=c11", "-O3", "-Wall", "-Wextra", "-fvisibility=hidden"]

# Beside the library the extension has a clock in Python, the functions that tape._fast calls, a
# count and the slow append that Python's writers look at, and what closes a handle where C put it.
BESIDE = """
const void *tape_fast_table(void);
int64_t tape_clock_went_back(tape_queue_t *queue);
void tape_keep_slow_append(void *user, const tape_slow_append_t *slow);
int tape_take_slow_append(tape_slow_append_t *out);
int tape_has_slow_append(void);
void tape_end_queue(tape_queue_t **place);
void tape_end_appender(tape_appender_t **place);
void tape_end_tailer(tape_tailer_t **place);
void tape_end_waiter(tape_waiter_t **place);
void tape_end_descriptor(int *place);
int tape_open_to_read(const char *path, int *place);
extern "Python" int64_t tape_python_clock(void *user);
extern "Python" int tape_python_interrupted(void *user);
extern "Python" int tape_python_finding(void *user, const tape_finding_t *finding);
extern "Python" int tape_python_progress(void *user, const char *file, int64_t done, int64_t total);
extern "Python" int tape_python_unpack(void *user, const char *path, uint64_t at, uint64_t size);
"""
SOURCE = """
#include "tape.h"
/* A slow append is kept for its thread, who looks when the call of C is over: what logging raises,
 * or a signal's handler meanwhile, then comes out where the append was called. */
static _Thread_local struct { int there; tape_slow_append_t what; } slow_append;
static void tape_keep_slow_append(void *user, const tape_slow_append_t *slow)
{
    (void)user;
    slow_append.what = *slow;
    slow_append.there = 1;
}
static int tape_has_slow_append(void) { return slow_append.there; }
static int tape_take_slow_append(tape_slow_append_t *out)
{
    const int there = slow_append.there;
    if (there) *out = slow_append.what;
    slow_append.there = 0;
    return there;
}
#include "table.h"
static const tape_fast_table_t fast_table = TAPE_FAST_TABLE;
static const void *tape_fast_table(void) { return &fast_table; }
/* As tape_queue_info() tells it, without a look at the directory: writers ask again and again. */
#include "queue/queue.h"
static int64_t tape_clock_went_back(tape_queue_t *queue)
{
    return queue ? PEEK64(counters, &queue->writer.clock_went_back) : 0;
}
static void tape_end_queue(tape_queue_t **place) { tape_queue_release(*place); }
static void tape_end_appender(tape_appender_t **place) { (void)tape_appender_close(*place); }
static void tape_end_tailer(tape_tailer_t **place) { (void)tape_tailer_close(*place); }
static void tape_end_waiter(tape_waiter_t **place) { (void)tape_waiter_close(*place); }
static void tape_end_descriptor(int *place)
{
    if (*place >= 0) tape__close_file(*place);
    *place = -1;
}
static int tape_open_to_read(const char *path, int *place)
{
    const int fd = tape__open_file(path, TAPE__RDONLY);
    *place = fd < 0 ? -1 : fd;
    return fd < 0 ? fd : 0;
}
"""

STUB_HEAD = '''\
# Generated from csrc/tape.h by `python build_ffi.py --stub`; do not edit.
from typing import Any, Final

class _Lib:
'''
STUB_TAIL = '''
lib: _Lib
ffi: Any  # an instance of cffi.FFI's compiled twin
'''


def cdef(header: str) -> str:
    """The declarations between ``[cdef begin]`` and ``[cdef end]``, as cffi takes them."""
    begin, end = header.index("/* [cdef begin]"), header.index("/* [cdef end]")
    text = header[begin:end]
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
    text = text.replace("TAPE_API ", "")
    text = re.sub(r"(?m)^#define (\w+) .*$", r"#define \1 ...", text)
    return text + BESIDE


def _stub_type(c_type: str) -> str:
    if "*" in c_type or "_fn" in c_type:
        return "Any"
    return "None" if c_type.strip() == "void" else "int"


def _stub_parameters(text: str) -> str:
    parameters = ["self"]
    for parameter in text.split(","):
        parameter = parameter.strip()
        if parameter not in ("", "void"):
            c_type, name = re.fullmatch(r"(.*?)(\w+)", parameter, re.DOTALL).groups()
            parameters.append(f"{name}: {_stub_type(c_type)}")
    return ", ".join(parameters)


def stub(declarations: str) -> str:
    """The stub of the extension: each constant and function of the cdef."""
    lines = [f"    {name}: Final[int]" for name in
             re.findall(r"(?m)^#define (\w+)", declarations)
             + re.findall(r"\b(TAPE_E\w+) = ", declarations)]
    lines += [f"    {name}: Any" for name in re.findall(r"\b(tape_python_\w+)\(", BESIDE)]
    functions = re.sub(r"(?ms)^typedef .*?\n(?=\n|typedef|[a-z#])|^extern .*$", "", declarations)
    pattern = r"(?m)^([\w \*]+?)(tape_\w+)\(([^)]*)\);"
    for result, name, parameters in re.findall(pattern, functions):
        lines.append(f"    def {name}({_stub_parameters(parameters)}) -> {_stub_type(result)}: ...")
    return STUB_HEAD + "\n".join(lines) + "\n" + STUB_TAIL


def make() -> FFI:
    """The builder that setuptools calls."""
    builder = FFI()
    builder.cdef(cdef((ROOT / "csrc" / "tape.h").read_text()))
    builder.set_source(
        "tape._native",
        SOURCE,
        sources=SOURCES,
        include_dirs=["csrc", "tape/c"],
        depends=[*_files("*.h"), *_files("*/*.h"), "tape/c/table.h"],
        extra_compile_args=FLAGS,
        libraries=["pthread"],
    )
    return builder


ffibuilder = make()

if __name__ == "__main__":
    if sys.argv[1:] == ["--stub"]:
        sys.stdout.write(stub(cdef((ROOT / "csrc" / "tape.h").read_text())))
    else:
        ffibuilder.compile(verbose=True)
