"""Damage of every small kind: libtape gives values or an error that names its file, never worse.

``tests/mutate/mutate.c`` makes the damage and judges the library, linked in with guard pages around
its mappings; this file builds it and runs a sample. ``TAPE_TEST_SCALE=1`` runs every case, once
plain and once under the sanitizers, and prints the numbers.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.kit import golden_queues

ROOT = Path(__file__).resolve().parents[2]
SCALE = os.environ.get("TAPE_TEST_SCALE") == "1"
CC = shutil.which(os.environ.get("CC", "cc")) or shutil.which("gcc")
SANITIZE = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
RECIPES = ["small", "daily", "fast", "full"]
SAMPLE = {"small": 661, "daily": 167, "fast": 127, "full": 661}
GOLDEN_SAMPLE = 601


def build(folder: Path, flags: list[str]) -> Path:
    """Compiles the driver with the library in it."""
    assert CC
    driver = folder / "mutate"
    subprocess.run([CC, "-std=c11", "-O1", "-g", "-Wall", "-Wextra", "-Werror", "-Icsrc", *flags,
                    "-Wl,--wrap=mmap,--wrap=munmap", "tests/mutate/mutate.c",
                    *sorted(str(path) for path in (ROOT / "csrc").glob("*/*.c")),
                    "-lpthread", "-o", str(driver)], cwd=ROOT, check=True)
    return driver


@pytest.fixture(scope="module", params=["plain", "sanitizers"] if SCALE else ["plain"])
def driver(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The driver; also under the sanitizers when everything is run."""
    if not CC:
        pytest.skip("no C compiler")
    folder = tmp_path_factory.mktemp(request.param)
    return build(folder, SANITIZE if request.param == "sanitizers" else [])


def hurt(driver: Path, queue: Path, folder: Path, *options: str) -> str:
    """Runs the cases of one queue; any finding fails the test with what the driver printed."""
    work = Path("/dev/shm") if os.access("/dev/shm", os.W_OK) else folder
    ran = subprocess.run([driver, *options, "--work", work, queue], capture_output=True, text=True,
                         check=False)
    print(queue.name, ran.stdout)
    assert ran.returncode == 0, f"{ran.stdout[-6000:]}\n{ran.stderr[-3000:]}"
    assert ("crashes=0 hangs=0 slow=0 changed=0 worse=0 bad_errors=0 endless=0 "
            "not_found_by_index=0\n") in ran.stdout
    return ran.stdout


@pytest.mark.parametrize("recipe", RECIPES)
def test_no_damage_to_a_queue_of_tape_crashes_the_library(
        driver: Path, tmp_path: Path, recipe: str) -> None:
    """Bits, prefixes, words, pages and random bytes of queues that the driver makes with tape."""
    queue = tmp_path / recipe
    subprocess.run([driver, "--make", recipe, queue], check=True)
    sample = 1 if SCALE else SAMPLE[recipe]
    output = hurt(driver, queue, tmp_path, "--sample", str(sample), "--random",
                  "5000" if SCALE else "20000")
    assert "cases=" in output


@pytest.mark.parametrize("name", ["java-5.26-fast-daily-roll", "java-5.17-daily"])
def test_no_damage_to_a_queue_of_java_crashes_the_library(
        driver: Path, tmp_path: Path, name: str) -> None:
    """The same for files that Java wrote, of data format 1 and 0."""
    queue = shrink(golden_queues.extract(name, tmp_path))
    sample = 7 if SCALE else GOLDEN_SAMPLE
    hurt(driver, queue, tmp_path, "--sample", str(sample), "--random", "2000")


def shrink(queue: Path) -> Path:
    """Cuts the zeros at the end of cycle files, but for some: each case looks at all bytes."""
    for path in queue.glob("*.cq4"):
        used = len(path.read_bytes().rstrip(b"\0"))
        os.truncate(path, (used // 65536 + 2) * 65536)
    return queue
