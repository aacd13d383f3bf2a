"""All commands under one name: loading them when asked for, errors, warnings and exit codes."""

from __future__ import annotations

import importlib
import os
import sys
import warnings
from collections.abc import Sequence
from typing import Any

import click

from .. import __version__
from ..errors import CodecMismatch, CorruptQueue, Error
from .shown import clean

# What each command is in a few words; its module is imported when it runs.
COMMANDS = {
    "demo": "a first look: writes, reads, and shows what is on disk",
    "info": "one screen of facts about a queue",
    "cat": "print messages, filtered and in any form",
    "tail": "print the last messages, and follow",
    "write": "append lines, JSON or EDN from stdin or files",
    "lag": "how far each named tailer is behind",
    "top": "all queues below a directory, live",
    "gc": "remove old cycle files, each with its reason",
    "park": "let a tailer that is gone hold no files",
    "verify": "check the files of a queue, and say what is wrong",
    "repair": "write a mended copy of a damaged queue",
    "compress": "make old cycle files smaller; tailers still read them",
    "thaw": "bring compressed cycle files back",
    "copy": "a range or a whole queue into another",
    "unlock": "who holds the write lock; free it when that one is dead",
    "latency": "where messages spent their time, by Java's histories",
    "bench": "how fast it is on your disk",
    "dump": "annotated bytes of .cq4 and .cq4t files",
    "completion": "a script that completes commands in your shell",
}

FINE, FINDING, WRONG, WARNED, INTERRUPTED = 0, 1, 2, 3, 130
EPILOG = """Exit codes: 0 fine, 1 a finding, 2 wrong use or not possible, 3 done with warnings,
130 interrupted.

\b
Examples:
  tape demo
  tape tail -f orders --match error"""


class Run:
    """One run of a command: who warns here gives exit code 3."""

    def __init__(self) -> None:
        self.name = ""
        self.warned = False

    def say(self, text: str) -> None:
        """A line for the user, beside the output."""
        click.echo(f"tape {self.name}: {clean(text)}", err=True)

    def warn(self, text: str) -> None:
        """The same, of something that did not go as it should."""
        self.warned = True
        self.say(text)

    def code(self, code: int | None) -> int:
        """The exit code, when the command itself gave this one."""
        return code or (WARNED if self.warned else FINE)


class Tape(click.Group):
    """The group of all commands."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order in which a new user needs them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of this name, imported now."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"tape.cli.{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list for ``--help``, for which nothing need be imported."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[
            str | None, click.Command | None, list[str]]:
        """Which command it is, remembered for messages."""
        found = super().resolve_command(ctx, args)
        if ctx.obj is not None:  # there is none while a shell completes
            ctx.obj.name = found[0] or ""
        return found

    def invoke(self, ctx: click.Context) -> Any:
        """Runs the command; all that it raises becomes a text and an exit code."""
        run = ctx.obj = Run()

        def warned(message: Warning | str, category: type[Warning], *_: Any, **__: Any) -> None:
            if category is CodecMismatch and ctx.invoked_subcommand not in ("write", "copy"):
                return  # they look at each message
            if category.__module__.startswith("tape."):
                run.warn("warning: " + str(message).replace("\n  hint: ", "; hint: "))
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("default")
                warnings.showwarning = warned
                code = run.code(super().invoke(ctx))
            sys.stdout.flush()
        except BrokenPipeError:
            # Whoever read our output has seen enough; the interpreter must not flush into the void.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            code = FINE
        except KeyboardInterrupt:
            code = INTERRUPTED
        except Error as error:
            run.say(error.message + (f"; hint: {error.hint}" if error.hint else ""))
            code = FINDING if isinstance(error, CorruptQueue) else WRONG
        except OSError as error:
            run.say(f"{error.filename or ''}: {error.strerror or error}".removeprefix(": "))
            code = WRONG
        ctx.exit(code)


@click.group(cls=Tape, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="tape", message="%(prog)s %(version)s")
def tape() -> None:
    """Look at tape queues, write them, and free the disk."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        return int(tape.main(given, prog_name="tape", standalone_mode=False) or 0)
    except SystemExit:  # click's, when nobody reads its help
        return FINE
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except click.Abort:
        return INTERRUPTED
