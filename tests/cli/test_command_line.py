"""The command line as a whole: help, exit codes, completion, and where there is no click."""

from __future__ import annotations

import importlib
import inspect
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from tape.cli.app import COMMANDS, tape

from tests.kit.commands import ENVIRONMENT, TAPE, outcome


@pytest.mark.parametrize("name", COMMANDS)
def test_help_fits_a_screen_and_has_two_examples(name: str) -> None:
    """80 columns and 40 lines."""
    result = CliRunner().invoke(tape, [name, "--help"], prog_name="tape", terminal_width=80)
    lines = result.output.splitlines()
    assert result.exit_code == 0 and len(lines) <= 40 and max(map(len, lines)) <= 80
    examples = result.output.partition("Examples:")[2]
    assert examples.count(f"tape {name}") >= 2


def test_the_help_of_tape_lists_every_command_and_the_exit_codes() -> None:
    """And ``tape`` alone gives it, too."""
    code, out, errors = outcome("--help")
    assert code == 0 and all(f"  {name} " in out for name in COMMANDS) and "Exit codes" in out
    assert outcome()[1] + outcome()[2] == out + errors


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_a_module_that_calls_what_is_public_alone(name: str) -> None:
    """No private module of tape, no name with a line before it."""
    text = inspect.getsource(importlib.import_module(f"tape.cli.{name}"))
    assert "from .._" not in text and "._cursor" not in text and "_native" not in text


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts_complete_commands_and_options(shell: str) -> None:
    """As the shells ask: by environment variables."""
    code, script, _ = outcome("completion", shell)
    assert code == 0 and "_TAPE_COMPLETE" in script
    words = {"COMP_WORDS": "tape ca", "COMP_CWORD": "ca" if shell == "fish" else "1"}
    program = "import sys; from tape.cli.app import tape; tape(prog_name='tape')"
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True,
                         timeout=60, check=False,
                         env={**ENVIRONMENT, **words, "_TAPE_COMPLETE": f"{shell}_complete"})
    assert "cat" in ran.stdout and "dump" not in ran.stdout, ran


def test_without_click_dump_works_and_the_rest_says_what_to_install(tmp_path: Path) -> None:
    """The package itself needs neither click nor rich."""
    program = ("import sys; sys.modules['click'] = None\nfrom tape.__main__ import main\n"
               "sys.exit(main(sys.argv[1:]))")

    def bare(*arguments: str) -> tuple[int, str]:
        ran = subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True,
                             text=True, timeout=60, check=False, env=ENVIRONMENT)
        return ran.returncode, ran.stdout + ran.stderr
    assert bare("info", str(tmp_path)) == (
        2, "tape: this command needs click and rich: pip install 'tape[cli]'\n")
    assert bare("dump", str(tmp_path)) == (0, "")
    assert bare("--version")[0] == 0


def test_the_console_script_is_the_module() -> None:
    """``tape`` and ``python -m tape`` are one."""
    script = Path(sys.executable).parent / "tape"
    if not script.exists():
        pytest.skip("not installed with its scripts")
    ran = [subprocess.run([*program, "--version"], capture_output=True, env=ENVIRONMENT, timeout=60,
                          check=True).stdout for program in ([str(script)], TAPE)]
    assert ran[0] == ran[1]
