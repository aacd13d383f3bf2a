"""Building the Java program with Maven, once for each change of its sources."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import zlib
from pathlib import Path

PROJECT = Path(__file__).resolve().parent

#: Environment: a skip becomes a failure. Set by CI, where the JVM must be there.
REQUIRE = "TAPE_REQUIRE_JVM"
#: Environment: another release of chronicle-queue than the usual ones, or several, with commas.
VERSION = "TAPE_CHRONICLE_VERSION"

#: The last release of each line, and the newest: ``.ci/slow jvm`` runs the tests with each.
RELEASES = ("5.24ea27", "5.25ea16", "5.26ea6", "5.27ea5", "2026.4")
#: Those that the tests take when nothing is said; they share the modules of tests.
USUAL = ("5.27ea5", "2026.4")

_module = ""


class BuildFailed(Exception):
    """Maven failed; the message is what it printed."""

    @property
    def unreachable(self) -> bool:
        """Whether the reason is a library or plugin that could not be fetched."""
        return re.search(r"Could not (resolve|transfer|find artifact)|could not be resolved",
                         str(self)) is not None


def begin_module(name: str) -> None:
    """Says which module's tests come now; each has one release, always the same one."""
    global _module
    _module = name


def chosen() -> str:
    """The release of chronicle-queue that the module at hand has."""
    releases = (os.environ.get(VERSION) or ",".join(USUAL)).split(",")
    return releases[zlib.crc32(_module.encode()) % len(releases)]


def release_of(version: str) -> tuple[int, int]:
    """The two numbers that a release begins with."""
    first, second = re.findall(r"\d+", version)[:2]
    return int(first), int(second)


def available() -> str | None:
    """Why there can be no JVM peer, or ``None`` when there can."""
    for tool, package in (("java", "a JDK, 17 or later"), ("javac", "a JDK, 17 or later"),
                          ("mvn", "Maven")):
        if shutil.which(tool) is None:
            return f"{tool} is not on the path: the JVM peer needs {package}"
    return None


def require_jvm() -> None:
    """For pytest: build the peer; skip without a JDK or Maven, or fail if it is required."""
    import pytest

    reason = available()
    if reason is None:
        try:
            build()
        except BuildFailed as error:
            # A machine that cannot reach Maven's repository lacks the JVM peer as one
            # without Maven does; sources that do not compile are another matter.
            if not error.unreachable:
                raise
            reason = str(error)
    if reason is None:
        return
    if os.environ.get(REQUIRE) == "1":
        pytest.fail(f"{reason} ({REQUIRE}=1)")
    else:
        pytest.skip(reason)


def build(version: str | None = None) -> str:
    """Build the peer unless it is up to date; return the class path to start it with.

    Each release of chronicle-queue has a directory of its own under ``target``, so tests
    may use several side by side. Concurrent builds wait for each other.
    """
    version = version or chosen()
    target = PROJECT / "target" / version
    target.mkdir(parents=True, exist_ok=True)
    stamp = target / "sources.sha256"
    with open(target / "build.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        digest = _digest_of_sources()
        if not stamp.exists() or stamp.read_text() != digest:
            command = ["mvn", "-q", "-B", "package",
                       f"-Dpeer.build={target.relative_to(PROJECT)}",
                       f"-Dchronicle.version={version}"]
            done = subprocess.run(command, cwd=PROJECT, stdin=subprocess.DEVNULL,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            if done.returncode != 0:
                raise BuildFailed(f"{' '.join(command)} failed:\n{done.stdout}")
            stamp.write_text(digest)
    return f"{target}/peer.jar{os.pathsep}{target}/lib/*"


def _digest_of_sources() -> str:
    # Contents, not times: a checkout gives old files new times and the reverse.
    digest = hashlib.sha256()
    files = sorted(p for p in (PROJECT / "src").rglob("*") if p.is_file())
    for path in [PROJECT / "pom.xml", *files]:
        digest.update(f"{path.relative_to(PROJECT)}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()
