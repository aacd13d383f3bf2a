"""The C library, built once and installed into a prefix of its own."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.kit.installed import Installed, run
from tests.kit.sources import ROOT


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """`cmake --install` of the library as a user would build it: no option but the prefix."""
    if not shutil.which("cmake"):
        pytest.skip("needs cmake")
    base = tmp_path_factory.mktemp("library")
    run("cmake", "-S", ROOT, "-B", base / "build", "-DTAPE_EXAMPLES=OFF")
    run("cmake", "--build", base / "build", "-j2")
    run("cmake", "--install", base / "build", "--prefix", base / "prefix")
    return Installed(base / "build", base / "prefix")


@pytest.fixture(scope="session")
def programs(installed: Installed, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """examples/c, built by make and pkg-config from what was installed."""
    if not shutil.which("pkg-config"):
        pytest.skip("needs pkg-config")
    out = tmp_path_factory.mktemp("programs")
    installed.make(out)
    return out
