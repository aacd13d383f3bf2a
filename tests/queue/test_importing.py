"""What importing and starting tape says when something is missing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import tape


def test_a_codec_not_yet_imported_says_how_to_get_it() -> None:
    """Without having been imported the attribute says how to get them."""
    code = ("import tape\ntry:\n    tape.codecs.pickle\nexcept AttributeError as error:\n"
            "    print(error)\nimport tape.codecs.pickle\nprint(tape.codecs.pickle.name)")
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "import tape.codecs.pickle" in ran.stdout and ran.stdout.endswith("\npickle\n")


def test_a_source_folder_without_the_extension_says_what_helps(tmp_path: Path) -> None:
    """`import tape` beside an unbuilt tape/ says why it fails and what helps."""
    package = Path(tape.__file__).parent
    for path in package.rglob("*.py"):
        target = tmp_path / "tape" / path.relative_to(package)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(path.read_text())
    # Without site-packages, where an installation in place would be found first.
    ran = subprocess.run([sys.executable, "-S", "-c", "import tape"], cwd=tmp_path,
                         capture_output=True, text=True, check=False)
    assert ran.returncode == 1 and "pip install -e ." in ran.stderr.splitlines()[-1]


def test_the_command_line_has_the_version_of_the_package() -> None:
    """As of the package."""
    ran = subprocess.run([sys.executable, "-m", "tape", "--version"], capture_output=True,
                         text=True, check=True)
    assert ran.stdout == f"tape {tape.__version__}\n"
