"""tape in a subinterpreter: refused in words, whichever interpreter comes first, and the process
goes on and ends as if nothing had been. Each case is a process of its own, since it may crash."""

from __future__ import annotations

import importlib.util
import subprocess
import sys

import pytest

# Private modules, and the only way in before 3.14; 3.12 and 3.13 tell the two kinds apart by
# different arguments, older ones by `isolated` alone, which is no GIL of its own there.
HELPERS = """
import sys
try:
    import _interpreters as interpreters
except ImportError:
    import _xxsubinterpreters as interpreters

def make(kind):
    if interpreters.__name__ == "_interpreters":
        return interpreters.create({"own GIL": "isolated", "shared GIL": "legacy"}[kind])
    return interpreters.create(isolated=kind == "own GIL")

def run(interpreter, code):
    try:
        failed = interpreters.run_string(interpreter, code)  # since 3.13 it returns the error
        print("failed:" if failed else "ran", failed.formatted if failed else "")
    except interpreters.RunFailedError as e:
        print("failed:", e)

def here():
    exec(USE, {})
"""
USE = """
import tape, tempfile
with tape.open(tempfile.mkdtemp()) as q:
    a = q.appender()
    a.write({"n": 1})
    print("read", q.tailer().read())
"""
ORDERS = {
    "alone": "one = make(kind); run(one, USE); interpreters.destroy(one)",
    "after the main one": "here(); one = make(kind); run(one, USE); interpreters.destroy(one); "
                          "here()",
    "before the main one": "one = make(kind); run(one, USE); interpreters.destroy(one); here()",
    "twice": "one = make(kind); run(one, USE); run(one, USE); interpreters.destroy(one); here()",
    "a module of it": "one = make(kind); run(one, 'import tape.codecs.fressian'); "
                      "interpreters.destroy(one); here()",
    "still there at the end": "one = make(kind); run(one, USE); here()",
}

pytestmark = pytest.mark.skipif(
    not any(map(importlib.util.find_spec, ("_interpreters", "_xxsubinterpreters"))),
    reason="this Python has no subinterpreters")


@pytest.mark.parametrize("kind", ["own GIL", "shared GIL"])
@pytest.mark.parametrize("order", ORDERS)
def test_a_subinterpreter_is_refused_and_harms_nothing(order: str, kind: str) -> None:
    code = f"{HELPERS}\nUSE = {USE!r}\nkind = {kind!r}\n{ORDERS[order]}\nprint('the end')"
    got = subprocess.run([sys.executable, "-X", "faulthandler", "-W", "ignore", "-c", code],
                         capture_output=True, text=True, timeout=60, check=False)
    said = got.stdout.splitlines()
    assert (got.returncode, got.stderr) == (0, ""), (got.returncode, got.stdout, got.stderr)
    refused = [line for line in said if line.startswith("failed:")]
    assert len(refused) == ORDERS[order].count("run(")
    assert all("ImportError" in line and "main interpreter only" in line
               for line in refused), refused
    assert "ran " not in said
    assert said.count("read {'n': 1}") == ORDERS[order].count("here()")
    assert said[-1] == "the end"
