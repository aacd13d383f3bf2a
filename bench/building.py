"""Builds what is measured besides the package: C programs, Python's floor, the Java program."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build" / "bench"
JAVA_VERSIONS = ("5.27ea5", "2026.4")


def _run(command: list[str]) -> None:
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stdout}")


def c_program(name: str) -> str:
    """The path of ``floor`` or ``latency``, built with the library as CMake builds it."""
    _run(["cmake", "-S", str(ROOT), "-B", str(BUILD), "-DTAPE_BENCH=ON"])
    _run(["cmake", "--build", str(BUILD), "-j2", "--target", f"tape_bench_{name}"])
    return str(BUILD / "bench" / name)


def python_floor() -> ModuleType:
    """The extension of bench/_pyfloor.c."""
    source = ROOT / "bench" / "_pyfloor.c"
    target = BUILD / ("_pyfloor" + sysconfig.get_config_var("EXT_SUFFIX"))
    if not target.exists() or target.stat().st_mtime < source.stat().st_mtime:
        BUILD.mkdir(parents=True, exist_ok=True)
        part = f"{target}.{os.getpid()}"
        _run([*os.environ.get("CC", "cc").split(), "-O3", "-shared", "-fPIC",
              f"-I{sysconfig.get_path('include')}", str(source), "-o", part])
        os.rename(part, target)
    spec = importlib.util.spec_from_file_location("_pyfloor", target)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def java_command(version: str, name: str = "Bench") -> list[str]:
    """How to start a program of bench/jvm with a release of Chronicle Queue; built by tests/jvm."""
    sys.path.insert(0, str(ROOT))
    from tests.jvm.building import build
    from tests.jvm.process import JVM_OPTIONS
    libraries = build(version)
    classes = BUILD / f"jvm-{version}"
    classes.mkdir(parents=True, exist_ok=True)
    _run(["javac", "-d", str(classes), "-cp", libraries, f"bench/jvm/{name}.java"])
    return ["java", *JVM_OPTIONS, "-Dorg.slf4j.simpleLogger.defaultLogLevel=error", "-cp",
            f"{classes}{os.pathsep}{libraries}", name]


def java_is_there() -> bool:
    """Whether the Java programs can be built here."""
    return all(shutil.which(tool) for tool in ("java", "javac", "mvn"))
